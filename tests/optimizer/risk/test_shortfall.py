import numpy as np
from nodemix.optimizer.plan import PackedNodes, Packing
from nodemix.optimizer.risk.shortfall import shortfall_probability, spread_over_rows

from tests.builders import make_pods, make_problem

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
