"""Valuable patterns of one offer, by bounded depth-first branch and bound.

Rows are ordered by value per use of room at the offer's multipliers. A partial pattern is given
up once the Lagrangian bound of what is left, at some multiple of the multipliers, cannot lift it
above the target; rows that alone would cost more than the bound has to give are fixed up front.
"""

from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.fractional import Basis, solve_fractional
from nodemix.optimizer.packing.pricing import relaxed_worth
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

PRICINGS = 24
"""Multipliers kept by which the rest of a pattern is bounded; the first stay, others make room."""
_MULTIPLES = np.array([1.0, 1.1, 0.9, 0.65, 0.0])
"""Multiples of the root's multipliers that are tried from the start."""
_NODES_PER_SOLVE = 8
"""Nodes of the tree for each program of a rest that is solved for new multipliers."""
_MOVES = 60
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
        values, requests: of each level's row.
        least, most: pods of each level's row, shape (levels,).
        pricings: multipliers of the dimensions, shape (pricings, dimensions).
        rest: gains of the levels from each one on, shape (levels + 1, pricings).
        taken: pods of each level so far, shape (levels,).
        left: room left, shape (dimensions,).
        worth: value of the pattern so far, shape (1,).
        known: pricings so far, pricings ever, shape (2,).
    """

    rows: IntArray
    values: FloatArray
    requests: IntArray
    least: IntArray
    most: IntArray
    pricings: FloatArray
    rest: FloatArray
    taken: IntArray
    left: IntArray
    worth: FloatArray
    known: IntArray


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
def add_pricing(tree: Tree, multipliers: FloatArray) -> None:
    """Bound the rests by these multipliers too, in the place of older ones where all are taken."""
    first = len(_MULTIPLES)
    m = tree.known[1]
    if m >= PRICINGS:
        m = first + (m - first) % (PRICINGS - first)
    tree.known[0] = max(tree.known[0], m + 1)
    tree.known[1] += 1
    tree.pricings[m] = multipliers
    tree.rest[len(tree.rows), m] = 0.0
    for k in range(len(tree.rows) - 1, -1, -1):
        gain = tree.values[k]
        for d in range(len(multipliers)):
            gain -= multipliers[d] * tree.requests[k, d]
        tree.rest[k, m] = tree.rest[k + 1, m] + max(gain, 0.0) * tree.most[k]


@compiled
def open_tree(knapsack: Knapsack, slack: float) -> Tree:
    """The tree of the patterns that lose at most ``slack`` against the Lagrangian bound."""
    dims = len(knapsack.room)
    use = np.zeros(len(knapsack.values))
    for i in range(len(use)):
        for d in range(dims):
            use[i] += knapsack.multipliers[d] * knapsack.requests[i, d]
    rows, least, most = open_rows(knapsack, use, slack)
    tree = Tree(
        rows, knapsack.values[rows], knapsack.requests[rows], least, most,
        np.zeros((PRICINGS, dims)), np.zeros((len(rows) + 1, PRICINGS)),
        np.zeros(len(rows), dtype=np.int64), knapsack.room.copy(), np.zeros(1),
        np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    for multiple in _MULTIPLES:
        add_pricing(tree, multiple * knapsack.multipliers)
    return tree


@compiled
def take(tree: Tree, k: int, pods: int) -> None:
    """Add ``pods`` (negative: take them out) of level ``k`` to the pattern."""
    tree.taken[k] += pods
    tree.worth[0] += pods * tree.values[k]
    for d in range(len(tree.left)):
        tree.left[d] -= pods * tree.requests[k, d]


@compiled
def rest_bound(tree: Tree, k: int, enough: float) -> float:
    """A bound on what the levels from ``k`` on can add; not sought below ``enough``."""
    bound = np.inf
    for m in range(tree.known[0] - 1, -1, -1):
        price = tree.rest[k, m]
        for d in range(len(tree.left)):
            price += tree.pricings[m, d] * tree.left[d]
        bound = min(bound, price)
        if bound <= enough:
            break
    return bound


@compiled
def solve_rest(tree: Tree, k: int, enough: float) -> float:
    """The same by the fractional program of the rest, whose multipliers are kept."""
    dims, levels = len(tree.left), len(tree.rows) - k
    basis = Basis(levels + np.arange(dims), np.zeros(levels, dtype=np.bool_))
    multipliers = np.zeros(dims)
    bound = solve_fractional(
        tree.values[k:], tree.requests[k:], tree.most[k:], tree.left,
        np.ones(levels, dtype=np.bool_), enough, _MOVES, basis, multipliers,
    )  # fmt: skip
    add_pricing(tree, multipliers)
    return bound


@compiled
def descend(tree: Tree, k: int, target: float, may_solve: bool) -> bool:
    """Take all that fits of level ``k`` if that can still come above the target."""
    enough = target - tree.worth[0]
    if rest_bound(tree, k, enough) <= enough:
        return False
    if may_solve and solve_rest(tree, k, enough) <= enough:
        return False
    n = tree.most[k]
    for d in range(len(tree.left)):
        if tree.requests[k, d] > 0:
            n = min(n, tree.left[d] // tree.requests[k, d])
    if n < tree.least[k]:
        return False
    take(tree, k, n)
    return True


@compiled
def retreat(tree: Tree, k: int) -> int:
    """Take one pod less at the deepest level before ``k`` that can; the level after, -1 if none."""
    k -= 1
    while k >= 0 and tree.taken[k] <= tree.least[k]:
        take(tree, k, -tree.taken[k])
        k -= 1
    if k < 0:
        return -1
    take(tree, k, -1)
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
            if tree.worth[0] > best * (1.0 + _SAFETY):
                best = tree.worth[0]
                _write(tree, pods)
            k = retreat(tree, k)
            continue
        nodes += 1
        if nodes > max_nodes:
            return best, False
        if descend(tree, k, best * (1.0 + _SAFETY), nodes % _NODES_PER_SOLVE == 0):
            k += 1
        else:
            k = retreat(tree, k)
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
            if tree.worth[0] > target and _is_full(knapsack, tree):
                if found == len(pods):
                    return found, False
                _write(tree, pods[found])
                found += 1
            k = retreat(tree, k)
            continue
        nodes += 1
        if nodes > max_nodes:
            return found, False
        if descend(tree, k, target, nodes % _NODES_PER_SOLVE == 0):
            k += 1
        else:
            k = retreat(tree, k)
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
