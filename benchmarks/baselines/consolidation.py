"""Karpenter's consolidation: let nodes go, or replace several by one that is cheaper.

Source: karpenter v1, ``pkg/controllers/disruption``: candidates by rising disruption cost; the
longest prefix whose pods fit elsewhere plus one cheaper node by bisection, then node by node.
"""

import numpy as np
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem

from benchmarks.baselines.fleet import Fleet, empty_nodes, first_fit, join

MOST_CANDIDATES = 100
"""Nodes one multi-node consolidation looks at (MaxParallel in Karpenter)."""
MOST_ROUNDS = 200
SAVING_USD_PER_HOUR = 1e-9


def consolidate(problem: Problem, fleet: Fleet, allowed: BoolArray) -> Fleet:
    """The fleet once no prefix and no single node can be removed or replaced.

    Args:
        allowed: offers a replacement may have, shape (offers,).
    """
    for _ in range(MOST_ROUNDS):
        better = _by_prefix(problem, fleet, allowed) or _by_node(problem, fleet, allowed)
        if better is None:
            break
        fleet = better
    return fleet


def _by_prefix(problem: Problem, fleet: Fleet, allowed: BoolArray) -> Fleet | None:
    """Several nodes at once, the longest prefix that bisection finds."""
    order = _by_disruption(fleet)
    low, high, best = 2, min(MOST_CANDIDATES, len(order)), None
    while low <= high:
        middle = (low + high) // 2
        found = _without(problem, fleet, order[:middle], allowed)
        if found is None:
            high = middle - 1
        else:
            low, best = middle + 1, found
    return best


def _by_node(problem: Problem, fleet: Fleet, allowed: BoolArray) -> Fleet | None:
    """The first single node that can go."""
    for node in _by_disruption(fleet):
        found = _without(problem, fleet, np.array([node]), allowed)
        if found is not None:
            return found
    return None


def _by_disruption(fleet: Fleet) -> IntArray:
    return np.argsort(fleet.pods.sum(axis=1), kind="stable")


def _without(problem: Problem, fleet: Fleet, leaving: IntArray, allowed: BoolArray) -> Fleet | None:
    """The fleet without those nodes, if the others and one cheaper node take their pods."""
    kept = Fleet(np.delete(fleet.offers, leaving), np.delete(fleet.pods, leaving, axis=0))
    moved, left = first_fit(problem, kept, fleet.pods[leaving].sum(axis=0))
    if not left.any():
        return moved
    offer = _one_for(problem, left, allowed)
    given_up = float(problem.price_usd_per_hour[fleet.offers[leaving]].sum())
    if offer is None or problem.price_usd_per_hour[offer] >= given_up - SAVING_USD_PER_HOUR:
        return None
    bought, _ = first_fit(problem, empty_nodes(problem, np.array([offer])), left)
    return join(moved, bought)


def _one_for(problem: Problem, pods: IntArray, allowed: BoolArray) -> int | None:
    """The cheapest offer whose node holds all the pods, None where there is none."""
    if (pods > problem.max_per_node).any():
        return None
    rows = np.flatnonzero(pods)
    able = allowed & problem.compatible[rows].all(axis=0)
    able &= (pods @ problem.requests <= problem.room).all(axis=1)
    offers = np.flatnonzero(able)
    return int(offers[problem.price_usd_per_hour[offers].argmin()]) if offers.size else None
