"""A plan's risk by hand: what is left of two pools is given, scenario by scenario."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from nodemix.optimizer.decision import PodPaths
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.policy import SpotRules
from nodemix.optimizer.problem.interruptions import interruptions_of
from nodemix.optimizer.problem.types import FloatArray, Problem
from nodemix.optimizer.risk.beliefs import pool_of
from nodemix.optimizer.risk.fleet_nodes import fleet_nodes
from nodemix.optimizer.risk.hazard import Hazard, PoolKey
from nodemix.optimizer.risk.outlook import UNKNOWN, Outlook
from nodemix.optimizer.risk.score import plan_risk

from tests.builders import (
    SPOT,
    ZONE,
    make_catalog,
    make_offer,
    make_pods,
    make_problem,
    make_workload_key,
)

WEB = make_workload_key("web")
A = make_offer("m5.xlarge", 0.1, vcpus=4, capacity_type=SPOT)
B = make_offer("c5.2xlarge", 0.2, vcpus=8, capacity_type=SPOT)
SAFE = make_offer("m5.xlarge", 0.3, vcpus=4)
CATALOG = make_catalog(A, B, SAFE)
OFFERS = CATALOG.by_key()
# Pools are sorted: B (c5) before A (m5).
HAZARDS = {
    pool_of(A): Hazard(1.0, 20.0, (2.1, 0.9), 1.0),
    pool_of(B): Hazard(2.0, 20.0, (1.0, 1.0), 1.0),
}
ALL, NONE = 1.0, 0.0
RATIO = 19.0


@dataclass(frozen=True, slots=True, eq=False)
class Given(Outlook):
    """Scenarios that are given: what is left of (B, A), repeated."""

    left: tuple[tuple[float, float], ...] = ()

    def surviving(self, pools: tuple[PoolKey, ...], scenarios: int) -> FloatArray:
        rows = np.array(self.left)[:, : len(pools)]
        return rows[np.arange(scenarios) % len(rows)]


def paths(*pods: int) -> PodPaths:
    return PodPaths((WEB,) if pods else (), np.array(pods, dtype=np.int64)[:, None])


def outlook(*left: tuple[float, float], pods: Sequence[int] = ()) -> Given:
    return Given(paths(*pods), HAZARDS, 600.0, 3, left=left or ((ALL, ALL),))


def problem_of_twelve() -> Problem:
    return make_problem(make_pods(12), [A, B, SAFE])


# 4 pods on A, 8 on B: neither has a free core.
TWO_POOLS = Packing((PackedNodes(0, ((0, 4),), 1), PackedNodes(1, ((0, 8),), 1)), 0.3)
SAFE_NODES = Packing((PackedNodes(2, ((0, 4),), 3),), 0.9)


def risk(
    packing: Packing,
    seen: Given,
    kept: tuple[PlannedNodes, ...] = (),
    scenarios: int = 100,
    problem: Problem | None = None,
) -> Risk:
    problem = problem or problem_of_twelve()
    nodes = fleet_nodes(problem, packing, kept, {WEB: np.array([1000, 1024, 1])})
    shown = [
        PlannedNodes(*offer.key, group.count, (), offer.price_usd_per_hour)
        for group in packing.nodes
        for offer in [problem.offers[group.offer]]
    ]
    costs = interruptions_of(CATALOG, HAZARDS, SpotRules(interruption_usd=0.02), 600.0)
    every = (*shown, *kept)
    return plan_risk(nodes, every, problem, seen, costs, OFFERS, RATIO, scenarios)


def test_the_tail_is_the_mean_of_the_worst_twentieth() -> None:
    """Of 100 scenarios B goes in three and A in two: the worst five lose 8, 8, 8, 4, 4 of 12."""
    calm = ((ALL, ALL),) * 19
    left = (*((NONE, ALL), *calm) * 3, *((ALL, NONE), *calm) * 2)

    found = risk(TWO_POOLS, outlook(*left))

    assert found.worst_losses == pytest.approx((8 / 12,) * 3 + (4 / 12,) * 2)
    assert found.cvar == pytest.approx((3 * 8 + 2 * 4) / 12 / 5)
    assert found.mean_loss == pytest.approx((3 * 8 + 2 * 4) / 12 / 100)
    assert (found.scenarios, found.scenarios_short) == (100, 5)
    assert found.joint_shortfall_probability == 0.05


def test_the_error_of_a_tail_is_that_of_its_losses_and_of_where_it_begins() -> None:
    """Of the five losses 2/3, 2/3, 2/3, 1/3, 1/3 the tail begins at 1/3."""
    calm = ((ALL, ALL),) * 19
    left = (*((NONE, ALL), *calm) * 3, *((ALL, NONE), *calm) * 2)
    mean, edge = 32 / 60, 1 / 3
    variance = (3 * (2 / 3 - mean) ** 2 + 2 * (1 / 3 - mean) ** 2) / 5

    found = risk(TWO_POOLS, outlook(*left))

    expected = ((variance + 0.95 * (mean - edge) ** 2) / 5) ** 0.5
    assert found.cvar_standard_error == pytest.approx(expected)


def test_few_paths_leave_the_tail_less_certain_than_many_scenarios_say() -> None:
    """On one of twenty paths demand doubles, and half of it lacks; on none of them it may as well.

    The tail is that path: its influence is 0.5 / 0.05 - 0.5 = 9.5 on its scenarios and -0.5 on all
    others, summed over paths of five scenarios each.
    """
    found = risk(TWO_POOLS, outlook(pods=[24, *[12] * 19]))

    spread = (5 * 0.5 / 0.05 - 5 * 0.5) ** 2 + 19 * (5 * -0.5) ** 2
    assert found.cvar == pytest.approx(0.5)
    assert found.cvar_error_of_paths == pytest.approx((20 / 19 * spread) ** 0.5 / 100)
    assert risk(TWO_POOLS, outlook((NONE, ALL), (ALL, ALL))).cvar_error_of_paths == 0.0


def test_later_nodes_cost_the_mean_loss_on_demand_and_lacking_them_so_much_more() -> None:
    """A on demand costs 0.3; B is not sold on demand and counts 0.2."""
    found = risk(TWO_POOLS, outlook((NONE, ALL), (ALL, ALL)))

    assert found.on_demand_usd_per_hour == pytest.approx(0.3 + 0.2)
    assert found.recourse_usd_per_hour == pytest.approx(0.5 * 8 / 12 * 0.5)
    assert found.shortage_usd_per_hour == pytest.approx(RATIO * found.recourse_usd_per_hour)


def test_the_tail_of_demand_alone_leaves_reclaims_out() -> None:
    """On one of two paths demand doubles: 12 of 24 lack, and all of them once both pools go."""
    found = risk(TWO_POOLS, outlook((NONE, NONE), pods=(12, 24)))

    assert found.demand_cvar == pytest.approx(0.5)
    assert found.cvar == 1.0


def test_demand_and_reclaims_come_together() -> None:
    """Demand doubles exactly where A is lost: twelve further pods and four lack of 24."""
    found = risk(TWO_POOLS, outlook((ALL, ALL), (ALL, NONE), pods=(12, 24)))

    assert found.shortfall_probability == 0.5
    assert found.joint_shortfall_probability == 0.5
    assert found.worst_losses[0] == pytest.approx((12 + 4) / 24)


def test_a_shortfall_of_demand_alone_does_not_see_reclaims() -> None:
    found = risk(TWO_POOLS, outlook((NONE, NONE), pods=(12, 12)))

    assert found.shortfall_probability == 0.0
    assert found.joint_shortfall_probability == 1.0
    assert found.cvar == 1.0


def test_without_a_forecast_nothing_is_said_of_demand() -> None:
    assert risk(TWO_POOLS, outlook()).shortfall_probability is None


def test_each_pool_shows_what_it_loses_and_what_that_costs() -> None:
    larger, smaller = risk(TWO_POOLS, outlook()).pools

    assert (larger.instance_type, larger.zone, larger.nodes) == ("c5.2xlarge", ZONE, 1)
    assert larger.loss_if_reclaimed == pytest.approx(8 / 12)
    assert larger.shocks_per_hour == pytest.approx(0.1)
    assert larger.share_lost == pytest.approx(0.5)
    assert larger.interruption_usd_per_node == pytest.approx(0.02 + 0.2 / 6)
    assert larger.interruption_usd_per_hour == pytest.approx(0.1 * 0.5 * (0.02 + 0.2 / 6))
    assert smaller.interruption_usd_per_node == pytest.approx(0.02 + 0.3 / 6)
    assert smaller.interruption_usd_per_hour == pytest.approx(0.05 * 0.7 * 0.07)


def test_sums_over_the_pools_are_the_plans() -> None:
    found = risk(TWO_POOLS, outlook())

    assert found.worst_pool_loss == pytest.approx(8 / 12)
    assert found.interruption_usd_per_hour == pytest.approx(
        sum(pool.interruption_usd_per_hour for pool in found.pools)
    )
    assert found.interruptions_per_day == pytest.approx(24 * (0.1 * 0.5 + 0.05 * 0.7))


def test_intervals_contain_their_means() -> None:
    found = risk(TWO_POOLS, outlook())

    low, high = found.interruptions_per_day_low, found.interruptions_per_day_high
    assert 0.0 < low < found.interruptions_per_day < high
    for pool in found.pools:
        assert pool.shocks_per_hour_low < pool.shocks_per_hour < pool.shocks_per_hour_high


def test_shares_are_of_vcpus() -> None:
    mixed = Packing((*TWO_POOLS.nodes, PackedNodes(2, ((0, 4),), 1)), 0.6)

    found = risk(mixed, outlook(), problem=make_problem(make_pods(16), [A, B, SAFE]))

    assert found.spot_share == pytest.approx(12 / 16)
    assert found.worst_pool_share == pytest.approx(8 / 16)


def test_a_plan_on_demand_has_no_risk_of_reclaims() -> None:
    found = risk(SAFE_NODES, outlook((NONE, NONE)))

    assert found.pools == ()
    assert (found.spot_share, found.worst_pool_loss, found.cvar) == (0.0, 0.0, 0.0)
    assert found.interruptions_per_day == found.interruptions_per_day_high == 0.0
    assert found.interruption_usd_per_hour == found.shortage_usd_per_hour == 0.0
    assert found.on_demand_usd_per_hour == pytest.approx(0.9)


def test_an_empty_plan_has_no_risk() -> None:
    nothing = make_problem([*make_pods(1)], [SAFE])

    found = risk(Packing((), 0.0), outlook(pods=(0, 0)), problem=nothing)

    assert (found.cvar, found.shortfall_probability, found.spot_share) == (0.0, 0.0, 0.0)


def test_a_kept_node_of_a_type_that_is_not_on_sale_is_believed_to_go_often() -> None:
    strange = PlannedNodes("z9.odd", ZONE, SPOT, 2, ((WEB, 2),), None, ("n1", "n2"))

    found = risk(SAFE_NODES, outlook(), kept=(strange,))

    (pool,) = found.pools
    assert (pool.instance_type, pool.nodes) == ("z9.odd", 2)
    assert pool.shocks_per_hour == UNKNOWN.shocks_per_hour
    assert pool.loss_if_reclaimed == pytest.approx(4 / 16)
    assert pool.interruption_usd_per_hour == 0.0  # nobody knows what it costs
    assert found.interruptions_per_day > 0.0


def test_free_room_lowers_what_a_loss_takes() -> None:
    """One more node on demand has room for the four pods of A, and for four of B's eight."""
    roomy = Packing((*TWO_POOLS.nodes, PackedNodes(2, (), 1)), 0.6)

    tight, loose = (risk(plan, outlook((NONE, ALL))) for plan in (TWO_POOLS, roomy))

    assert [pool.loss_if_reclaimed for pool in loose.pools] == pytest.approx([4 / 12, 0.0])
    assert loose.cvar == pytest.approx(4 / 12)
    assert loose.cvar < tight.cvar
