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
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.pricing import tighten_offers
from nodemix.optimizer.problem.types import FloatArray, IntArray

COUNTS = (1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Knapsacks:
    """Room of each offer, what each row takes of it, and the price put on each dimension.

    Args:
        requests: shape (offers or 1, rows, dimensions); one stands for all offers.
        room: shape (offers, dimensions).
        multipliers: shape (offers, dimensions); written by `worth`, so that the next call
            starts where the last one ended.
    """

    market: Market
    requests: IntArray
    room: IntArray
    multipliers: FloatArray

    def of_offer(self, offer: int, values: FloatArray) -> Knapsack:
        """The knapsack of one offer when pods have these values, shape (rows,)."""
        return Knapsack(
            values=values,
            requests=self.requests[min(offer, len(self.requests) - 1)],
            limits=self.market.limits,
            room=self.room[offer],
            compatible=self.market.compatible[offer],
            multipliers=self.multipliers[offer],
        )

    def worth(self, values: FloatArray, targets: FloatArray, steps: int) -> FloatArray:
        """Upper bounds on the worth of each offer's best pattern, shape (offers,).

        Args:
            values: of one pod of each row, shape (rows,).
            targets: bounds need not come below these, shape (offers,).
            steps: subgradient steps an offer.
        """
        bounds = np.zeros(len(targets))
        tighten_offers(
            values, self.requests, self.market.limits, self.room, self.market.compatible,
            self.multipliers, targets, steps, bounds,
        )  # fmt: skip
        return bounds


def plain_knapsacks(market: Market) -> Knapsacks:
    """The knapsacks of a market's offers in the real dimensions."""
    return Knapsacks(market, market.requests[None], market.room, _even_multipliers(market))


def counting_knapsacks(market: Market) -> Knapsacks:
    """The knapsacks of a market's offers with counting dimensions."""
    offers = len(market.price)
    divisible = np.flatnonzero(market.requests.max(axis=0, initial=0) > 1)
    requests = [np.broadcast_to(market.requests, (offers, *market.requests.shape))]
    room, multipliers = [market.room], [_even_multipliers(market)]
    for k in COUNTS:
        whole = market.room[:, None, divisible] + 1
        requests.append((k + 1) * market.requests[None, :, divisible] // whole)
        room.append(np.minimum(market.room[:, divisible], k))
        multipliers.append(np.zeros((offers, len(divisible))))
    return Knapsacks(
        market,
        np.ascontiguousarray(np.concatenate(requests, axis=2)),
        np.ascontiguousarray(np.concatenate(room, axis=1)),
        np.ascontiguousarray(np.concatenate(multipliers, axis=1)),
    )


def _even_multipliers(market: Market) -> FloatArray:
    """The price of each offer split evenly over its dimensions."""
    dims = market.room.shape[1]
    return np.ascontiguousarray(market.price[:, None] / np.maximum(market.room, 1) / dims)
