"""The first plan: buy the node with the most value for its price, again and again."""

import numpy as np
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.fill import COVERED, cover
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray, IntArray


def share_values(market: Market) -> FloatArray:
    """The cheapest price of each row's share of a node, USD per hour, shape (rows,).

    The share of a node is its scarcest dimension; a stand-in for the duals before there are any.
    """
    values = np.empty(market.rows)
    room = np.maximum(market.room, 1)
    for i, request in enumerate(market.requests):
        share = (request / room).max(axis=1)
        share = np.maximum(share, 1.0 / market.limits[i])
        values[i] = np.where(market.compatible[:, i], market.price * share, np.inf).min()
    return values


def scarcity_mixes(market: Market) -> FloatArray:
    """Weights of the dimensions by which rows are ordered, shape (mixes, dimensions)."""
    total = np.maximum(market.demand @ market.requests, 1)
    pure = np.diag(1.0 / total)
    pairs = [pure[0] * share + pure[1] * (1 - share) for share in (0.2, 0.35, 0.5, 0.65, 0.8)]
    return np.array([pure.sum(axis=0), *pairs, *pure]) if len(pure) > 1 else pure


def row_orders(market: Market, values: FloatArray) -> IntArray:
    """Orders in which a node may be filled: by value per use of room, by value, by size."""
    orders = [
        np.argsort(-values / np.maximum(market.requests @ mix, 1e-12), kind="stable")
        for mix in scarcity_mixes(market)
    ]
    size = (market.requests / np.maximum(market.room.max(axis=0), 1)).max(axis=1)
    orders += [np.argsort(-values, kind="stable"), np.argsort(-size, kind="stable")]
    return np.ascontiguousarray(np.unique(np.array(orders), axis=0))


def greedy_draft(
    market: Market,
    values: FloatArray,
    demand: IntArray | None = None,
    cap_left: FloatArray | None = None,
) -> Draft | None:
    """Nodes that hold ``demand`` (default: all of it), or None where the caps stand in the way.

    Args:
        values: of one pod of each row, USD per hour, shape (rows,); duals or `share_values`.
        cap_left: what may still be used of each cap, shape (caps,).
    """
    left = (market.demand if demand is None else demand).copy()
    used = (market.cap_limits if cap_left is None else cap_left).copy()
    capacity = 64 + 4 * int(np.count_nonzero(left)) + int(np.minimum(left, 64).sum())
    offers = np.empty(capacity, dtype=np.int64)
    pods = np.empty((capacity, market.rows), dtype=np.int64)
    counts = np.empty(capacity, dtype=np.int64)
    safe = np.maximum(values, 1e-9)
    kinds, outcome = cover(
        left, row_orders(market, safe), market.limits, safe, market.requests, market.room,
        market.price, market.compatible, market.cap_coefficients, used, offers, pods, counts,
    )  # fmt: skip
    if outcome != COVERED:
        return None
    return make_draft(market, offers[:kinds], pods[:kinds].copy(), counts[:kinds])
