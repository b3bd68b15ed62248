from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import (
    Profile,
    Strategy,
    arrival_order,
    decreasing_order,
    expected_placed_cost_usd_per_hour,
    hosting_cost_usd_per_hour,
    nodes_to_find,
    place,
    placed_cost_usd_per_hour,
    random_order,
    visiting_order,
    zones_of,
)
from nodemix.optimizer.placement.steering import steer
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import ZONES, make_offer, make_pods, make_problem

# One big node full of two big pods, one small node full of four small ones.
SPLIT = Packing((PackedNodes(0, ((0, 2),), 1), PackedNodes(1, ((1, 4),), 1)), 0.6)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def split_problem() -> Problem:
    """Small pods that the big node tempts away from the small one."""
    big = make_pods(2, workload="big", cpu_milli=4000, memory_mib=8192)
    small = make_pods(4, workload="small", cpu_milli=1000, memory_mib=2048)
    offers = [
        make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=16),
        make_offer("m5.xlarge", price=0.2, vcpus=4, memory_gib=8),
    ]
    return make_problem([*big, *small], offers)


def twin_problem(pods: int = 2, **fields: int) -> tuple[Problem, Packing]:
    """Pods of one row on two equal nodes."""
    problem = make_problem(make_pods(pods, **fields))
    return problem, Packing((PackedNodes(0, ((0, 1),), 2),), 0.4)


def test_least_allocated_spreads_pods_over_equal_nodes() -> None:
    problem, packing = twin_problem()

    placement = place(problem, packing, np.array([0, 0]), rng())

    assert placement.held[:, 0].tolist() == [1, 1]
    assert placement.nodes_used == 2


def test_most_allocated_fills_one_node_first() -> None:
    problem, packing = twin_problem(4)
    profile = Profile(Strategy.MOST_ALLOCATED, balance_weight=0)

    placement = place(problem, packing, np.zeros(4, np.int64), rng(), profile)

    assert sorted(placement.held[:, 0].tolist()) == [0, 4]
    assert placement.nodes_used == 1


def test_balance_prefers_the_node_that_the_pod_makes_more_even() -> None:
    """Once its node has a cpu-heavy pod, a memory-heavy one joins it against the emptier node."""
    heavy_cpu = make_pods(1, workload="cpu", cpu_milli=2000, memory_mib=1)
    heavy_memory = make_pods(1, workload="memory", cpu_milli=1, memory_mib=8192)
    problem = make_problem([*heavy_cpu, *heavy_memory])
    packing = Packing((PackedNodes(0, ((0, 1), (1, 1)), 2),), 0.4)
    order = np.array([0, 1])

    even = place(problem, packing, order, rng(), Profile(fit_weight=0))
    spread = place(problem, packing, order, rng(), Profile(balance_weight=0))

    assert even.nodes_used == 1
    assert spread.nodes_used == 2


def test_equal_nodes_are_chosen_by_the_rng() -> None:
    problem, packing = twin_problem(1)

    chosen = {int(place(problem, packing, np.array([0]), rng(s)).held[1, 0]) for s in range(20)}

    assert chosen == {0, 1}


def test_same_rng_same_placement() -> None:
    problem = split_problem()
    order = random_order(problem, rng(3))

    first, second = (place(problem, SPLIT, order, rng(5)) for _ in range(2))

    assert np.array_equal(first.held, second.held)
    assert np.array_equal(first.pending, second.pending)


def test_small_pods_that_come_first_take_the_big_node_and_the_rest_is_paid_for() -> None:
    problem = split_problem()

    placement = place(problem, SPLIT, np.array([1, 1, 1, 1, 0, 0]), rng())

    assert placement.pending.tolist() == [1, 0]
    assert placed_cost_usd_per_hour(problem, SPLIT, placement) == pytest.approx(0.6 + 0.2)


def test_cohorts_keep_small_pods_off_the_big_node() -> None:
    problem = split_problem()
    steering = steer(problem, SPLIT, PlacementMode.COHORT)

    placement = place(problem, SPLIT, np.array([1, 1, 1, 1, 0, 0]), rng(), steering=steering)

    assert placement.held.tolist() == [[2, 0], [0, 4]]
    assert placed_cost_usd_per_hour(problem, SPLIT, placement) == 0.6


def test_quotas_keep_small_pods_from_taking_the_places_that_big_ones_have_beside_them() -> None:
    big = make_pods(1, workload="big", cpu_milli=4000, memory_mib=8192)
    small = make_pods(8, workload="small", cpu_milli=1000, memory_mib=2048)
    problem = make_problem([*big, *small], split_problem().offers)
    plan = Packing((PackedNodes(0, ((0, 1), (1, 4)), 1), PackedNodes(1, ((1, 4),), 1)), 0.6)
    order = np.array([1] * 8 + [0])
    dealt = steer(problem, plan, PlacementMode.COHORT)
    undealt = replace(dealt, quotas=())

    assert place(problem, plan, order, rng(), steering=undealt).pending.tolist() == [1, 0]
    assert place(problem, plan, order, rng(), steering=dealt).held.tolist() == [[1, 4], [0, 4]]


def test_pods_beyond_the_quotas_stay_pending() -> None:
    problem, packing = twin_problem(2)
    steering = steer(problem, packing, PlacementMode.COHORT)

    placement = place(problem, packing, np.zeros(3, np.int64), rng(), steering=steering)

    assert placement.pending.tolist() == [1]


def test_limit_of_pods_per_node_leaves_pods_pending() -> None:
    problem = make_problem(make_pods(5, cpu_milli=100, max_per_node=2))
    packing = Packing((PackedNodes(0, ((0, 2),), 2),), 0.4)

    placement = place(problem, packing, np.zeros(5, np.int64), rng())

    assert placement.held[:, 0].tolist() == [2, 2]
    assert placement.pending.tolist() == [1]


def test_pods_of_an_incompatible_row_stay_pending() -> None:
    problem = make_problem([*make_pods(1), *make_pods(1, workload="gpu", gpus=1)],
                           [make_offer(), make_offer("g5.xlarge", gpus=1)])  # fmt: skip
    packing = Packing((PackedNodes(0, ((0, 1),), 1),), 0.2)

    placement = place(problem, packing, np.array([1, 0]), rng())

    assert placement.pending.tolist() == [0, 1]


def test_without_nodes_everything_stays_pending() -> None:
    problem = make_problem()

    placement = place(problem, Packing((), 0.0), random_order(problem, rng()), rng())

    assert placement.pending.tolist() == [10]
    assert placement.nodes_used == 0


def test_pods_without_requests_count_for_the_scheduler_and_spread() -> None:
    problem, packing = twin_problem(2, cpu_milli=0, memory_mib=0)

    placement = place(problem, packing, np.array([0, 0]), rng())

    assert placement.nodes_used == 2


def test_nodes_are_visited_zone_by_zone_in_turn() -> None:
    problem = make_problem(offers=[make_offer(zone=zone) for zone in ZONES])
    offers = np.repeat(np.arange(3), 5)

    visited = visiting_order(zones_of(problem)[offers], rng())

    assert sorted(visited.tolist()) == list(range(15))
    assert all(set(turn) == {0, 1, 2} for turn in offers[visited].reshape(5, 3).tolist())


@pytest.mark.parametrize(("nodes", "used"), [(99, 1), (300, 2)])
def test_scheduler_that_stops_early_goes_on_where_it_left_off(nodes: int, used: int) -> None:
    """Of 300 nodes it looks at 144 for each pod, so the second one never meets the first."""
    problem = make_problem(make_pods(2))
    packing = Packing((PackedNodes(0, ((0, 1),), nodes),), 0.2 * nodes)
    profile = Profile(Strategy.MOST_ALLOCATED)

    assert place(problem, packing, np.array([0, 0]), rng(), profile).nodes_used == used


@pytest.mark.parametrize(
    ("nodes", "found"), [(0, 0), (99, 99), (100, 100), (148, 100), (500, 230), (6000, 300)]
)
def test_nodes_looked_at_are_those_of_kube_scheduler(nodes: int, found: int) -> None:
    assert nodes_to_find(nodes) == found


def test_nothing_pending_costs_nothing() -> None:
    assert hosting_cost_usd_per_hour(make_problem(), np.array([0])) == 0.0


def test_caps_do_not_stop_pods_that_wait() -> None:
    cap = OfferCap("maxNodes", np.ones(1), 0.0)
    problem = make_problem(make_pods(4), caps=[cap])

    assert hosting_cost_usd_per_hour(problem, np.array([4])) == pytest.approx(0.2)


def test_decreasing_order_starts_with_the_largest_pods() -> None:
    assert decreasing_order(split_problem()).tolist() == [0, 0, 1, 1, 1, 1]


def test_cohorts_are_released_in_decreasing_size_and_others_at_random() -> None:
    problem = split_problem()
    cohort, observe = (
        steer(problem, SPLIT, mode) for mode in (PlacementMode.COHORT, PlacementMode.OBSERVE)
    )

    assert arrival_order(problem, cohort, rng()).tolist() == [0, 0, 1, 1, 1, 1]
    orders = {tuple(arrival_order(problem, observe, rng(s)).tolist()) for s in range(10)}
    assert len(orders) > 1


def test_expected_placed_cost_is_the_mean_over_arrivals() -> None:
    problem = split_problem()
    observe, pinned = (
        expected_placed_cost_usd_per_hour(problem, SPLIT, steer(problem, SPLIT, mode), rng())
        for mode in (PlacementMode.OBSERVE, PlacementMode.PINNED)
    )

    assert pinned == 0.6
    assert 0.6 < observe <= 0.6 + 0.4


def test_a_number_of_rounds_below_one_is_refused() -> None:
    problem = split_problem()
    steering = steer(problem, SPLIT, PlacementMode.OBSERVE)

    with pytest.raises(ParameterError, match="rounds"):
        expected_placed_cost_usd_per_hour(problem, SPLIT, steering, rng(), rounds=0)


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ParameterError, match="weights"):
        Profile(fit_weight=-1)
