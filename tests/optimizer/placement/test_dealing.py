import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.placement.dealing import UNPLANNED, contests, deal, pod_terms
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.steering import (
    COHORT_LABEL,
    PLANNED_NODE_LABEL,
    Pin,
    Quota,
    steer,
)
from nodemix.optimizer.problem.types import Problem

from tests.builders import make_pods, make_problem, make_selector

# Two equal nodes with a pod of either row, and one with two of the second row.
PACKING = Packing((PackedNodes(0, ((0, 1), (1, 1)), 2), PackedNodes(0, ((1, 2),), 1)), 0.6)
ORDER = np.array([1, 0, 1, 1, 0, 1])


def two_rows() -> Problem:
    return make_problem([*make_pods(2, workload="a"), *make_pods(4, workload="b", cpu_milli=900)])


def test_a_row_uses_its_shares_up_one_after_the_other() -> None:
    shares = [Quota(0, "c0", 1), Quota(1, "c0", 2), Quota(1, "c1", 1)]

    dealt = deal(np.array([1, 0, 1, 1, 1, 0]), shares)

    assert dealt.tolist() == [1, 0, 1, 2, UNPLANNED, UNPLANNED]


def test_pins_of_a_row_need_not_stand_together() -> None:
    shares = [Pin(0, "n0", 1), Pin(1, "n0", 1), Pin(0, "n1", 1)]

    assert deal(np.array([0, 0, 1]), shares).tolist() == [0, 2, 1]


def test_without_shares_nothing_is_planned() -> None:
    assert deal(np.array([0, 1]), ()).tolist() == [UNPLANNED, UNPLANNED]


def test_pods_of_a_cohort_compete_for_its_nodes_only() -> None:
    steering = steer(two_rows(), PACKING, PlacementMode.COHORT)

    found = contests(PACKING, ORDER, np.array([2, 1, 0]), steering)

    pairs = [(pods.tolist(), nodes.tolist()) for pods, nodes in found]
    assert pairs == [([0, 1, 2, 4], [1, 0]), ([3, 5], [2])]


def test_without_quotas_all_pods_compete_for_all_nodes() -> None:
    steering = steer(two_rows(), PACKING, PlacementMode.POOL)

    ((pods, nodes),) = contests(PACKING, ORDER, np.array([2, 1, 0]), steering)

    assert (pods.tolist(), nodes.tolist()) == ([0, 1, 2, 3, 4, 5], [2, 1, 0])


def test_each_pod_of_a_cohort_asks_for_the_one_it_is_dealt_to() -> None:
    problem = two_rows()
    terms = pod_terms(problem, steer(problem, PACKING, PlacementMode.COHORT), ORDER)

    cohorts = ["c0", "c0", "c0", "c1", "c0", "c1"]
    assert terms == tuple((make_selector(**{COHORT_LABEL: c}),) for c in cohorts)


def test_a_pod_beyond_the_quotas_asks_for_any_cohort_of_its_workload() -> None:
    problem = two_rows()
    steering = steer(problem, PACKING, PlacementMode.COHORT)

    *_, last = pod_terms(problem, steering, np.array([1] * 5))

    assert last == (make_selector(**{COHORT_LABEL: ("c0", "c1")}),)


def test_each_pinned_pod_asks_for_its_node() -> None:
    problem = two_rows()
    terms = pod_terms(problem, steer(problem, PACKING, PlacementMode.PINNED), ORDER)

    nodes = ["c0-0", "c0-0", "c0-1", "c1-0", "c0-1", "c1-0"]
    assert terms == tuple((make_selector(**{PLANNED_NODE_LABEL: n}),) for n in nodes)


def test_observed_pods_ask_for_nothing() -> None:
    problem = two_rows()

    terms = pod_terms(problem, steer(problem, PACKING, PlacementMode.OBSERVE), ORDER)

    assert terms == ((),) * 6
