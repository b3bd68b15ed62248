"""Every pattern that a better plan could use, where these are few enough to list.

A plan cheaper than the incumbent cannot use a pattern whose reduced cost exceeds the gap between
the incumbent and the relaxation. When the gap is small the list is short, and the restricted
program over it is as good as the whole problem.

Source: Baldacci, Christofides and Mingozzi, An exact algorithm for the vehicle routing problem,
Mathematical Programming 115 (2008), route enumeration.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.branch import patterns_above
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.knapsack import Knapsacks
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation


@dataclass(frozen=True, slots=True)
class EnumerationParams:
    """Settings of the enumeration.

    Args:
        shares: of the gap, tried one after the other while the lists stay short enough.
        max_patterns: in the list of one share.
        tree_nodes: of the search tree of one offer.
    """

    shares: tuple[float, ...] = (0.1, 0.2, 0.4, 0.7, 1.0)
    max_patterns: int = 4_000
    tree_nodes: int = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """A list of patterns.

    Args:
        is_complete: whether every pattern to which no pod can be added and whose reduced cost is
            below the gap is in it.
    """

    pool: ColumnPool
    is_complete: bool


def enumerate_patterns(
    market: Market,
    knapsacks: Knapsacks,
    relaxation: Relaxation,
    gap_usd_per_hour: float,
    deadline: Deadline,
    params: EnumerationParams,
) -> Listed:
    """Patterns with reduced costs below the largest share of the gap whose list is short enough.

    Args:
        relaxation: with a dual above zero for every row; others would be left out of patterns.
    """
    best = ColumnPool(market)
    for share in params.shares:
        pool = ColumnPool(market)
        is_complete = _list_all(
            market, knapsacks, relaxation, share * gap_usd_per_hour, deadline, params, pool
        )
        if len(pool) > len(best):
            best = pool
        if not is_complete:
            return Listed(best, is_complete=False)
    return Listed(best, is_complete=True)


def _list_all(
    market: Market,
    knapsacks: Knapsacks,
    relaxation: Relaxation,
    gap: float,
    deadline: Deadline,
    params: EnumerationParams,
    pool: ColumnPool,
) -> bool:
    """Fill the pool; whether it got them all."""
    values = relaxation.duals.rows
    charged = market.price + relaxation.duals.caps @ market.cap_coefficients
    targets = np.maximum(charged - gap, 1e-9)
    bounds = knapsacks.worth(values, targets)
    found = np.zeros((params.max_patterns, market.rows), dtype=np.int64)
    for offer in np.flatnonzero(bounds > targets).tolist():
        room_for = params.max_patterns - len(pool)
        if deadline.has_passed or room_for <= 0:
            return False
        n, is_complete = patterns_above(
            knapsacks.of_offer(offer, values), targets[offer], params.tree_nodes, found[:room_for]
        )
        for pods in found[:n]:
            pool.add(offer, pods)
        if not is_complete:
            return False
    return True
