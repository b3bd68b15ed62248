from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.calibrate import CalibrationReport, IndicatorReport
from nodemix.forecasting.drift import Drift
from nodemix.forecasting.pit import Tally
from nodemix.forecasting.types import DemandForecast, DemandHistory, ModelVerdict
from nodemix.operator.api.conditions import ConditionStatus, ConditionType
from nodemix.operator.errors import (
    ConnectionFailedError,
    DecisionFailedError,
    PriceSourceError,
    StaleViewError,
)
from nodemix.operator.metrics.sources import DemandOrigin, DemandReading
from nodemix.operator.prices.books import PriceReading
from nodemix.operator.reconcile import PolicyObject, Tick, reconcile, to_conditions
from nodemix.operator.worker import DecisionOutcome
from nodemix.optimizer.errors import EmptyCatalogError, InfeasiblePlanError
from nodemix.optimizer.plan import PoolChange
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.risk.replacement import BootTimes
from nodemix.optimizer.snapshot import CapacityType, Note

from tests.builders import make_catalog, make_pods, make_snapshot
from tests.fakes.sources import (
    FakeSources,
    make_policy_object,
    make_recommendation,
    make_unplaceable,
)

pytestmark = pytest.mark.anyio
NOW_S = 1_800_000_000.0
READY, FEASIBLE = ConditionType.READY, ConditionType.PLAN_FEASIBLE
FRESH, HEALTHY = ConditionType.DATA_FRESH, ConditionType.FORECAST_HEALTHY
FALLBACK, PAUSED = ConditionType.FALLBACK, ConditionType.PAUSED
APPLIED = ConditionType.APPLIED


async def tick(sources: FakeSources, *others: PolicyObject, **spec: Any) -> Tick:
    policy = make_policy_object(created_at="2026-06-01T00:00:00Z", **spec)
    return await reconcile(policy, others, sources, None, NOW_S)


def said(tick: Tick, kind: ConditionType) -> tuple[str, str, str]:
    found = next(f for f in reversed(tick.findings) if f.kind is kind)
    return str(found.status), found.reason, found.message


SPEAKS = ModelVerdict("seasonal-naive", ("default/Deployment/web",), "won")


def with_forecast(*verdicts: ModelVerdict) -> FakeSources:
    history = DemandHistory(("default/Deployment/web",), ("pods",), 0, 900, np.ones((1, 1, 8)))
    forecast = DemandForecast(
        history.series,
        ("pods",),
        7200,
        900,
        np.ones((10, 1, 4, 1), np.float32),
        verdicts or (SPEAKS,),
    )
    return FakeSources(
        reading=DemandReading(history, DemandOrigin.PROMETHEUS),
        outcome=DecisionOutcome(make_recommendation(), forecast),
    )


async def test_the_status_says_that_forecasts_drift() -> None:
    drift = Drift(1.0, 100.0, steps=9, is_drifting=True, why="pods: demand lies above")
    report = CalibrationReport(
        (
            IndicatorReport(
                Tally.empty().calibration("pods"), (), is_adjusted=False, gain=None, drift=drift
            ),
        )
    )
    sources = with_forecast()
    assert isinstance(sources.outcome, DecisionOutcome)
    sources.outcome = replace(sources.outcome, calibration=report)

    result = await tick(sources)

    status, reason, message = said(result, HEALTHY)
    assert (status, reason) == ("False", "ForecastDrifts")
    assert message.startswith("pods: demand lies above; models are compared anew. on prometheus")
    assert result.calibration is report


async def test_the_status_says_which_model_speaks_and_why() -> None:
    sources = with_forecast(
        ModelVerdict("ets", (), "not chosen, 1.10 of the best simple model's score", 1.1),
        ModelVerdict("flow", (), "failed: its weights are 25 h old; last-value speaks"),
        ModelVerdict("last-value", ("default/Deployment/web",), "speaks in 100% of the futures"),
    )

    message = said(await tick(sources), HEALTHY)[2]

    assert message == (
        "on prometheus history last-value speaks in 100% of the futures; "
        "flow failed: its weights are 25 h old; last-value speaks"
    )


async def test_a_good_tick_is_ready_and_feasible() -> None:
    result = await tick(with_forecast())

    assert result.recommendation is not None
    assert said(result, READY)[:2] == ("True", "Decided")
    assert said(result, FEASIBLE)[:2] == ("True", "AllPodsPlaced")
    assert said(result, FRESH)[:2] == ("True", "ViewIsCurrent")
    assert said(result, HEALTHY)[:2] == ("True", "ModelSpeaks")
    assert said(result, FALLBACK)[0] == "False"
    assert said(result, APPLIED)[:2] == ("False", "RecommendOnly")


async def test_a_policy_that_selects_nothing_says_how_to_correct_it() -> None:
    result = await tick(FakeSources(), selector={"namespaces": ["nowhere"]})

    status, reason, message = said(result, READY)
    assert (status, reason) == ("False", "EmptySelection")
    assert "NodeMixPolicy/default" in message
    assert "matchLabels" in message
    assert result.recommendation is None


async def test_of_two_policies_over_the_same_pods_the_younger_one_stands_back() -> None:
    older = make_policy_object("older", created_at="2026-01-01T00:00:00Z")

    result = await tick(FakeSources(), older)

    status, reason, message = said(result, FEASIBLE)
    assert (status, reason) == ("False", "PolicyConflict")
    assert "NodeMixPolicy/older" in message
    assert "default/pod-0" in message


async def test_the_older_of_two_policies_goes_on() -> None:
    younger = make_policy_object("younger", created_at="2026-09-01T00:00:00Z")

    result = await tick(FakeSources(), younger)

    assert said(result, READY)[0] == "True"


async def test_policies_over_different_pods_do_not_meet() -> None:
    elsewhere = make_policy_object("elsewhere", selector={"namespaces": ["other"]})

    result = await tick(FakeSources(), elsewhere)

    assert said(result, READY)[0] == "True"


async def test_a_paused_policy_does_not_decide_and_blocks_no_other() -> None:
    sources = FakeSources()
    paused = make_policy_object("older", annotations={"nodemix.dev/paused": "true"})

    assert said(await reconcile(paused, (), sources, None, NOW_S), PAUSED)[0] == "True"
    assert sources.requests == []
    assert said(await tick(sources, paused), READY)[0] == "True"


FAILURES = [
    (
        {"cluster": StaleViewError("pods", "no event for 400 s", "check the API server")},
        FRESH,
        "StaleView",
    ),
    (
        {"price_reading": EmptyCatalogError("PriceBook/aws", "all prices are 0")},
        FRESH,
        "EmptyCatalog",
    ),
    (
        {"price_reading": PriceSourceError("ConfigMap/prices", "is absent", "create it")},
        FRESH,
        "PriceSource",
    ),
    (
        {"outcome": InfeasiblePlanError("budget", "needs 3 $/h", "raise it")},
        FEASIBLE,
        "InfeasiblePlan",
    ),
    ({"outcome": DecisionFailedError("worker", "died", "wait")}, FEASIBLE, "DecisionFailed"),
    (
        {"price_reading": ConnectionFailedError("server", "is down", "wait")},
        FEASIBLE,
        "ConnectionFailed",
    ),
]


@pytest.mark.parametrize(("fault", "kind", "reason"), FAILURES)
async def test_a_failure_becomes_a_condition_with_its_message_and_keeps_the_last_plan(
    fault: dict[str, Exception], kind: ConditionType, reason: str
) -> None:
    result = await tick(FakeSources(**fault))  # type: ignore[arg-type]

    error = next(iter(fault.values()))
    for condition in (kind, READY):
        status, found, message = said(result, condition)
        assert (status, found) == ("False", reason)
        assert str(error) in message
        assert "last good plan stays" in message
    assert result.recommendation is None


async def test_prometheus_down_is_a_degraded_forecast_and_still_a_plan() -> None:
    note = Note("Prometheus http://p:9090", "no answer", "check that it runs", "warning")
    sources = FakeSources(reading=DemandReading(None, DemandOrigin.REQUESTS, (note,)))

    result = await tick(sources)

    status, _, message = said(result, HEALTHY)
    assert status == "False"
    assert "Prometheus http://p:9090: no answer; check that it runs" in message
    assert said(result, FALLBACK)[0] == "True"
    assert "requests as they are" in said(result, FALLBACK)[2]
    assert said(result, READY)[0] == "True"


async def test_a_stale_history_is_named_in_the_forecast_condition() -> None:
    outcome = DecisionOutcome(make_recommendation(), None, "newest sample is 9000 s old")

    result = await tick(FakeSources(outcome=outcome))

    assert "9000 s old" in said(result, HEALTHY)[2]


async def test_a_pod_that_no_offer_can_hold_is_named_with_its_reason() -> None:
    unplaceable = make_unplaceable("giant", 2, "needs 900 cores; lower its request")
    outcome = DecisionOutcome(make_recommendation(unplaceable=(unplaceable,)))

    result = await tick(FakeSources(outcome=outcome))

    status, reason, message = said(result, FEASIBLE)
    assert (status, reason) == ("False", "UnplaceablePods")
    assert "default/Deployment/giant: 2 pods" in message
    assert "lower its request" in message


async def test_an_entry_of_the_policy_that_cannot_be_used_is_named() -> None:
    fact = "commitment ri is left out: the catalog knows no instance type m5.xlrage"
    note = Note("NodeMixPolicy/shop", fact, "correct instanceType", "error")
    outcome = DecisionOutcome(replace(make_recommendation(notes=(note,)), policy="shop"))

    result = await tick(FakeSources(outcome=outcome))

    status, reason, message = said(result, FEASIBLE)
    assert (status, reason) == ("True", "PolicyEntriesLeftOut")
    assert message.endswith(f"NodeMixPolicy/shop: {fact}; correct instanceType")
    assert said(result, READY)[0] == "True"


async def test_an_unreadable_object_is_named() -> None:
    note = Note("shop/Pod/cart-0", "cpu 'lots' is no quantity", "write 500m", "error")

    result = await tick(FakeSources(cluster=make_snapshot(make_pods(1), notes=(note,))))

    assert said(result, FRESH) == (
        "False",
        "UnreadableObjects",
        "shop/Pod/cart-0: cpu 'lots' is no quantity; write 500m",
    )


async def test_offers_that_were_left_out_are_named() -> None:
    note = Note("offer m5.large/us-east-1a/spot", "price 0 is not positive", "correct it")
    prices = PriceReading(make_catalog(), 0.0, (note,))

    result = await tick(FakeSources(price_reading=prices))

    assert said(result, FEASIBLE)[1] == "PricesDegraded"
    assert "price 0 is not positive" in said(result, FEASIBLE)[2]


async def test_apply_says_that_it_is_not_supported() -> None:
    result = await tick(FakeSources(), mode="Apply")

    assert said(result, APPLIED)[:2] == ("False", "ApplyNotSupported")


async def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    good = await tick(FakeSources())
    bad = await tick(FakeSources(price_reading=EmptyCatalogError("x", "y")))

    first = to_conditions((), good.findings, NOW_S, 1)
    second = to_conditions(first, good.findings, NOW_S + 60, 1)
    third = to_conditions(second, bad.findings, NOW_S + 120, 2)

    ready = [next(c for c in cs if c.type == READY) for cs in (first, second, third)]
    assert ready[0].last_transition_time == ready[1].last_transition_time
    assert ready[2].last_transition_time > ready[1].last_transition_time
    assert ready[2].status is ConditionStatus.FALSE


async def test_nodes_without_a_price_are_named_where_costs_are_read() -> None:
    unknown = PoolChange("rack", "dc-1", CapacityType.ON_DEMAND, 3, 3, None, "no price")
    outcome = DecisionOutcome(make_recommendation(pools=(unknown,)))

    result = await tick(FakeSources(outcome=outcome))

    status, reason, message = said(result, FEASIBLE)
    assert (status, reason) == ("True", "PricesDegraded")
    assert "3 of today's nodes have no known price" in message
    assert "add rack/dc-1/on-demand to the PriceBook" in message


async def test_decision_is_told_what_was_learned() -> None:
    beliefs = Beliefs(boots=BootTimes((40.0,)))
    sources = FakeSources(learned=beliefs)
    await tick(sources)
    await tick(unlearned := FakeSources())

    assert sources.requests[0].beliefs is beliefs
    assert unlearned.requests[0].beliefs is None
