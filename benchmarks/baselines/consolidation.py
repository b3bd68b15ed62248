"""Karpenter's consolidation: let nodes go, or replace several by one that is cheaper.

Source: karpenter v1, ``pkg/controllers/disruption``: candidates in order; the longest prefix
whose pods fit elsewhere plus one cheaper node by bisection, then node by node.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem

from benchmarks.baselines.fleet import Fleet, decreasing

MOST_CANDIDATES = 100
"""Nodes one multi-node consolidation looks at (its own limit)."""
SAVING_USD_PER_HOUR = 1e-9
NONE = -1


def _fewest_pods(fleet: Fleet, _: FloatArray) -> IntArray:
    return np.argsort(fleet.pods.sum(axis=1), kind="stable")


def _most_saved_per_pod(fleet: Fleet, price_usd_per_hour: FloatArray) -> IntArray:
    pods = 1 + fleet.pods.sum(axis=1)
    return np.argsort(-price_usd_per_hour[fleet.offers] / pods, kind="stable")


Order = Callable[[Fleet, FloatArray], IntArray]
ORDERS: tuple[Order, ...] = (_fewest_pods, _most_saved_per_pod)
"""By disruption as Karpenter did it for long, and by price over disruption as it does now."""


def consolidate(problem: Problem, fleet: Fleet, order: Order) -> Fleet:
    """The fleet once no prefix and no single node can be removed or replaced.

    Args:
        order: in which nodes are looked at.
    """
    price = problem.price_usd_per_hour
    market = _Market(
        decreasing(problem), problem.requests, problem.max_per_node,
        np.ascontiguousarray(problem.compatible), problem.room, price,
        np.argsort(price, kind="stable"),
    )  # fmt: skip
    while True:
        nodes = _Nodes(
            fleet.offers.copy(), fleet.pods.copy(),
            problem.room[fleet.offers] - fleet.pods @ problem.requests,
        )  # fmt: skip
        candidates = order(fleet, price)
        changed = _by_prefix(candidates, market, nodes) or _by_node(candidates, market, nodes)
        if not changed:
            return fleet
        kept = nodes.offers != NONE
        fleet = Fleet(nodes.offers[kept], nodes.pods[kept])


class _Market(NamedTuple):
    """What does not change; ``by_price`` are the offers, cheapest first."""

    order: IntArray
    requests: IntArray
    most: IntArray
    compatible: BoolArray
    room: IntArray
    price_usd_per_hour: FloatArray
    by_price: IntArray


class _Nodes(NamedTuple):
    """The fleet while it changes: nodes that went have the offer `NONE`; ``free`` is their room."""

    offers: IntArray
    pods: IntArray
    free: IntArray


@compiled
def _by_prefix(candidates: IntArray, market: _Market, nodes: _Nodes) -> bool:
    """Let several nodes go at once, the longest prefix that bisection finds."""
    low, high, best = 2, min(MOST_CANDIDATES, len(candidates)), 0
    while low <= high:
        middle = (low + high) // 2
        if _let_go(candidates[:middle], market, nodes, False):
            low, best = middle + 1, middle
        else:
            high = middle - 1
    return best > 0 and _let_go(candidates[:best], market, nodes, True)


@compiled
def _by_node(candidates: IntArray, market: _Market, nodes: _Nodes) -> bool:
    """Let single nodes go, each that can; whether there was one."""
    changed = False
    for n in range(len(candidates)):
        changed = _let_go(candidates[n : n + 1], market, nodes, True) or changed
    return changed


@compiled
def _let_go(leaving: IntArray, market: _Market, nodes: _Nodes, for_good: bool) -> bool:
    """Whether the other nodes and at most one cheaper new one take the pods of those leaving.

    Nothing has changed afterwards unless they do and it is ``for_good``.
    """
    stays = nodes.offers != NONE
    left = np.zeros(len(market.order), dtype=np.int64)
    given_up_usd_per_hour = 0.0
    for n in leaving:
        stays[n] = False
        left += nodes.pods[n]
        given_up_usd_per_hour += market.price_usd_per_hour[nodes.offers[n]]
    moved = np.empty((left.sum(), 3), dtype=np.int64)
    moves = _move(left, stays, market, nodes, moved)
    offer = NONE
    if left.any():
        offer = _one_for(left, market, given_up_usd_per_hour - SAVING_USD_PER_HOUR)
        if offer == NONE:
            for_good = False
    can = offer != NONE or not left.any()
    if for_good:
        _replace(leaving, left, offer, market, nodes)
    else:
        for move in moved[:moves]:
            _put(move[0], move[1], -move[2], market, nodes)
    return can


@compiled
def _move(left: IntArray, stays: BoolArray, market: _Market, nodes: _Nodes, moved: IntArray) -> int:
    """First fit of the pods left onto nodes that stay; (node, row, pods) of each move."""
    moves = 0
    for i in market.order:
        for n in range(len(stays)):
            if left[i] == 0:
                break
            if stays[n] and market.compatible[i, nodes.offers[n]]:
                taken = min(left[i], market.most[i] - nodes.pods[n, i])
                for d in range(market.requests.shape[1]):
                    if market.requests[i, d] > 0:
                        taken = min(taken, max(nodes.free[n, d], 0) // market.requests[i, d])
                if taken > 0:
                    _put(n, i, taken, market, nodes)
                    left[i] -= taken
                    moved[moves] = n, i, taken
                    moves += 1
    return moves


@compiled
def _put(n: int, row: int, pods: int, market: _Market, nodes: _Nodes) -> None:
    nodes.pods[n, row] += pods
    for d in range(market.requests.shape[1]):
        nodes.free[n, d] -= pods * market.requests[row, d]


@compiled
def _one_for(pods: IntArray, market: _Market, below_usd_per_hour: float) -> int:
    """The cheapest offer below a price whose node holds all the pods, `NONE` where none does."""
    rows = np.flatnonzero(pods)
    asked = np.zeros(market.requests.shape[1], dtype=np.int64)
    for i in rows:
        if pods[i] > market.most[i]:
            return NONE
        asked += pods[i] * market.requests[i]
    for offer in market.by_price:
        if market.price_usd_per_hour[offer] >= below_usd_per_hour:
            break
        able = True
        for d in range(len(asked)):
            able = able and asked[d] <= market.room[offer, d]
        for i in rows:
            able = able and market.compatible[i, offer]
        if able:
            return int(offer)
    return NONE


@compiled
def _replace(leaving: IntArray, pods: IntArray, offer: int, market: _Market, nodes: _Nodes) -> None:
    """Take the nodes away; a new one of the offer, if there is one, gets the place of the first."""
    for n in leaving:
        nodes.offers[n] = NONE
        nodes.pods[n] = 0
    if offer != NONE:
        first = leaving[0]
        nodes.offers[first] = offer
        nodes.pods[first] = pods
        for d in range(market.requests.shape[1]):
            nodes.free[first, d] = market.room[offer, d] - (pods * market.requests[:, d]).sum()
