from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.calibrate import Monitor
from nodemix.operator.api.conditions import ConditionStatus, ConditionType
from nodemix.operator.errors import ConnectionFailedError, NotLeadingError
from nodemix.operator.publish import EVENTS_PATH, PLANS_PATH, Publisher, Standing
from nodemix.operator.reconcile import Finding, PolicyObject, Tick
from nodemix.operator.report.exporter import Exporter
from nodemix.operator.report.risk_finding import risk_verdict
from nodemix.operator.report.status import PLAN_LIFETIME, plan_name
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan import PoolChange, Recommendation
from nodemix.optimizer.policy import ServiceLevel

from tests.builders import SPOT, ZONE, make_catalog
from tests.fakes.objects import FakeObjects
from tests.fakes.sources import make_policy_object, make_recommendation
from tests.forecasting.histories import make_forecast, make_history
from tests.operator.report.examples import a_weighed_recommendation

pytestmark = pytest.mark.anyio

NOW_S = 1_800_000_000.0
POLICY_PATH = "/apis/nodemix.dev/v1alpha1/nodemixpolicies/default"
TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
DECIDED = Finding(ConditionType.READY, TRUE, "Decided", "four nodes do")
STALE = Finding(ConditionType.READY, FALSE, "StaleView", "pods: too old; wait")


def make_world(plans_kept: int = 10) -> tuple[FakeObjects, Publisher]:
    objects = FakeObjects()
    objects.put(POLICY_PATH, {"metadata": {"name": "default"}})
    return objects, Publisher(objects, Exporter(), plans_kept)


def decided(**fields: Any) -> Tick:
    recommendation = make_recommendation(made_at_s=NOW_S, **fields)
    return Tick((DECIDED,), recommendation, None, make_catalog())


def with_target(nodes: int) -> Tick:
    """A decision for so many nodes."""
    return decided(pools=(PoolChange("m5.xlarge", ZONE, SPOT, 0, nodes, 0.06, "cheapest"),))


def reasons(objects: FakeObjects) -> list[str]:
    return [event["reason"] for event in objects.below(EVENTS_PATH)]


def policy() -> PolicyObject:
    return make_policy_object()


async def test_decision_leaves_a_plan_a_status_an_event_and_metrics() -> None:
    objects, publisher = make_world()
    tick = decided()

    standing = await publisher.publish(policy(), tick, Standing(), NOW_S)

    (plan,) = objects.below(PLANS_PATH)
    status = objects.objects[POLICY_PATH]["status"]
    assert standing.plan == (plan["metadata"]["name"], NOW_S)
    assert status["planName"] == plan["metadata"]["name"]
    assert status["usdPerHourPlan"] == plan["spec"]["usdPerHourPlan"] == 0.24
    assert status["observedGeneration"] == 3
    assert reasons(objects) == ["PlanProposed"]
    cost = publisher.exporter.registry.get_sample_value(
        "nodemix_plan_cost_usd_per_hour", {"policy": "default"}
    )
    assert cost == 0.24


async def test_forecast_quality_is_published_with_the_decision() -> None:
    _, publisher = make_world()
    history = make_history([5.0, 5.0])
    forecast = make_forecast(np.full((20, 1, 2, 1), 5.0))
    report = Monitor().issued(forecast).observed(history).report()

    tick = replace(decided(), calibration=report)
    await publisher.publish(policy(), tick, Standing(), NOW_S)

    labels = {"policy": "default", "indicator": "pods", "level": "0.95"}
    shown = publisher.exporter.registry.get_sample_value("nodemix_forecast_coverage_ratio", labels)
    assert shown == 1.0


async def test_what_the_policy_accepts_is_published_even_where_no_decision_was_made() -> None:
    _, publisher = make_world()
    accepting = make_policy_object(
        objective={"slo": {"maxCvar": 0.07}, "budget": {"usdPerHour": 9}}
    )

    await publisher.publish(accepting, Tick((STALE,)), Standing(), NOW_S)

    shown = publisher.exporter.registry.get_sample_value
    assert shown("nodemix_policy_max_cvar_ratio", {"policy": "default"}) == 0.07
    assert shown("nodemix_policy_budget_usd_per_hour", {"policy": "default"}) == 9.0


async def test_risk_above_what_is_accepted_is_warned_of_once_with_its_figures() -> None:
    objects, publisher = make_world()
    verdict = risk_verdict(unsafe_recommendation(), ServiceLevel())
    finding = Finding(ConditionType.RISK_ACCEPTED, verdict.status, verdict.reason, verdict.message)
    tick = replace(decided(), findings=(DECIDED, finding))

    standing = await publisher.publish(policy(), tick, Standing(), NOW_S)
    await publisher.publish(policy(), tick, standing, NOW_S + 60)

    warned = [event for event in objects.below(EVENTS_PATH) if event["type"] == "Warning"]
    assert [event["reason"] for event in warned] == ["CvarAboveAccepted"]
    assert "CVaR of the worst 5 %: 40 % (accepted 10 %)" in warned[0]["note"]


def unsafe_recommendation() -> Recommendation:
    plan = a_weighed_recommendation()
    options = tuple(replace(option, meets_slo=False) for option in plan.options)
    return replace(plan, options=options, risk=replace(plan.risk, cvar=0.4))


async def test_forecast_pods_are_quantiles_of_the_highest_total_within_the_lead_time() -> None:
    """Draw i peaks at i pods in the second step; the third lies beyond the lead time."""
    _, publisher = make_world()
    samples = np.zeros((100, 1, 3, 1))
    samples[:, 0, 1, 0], samples[:, 0, 2, 0] = np.arange(100), 1000.0
    forecast = make_forecast(samples)
    lead_time_s = 2 * forecast.step_s
    quick = make_policy_object(objective={"slo": {"leadTimeSeconds": lead_time_s}})

    await publisher.publish(quick, replace(decided(), forecast=forecast), Standing(), NOW_S)

    shown = publisher.exporter.registry.get_sample_value
    found = [
        shown("nodemix_demand_pods", {"policy": "default", "quantity": f"forecast_{name}"})
        for name in ("p05", "p50", "p95")
    ]
    assert found == [5.0, 50.0, 95.0]


async def test_same_decision_makes_no_second_plan_and_no_second_event() -> None:
    objects, publisher = make_world()
    standing = await publisher.publish(policy(), decided(), Standing(), NOW_S)
    standing = await publisher.publish(policy(), decided(), standing, NOW_S + 60)

    assert len(objects.below(PLANS_PATH)) == 1
    assert standing.plan is not None
    assert standing.plan[1] == NOW_S
    assert reasons(objects) == ["PlanProposed"]


async def test_expired_plan_that_is_still_wanted_is_made_anew() -> None:
    objects, publisher = make_world()
    standing = await publisher.publish(policy(), decided(), Standing(), NOW_S)
    later_s = NOW_S + PLAN_LIFETIME.total_seconds()
    standing = await publisher.publish(policy(), decided(), standing, later_s)

    assert standing.plan is not None
    assert standing.plan[1] == later_s
    assert ("DELETE", f"{PLANS_PATH}/{standing.plan[0]}") in objects.calls
    assert len(objects.below(PLANS_PATH)) == 1


async def test_new_process_takes_over_the_plan_that_stands() -> None:
    objects, publisher = make_world()
    await publisher.publish(policy(), decided(), Standing(), NOW_S)
    (plan,) = objects.below(PLANS_PATH)
    plan["spec"]["approved"] = True

    standing = await publisher.publish(policy(), decided(), Standing(), NOW_S + 60)

    assert standing.plan == (plan["metadata"]["name"], NOW_S)
    assert objects.below(PLANS_PATH)[0]["spec"]["approved"]
    assert reasons(objects) == ["PlanProposed"]


async def test_surplus_plans_are_removed_but_never_an_approved_one() -> None:
    objects, publisher = make_world(plans_kept=2)
    standing = Standing()
    for nodes in range(1, 4):
        standing = await publisher.publish(policy(), with_target(nodes), standing, NOW_S)
        if nodes == 1:
            objects.below(PLANS_PATH)[0]["spec"]["approved"] = True
    await publisher.publish(policy(), with_target(4), standing, NOW_S)

    names = [plan["metadata"]["name"] for plan in objects.below(PLANS_PATH)]
    expected = [plan_name(recommendation(n)) for n in (1, 3, 4)]
    assert names == expected


def recommendation(nodes: int) -> Recommendation:
    found = with_target(nodes).recommendation
    assert found is not None
    return found


async def test_failed_tick_keeps_the_numbers_and_the_plan_and_warns_once() -> None:
    objects, publisher = make_world()
    standing = await publisher.publish(policy(), decided(), Standing(), NOW_S)
    standing = await publisher.publish(policy(), Tick((STALE,)), standing, NOW_S + 60)
    standing = await publisher.publish(policy(), Tick((STALE,)), standing, NOW_S + 120)

    status = objects.objects[POLICY_PATH]["status"]
    assert status["usdPerHourPlan"] == 0.24
    assert status["conditions"][0]["reason"] == "StaleView"
    assert len(objects.below(PLANS_PATH)) == 1
    assert reasons(objects) == ["PlanProposed", "StaleView"]
    failed = publisher.exporter.registry.get_sample_value(
        "nodemix_decisions_total", {"policy": "default", "outcome": "failed"}
    )
    assert failed == 2


async def test_failed_tick_keeps_what_the_last_decision_left() -> None:
    _, publisher = make_world()
    nothing = np.zeros((0, 0), dtype=np.int32)
    left = WarmStart(
        (), (), np.zeros(0, dtype=np.int64), nothing, nothing, np.zeros(0), (), np.zeros(0)
    )
    standing = await publisher.publish(policy(), decided(warm=left), Standing(), NOW_S)
    standing = await publisher.publish(policy(), Tick((STALE,)), standing, NOW_S + 60)

    assert standing.warm is left


async def test_recovery_is_an_event_too() -> None:
    objects, publisher = make_world()
    standing = await publisher.publish(policy(), Tick((STALE,)), Standing(), NOW_S)
    await publisher.publish(policy(), decided(), standing, NOW_S + 60)

    kinds = [(event["type"], event["reason"]) for event in objects.below(EVENTS_PATH)]
    assert kinds == [("Warning", "StaleView"), ("Normal", "PlanProposed"), ("Normal", "Decided")]


async def test_policy_that_is_gone_is_told() -> None:
    objects, publisher = make_world()
    del objects.objects[POLICY_PATH]

    assert (await publisher.publish(policy(), decided(), Standing(), NOW_S)).is_gone


async def test_refused_event_costs_neither_status_nor_plan() -> None:
    objects, publisher = make_world()
    objects.refused = (EVENTS_PATH,)

    standing = await publisher.publish(policy(), decided(), Standing(), NOW_S)

    assert standing.plan is not None
    assert "planName" in objects.objects[POLICY_PATH]["status"]


async def test_refused_plan_is_the_callers_to_say() -> None:
    objects, publisher = make_world()
    objects.refused = (PLANS_PATH,)

    with pytest.raises(ConnectionFailedError, match="HTTP 403"):
        await publisher.publish(policy(), decided(), Standing(), NOW_S)


async def test_process_that_lost_its_lease_writes_nothing() -> None:
    objects = FakeObjects(may_write=lambda: False)

    with pytest.raises(NotLeadingError, match="the lease is lost"):
        await Publisher(objects, Exporter(), 10).publish(policy(), decided(), Standing(), NOW_S)

    assert objects.calls == []


def test_standing_remembers_the_conditions_of_an_earlier_process() -> None:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Decided",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }

    standing = Standing.from_status({"status": {"conditions": [condition]}})

    assert standing.conditions[0].reason == "Decided"
    assert Standing.from_status({}).conditions == ()
