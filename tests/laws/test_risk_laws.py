"""Whatever the plan: losses are shares, more nodes never hurt, and bounds on money are true."""

from itertools import count, product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.planner import decide
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.risk.fleet_nodes import FleetNodes, fleet_nodes

from tests.builders import (
    ON_DEMAND,
    SPOT,
    make_catalog,
    make_offer,
    make_pods,
    make_policy,
    make_snapshot,
)
from tests.laws.strategies import problems, ticking

EXAMPLES = 10
SCENARIOS = 6
READINGS_PER_S = 60

quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def packed(problem: Problem) -> Packing:
    return solve(problem, ticking(20), np.random.default_rng(0)).packing


def unfolded(problem: Problem, packing: Packing) -> FleetNodes:
    return fleet_nodes(problem, packing, (), {})


@quick
@given(problem=problems(most_pods=12), seed=st.integers(0, 99))
def test_losses_are_shares_and_a_node_more_never_hurts(problem: Problem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    packing = packed(problem)
    nodes = unfolded(problem, packing)
    alive = rng.random((SCENARIOS, nodes.nodes)) < 0.6
    needed = rng.integers(0, 2 * problem.demand + 1, size=(SCENARIOS, len(problem.rows)))
    extra = PackedNodes(int(rng.integers(len(problem.offers))), (), 1)
    more = unfolded(problem, Packing((*packing.nodes, extra), 0.0))

    share, pods = nodes.losses(needed, alive)
    with_one_more, fewer = more.losses(needed, np.hstack([alive, np.ones((SCENARIOS, 1), bool)]))

    assert ((share >= 0.0) & (share <= 1.0)).all()
    assert (fewer <= pods).all()
    assert (with_one_more <= share + 1e-12).all()


@quick
@given(problem=problems(most_pods=12))
def test_a_plan_holds_what_it_was_made_for_and_loses_all_with_its_nodes(problem: Problem) -> None:
    nodes = unfolded(problem, packed(problem))
    alive = np.array([[True] * nodes.nodes, [False] * nodes.nodes])

    share, pods = nodes.losses(np.tile(problem.demand, (2, 1)), alive)

    assert share.tolist() == [0.0, 1.0]
    assert pods.tolist() == [0, int(problem.demand.sum())]


offers = st.lists(
    st.tuples(st.sampled_from([2, 3, 4, 8]), st.integers(5, 60), st.booleans()),
    min_size=1,
    max_size=3,
)


@quick
@given(sizes=offers, pods=st.integers(1, 9))
def test_the_bound_on_money_is_below_every_plan_and_the_plan_is_not(
    sizes: list[tuple[int, int, bool]], pods: int
) -> None:
    """Against all counts of nodes of up to three offers, for pods of one core."""
    market = [
        make_offer(
            f"m{5 + i}.any",
            cents / 100.0,
            vcpus=vcpus,
            memory_gib=64,
            capacity_type=SPOT if is_spot else ON_DEMAND,
            interruptions_per_hour=0.01 if is_spot else 0.0,
        )
        for i, (vcpus, cents, is_spot) in enumerate(sizes)
    ]
    counts = product(range(pods + 1), repeat=len(market))
    cheapest = min(
        sum(n * offer.price_usd_per_hour for n, offer in zip(mix, market, strict=True))
        for mix in counts
        if sum(n * o.instance.vcpus for n, o in zip(mix, market, strict=True)) >= pods
    )
    ticks = count()

    result = decide(
        make_snapshot(make_pods(pods)),
        None,
        make_policy(search_s=0.2),
        make_catalog(*market),
        np.random.default_rng(0),
        lambda: next(ticks) / READINGS_PER_S,
    )

    assert result.lower_bound_usd_per_hour <= cheapest + 1e-9
    assert result.plan_usd_per_hour >= cheapest - 1e-9
    assert result.gap == pytest.approx(
        1.0 - result.lower_bound_usd_per_hour / result.plan_usd_per_hour
    )
