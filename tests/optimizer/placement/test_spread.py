from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import Profile, place, random_order
from nodemix.optimizer.placement.spread import Spread, _spread_scores
from nodemix.optimizer.placement.steering import steer
from nodemix.optimizer.problem.types import IntArray

from tests.builders import ZONES, make_offer, make_pods, make_problem

SPREAD = Profile(fit_weight=0, balance_weight=0, spread_weight=2)
# A node for eight pods and one for four.
UNEQUAL = Packing((PackedNodes(0, ((0, 4),), 1), PackedNodes(1, ((0, 4),), 1)), 0.6)
UNEQUAL_OFFERS = [
    make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=16),
    make_offer("m5.xlarge", price=0.2, vcpus=4, memory_gib=8),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scored(on_node: list[int], zones: list[int]) -> list[int]:
    """The scores of all nodes."""
    counts, zone_of = np.array(on_node), np.array(zones)
    in_zone: IntArray = np.bincount(zone_of, counts).astype(np.int64)
    scores = np.zeros(len(counts), dtype=np.int64)
    spread = Spread(np.zeros(1, np.int64), zone_of, 2)
    _spread_scores(counts, in_zone, spread, np.arange(len(counts)), scores)
    return scores.tolist()


def test_nodes_without_pods_of_the_workload_all_score_the_most() -> None:
    assert scored([0, 0, 0], [0, 0, 1]) == [200, 200, 200]


def test_scores_are_those_of_pod_topology_spread() -> None:
    """Two nodes of one zone, 3 pods and none: 3 ln 4 + 3 ln 3 + 6 = 13 and 3 ln 3 + 6 = 9."""
    assert scored([3, 0], [0, 0]) == [2 * (100 * 9 // 13), 2 * 100]


def test_a_zone_with_pods_is_worth_less() -> None:
    """1 ln 5 + 1 ln 4 + 6 = 9, in its zone 1 ln 4 + 6 = 7, elsewhere 6."""
    assert scored([1, 0, 0], [0, 0, 1]) == [2 * (600 // 9), 2 * (800 // 9), 200]


def test_pods_of_one_workload_spread_over_unequal_nodes() -> None:
    problem = make_problem(make_pods(4, cpu_milli=1000, memory_mib=2048), UNEQUAL_OFFERS)

    held = place(problem, UNEQUAL, np.zeros(4, np.int64), rng(), SPREAD).held

    assert held[:, 0].tolist() == [2, 2]


def test_pods_of_another_workload_do_not_count() -> None:
    pods = [*make_pods(1, workload="a"), *make_pods(1, workload="b")]
    problem = make_problem(pods)
    packing = Packing((PackedNodes(0, ((0, 1), (1, 1)), 2),), 0.4)

    used = {
        place(problem, packing, np.array([0, 1]), rng(seed), SPREAD).nodes_used
        for seed in range(20)
    }

    assert used == {1, 2}


@pytest.mark.parametrize(("kind", "is_spread"), [("Deployment", True), ("Job", False)])
def test_pods_of_a_deployment_are_spread_and_not_those_of_a_job(kind: str, is_spread: bool) -> None:
    problem = make_problem(make_pods(2))
    key = replace(problem.rows[0].workload, kind=kind)
    problem = replace(problem, rows=(replace(problem.rows[0], workload=key),))
    packing = Packing((PackedNodes(0, ((0, 1),), 2),), 0.4)

    used = {
        place(problem, packing, np.array([0, 0]), rng(seed), SPREAD).nodes_used
        for seed in range(20)
    }

    assert used == ({2} if is_spread else {1, 2})


def test_pods_spread_over_zones_before_nodes() -> None:
    offers = [make_offer(zone=zone) for zone in ZONES[:2]]
    problem = make_problem(make_pods(2), offers)
    packing = Packing((PackedNodes(0, ((0, 1),), 3), PackedNodes(1, ((0, 1),), 1)), 0.8)

    held = place(problem, packing, np.zeros(2, np.int64), rng(), SPREAD).held[:, 0]

    assert held[3] == 1


def test_without_room_anywhere_pods_stay_pending() -> None:
    problem = make_problem(make_pods(14, cpu_milli=1000, memory_mib=2048), UNEQUAL_OFFERS)

    placement = place(problem, UNEQUAL, np.zeros(14, np.int64), rng(), Profile(spread_weight=2))

    assert placement.held[:, 0].tolist() == [8, 4]
    assert placement.pending.tolist() == [2]


def test_cohorts_make_a_plan_come_true_with_spread_as_well() -> None:
    problem = make_problem(make_pods(8, cpu_milli=1000, memory_mib=2048), UNEQUAL_OFFERS)
    steering = steer(problem, UNEQUAL, PlacementMode.COHORT)

    placement = place(
        problem, UNEQUAL, random_order(problem, rng()), rng(), Profile(spread_weight=2), steering
    )

    assert placement.held[:, 0].tolist() == [4, 4]
