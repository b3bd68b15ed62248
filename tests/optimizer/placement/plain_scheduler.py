"""kube-scheduler's choice of a node in plain loops, to hold the fast kernel against."""

from nodemix.optimizer.placement.scheduler import PENDING, Shapes
from nodemix.optimizer.problem.types import FloatArray, IntArray


def schedule_plainly(
    order: IntArray,
    shapes: Shapes,
    limits: IntArray,
    room: IntArray,
    to_find: int,
    draws: FloatArray,
) -> list[int]:
    """The node of each pod, or ``PENDING``; every node is looked at anew for every pod."""
    free, left, busy = room.copy(), limits.copy(), [[0, 0] for _ in room]
    places, start = [], 0
    for row, lot in zip(order.tolist(), draws.tolist(), strict=True):
        found: list[tuple[int, int]] = []
        seen = 0
        while seen < len(room) and len(found) < to_find:
            node = (start + seen) % len(room)
            seen += 1
            if left[row, node] > 0 and (shapes.requests[row] <= free[node]).all():
                score = plain_score(row, shapes, room[node], free[node], busy[node])
                found.append((score, node))
        start = (start + seen) % max(1, len(room))
        best = [node for score, node in found if score == max(found)[0]]
        places.append(best[int(lot * len(best))] if best else PENDING)
        if best:
            left[row, places[-1]] -= 1
            free[places[-1]] -= shapes.requests[row]
            for k in range(2):
                busy[places[-1]][k] += int(shapes.counted[row, k])
    return places


def plain_score(row: int, shapes: Shapes, room: IntArray, free: IntArray, busy: list[int]) -> int:
    least, most = [], []
    for k, dimension in enumerate(shapes.scored.tolist()):
        capacity, used = int(room[dimension]), busy[k] + int(shapes.counted[row, k])
        if capacity > 0:
            least.append(max(0, capacity - used) * 100 // capacity)
            most.append(min(capacity, used) * 100 // capacity)
    kinds = max(1, len(least))
    fit = int(shapes.weights[0]) * (sum(least) // kinds) + int(shapes.weights[1]) * (
        sum(most) // kinds
    )
    return fit + int(shapes.weights[2]) * _plain_balance(row, shapes, room, free)


def _plain_balance(row: int, shapes: Shapes, room: IntArray, free: IntArray) -> int:
    cpu, memory = shapes.scored.tolist()
    asked = shapes.requests[row]
    if room[cpu] == 0 or room[memory] == 0 or asked[cpu] + asked[memory] == 0:
        return 0
    used = room - free
    before = used[cpu] / room[cpu] - used[memory] / room[memory]
    after = before + asked[cpu] / room[cpu] - asked[memory] / room[memory]
    gained = int((1 - abs(after / 2)) * 100) - int((1 - abs(before / 2)) * 100)
    return 50 + (50 + gained) // 2
