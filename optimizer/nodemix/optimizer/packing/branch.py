"""The most valuable pattern of one offer, by bounded depth-first branch and bound.

Rows are ordered by value per use of room at the offer's multipliers. A partial pattern is given
up once the Lagrangian bound of what is left, at some multiple of the multipliers, cannot lift it
above the target; rows that alone would cost more than the bound has to give are fixed up front.
"""

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.pricing import relaxed_worth
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

MULTIPLES = np.array([1.0, 1.1, 0.95, 0.9, 0.8, 0.65, 0.5, 0.3, 0.0])
"""Multiples of the multipliers at which the rest is bounded; lower ones serve deeper levels."""
_SAFETY = 1e-9


@compiled
def open_rows(
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    slack: float,
) -> tuple[IntArray, IntArray, IntArray]:
    """Rows a pattern above the target may hold, densest first, with least and most pods.

    Args:
        slack: Lagrangian bound minus target; a choice that loses more than this is out.
    """
    rows = np.empty(len(values), dtype=np.int64)
    least = np.empty(len(values), dtype=np.int64)
    most = np.empty(len(values), dtype=np.int64)
    density = np.empty(len(values))
    n = 0
    for i in range(len(values)):
        if not compatible[i] or values[i] <= 0.0 or limits[i] <= 0:
            continue
        use = 0.0
        fit = limits[i]
        for d in range(len(room)):
            use += multipliers[d] * requests[i, d]
            if requests[i, d] > 0:
                fit = min(fit, room[d] // requests[i, d])
        gain = values[i] - use
        low = 0
        if gain < 0.0 and fit * -gain > slack:
            fit = int(slack / -gain + _SAFETY)
        if gain > 0.0 and fit * gain > slack:
            low = max(0, fit - int(slack / gain + _SAFETY))
        if fit > 0:
            rows[n], least[n], most[n] = i, low, fit
            density[n] = -values[i] / max(use, 1e-12)
            n += 1
    order = np.argsort(density[:n])
    return rows[:n][order], least[:n][order], most[:n][order]


@compiled
def rest_worth(
    values: FloatArray,
    requests: IntArray,
    rows: IntArray,
    most: IntArray,
    multipliers: FloatArray,
) -> FloatArray:
    """Gains of the rows from each level on, at each multiple, shape (levels + 1, multiples)."""
    rest = np.zeros((len(rows) + 1, len(MULTIPLES)))
    for k in range(len(rows) - 1, -1, -1):
        use = 0.0
        for d in range(len(multipliers)):
            use += multipliers[d] * requests[rows[k], d]
        for m in range(len(MULTIPLES)):
            gain = max(0.0, values[rows[k]] - MULTIPLES[m] * use)
            rest[k, m] = rest[k + 1, m] + gain * most[k]
    return rest


@compiled
def best_pattern(
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    target: float,
    max_nodes: int,
    pods: IntArray,
) -> tuple[float, bool]:
    """The most valuable pattern above ``target``.

    Args:
        max_nodes: of the search tree; the search stops there.
        pods: written where a pattern above ``target`` was found, shape (rows,).

    Returns:
        (value of the pattern, or ``target`` if none was found; whether nothing better exists).
    """
    dims = len(room)
    excess = np.zeros(dims)
    slack = relaxed_worth(values, requests, limits, room, compatible, multipliers, excess) - target
    if slack <= 0.0:
        return target, True
    slack += _SAFETY * (1.0 + target)
    rows, least, most = open_rows(values, requests, limits, room, compatible, multipliers, slack)
    levels = len(rows)
    rest = rest_worth(values, requests, rows, most, multipliers)
    left = room.copy()
    taken = np.zeros(levels, dtype=np.int64)
    price_left = 0.0
    for d in range(dims):
        price_left += multipliers[d] * room[d]
    use = np.zeros(levels)
    for k in range(levels):
        for d in range(dims):
            use[k] += multipliers[d] * requests[rows[k], d]
    value = 0.0
    best = target
    k = 0
    nodes = 0
    descending = True
    while True:
        if descending and k < levels:
            nodes += 1
            if nodes > max_nodes:
                return best, False
            bound = np.inf
            for m in range(len(MULTIPLES)):
                bound = min(bound, MULTIPLES[m] * price_left + rest[k, m])
            if value + bound > best * (1.0 + _SAFETY):
                n = most[k]
                for d in range(dims):
                    if requests[rows[k], d] > 0:
                        n = min(n, left[d] // requests[rows[k], d])
                if n >= least[k]:
                    taken[k] = n
                    value += n * values[rows[k]]
                    price_left -= n * use[k]
                    for d in range(dims):
                        left[d] -= n * requests[rows[k], d]
                    k += 1
                    continue
        elif value > best * (1.0 + _SAFETY):
            best = value
            pods[:] = 0
            for j in range(levels):
                pods[rows[j]] = taken[j]
        # Back to the deepest level that can take one pod less.
        k -= 1
        while k >= 0 and taken[k] <= least[k]:
            value -= taken[k] * values[rows[k]]
            price_left += taken[k] * use[k]
            for d in range(dims):
                left[d] += taken[k] * requests[rows[k], d]
            taken[k] = 0
            k -= 1
        if k < 0:
            return best, True
        taken[k] -= 1
        value -= values[rows[k]]
        price_left += use[k]
        for d in range(dims):
            left[d] += requests[rows[k], d]
        k += 1
        descending = True
