"""The kernel that places pods as kube-scheduler does: filter, score, draw among the best.

Room only ever shrinks, so a node that has none for a row is looked at no more for it, and a score
holds until its node takes another pod: most of a pod's nodes cost one comparison.
Scores are those of Kubernetes 1.36, in its whole numbers from 0 to 100.
"""

from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import FloatArray, IntArray
from numpy.typing import NDArray

SmallIntArray = NDArray[np.int32]

PENDING = -1
_UNKNOWN = -1
_MOST = 100


class Shapes(NamedTuple):
    """What pods ask for and how it is scored, the same for every plan of a problem.

    Args:
        requests: shape (rows, dimensions).
        counted: what each row's pod counts for when allocation is scored, shape (rows, 2).
        scored: the dimensions that are scored: cpu, memory.
        weights: of LeastAllocated, MostAllocated and BalancedAllocation.
    """

    requests: IntArray
    counted: IntArray
    scored: IntArray
    weights: IntArray


class Room(NamedTuple):
    """Nodes while they fill; written in place.

    Args:
        room: of the empty nodes, shape (nodes, dimensions).
        busy: what counts as taken when allocation is scored, shape (nodes, 2).
        changes: pods each node has taken, shape (nodes,).
        tilt: share of its cpu taken less that of its memory, shape (nodes,).
    """

    room: IntArray
    free: IntArray
    busy: IntArray
    changes: SmallIntArray
    tilt: FloatArray


@compiled
def schedule(
    order: IntArray,
    shapes: Shapes,
    limits: IntArray,
    room: IntArray,
    to_find: int,
    draws: FloatArray,
) -> IntArray:
    """The node of each pod, or ``PENDING``, shape (pods,).

    Args:
        order: the row of each pod as they arrive, shape (pods,).
        limits: most pods of a row on a node, shape (rows, nodes); used up in place.
        room: shape (nodes, dimensions).
        to_find: nodes with room after which the search for more stops.
        draws: uniform in [0, 1), one a pod, to choose among equal nodes.
    """
    rows, nodes = limits.shape
    state = empty_room(room)
    places = np.full(len(order), PENDING, dtype=np.int64)
    every_node = np.arange(nodes).astype(np.int32)
    open_nodes = np.empty((rows, nodes), dtype=np.int32)
    open_count = np.full(rows, _UNKNOWN, dtype=np.int64)
    scores = np.empty((rows, nodes), dtype=np.int32)
    scored_at = np.full((rows, nodes), np.int32(_UNKNOWN), dtype=np.int32)
    best = np.empty(nodes, dtype=np.int64)
    start = 0
    for pod in range(len(order)):
        row = order[pod]
        if open_count[row] == _UNKNOWN:
            open_nodes[row] = every_node
            open_count[row] = _keep_open(row, nodes, shapes, limits, state, open_nodes)
        if open_count[row] == 0:
            continue
        equal, seen, closed = _look(
            row, start, to_find, shapes, limits, state, open_nodes[row, : open_count[row]],
            scores, scored_at, best,
        )  # fmt: skip
        start = (start + seen) % nodes
        if closed > 0:
            open_count[row] = _keep_open(row, open_count[row], shapes, limits, state, open_nodes)
        if equal == 0:
            continue
        chosen = best[int(draws[pod] * equal)]
        places[pod] = chosen
        limits[row, chosen] -= 1
        take(row, chosen, shapes, state)
    return places


@compiled
def empty_room(room: IntArray) -> Room:
    """Nodes that nobody is on yet."""
    nodes = len(room)
    busy = np.zeros((nodes, 2), dtype=np.int64)
    return Room(room, room.copy(), busy, np.zeros(nodes, dtype=np.int32), np.zeros(nodes))


@compiled
def take(row: int, node: int, shapes: Shapes, state: Room) -> None:
    """Let a node take a pod of ``row``."""
    state.changes[node] += 1
    state.free[node] -= shapes.requests[row]
    state.busy[node] += shapes.counted[row]
    state.tilt[node] = _tilt(node, shapes, state)


@compiled
def _keep_open(
    row: int,
    listed: int,
    shapes: Shapes,
    limits: IntArray,
    state: Room,
    open_nodes: SmallIntArray,
) -> int:
    """Keep of the nodes listed for ``row`` those with room for another pod of it; how many."""
    n = 0
    for k in range(listed):
        node = open_nodes[row, k]
        if limits[row, node] > 0 and has_room(row, node, shapes, state):
            open_nodes[row, n] = node
            n += 1
    return n


@compiled
def has_room(row: int, node: int, shapes: Shapes, state: Room) -> bool:
    """Whether a node has room for one more pod of ``row``."""
    for d in range(shapes.requests.shape[1]):
        if shapes.requests[row, d] > state.free[node, d]:
            return False
    return True


@compiled
def _look(  # noqa: PLR0917 - a kernel takes plain arrays
    row: int,
    start: int,
    to_find: int,
    shapes: Shapes,
    limits: IntArray,
    state: Room,
    open_nodes: SmallIntArray,
    scores: SmallIntArray,
    scored_at: SmallIntArray,
    best: IntArray,
) -> tuple[int, int, int]:
    """Write the best nodes for a pod of ``row`` into ``best``, looking round from ``start``.

    Returns:
        (how many are equally good, nodes looked at, listed nodes without room any more).
    """
    nodes, listed = limits.shape[1], len(open_nodes)
    first = np.searchsorted(open_nodes, start)
    found, equal, top, closed, seen = 0, 0, -1, 0, nodes
    for k in range(listed):
        at = first + k
        node = open_nodes[at if at < listed else at - listed]
        if scored_at[row, node] != state.changes[node]:
            if limits[row, node] == 0 or not has_room(row, node, shapes, state):
                closed += 1
                continue
            scored_at[row, node] = state.changes[node]
            scores[row, node] = resource_score(row, node, shapes, state)
        found += 1
        score = scores[row, node]
        if score > top:
            top, equal = score, 0
        if score == top:
            best[equal] = node
            equal += 1
        if found == to_find:
            seen = (node - start) % nodes + 1
            break
    return equal, seen, closed


@compiled
def resource_score(row: int, node: int, shapes: Shapes, state: Room) -> int:
    """What allocation makes of a pod of ``row`` on a node; higher is better."""
    least, most, kinds = 0, 0, 0
    for k in range(len(shapes.scored)):
        capacity = state.room[node, shapes.scored[k]]
        if capacity > 0:
            used = min(capacity, state.busy[node, k] + shapes.counted[row, k])
            least += (capacity - used) * _MOST // capacity
            most += used * _MOST // capacity if shapes.weights[1] else 0
            kinds += 1
    kinds = max(1, kinds)
    score: int = shapes.weights[0] * (least // kinds) + shapes.weights[1] * (most // kinds)
    if shapes.weights[2]:
        score += shapes.weights[2] * _balance_gained(row, node, shapes, state)
    return score


@compiled
def _balance_gained(row: int, node: int, shapes: Shapes, state: Room) -> int:
    """BalancedAllocation since 1.35: what the pod does to the balance, 75 where nothing."""
    cpu, memory = shapes.scored[0], shapes.scored[1]
    cpu_room, memory_room = state.room[node, cpu], state.room[node, memory]
    cpu_asked, memory_asked = shapes.requests[row, cpu], shapes.requests[row, memory]
    if cpu_room == 0 or memory_room == 0 or cpu_asked + memory_asked == 0:
        return 0
    before = state.tilt[node]
    after = before + cpu_asked / cpu_room - memory_asked / memory_room
    gained = _balance(after) - _balance(before)
    return _MOST // 2 + (_MOST // 2 + gained) // 2


@compiled
def _balance(tilt: float) -> int:
    return int((1.0 - abs(tilt / 2.0)) * _MOST)


@compiled
def _tilt(node: int, shapes: Shapes, state: Room) -> float:
    """How much more of its cpu than of its memory a node has given away."""
    cpu, memory = shapes.scored[0], shapes.scored[1]
    cpu_room, memory_room = state.room[node, cpu], state.room[node, memory]
    if cpu_room == 0 or memory_room == 0:
        return 0.0
    cpu_used, memory_used = cpu_room - state.free[node, cpu], memory_room - state.free[node, memory]
    return float(cpu_used / cpu_room - memory_used / memory_room)
