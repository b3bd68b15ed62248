"""The kernel for pods that kube-scheduler likes to spread: those of a Deployment or a Service.

The default profile spreads them softly over hosts (skew 3) and zones (skew 5). What that is worth
depends on the pods of the workload everywhere, so that no such score outlives a pod; those of the
resources hold until the node takes another one.
"""

from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.placement.scheduler import (
    PENDING,
    Room,
    Shapes,
    SmallIntArray,
    empty_room,
    has_room,
    resource_score,
    take,
)
from nodemix.optimizer.problem.types import FloatArray, IntArray

UNSPREAD = -1
_UNKNOWN, _CLOSED = -1, -2
_MOST = 100
_HOST_SKEW, _ZONE_SKEW = 3, 5


class Spread(NamedTuple):
    """Whose pods are spread, over what.

    Args:
        workloads: a number for the workload of each row, or ``UNSPREAD``, shape (rows,).
        zones: a number for the zone of each node, shape (nodes,).
        weight: of PodTopologySpread in the profile.
    """

    workloads: IntArray
    zones: IntArray
    weight: int


@compiled
def schedule_spread(
    order: IntArray,
    shapes: Shapes,
    limits: IntArray,
    room: IntArray,
    to_find: int,
    draws: FloatArray,
    spread: Spread,
) -> IntArray:
    """The node of each pod, or ``PENDING``, as `schedule` has it, shape (pods,)."""
    rows, nodes = limits.shape
    state = empty_room(room)
    places = np.full(len(order), PENDING, dtype=np.int64)
    is_full = np.zeros(rows, dtype=np.bool_)
    # What is unspread is counted in the last line, which nobody reads.
    on_node = np.zeros((spread.workloads.max() + 2, nodes), dtype=np.int64)
    in_zone = np.zeros((len(on_node), spread.zones.max() + 1), dtype=np.int64)
    found = np.empty(nodes, dtype=np.int64)
    scores = np.empty(nodes, dtype=np.int64)
    best = np.empty(nodes, dtype=np.int64)
    remembered = np.empty((rows, nodes), dtype=np.int32)
    scored_at = np.full((rows, nodes), np.int32(_UNKNOWN), dtype=np.int32)
    start = 0
    for pod in range(len(order)):
        row = order[pod]
        if is_full[row]:
            continue
        n, seen = _find(row, start, to_find, shapes, limits, state, remembered, scored_at, found)
        start = (start + seen) % nodes
        is_full[row] |= n == 0
        if n == 0:
            continue
        workload = spread.workloads[row]
        scores[:n] = 0
        if workload != UNSPREAD:
            _spread_scores(on_node[workload], in_zone[workload], spread, found[:n], scores)
        for k in range(n):
            scores[k] += remembered[row, found[k]]
        top = scores[:n].max()
        equal = 0
        for k in range(n):
            if scores[k] == top:
                best[equal] = found[k]
                equal += 1
        chosen = best[int(draws[pod] * equal)]
        places[pod] = chosen
        limits[row, chosen] -= 1
        take(row, chosen, shapes, state)
        on_node[workload, chosen] += 1
        in_zone[workload, spread.zones[chosen]] += 1
    return places


@compiled
def _find(  # noqa: PLR0917 - a kernel takes plain arrays
    row: int,
    start: int,
    to_find: int,
    shapes: Shapes,
    limits: IntArray,
    state: Room,
    remembered: SmallIntArray,
    scored_at: SmallIntArray,
    found: IntArray,
) -> tuple[int, int]:
    """Write nodes with room for a pod of ``row`` into ``found``; how many, and nodes looked at."""
    nodes = limits.shape[1]
    n, seen = 0, 0
    while seen < nodes and n < to_find:
        node = start + seen if start + seen < nodes else start + seen - nodes
        seen += 1
        if scored_at[row, node] == _CLOSED:
            continue
        # As in `_look`: a function that both call makes every pod take 1.6 times as long.
        if scored_at[row, node] != state.changes[node]:
            if limits[row, node] == 0 or not has_room(row, node, shapes, state):
                scored_at[row, node] = _CLOSED
                continue
            scored_at[row, node] = state.changes[node]
            remembered[row, node] = resource_score(row, node, shapes, state)
        found[n] = node
        n += 1
    return n, seen


@compiled
def _spread_scores(
    on_node: IntArray, in_zone: IntArray, spread: Spread, found: IntArray, scores: IntArray
) -> None:
    """Write the weighted score of each node found: 100 where the fewest pods are around.

    Args:
        on_node: pods of the workload, shape (nodes,).
        in_zone: likewise, shape (zones,).
    """
    has_zone = np.zeros(len(in_zone), dtype=np.bool_)
    for node in found:
        has_zone[spread.zones[node]] = True
    host_weight, zone_weight = np.log(len(found) + 2.0), np.log(has_zone.sum() + 2.0)
    for k, node in enumerate(found):
        around = on_node[node] * host_weight + in_zone[spread.zones[node]] * zone_weight
        scores[k] = int(around + (_HOST_SKEW - 1) + (_ZONE_SKEW - 1) + 0.5)
    least, most = scores[: len(found)].min(), scores[: len(found)].max()
    for k in range(len(found)):
        scores[k] = spread.weight * (_MOST * (most + least - scores[k]) // most)
