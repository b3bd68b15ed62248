import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.risk.shortfall import (
    homeless_pods,
    node_limits,
    node_room,
    shortfall_probability,
    spread_over_rows,
)

from tests.builders import make_offer, make_pods, make_problem

# make_problem: ten pods of one core on m5.xlarge offers with four cores each.
THREE_NODES = Packing(
    (PackedNodes(0, ((0, 4),), 2), PackedNodes(0, ((0, 2),), 1)), cost_usd_per_hour=0.6
)


def test_paths_that_fit_the_plan_never_fall_short() -> None:
    needed = np.array([[10], [3], [0]])

    assert shortfall_probability(make_problem(), THREE_NODES, needed) == 0.0


def test_spare_room_serves_pods_beyond_the_plan() -> None:
    assert shortfall_probability(make_problem(), THREE_NODES, np.array([[12]])) == 0.0


def test_the_share_of_paths_without_room_is_counted() -> None:
    needed = np.array([[12], [13], [11], [40]])

    assert shortfall_probability(make_problem(), THREE_NODES, needed) == 0.5


def test_room_of_pods_that_go_serves_pods_that_come() -> None:
    problem = make_problem([*make_pods(4, workload="a"), *make_pods(4, workload="b")])
    packing = Packing((PackedNodes(0, ((0, 4),), 1), PackedNodes(0, ((1, 4),), 1)), 0.4)

    assert shortfall_probability(problem, packing, np.array([[0, 8]])) == 0.0
    assert shortfall_probability(problem, packing, np.array([[1, 8]])) == 1.0


def test_the_limit_of_pods_per_node_holds_on_every_path() -> None:
    problem = make_problem(make_pods(4, max_per_node=2))
    packing = Packing((PackedNodes(0, ((0, 2),), 2),), 0.4)

    assert shortfall_probability(problem, packing, np.array([[4]])) == 0.0
    assert shortfall_probability(problem, packing, np.array([[5]])) == 1.0


def test_no_paths_no_shortfall() -> None:
    assert shortfall_probability(make_problem(), THREE_NODES, np.zeros((0, 1), np.int64)) == 0.0


def test_pods_of_a_workload_are_dealt_to_its_rows_in_proportion() -> None:
    problem = make_problem([*make_pods(4), *make_pods(2, cpu_milli=500), *make_pods(1, gpus=1)])

    needed = spread_over_rows(problem, np.array([[9], [6], [1]]), (0, 0, -1))

    assert needed.tolist() == [[6, 3, 1], [4, 2, 1], [1, 0, 1]]


def homeless(problem: Problem, packing: Packing, needed: list[int], *alive: bool) -> list[int]:
    """Pods of each row, on one path."""
    room, limits = node_room(problem, packing), node_limits(problem)
    paths, nodes = np.array([needed]), np.array([alive])
    (found,) = homeless_pods(room, paths, nodes, problem.requests, limits).tolist()
    return list(found)


def test_pods_of_a_lost_node_find_what_room_is_left() -> None:
    """The last of three nodes has two cores free for four pods."""
    assert homeless(make_problem(), THREE_NODES, [10], False, True, True) == [2]


def test_a_lost_node_gives_no_room() -> None:
    assert homeless(make_problem(), THREE_NODES, [10], True, True, False) == [2]
    assert homeless(make_problem(), THREE_NODES, [10], False, False, False) == [10]


def test_pods_that_are_not_needed_leave_nodes_that_are_left() -> None:
    """Six pods are needed; with the first node four go, and all others fit."""
    assert homeless(make_problem(), THREE_NODES, [6], False, True, True) == [0]


def test_pods_of_a_lost_node_go_only_where_they_may() -> None:
    """The node that is left has room, but no GPU."""
    gpu = make_offer("g5.xlarge", 1.0, vcpus=4, gpus=1)
    problem = make_problem(make_pods(1, gpus=1), [gpu, make_offer()])
    packing = Packing((PackedNodes(0, ((0, 1),), 1), PackedNodes(1, (), 1)), 1.2)

    assert homeless(problem, packing, [1], True, True) == [0]
    assert homeless(problem, packing, [1], False, True) == [1]


def test_a_limit_of_pods_per_node_holds_for_those_of_lost_nodes() -> None:
    problem = make_problem(make_pods(4, max_per_node=2))
    packing = Packing((PackedNodes(0, ((0, 2),), 2),), 0.4)

    assert homeless(problem, packing, [4], False, True) == [2]
