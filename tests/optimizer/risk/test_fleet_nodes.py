"""What is lost of a plan when nodes go: by hand, in cores, memory and GPUs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.risk.fleet_nodes import FleetNodes, fleet_nodes
from nodemix.optimizer.risk.hazard import PoolKey

from tests.builders import (
    ON_DEMAND,
    SPOT,
    ZONE,
    make_offer,
    make_pods,
    make_problem,
    make_workload_key,
)

WEB = make_workload_key("web")
A = make_offer("m5.xlarge", 0.1, vcpus=4, memory_gib=16, capacity_type=SPOT)
B = make_offer("c5.xlarge", 0.1, vcpus=4, memory_gib=16, capacity_type=SPOT)
SAFE = make_offer("r5.xlarge", 0.3, vcpus=4, memory_gib=16)
POOL_A, POOL_B = PoolKey("m5", ZONE, "m5.xlarge"), PoolKey("c5", ZONE, "c5.xlarge")
ONE_CORE = {WEB: np.array([1000, 1024, 1])}


def unfold(
    problem: Problem, *groups: tuple[int, dict[int, int], int], kept: tuple[PlannedNodes, ...] = ()
) -> FleetNodes:
    """Nodes of (offer, pods of each row, how many)."""
    packed = tuple(PackedNodes(o, tuple(pods.items()), n) for o, pods, n in groups)
    return fleet_nodes(problem, Packing(packed, 0.0), kept, ONE_CORE)


def stuck(count: int, pods: int) -> PlannedNodes:
    """Nodes of pool A that stay as they are."""
    held = ((WEB, pods),) if pods else ()
    return PlannedNodes("m5.xlarge", ZONE, SPOT, count, held, 0.1, ("n",) * count)


def losses(nodes: FleetNodes) -> dict[str, Any]:
    """Share lost when each pool goes, by its instance type."""
    found = zip(nodes.pools, nodes.pool_losses(), strict=True)
    return {pool.instance_type: pytest.approx(float(loss)) for pool, loss in found}


def test_pods_of_a_lost_pool_go_where_there_is_room_and_the_others_are_lost() -> None:
    """Four pods of A find two free cores on B; six pods of B find none on A."""
    nodes = unfold(make_problem(make_pods(10), [A, B]), (0, {0: 4}, 1), (1, {0: 3}, 2))

    assert nodes.counts().tolist() == [2, 1]
    assert nodes.pools == (POOL_B, POOL_A)
    assert losses(nodes) == {"m5.xlarge": 0.2, "c5.xlarge": 0.6}


def test_a_loss_is_that_of_the_scarcest_resource() -> None:
    """A takes 4 of 8 cores and 12 of 16 GiB with it, B 4 of 8 cores and 4 of 16 GiB."""
    pods = [*make_pods(6), *make_pods(2, workload="cache", memory_mib=5 * 1024)]

    nodes = unfold(make_problem(pods, [A, B]), (0, {0: 2, 1: 2}, 1), (1, {0: 4}, 1))

    assert losses(nodes) == {"m5.xlarge": 0.75, "c5.xlarge": 0.5}


def test_half_of_the_gpus_is_half_lost_whatever_cores_are_left() -> None:
    gpus = [
        make_offer(name, 1.0, vcpus=4, gpus=1, capacity_type=market)
        for name, market in (("g5.xlarge", SPOT), ("g6.xlarge", ON_DEMAND))
    ]
    pods = [*make_pods(2, workload="train", gpus=1), *make_pods(8)]

    nodes = unfold(
        make_problem(pods, [*gpus, SAFE]), (0, {0: 1}, 1), (1, {0: 1}, 1), (2, {1: 4}, 2)
    )

    assert losses(nodes) == {"g5.xlarge": 0.5}


def test_slots_for_pods_are_no_resource_that_lacks() -> None:
    """Nine of ten pods go, and 90 of 1090 parts of what all of them request."""
    small = make_pods(9, workload="small", cpu_milli=10, memory_mib=10)
    large = make_pods(1, workload="large", cpu_milli=1000, memory_mib=1000)
    offers = [make_offer(f"{family}.t", 0.1, vcpus=1, memory_gib=1) for family in ("m5", "r5")]
    offers[0] = replace(offers[0], capacity_type=SPOT)

    nodes = unfold(make_problem([*small, *large], offers), (0, {0: 9}, 1), (1, {1: 1}, 1))

    assert losses(nodes) == {"m5.t": 90 / 1090}


def test_nodes_on_demand_stay_and_a_fleet_of_them_has_no_pool() -> None:
    nodes = unfold(make_problem(make_pods(4), [SAFE]), (0, {0: 4}, 1))

    assert (nodes.pools, nodes.counts().tolist(), losses(nodes)) == ((), [], {})
    assert nodes.pool_of_node.tolist() == [-1]


def test_pods_of_kept_nodes_are_lost_with_them_even_where_there_is_room() -> None:
    """Two kept nodes with three pods each, beside ten pods on nodes with six cores free."""
    problem = make_problem(make_pods(10), [SAFE])

    nodes = unfold(problem, (0, {0: 2}, 5), kept=(stuck(2, 3),))

    assert nodes.nodes == 7
    assert nodes.kept_pods == {WEB: 6}
    assert losses(nodes) == {"m5.xlarge": 6 / 16}


def test_one_of_two_kept_nodes_takes_its_own_pods_alone() -> None:
    nodes = unfold(make_problem(make_pods(10), [SAFE]), (0, {0: 2}, 5), kept=(stuck(2, 3),))
    needed = nodes.with_kept_rows(np.array([[10]]))
    alive = np.array([[True] * 6 + [False]])

    share, pods = nodes.losses(needed, alive)

    assert share.tolist() == [pytest.approx(3 / 16)]
    assert pods.tolist() == [1]  # the one that stands for all on the node


def test_a_kept_node_without_pods_is_no_loss() -> None:
    nodes = unfold(make_problem(make_pods(4), [SAFE]), (0, {0: 4}, 1), kept=(stuck(1, 0),))
    needed = nodes.with_kept_rows(np.array([[4]]))

    share, pods = nodes.losses(needed, np.array([[True, False]]))

    assert (share.tolist(), pods.tolist()) == ([0.0], [0])


def test_more_demand_is_lost_together_with_what_goes() -> None:
    """Two of twelve pods take B's free cores; with A gone, its four have no place."""
    nodes = unfold(make_problem(make_pods(10), [A, B]), (0, {0: 4}, 1), (1, {0: 3}, 2))
    needed = np.array([[12], [12], [10]])
    alive = np.array([[True, True, True], [False, True, True], [True, True, True]])

    share, pods = nodes.losses(needed, alive)

    assert pods.tolist() == [0, 4, 0]
    assert share.tolist() == [0.0, pytest.approx(4 / 12), 0.0]


def test_a_pool_of_kept_and_bought_nodes_is_one_pool() -> None:
    nodes = unfold(make_problem(make_pods(4), [A]), (0, {0: 4}, 1), kept=(stuck(1, 4),))

    assert (nodes.pools, nodes.counts().tolist()) == ((POOL_A,), [2])
    assert losses(nodes) == {"m5.xlarge": 1.0}
