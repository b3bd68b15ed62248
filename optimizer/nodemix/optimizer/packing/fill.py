"""Kernels that fill one node, and that cover a demand node by node."""

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

COVERED = 0
NO_OFFER = 1
CAPPED = 2


@compiled
def fill(
    order: IntArray,
    limits: IntArray,
    values: FloatArray,
    requests: IntArray,
    room: IntArray,
    compatible: BoolArray,
    pods: IntArray,
) -> float:
    """Fill one node greedily in ``order``; the value of what it takes.

    Args:
        order: rows, best first, shape (any,).
        limits: most pods of each row to take, shape (rows,).
        room: of the node, shape (dimensions,).
        compatible: rows the node takes, shape (rows,).
        pods: written: pods of each row taken, shape (rows,).
    """
    left = room.copy()
    pods[:] = 0
    total = 0.0
    for i in order:
        if limits[i] > 0 and compatible[i] and goes_in(requests[i], left):
            n = limits[i]
            for d in range(len(left)):
                if requests[i, d] > 0:
                    n = min(n, left[d] // requests[i, d])
            pods[i] = n
            total += n * values[i]
            for d in range(len(left)):
                left[d] -= n * requests[i, d]
    return total


@compiled
def goes_in(request: IntArray, left: IntArray) -> bool:
    """Whether one pod fits; asked first because most do not, and divisions are slow."""
    for d in range(len(left)):  # noqa: SIM110 - all() over a generator does not compile
        if request[d] > left[d]:
            return False
    return True


@compiled
def best_fill(
    orders: IntArray,
    limits: IntArray,
    values: FloatArray,
    requests: IntArray,
    room: IntArray,
    compatible: BoolArray,
    pods: IntArray,
    trial: IntArray,
) -> float:
    """The most valuable of the fills by each of ``orders``, shape (orders, rows); see `fill`."""
    best = -1.0
    for k in range(len(orders)):
        value = fill(orders[k], limits, values, requests, room, compatible, trial)
        if value > best:
            best = value
            pods[:] = trial
    return best


@compiled
def cover(  # noqa: PLR0917 - a kernel takes plain arrays
    demand: IntArray,
    orders: IntArray,
    max_per_node: IntArray,
    values: FloatArray,
    requests: IntArray,
    room: IntArray,
    price: FloatArray,
    compatible: BoolArray,
    cap_coefficients: FloatArray,
    cap_left: FloatArray,
    node_offers: IntArray,
    node_pods: IntArray,
    node_counts: IntArray,
) -> tuple[int, int]:
    """Buy the node with the most value for its price until ``demand`` is covered.

    An offer's ratio hardly rises while demand falls, so only the leader is looked at again.
    ``demand`` and ``cap_left`` are used up. Fills ``node_*`` up to their length.

    Returns:
        (how many kinds of nodes were bought, COVERED or why it stopped).
    """
    rows = len(demand)
    limits = np.minimum(demand, max_per_node)
    pods = np.zeros(rows, dtype=np.int64)
    trial = np.zeros(rows, dtype=np.int64)
    ratios = np.zeros(len(price))
    blocked = np.zeros(len(price), dtype=np.bool_)
    left = demand.sum()
    n = 0
    for o in range(len(price)):
        ratios[o] = (
            best_fill(orders, limits, values, requests, room[o], compatible[o], pods, trial)
            / price[o]
        )
    while left > 0 and n < len(node_offers):
        o = _leader(ratios, blocked)
        if o < 0:
            return n, CAPPED if blocked.any() else NO_OFFER
        affordable = _affordable(cap_coefficients[:, o], cap_left)
        if affordable <= 0:
            blocked[o] = True
            continue
        value = best_fill(orders, limits, values, requests, room[o], compatible[o], pods, trial)
        stale = ratios[o]
        ratios[o] = value / price[o]
        if value <= 0.0 or (ratios[o] < stale and _leader(ratios, blocked) != o):
            continue
        copies = _useful_copies(pods, demand, affordable)
        node_offers[n] = o
        node_pods[n, :] = pods
        node_counts[n] = copies
        n += 1
        if _use_caps(cap_coefficients[:, o], copies, cap_left):
            blocked[:] = False
        left -= _place(pods, copies, demand, max_per_node, limits)
    return n, COVERED if left == 0 else NO_OFFER


@compiled
def _useful_copies(pods: IntArray, demand: IntArray, most: int) -> int:
    """How many copies of a node find all their pods in the demand, at least 1, at most ``most``."""
    for i in range(len(pods)):
        if pods[i] > 0:
            most = min(most, demand[i] // pods[i])
    return max(most, 1)


@compiled
def _use_caps(coefficients: FloatArray, copies: int, cap_left: FloatArray) -> bool:
    """Book nodes in ``cap_left``; whether that frees some cap."""
    frees = False
    for c in range(len(cap_left)):
        cap_left[c] -= copies * coefficients[c]
        frees = frees or coefficients[c] < 0.0
    return frees


@compiled
def _place(
    pods: IntArray, copies: int, demand: IntArray, max_per_node: IntArray, limits: IntArray
) -> int:
    """Take the pods of ``copies`` nodes out of ``demand`` and ``limits``; how many pods."""
    placed = 0
    for i in range(len(pods)):
        if pods[i] > 0:
            placed += copies * pods[i]
            demand[i] -= copies * pods[i]
            limits[i] = min(demand[i], max_per_node[i])
    return placed


@compiled
def _leader(ratios: FloatArray, blocked: BoolArray) -> int:
    """The offer with the highest positive ratio that is not blocked; -1 when there is none."""
    best = -1
    for o in range(len(ratios)):
        if not blocked[o] and ratios[o] > 0.0 and (best < 0 or ratios[o] > ratios[best]):
            best = o
    return best


@compiled
def _affordable(coefficients: FloatArray, cap_left: FloatArray) -> int:
    """How many nodes the caps still allow; 2**31 when they do not limit this offer."""
    most = float(2**31)
    for c in range(len(cap_left)):
        if coefficients[c] > 0.0:
            slack = cap_left[c] + 1e-9 * (1.0 + abs(cap_left[c]))
            most = min(most, np.floor(slack / coefficients[c]))
    return int(most)
