"""What one node can hold, written so that relaxing it gives little away.

Beside the real dimensions each offer gets counting dimensions: whole pods mean that at most ``k``
pods bigger than a ``k+1``-th of the room fit, and a fractional relaxation does not know that.
With integers ``sum(x_i) <= C`` implies ``sum(floor((k+1) x_i / (C+1))) <= k``.

Source: Fekete and Schepers, New classes of fast lower bounds for bin packing problems,
Mathematical Programming 91 (2001), the function u(k), rounded down.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packing.branch import Knapsack
from nodemix.optimizer.packing.fractional import Basis, bound_offers
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.pricing import scale_rows
from nodemix.optimizer.problem.types import FloatArray, IntArray

COUNTS = (1, 2, 3)
MAX_MOVES = 400
"""Of the simplex from one vertex to the next: far more than it needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Knapsacks:
    """Room of each offer, what each row takes of it, and the price put on each dimension.

    Args:
        requests: shape (offers, rows, dimensions).
        room: shape (offers, dimensions).
        multipliers: shape (offers, dimensions); written by `worth`, so that the next call
            starts where the last one ended.
        bases: where those ended; see `fractional`.
    """

    market: Market
    requests: IntArray
    room: IntArray
    multipliers: FloatArray
    bases: Basis

    @property
    def real_multipliers(self) -> FloatArray:
        """The multipliers of the market's own dimensions, shape (offers, dimensions)."""
        return np.ascontiguousarray(self.multipliers[:, : self.market.requests.shape[1]])

    def of_offer(self, offer: int, values: FloatArray) -> Knapsack:
        """The knapsack of one offer when pods have these values, shape (rows,)."""
        return Knapsack(
            values=values,
            requests=self.requests[offer],
            limits=self.market.limits,
            room=self.room[offer],
            compatible=self.market.compatible[offer],
            multipliers=self.multipliers[offer],
        )

    def worth(
        self, values: FloatArray, targets: FloatArray, max_moves: int = MAX_MOVES
    ) -> FloatArray:
        """Upper bounds on the worth of each offer's best pattern, shape (offers,).

        Args:
            values: of one pod of each row, shape (rows,).
            targets: bounds need not come below these, shape (offers,).
            max_moves: of the simplex, an offer.
        """
        bounds = np.zeros(len(targets))
        bound_offers(
            values, self.requests, self.market.limits, self.room, self.market.compatible,
            targets, max_moves, self.bases, self.multipliers, bounds,
        )  # fmt: skip
        return bounds

    def scales(self, values: FloatArray, charged: FloatArray, worth: FloatArray) -> FloatArray:
        """Factors of the rows' values that make them feasible duals; see `pricing.scale_rows`.

        Args:
            charged: price of each offer with what caps charge for it, shape (offers,).
            worth: of each offer's best pattern, at least, shape (offers,).
        """
        market = self.market
        scales = np.ones(market.rows)
        scale_rows(
            values, self.requests, market.limits, self.room, market.compatible,
            self.multipliers, charged, worth, values * market.demand, scales,
        )  # fmt: skip
        return scales


def counting_knapsacks(market: Market) -> Knapsacks:
    """The knapsacks of a market's offers with counting dimensions."""
    offers = len(market.price)
    divisible = np.flatnonzero(market.requests.max(axis=0, initial=0) > 1)
    requests = [np.broadcast_to(market.requests, (offers, *market.requests.shape))]
    room = [market.room]
    for k in COUNTS:
        whole = market.room[:, None, divisible] + 1
        requests.append((k + 1) * market.requests[None, :, divisible] // whole)
        room.append(np.minimum(market.room[:, divisible], k))
    return _knapsacks(
        market,
        np.ascontiguousarray(np.concatenate(requests, axis=2)),
        np.ascontiguousarray(np.concatenate(room, axis=1)),
    )


def _knapsacks(market: Market, requests: IntArray, room: IntArray) -> Knapsacks:
    offers, dims = room.shape
    bases = Basis(
        np.tile(market.rows + np.arange(dims), (offers, 1)),
        np.zeros((offers, market.rows), dtype=np.bool_),
    )
    return Knapsacks(market, requests, room, np.zeros((offers, dims)), bases)
