"""Valuable patterns of one offer, by bounded depth-first branch and bound.

Rows are ordered by value per use of room at the offer's multipliers. A partial pattern is given
up once the Lagrangian bound of what is left, at some multiple of the multipliers, cannot lift it
above the target; rows that alone would cost more than the bound has to give are fixed up front.
"""

from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.pricing import relaxed_worth
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

MULTIPLES = np.array([1.0, 1.1, 0.95, 0.9, 0.8, 0.65, 0.5, 0.3, 0.0])
"""Multiples of the multipliers at which the rest is bounded; lower ones serve deeper levels."""
_SAFETY = 1e-9


class Knapsack(NamedTuple):
    """One node to fill, the duals of its dimensions and of the pods.

    Args:
        values: of one pod of each row, shape (rows,).
        requests: shape (rows, dimensions).
        limits: most pods of each row, shape (rows,).
        room: shape (dimensions,).
        multipliers: shape (dimensions,).
    """

    values: FloatArray
    requests: IntArray
    limits: IntArray
    room: IntArray
    compatible: BoolArray
    multipliers: FloatArray


class Tree(NamedTuple):
    """The rows to decide on, one a level, densest first, and the pattern under construction.

    Args:
        least, most: pods of each level's row, shape (levels,).
        use: of the room by one pod, priced at the multipliers, shape (levels,).
        rest: gains of the levels from each one on, shape (levels + 1, multiples).
        taken: pods of each level so far, shape (levels,).
        left: room left, shape (dimensions,).
        sums: value of the pattern so far, and price of the room left.
    """

    rows: IntArray
    least: IntArray
    most: IntArray
    use: FloatArray
    rest: FloatArray
    taken: IntArray
    left: IntArray
    sums: FloatArray


@compiled
def open_rows(
    knapsack: Knapsack, use: FloatArray, slack: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Rows a pattern above the target may hold, densest first, with least and most pods.

    Args:
        use: of the room by one pod of each row, priced at the multipliers, shape (rows,).
        slack: Lagrangian bound minus target; a choice that loses more than this is out.
    """
    rows = np.empty(len(use), dtype=np.int64)
    least = np.empty(len(use), dtype=np.int64)
    most = np.empty(len(use), dtype=np.int64)
    density = np.empty(len(use))
    n = 0
    for i in range(len(use)):
        if not knapsack.compatible[i] or knapsack.values[i] <= 0.0 or knapsack.limits[i] <= 0:
            continue
        fit = fitting(knapsack, i, knapsack.room, knapsack.limits[i])
        gain = knapsack.values[i] - use[i]
        low = 0
        if gain < 0.0 and fit * -gain > slack:
            fit = int(slack / -gain + _SAFETY)
        if gain > 0.0 and fit * gain > slack:
            low = max(0, fit - int(slack / gain + _SAFETY))
        if fit > 0:
            rows[n], least[n], most[n] = i, low, fit
            density[n] = -knapsack.values[i] / max(use[i], 1e-12)
            n += 1
    order = np.argsort(density[:n])
    return rows[:n][order], least[:n][order], most[:n][order]


@compiled
def fitting(knapsack: Knapsack, row: int, left: IntArray, most: int) -> int:
    """How many pods of a row, at most ``most``, go into the room left."""
    for d in range(len(left)):
        if knapsack.requests[row, d] > 0:
            most = min(most, left[d] // knapsack.requests[row, d])
    return most


@compiled
def rest_worth(values: FloatArray, rows: IntArray, most: IntArray, use: FloatArray) -> FloatArray:
    """Gains of the rows from each level on, at each multiple, shape (levels + 1, multiples)."""
    rest = np.zeros((len(rows) + 1, len(MULTIPLES)))
    for k in range(len(rows) - 1, -1, -1):
        for m in range(len(MULTIPLES)):
            gain = max(0.0, values[rows[k]] - MULTIPLES[m] * use[k])
            rest[k, m] = rest[k + 1, m] + gain * most[k]
    return rest


@compiled
def open_tree(knapsack: Knapsack, slack: float) -> Tree:
    """The tree of the patterns that lose at most ``slack`` against the Lagrangian bound."""
    all_use = np.zeros(len(knapsack.values))
    price_left = 0.0
    for d in range(len(knapsack.room)):
        price_left += knapsack.multipliers[d] * knapsack.room[d]
        for i in range(len(all_use)):
            all_use[i] += knapsack.multipliers[d] * knapsack.requests[i, d]
    rows, least, most = open_rows(knapsack, all_use, slack)
    use = all_use[rows]
    rest = rest_worth(knapsack.values, rows, most, use)
    taken = np.zeros(len(rows), dtype=np.int64)
    sums = np.array([0.0, price_left])
    return Tree(rows, least, most, use, rest, taken, knapsack.room.copy(), sums)


@compiled
def take(knapsack: Knapsack, tree: Tree, k: int, pods: int) -> None:
    """Add ``pods`` (negative: take them out) of level ``k`` to the pattern."""
    row = tree.rows[k]
    tree.taken[k] += pods
    tree.sums[0] += pods * knapsack.values[row]
    tree.sums[1] -= pods * tree.use[k]
    for d in range(len(tree.left)):
        tree.left[d] -= pods * knapsack.requests[row, d]


@compiled
def descend(knapsack: Knapsack, tree: Tree, k: int, target: float) -> bool:
    """Take all that fits of level ``k`` if that can still come above the target."""
    bound = np.inf
    for m in range(len(MULTIPLES)):
        bound = min(bound, MULTIPLES[m] * tree.sums[1] + tree.rest[k, m])
    if tree.sums[0] + bound <= target:
        return False
    n = fitting(knapsack, tree.rows[k], tree.left, tree.most[k])
    if n < tree.least[k]:
        return False
    take(knapsack, tree, k, n)
    return True


@compiled
def retreat(knapsack: Knapsack, tree: Tree, k: int) -> int:
    """Take one pod less at the deepest level before ``k`` that can; the level after, -1 if none."""
    k -= 1
    while k >= 0 and tree.taken[k] <= tree.least[k]:
        take(knapsack, tree, k, -tree.taken[k])
        k -= 1
    if k < 0:
        return -1
    take(knapsack, tree, k, -1)
    return k + 1


@compiled
def slack_above(knapsack: Knapsack, target: float) -> float:
    """How far the Lagrangian bound lies above the target; not positive where nothing can."""
    excess = np.zeros(len(knapsack.room))
    bound = relaxed_worth(
        knapsack.values, knapsack.requests, knapsack.limits, knapsack.room, knapsack.compatible,
        knapsack.multipliers, excess,
    )  # fmt: skip
    return float(bound - target)


@compiled
def best_pattern(
    knapsack: Knapsack, target: float, max_nodes: int, pods: IntArray
) -> tuple[float, bool]:
    """The most valuable pattern above ``target``.

    Args:
        max_nodes: of the search tree; the search stops there.
        pods: written where a pattern above ``target`` was found, shape (rows,).

    Returns:
        (value of the pattern, or ``target`` if none was found; whether nothing better exists).
    """
    slack = slack_above(knapsack, target)
    if slack <= 0.0:
        return target, True
    tree = open_tree(knapsack, slack + _SAFETY * (1.0 + target))
    best = target
    k = 0
    nodes = 0
    while k >= 0:
        if k == len(tree.rows):
            if tree.sums[0] > best * (1.0 + _SAFETY):
                best = tree.sums[0]
                _write(tree, pods)
            k = retreat(knapsack, tree, k)
            continue
        nodes += 1
        if nodes > max_nodes:
            return best, False
        if descend(knapsack, tree, k, best * (1.0 + _SAFETY)):
            k += 1
        else:
            k = retreat(knapsack, tree, k)
    return best, True


@compiled
def patterns_above(
    knapsack: Knapsack, target: float, max_nodes: int, pods: IntArray
) -> tuple[int, bool]:
    """All patterns worth more than ``target`` to which no pod can be added.

    Args:
        max_nodes: of the search tree; the search stops there.
        pods: written, shape (most patterns, rows).

    Returns:
        (how many patterns; whether these are all).
    """
    slack = slack_above(knapsack, target)
    if slack <= 0.0:
        return 0, True
    tree = open_tree(knapsack, slack + _SAFETY * (1.0 + target))
    found = 0
    k = 0
    nodes = 0
    while k >= 0:
        if k == len(tree.rows):
            if tree.sums[0] > target and _is_full(knapsack, tree):
                if found == len(pods):
                    return found, False
                _write(tree, pods[found])
                found += 1
            k = retreat(knapsack, tree, k)
            continue
        nodes += 1
        if nodes > max_nodes:
            return found, False
        if descend(knapsack, tree, k, target):
            k += 1
        else:
            k = retreat(knapsack, tree, k)
    return found, True


@compiled
def _write(tree: Tree, pods: IntArray) -> None:
    pods[:] = 0
    for k in range(len(tree.rows)):
        pods[tree.rows[k]] = tree.taken[k]


@compiled
def _is_full(knapsack: Knapsack, tree: Tree) -> bool:
    """Whether no pod of the tree's rows can be added."""
    for k in range(len(tree.rows)):
        if tree.taken[k] < tree.most[k] and fitting(knapsack, tree.rows[k], tree.left, 1) > 0:
            return False
    return True
