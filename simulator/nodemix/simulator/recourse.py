"""On-demand nodes for pods that lack room between two decisions."""

from collections import Counter

import numpy as np
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray
from nodemix.simulator.ground import UNLIMITED, Ground


def recourse(ground: Ground, lacking: IntArray, prices: FloatArray) -> dict[int, int]:
    """Cheap on-demand nodes that hold all pods that can be held: offer index -> nodes.

    The largest pods first; each node is the offer with the least price for what it takes of the
    pods that still lack a place.

    Args:
        lacking: shape (workloads,).
        prices: shape (offers,).
    """
    on_demand = np.array([not offer.is_spot for offer in ground.offers])
    left = lacking.copy()
    bought: Counter[int] = Counter()
    for row in ground.largest_first:
        allowed = ground.admits[row] & on_demand
        while left[row] > 0 and allowed.any():
            offer = _cheapest(ground, row, int(left[row]), allowed, prices)
            left -= _filled(ground, offer, left, row)
            bought[offer] += 1
    return dict(bought)


def _cheapest(ground: Ground, row: int, pods: int, allowed: BoolArray, prices: FloatArray) -> int:
    asked = ground.requests[row]
    needed = asked > 0
    fits = (ground.room[:, needed] // asked[needed]).min(axis=1, initial=UNLIMITED)
    hosted = np.minimum(np.minimum(fits, ground.most_per_node[row]), pods)
    each = np.where(allowed, prices / np.maximum(hosted, 1), np.inf)
    return int(np.argmin(each))


def _filled(ground: Ground, offer: int, left: IntArray, first: int) -> IntArray:
    """Pods that a fresh node takes, those of ``first`` first, shape (workloads,)."""
    free = ground.room[offer].copy()
    taken = np.zeros_like(left)
    for row in (first, *(row for row in ground.largest_first if row != first)):
        asked = ground.requests[row]
        if left[row] and ground.admits[row, offer]:
            needed = asked > 0
            fits = int((free[needed] // asked[needed]).min(initial=UNLIMITED))
            taken[row] = min(fits, int(left[row]), int(ground.most_per_node[row]))
            free -= taken[row] * asked
    return taken
