"""How a plan is chosen: safer until its risk is accepted, and never worse than what was found."""

from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer import choice
from nodemix.optimizer.candidate import Candidate, sketch
from nodemix.optimizer.choice import Found, choose
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.policy import ServiceLevel
from nodemix.optimizer.problem.interruptions import STEP_SHARE
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.safety import complaints, starting_safety
from nodemix.optimizer.setting import Setting, setting_of

from tests.builders import (
    SPOT,
    ZONES,
    make_catalog,
    make_offer,
    make_pods,
    make_policy,
    make_snapshot,
    make_workload_key,
)

READINGS = 800
DEFAULT = ServiceLevel()
SPOTS = [
    make_offer(f"{family}.xlarge", usd, zone=zone, capacity_type=SPOT, interruptions_per_hour=1e-4)
    for family, usd in (("m5", 0.06), ("c5", 0.062), ("r5", 0.064))
    for zone in ZONES
]
SAFE = make_offer("m5.xlarge", 0.2)
ONE_POOL = [SPOTS[0], SAFE]


def setting(
    pods: int = 100,
    offers: list[Any] | None = None,
    forecast: DemandForecast | None = None,
    **policy: Any,
) -> Setting:
    policy.setdefault("service_level", DEFAULT)
    snapshot = make_snapshot(make_pods(pods))
    catalog = make_catalog(*(offers or [*SPOTS, SAFE]))
    rng = np.random.default_rng(0)
    return setting_of(snapshot, forecast, make_policy(**policy), catalog, Beliefs(), rng)


def chosen(found: Setting, readings: int = READINGS, start: Safety | None = None) -> Found:
    ticks = count()
    deadline = Deadline.after(lambda: float(next(ticks)), readings)
    start = start or starting_safety(found.policy)
    return choose(found, start, deadline, np.random.default_rng(0), None)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> list[Safety]:
    """Makes every plan that is asked for more than the policy says impossible; lists them."""
    refused: list[Safety] = []
    search = sketch

    def refuse(found: Setting, safety: Safety, *more: Any) -> Candidate:
        if safety != starting_safety(found.policy):
            refused.append(safety)
            raise InfeasiblePlanError("slo.maxPoolLoss", "leaves no plan", "accept more")
        return search(found, safety, *more)

    monkeypatch.setattr(choice, "sketch", refuse)
    return refused


def test_no_pool_of_the_plan_is_larger_than_what_may_be_lost() -> None:
    plan = chosen(setting()).chosen

    assert complaints(plan.risk, DEFAULT) == ()
    assert 0.0 < plan.risk.worst_pool_loss <= 0.2


def test_safety_costs_little_where_there_are_many_pools() -> None:
    """Twenty-five nodes of 0.06 $/h in one pool; nine pools cost at most a tenth more each."""
    found = chosen(setting()).chosen

    assert found.risk.spot_share > 0.8
    assert found.money_usd_per_hour() < 25 * 0.06 * 1.3


def test_few_nodes_may_be_spot_too_where_each_holds_little_of_the_whole() -> None:
    """Ten nodes of four pods each: one in each of nine pools loses a tenth, less than a fifth."""
    found = chosen(setting(pods=40)).chosen

    assert found.risk.worst_pool_loss <= 0.2
    assert found.money_usd_per_hour() < 10 * 0.2 / 2


def test_where_any_loss_is_accepted_the_least_price_decides() -> None:
    careless = ServiceLevel(max_cvar=None, max_pool_loss=1.0)

    found = chosen(setting(service_level=careless)).chosen

    assert found.money_usd_per_hour() == pytest.approx(25 * 0.06)
    assert found.safety == starting_safety(setting(service_level=careless).policy)


def paths_of(pods: list[float]) -> DemandForecast:
    """Paths of web pods, one step each."""
    samples = np.array(pods, dtype=np.float32)[:, None, None, None]
    return DemandForecast((str(make_workload_key("web")),), ("pods",), 0.0, 600.0, samples)


def test_where_only_demand_is_short_spot_is_not_given_up_for_it() -> None:
    """Every fiftieth fresh path asks for thrice what any path shows that capacity is chosen on."""
    pods = [110.0] * 200
    pods[1::100] = [330.0, 330.0]
    found = chosen(setting(forecast=paths_of(pods))).chosen

    assert found.risk.shortfall_probability == pytest.approx(0.02)
    assert found.risk.spot_share > 0.5


def test_where_demand_falls_short_there_is_room_for_more_of_it() -> None:
    """Pods on the paths scored on are a few more than on those that capacity is chosen on."""
    found = chosen(setting(forecast=paths_of([110.0, 113.0] * 100))).chosen

    assert found.risk.shortfall_probability == 0.0
    assert found.safety.extra_pods


def test_a_single_pool_is_made_harmless_by_nodes_on_demand() -> None:
    found = chosen(setting(offers=ONE_POOL)).chosen

    assert found.risk.worst_pool_loss <= 0.2
    assert found.money_usd_per_hour() > 25 * 0.06


def test_where_more_safety_leaves_no_plan_the_best_so_far_stays(strict: list[Safety]) -> None:
    found = chosen(setting(offers=ONE_POOL))

    assert strict, "more safety was never asked for"
    assert found.other is None
    assert found.chosen.safety == starting_safety(setting().policy)
    assert complaints(found.chosen.risk, DEFAULT) != ()


def test_without_any_time_there_is_a_plan() -> None:
    found = chosen(setting(), readings=0)

    held = sum(n * g.count for g in found.chosen.result.packing.nodes for _, n in g.pods)
    assert held == 100


def test_beside_the_plan_there_is_one_made_for_more_safety() -> None:
    found = chosen(setting())

    assert found.other is not None
    assert found.other.safety.max_pool_share < found.chosen.safety.max_pool_share
    assert found.other.risk.worst_pool_loss <= found.chosen.risk.worst_pool_loss


def test_a_pool_that_rests_is_bought_where_the_pods_need_it() -> None:
    """Only one offer holds the pods; a plan went away from it lately."""
    alone = setting(offers=[SAFE])
    start = replace(starting_safety(alone.policy), resting=((SAFE.key, 0),))

    found = chosen(alone, start=start).chosen

    assert found.money_usd_per_hour() == pytest.approx(25 * 0.2)


def test_a_pool_that_rests_is_not_bought_where_others_do() -> None:
    market = setting()
    start = replace(starting_safety(market.policy), resting=((SPOTS[0].key, 2),))

    found = chosen(market, start=start).chosen

    offers = found.built.problem.offers
    again = sum(g.count for g in found.result.packing.nodes if offers[g.offer].key == SPOTS[0].key)
    assert again <= 2


def test_bounds_hold_for_the_plan_and_for_its_money() -> None:
    one = chosen(setting()).chosen

    assert one.result.lower_bound_usd_per_hour <= one.result.packing.cost_usd_per_hour + 1e-9
    assert one.money_bound_usd_per_hour <= one.money_usd_per_hour() + 1e-9
    assert one.money_bound_usd_per_hour > 0.9 * one.money_usd_per_hour()


def test_expected_cost_is_the_sum_of_its_parts() -> None:
    market = setting()
    one = chosen(market).chosen
    risk = one.risk

    parts = (
        one.money_usd_per_hour(),
        one.changes_usd_per_hour(market.policy),
        one.hosting_usd_per_hour,
        risk.interruption_usd_per_hour,
        risk.recourse_usd_per_hour,
        risk.shortage_usd_per_hour,
    )
    assert one.expected_usd_per_hour == pytest.approx(sum(parts), rel=STEP_SHARE)


@pytest.mark.xfail(
    strict=False, reason="of plans that cost the same, which one is chosen differs now and then"
)
def test_the_same_seed_and_clock_choose_the_same_plan() -> None:
    first, again = chosen(setting()).chosen, chosen(setting()).chosen

    assert first.result.packing == again.result.packing
    assert first.risk == again.risk
    assert first.safety == again.safety


def test_a_long_search_that_finds_no_plan_leaves_the_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> Candidate:
        raise InfeasiblePlanError("slo.maxPoolLoss", "no plan was found in the time", "wait")

    monkeypatch.setattr(choice, "plan", fails)

    assert complaints(chosen(setting()).chosen.risk, DEFAULT) == ()
