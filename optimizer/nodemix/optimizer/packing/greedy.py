"""The first plan: buy the node with the most value for its price, again and again."""

import numpy as np
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.fill import COVERED, cover
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray, IntArray

CHARGE_ROUNDS = 20
FIRST_CHARGE = 0.01
"""Share of the dearest offer's price a node that a broken cap charges for at first."""
LEAST_CHARGE = 0.05
"""Share of its price at which an offer counts at least, however much a cap pays for it."""


def share_values(market: Market, charged: FloatArray | None = None) -> FloatArray:
    """The cheapest price of each row's share of a node, USD per hour, shape (rows,).

    The share of a node is its scarcest dimension; a stand-in for the duals before there are any.

    Args:
        charged: what counts as the price of each offer, shape (offers,); its price by default.
    """
    price = market.price if charged is None else charged
    values = np.empty(market.rows)
    room = np.maximum(market.room, 1)
    for i, request in enumerate(market.requests):
        share = (request / room).max(axis=1)
        share = np.maximum(share, 1.0 / market.limits[i])
        values[i] = np.where(market.compatible[:, i], price * share, np.inf).min()
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
    size = (market.requests / market.room.max(axis=0, initial=1)).max(axis=1)
    orders += [np.argsort(-values, kind="stable"), np.argsort(-size, kind="stable")]
    return np.ascontiguousarray(np.unique(np.array(orders), axis=0))


def greedy_draft(
    market: Market,
    values: FloatArray,
    charged: FloatArray | None = None,
    cap_left: FloatArray | None = None,
) -> Draft | None:
    """Nodes that hold the demand, or None where the caps stand in the way.

    Args:
        values: of one pod of each row, USD per hour, shape (rows,); duals or `share_values`.
        charged: price of each offer with what the caps charge for it, shape (offers,); offers
            are chosen by it.
        cap_left: what may still be used of each cap, shape (caps,).
    """
    left = market.demand.copy()
    used = (market.cap_limits if cap_left is None else cap_left).copy()
    capacity = 64 + 4 * int(np.count_nonzero(left)) + int(np.minimum(left, 64).sum())
    offers = np.empty(capacity, dtype=np.int64)
    pods = np.empty((capacity, market.rows), dtype=np.int64)
    counts = np.empty(capacity, dtype=np.int64)
    safe = np.maximum(values, 1e-9)
    price = market.price if charged is None else np.maximum(charged, LEAST_CHARGE * market.price)
    kinds, outcome = cover(
        left, row_orders(market, safe), market.limits, safe, market.requests, market.room,
        price, market.compatible, market.cap_coefficients, used, offers, pods, counts,
    )  # fmt: skip
    if outcome != COVERED:
        return None
    return make_draft(market, offers[:kinds], pods[:kinds].copy(), counts[:kinds])


def capped_draft(market: Market) -> Draft | None:
    """Nodes that hold the demand within the caps, found by charging for the caps that break.

    Where the greedy runs into a cap it cannot turn back; here each cap that its plan breaks is
    charged for, twice as much every time, until the plan keeps all of them.
    """
    unlimited = np.full(len(market.cap_limits), np.inf)
    weights = np.abs(market.cap_coefficients)
    dearest = (market.price / np.where(weights > 0.0, weights, np.inf)).max(axis=1, initial=0.0)
    charges = np.zeros(len(unlimited))
    for _ in range(CHARGE_ROUNDS):
        charged = market.price + charges @ market.cap_coefficients
        charged = np.maximum(charged, LEAST_CHARGE * market.price)
        draft = greedy_draft(market, share_values(market, charged), charged, unlimited)
        if draft is None or draft.is_allowed(market):
            return draft
        broken = market.breaks(draft.offer_counts(market))
        charges[broken] = np.maximum(2.0 * charges[broken], FIRST_CHARGE * dearest[broken])
    return None
