"""How often a plan would lack room: by trying to place each path's pods on the plan's nodes."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem
from numba import njit


@dataclass(frozen=True, slots=True, eq=False)
class NodeRoom:
    """The nodes of a packing, one by one.

    Args:
        free: room left, shape (nodes, dimensions).
        held: pods of each row, shape (nodes, rows).
        compatible: shape (rows, nodes).
    """

    free: IntArray
    held: IntArray
    compatible: BoolArray


def node_room(problem: Problem, packing: Packing) -> NodeRoom:
    """Unfold a packing into single nodes."""
    offers = np.array(
        [group.offer for group in packing.nodes for _ in range(group.count)], dtype=np.int64
    )
    held = np.zeros((offers.size, len(problem.rows)), dtype=np.int64)
    node = 0
    for group in packing.nodes:
        for row, pods in group.pods:
            held[node : node + group.count, row] = pods
        node += group.count
    free = problem.room[offers] - held @ problem.requests
    compatible = np.ascontiguousarray(problem.compatible[:, offers])
    return NodeRoom(np.ascontiguousarray(free), held, compatible)


def shortfall_probability(problem: Problem, packing: Packing, needed: IntArray) -> float:
    """Share of paths in which some pod finds no place on the packing's nodes.

    Args:
        needed: pods of each row, shape (paths, rows).

    Returns:
        A share of the paths; 0 when there is no path.
    """
    if needed.shape[0] == 0:
        return 0.0
    room = node_room(problem, packing)
    alive = np.ones((needed.shape[0], room.free.shape[0]), dtype=np.bool_)
    homeless = homeless_pods(room, needed, alive, problem.requests, node_limits(problem))
    return float(np.mean(homeless.any(axis=1)))


def homeless_pods(
    room: NodeRoom, needed: IntArray, alive: BoolArray, requests: IntArray, limits: IntArray
) -> IntArray:
    """Pods of each row that find no place on the nodes that are left, by first-fit.

    Pods that a path does not need leave their place first; pods beyond the plan, and those of nodes
    that are gone, are then placed first-fit. First-fit can miss a place that a cleverer scheduler
    would find, so the figure errs on the side of caution.

    Args:
        needed: pods of each row, shape (paths, rows).
        alive: which nodes are left, shape (paths, nodes).
        requests: of a pod of each row, shape (rows, dimensions).
        limits: pods of each row allowed on a node, shape (rows,).

    Returns:
        Shape (paths, rows).
    """
    homeless: IntArray = _homeless(
        np.ascontiguousarray(needed, dtype=np.int64),
        np.ascontiguousarray(alive),
        room.free,
        np.ascontiguousarray(room.held),
        np.ascontiguousarray(room.held.T),
        room.compatible,
        np.ascontiguousarray(requests),
        limits,
    )
    return homeless


def node_limits(problem: Problem) -> IntArray:
    """Pods of each row allowed on a node, also for paths with more pods than planned.

    A limit as high as the row's own pods is how a problem says that there is none.
    """
    unlimited = problem.max_per_node >= problem.demand
    return np.where(unlimited, np.iinfo(np.int64).max, problem.max_per_node)


def spread_over_rows(problem: Problem, pods: IntArray, columns: tuple[int, ...]) -> IntArray:
    """Deal each path's pods of a workload out to the workload's rows, as the plan did.

    Rows of one workload are its zones or its templates; a change of its pods is shared in
    proportion to the planned pods, the remainder from the first row on.

    Args:
        pods: shape (paths, workloads).
        columns: for each row, the column of its workload in ``pods``; -1 where the paths do not
            speak of it and the plan's own number stays.

    Returns:
        Shape (paths, rows).
    """
    demand = problem.demand
    needed = np.tile(demand, (pods.shape[0], 1))
    for column in sorted({column for column in columns if column >= 0}):
        rows = [row for row, own in enumerate(columns) if own == column]
        needed[:, rows] = _deal(pods[:, column], demand[rows])
    return needed


def _deal(pods: IntArray, weights: IntArray) -> IntArray:
    """Split each number in proportion to ``weights``; shape (paths, weights)."""
    share = pods[:, None] * weights[None, :] // max(1, int(weights.sum()))
    rest = pods - share.sum(axis=1)
    extra: IntArray = np.arange(weights.size)[None, :] < rest[:, None]
    return (share + extra).astype(np.int64)


@njit(cache=True)
def _homeless(
    needed: IntArray,
    alive: BoolArray,
    free: IntArray,
    held: IntArray,
    held_by_row: IntArray,
    compatible: BoolArray,
    requests: IntArray,
    limits: IntArray,
) -> IntArray:
    """Pods without a place, shape (paths, rows)."""
    paths, rows = needed.shape
    homeless = np.zeros((paths, rows), dtype=np.int64)
    total = held_by_row.sum(axis=1)
    left = np.empty_like(free)
    for path in range(paths):
        left[:] = free
        lacking = needed[path] - total
        for node in range(free.shape[0]):
            if not alive[path, node]:
                lacking += held[node]
        for row in range(rows):
            if lacking[row] < 0:
                _let_go(-lacking[row], held_by_row[row], alive[path], left, requests[row])
        for row in range(rows):
            if lacking[row] > 0:
                homeless[path, row] = _place(
                    lacking[row],
                    compatible[row],
                    alive[path],
                    limits[row],
                    held_by_row[row],
                    left,
                    requests[row],
                )
    return homeless


@njit(cache=True)
def _let_go(
    surplus: int, pods: IntArray, alive: BoolArray, left: IntArray, request: IntArray
) -> None:
    """Take ``surplus`` pods of one row off the first nodes that hold some; changes ``left``."""
    for node in range(pods.size):
        if surplus <= 0:
            return
        if pods[node] > 0 and alive[node]:
            gone = min(surplus, pods[node])
            for dimension in range(request.size):
                left[node, dimension] += gone * request[dimension]
            surplus -= gone


@njit(cache=True)
def _place(
    lacking: int,
    compatible: BoolArray,
    alive: BoolArray,
    limit: int,
    held: IntArray,
    left: IntArray,
    request: IntArray,
) -> int:
    """Put pods of one row on the first nodes with room; returns how many found none."""
    for node in range(held.size):
        if lacking <= 0:
            return 0
        if left[node, 0] < request[0] or not (compatible[node] and alive[node]):
            continue
        fit = min(lacking, limit - held[node])
        for dimension in range(request.size):
            if request[dimension] > 0:
                fit = min(fit, left[node, dimension] // request[dimension])
        if fit > 0:
            for dimension in range(request.size):
                left[node, dimension] -= fit * request[dimension]
            lacking -= fit
    return max(0, lacking)
