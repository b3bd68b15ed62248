"""The kernel that places pods as kube-scheduler does: filter, score, draw among the best.

Scores are those of Kubernetes 1.36, in its whole numbers from 0 to 100.
"""

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.fill import goes_in
from nodemix.optimizer.problem.types import FloatArray, IntArray

PENDING = -1
_MOST = 100


@compiled
def schedule(  # noqa: PLR0917 - a kernel takes plain arrays
    order: IntArray,
    requests: IntArray,
    counted: IntArray,
    limits: IntArray,
    room: IntArray,
    scored: IntArray,
    weights: IntArray,
    to_find: int,
    draws: FloatArray,
) -> IntArray:
    """The node of each pod, or ``PENDING``, shape (pods,).

    Args:
        order: the row of each pod as they arrive, shape (pods,).
        requests: shape (rows, dimensions).
        counted: what each row's pod counts for when allocation is scored, shape (rows, 2).
        limits: most pods of a row on a node, shape (rows, nodes); used up in place.
        room: shape (nodes, dimensions).
        scored: the dimensions that are scored: cpu, memory.
        weights: of LeastAllocated, MostAllocated and BalancedAllocation.
        to_find: nodes with room after which the search for more stops.
        draws: uniform in [0, 1), one a pod, to choose among equal nodes.
    """
    nodes = len(room)
    free, full_rows = room.copy(), limits.sum(axis=1) == 0
    busy = np.zeros((nodes, len(scored)), dtype=np.int64)
    places = np.full(len(order), PENDING, dtype=np.int64)
    best = np.empty(nodes, dtype=np.int64)
    start = 0
    for pod in range(len(order)):
        row = order[pod]
        if full_rows[row]:
            continue
        found, equal, top, seen = 0, 0, -1, 0
        while seen < nodes and found < to_find:
            node = (start + seen) % nodes
            seen += 1
            if limits[row, node] == 0 or not goes_in(requests[row], free[node]):
                continue
            found += 1
            score = _score(
                requests[row], counted[row], room[node], free[node], busy[node], scored, weights
            )
            if score > top:
                top, equal = score, 0
            if score == top:
                best[equal] = node
                equal += 1
        start = (start + seen) % max(1, nodes)
        if found == 0:
            full_rows[row] = True  # room only ever shrinks
            continue
        chosen = best[int(draws[pod] * equal)]
        places[pod] = chosen
        limits[row, chosen] -= 1
        free[chosen] -= requests[row]
        busy[chosen] += counted[row]
    return places


@compiled
def _score(
    request: IntArray,
    counted: IntArray,
    room: IntArray,
    free: IntArray,
    busy: IntArray,
    scored: IntArray,
    weights: IntArray,
) -> int:
    least, most, kinds = 0, 0, 0
    for k in range(len(scored)):
        capacity = room[scored[k]]
        if capacity > 0:
            used = busy[k] + counted[k]
            least += max(0, capacity - used) * _MOST // capacity
            most += min(capacity, used) * _MOST // capacity
            kinds += 1
    kinds = max(1, kinds)
    balanced = _balance_gained(request, room, free, scored)
    score: int = (
        weights[0] * (least // kinds) + weights[1] * (most // kinds) + weights[2] * balanced
    )
    return score


@compiled
def _balance_gained(request: IntArray, room: IntArray, free: IntArray, scored: IntArray) -> int:
    """BalancedAllocation since 1.35: what the pod does to the balance, 75 where nothing."""
    cpu, memory = scored[0], scored[1]
    if room[cpu] == 0 or room[memory] == 0 or request[cpu] + request[memory] == 0:
        return 0
    before = (room[cpu] - free[cpu]) / room[cpu] - (room[memory] - free[memory]) / room[memory]
    after = before + request[cpu] / room[cpu] - request[memory] / room[memory]
    gained = int((1.0 - abs(after / 2.0)) * _MOST) - int((1.0 - abs(before / 2.0)) * _MOST)
    return _MOST // 2 + (_MOST // 2 + gained) // 2
