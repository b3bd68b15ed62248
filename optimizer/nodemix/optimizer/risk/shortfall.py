"""How often a plan would lack room: by trying to place each path's pods on the plan's nodes."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.plan import Packing
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
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

    Pods that a path does not need leave their place first; pods beyond the plan are then placed
    first-fit. First-fit can miss a place that a cleverer scheduler would find, so the figure errs
    on the side of caution.

    Args:
        needed: pods of each row, shape (paths, rows).

    Returns:
        A share of the paths; 0 when there is no path.
    """
    if needed.shape[0] == 0:
        return 0.0
    room = node_room(problem, packing)
    missing = _missing_pods(
        np.ascontiguousarray(needed, dtype=np.int64),
        room.free,
        room.held,
        room.compatible,
        np.ascontiguousarray(problem.requests),
        node_limits(problem),
    )
    return float(np.mean(missing > 0))


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
def _missing_pods(
    needed: IntArray,
    free: IntArray,
    held: IntArray,
    compatible: BoolArray,
    requests: IntArray,
    max_per_node: IntArray,
) -> FloatArray:
    """Pods of each path without a place, shape (paths,)."""
    paths, rows = needed.shape
    missing = np.zeros(paths)
    for path in range(paths):
        left = free.copy()
        pods = held.copy()
        for row in range(rows):
            surplus = pods[:, row].sum() - needed[path, row]
            _let_go(surplus, pods[:, row], left, requests[row])
        for row in range(rows):
            lacking = needed[path, row] - pods[:, row].sum()
            limits = np.where(compatible[row], max_per_node[row] - pods[:, row], 0)
            missing[path] += _place(lacking, limits, left, requests[row])
    return missing


@njit(cache=True)
def _let_go(surplus: int, pods: IntArray, left: IntArray, request: IntArray) -> None:
    """Take ``surplus`` pods of one row off the first nodes that hold some; changes in place."""
    for node in range(pods.size):
        if surplus <= 0:
            return
        gone = min(surplus, pods[node])
        pods[node] -= gone
        left[node] += gone * request
        surplus -= gone


@njit(cache=True)
def _place(lacking: int, limits: IntArray, left: IntArray, request: IntArray) -> int:
    """Put pods of one row on the first nodes with room; returns how many found none."""
    for node in range(limits.size):
        if lacking <= 0:
            return 0
        fit = min(lacking, limits[node])
        for dimension in range(request.size):
            if request[dimension] > 0:
                fit = min(fit, left[node, dimension] // request[dimension])
        if fit > 0:
            left[node] -= fit * request
            lacking -= fit
    return max(0, lacking)
