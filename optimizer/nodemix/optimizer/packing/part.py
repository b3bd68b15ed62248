"""A part of a market's demand as a smaller market, and the way back."""

from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft, join, make_draft
from nodemix.optimizer.packing.greedy import capped_draft, greedy_draft
from nodemix.optimizer.packing.market import Market, dominators
from nodemix.optimizer.problem.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some pods of some rows of a whole market.

    Args:
        market: only rows with demand, only offers worth buying for them.
        rows: position of each row in the whole, shape (rows,).
        offers: position of each offer in the whole, shape (offers,).
        stand_ins: position in ``market`` of the offer that replaces each of the whole's;
            -1 where it takes no pod of the part, shape (offers of the whole,).
    """

    whole: Market
    market: Market
    rows: IntArray
    offers: IntArray
    stand_ins: IntArray

    def lift(self, draft: Draft) -> Draft:
        """A draft of the part in terms of the whole."""
        pods = np.zeros((len(draft.offers), self.whole.rows), dtype=np.int64)
        pods[:, self.rows] = draft.pods
        return make_draft(self.whole, self.offers[draft.offers], pods, draft.counts)

    def duals(self, duals: Duals) -> Duals:
        """The duals of the whole, for the rows of the part."""
        return Duals(duals.rows[self.rows], duals.caps)

    def lift_duals(self, duals: Duals) -> Duals:
        """Duals of the part in terms of the whole; 0 for the other rows."""
        rows = np.zeros(self.whole.rows)
        rows[self.rows] = duals.rows
        return Duals(rows, duals.caps)

    def add_patterns(self, pool: ColumnPool, offers: IntArray, pods: IntArray) -> None:
        """Put patterns of the whole into a pool of the part, cut to what the part needs."""
        stand_ins = self.stand_ins[offers]
        cut = np.minimum(pods[:, self.rows], self.market.limits)
        useful = (stand_ins >= 0) & cut.any(axis=1)
        pool.add_all(stand_ins[useful], cut[useful])


def take_part(market: Market, demand: IntArray, cap_limits: FloatArray) -> Part:
    """The market of ``demand``, shape (rows,), within what is left of the caps."""
    rows = np.flatnonzero(demand > 0)
    holders = np.flatnonzero(market.compatible[:, rows].any(axis=1))
    compatible = market.compatible[np.ix_(holders, rows)]
    price, room = market.price[holders], market.room[holders]
    replaced = dominators(price, room, compatible, market.cap_coefficients[:, holders])
    kept, positions = np.unique(replaced, return_inverse=True)
    stand_ins = np.full(len(market.price), -1, dtype=np.int64)
    stand_ins[holders] = positions
    small = Market(
        demand=demand[rows],
        requests=np.ascontiguousarray(market.requests[rows]),
        limits=np.minimum(market.limits[rows], demand[rows]),
        offers=market.offers[holders[kept]],
        room=np.ascontiguousarray(room[kept]),
        price=np.ascontiguousarray(price[kept]),
        compatible=np.ascontiguousarray(compatible[kept]),
        cap_coefficients=np.ascontiguousarray(market.cap_coefficients[:, holders[kept]]),
        cap_limits=cap_limits,
    )
    return Part(market, small, rows, holders[kept], stand_ins)


def only_offers(market: Market, offers: IntArray) -> Part:
    """All the demand, with some of the offers only, shape (offers,)."""
    stand_ins = np.full(len(market.price), -1, dtype=np.int64)
    stand_ins[offers] = np.arange(len(offers))
    small = replace(
        market,
        offers=market.offers[offers],
        room=np.ascontiguousarray(market.room[offers]),
        price=np.ascontiguousarray(market.price[offers]),
        compatible=np.ascontiguousarray(market.compatible[offers]),
        cap_coefficients=np.ascontiguousarray(market.cap_coefficients[:, offers]),
    )
    return Part(market, small, np.arange(market.rows), offers, stand_ins)


def rest_of(market: Market, draft: Draft) -> Part:
    """The demand that ``draft`` leaves open, within the caps it leaves."""
    demand = np.maximum(market.demand - draft.held, 0)
    used = market.cap_use(draft.offer_counts(market))
    return take_part(market, demand, market.cap_limits - used)


def complete_greedily(
    market: Market, bought: Draft, duals: Duals, values: FloatArray | None = None
) -> Draft | None:
    """``bought`` and what the greedy buys for the rest at the duals, or None where caps block it.

    Args:
        values: of one pod of each row instead of the duals', shape (rows,).
    """
    part = rest_of(market, bought)
    if part.market.rows == 0:
        return bought
    worth = (duals.rows if values is None else values)[part.rows]
    rest = greedy_draft(part.market, worth, part.duals(duals).charged(part.market))
    if rest is None:
        rest = capped_draft(part.market)
    return None if rest is None else join(market, bought, part.lift(rest))
