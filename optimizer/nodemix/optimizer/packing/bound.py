"""Lower bounds that hold whatever the search does.

Weak duality: for row duals ``pi >= 0`` and cap duals ``mu >= 0`` such that no pattern is worth
more than its offer's adjusted price ``price + mu . weights``, every packing costs at least
``pi . demand - mu . limits``. Duals of the restricted master need not satisfy this, so they are
scaled until they do: given ``worth_o >= max over patterns of offer o``, each row's dual is
multiplied by the least ``adjusted price_o / worth_o`` (at most 1) of the offers it can use, which
brings every pattern below its adjusted price. Scaling row by row instead of all at once keeps one
hard offer from weakening the rows that cannot use it.

Source: Farley, A note on bounding a class of linear programming problems, Operations Research 38
(1990), for the scaling of all duals at once.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray

_ROUNDING = 1e-9
"""Share taken off a bound for the rounding of sums of floats."""


@dataclass(frozen=True, slots=True, eq=False)
class Duals:
    """Prices of pods and of the caps' limits, USD per hour.

    Args:
        rows: of one pod of each row, >= 0, shape (rows,).
        caps: of one unit of each cap's limit, >= 0, shape (caps,).
    """

    rows: FloatArray
    caps: FloatArray

    def towards(self, other: "Duals", share: float) -> "Duals":
        """The point at ``share`` of the way to ``other``."""
        return Duals(
            self.rows + share * (other.rows - self.rows),
            self.caps + share * (other.caps - self.caps),
        )

    def charged(self, market: Market) -> FloatArray:
        """Price of each offer with what the caps charge for it, shape (offers,)."""
        return market.price + self.caps @ market.cap_coefficients

    def bound_usd_per_hour(self, market: Market) -> float:
        """A lower bound on the cost of any packing if the duals are feasible; never negative."""
        bound = float(self.rows @ market.demand - self.caps @ market.cap_limits)
        return max(0.0, bound - _ROUNDING * abs(bound))


def affordable_caps(market: Market, duals: Duals) -> Duals:
    """The duals with those of the caps scaled down until no offer's charged price is negative."""
    rebate = -(duals.caps @ market.cap_coefficients)
    excess = rebate > 0.0
    share = (market.price[excess] / rebate[excess]).min(initial=1.0)
    return Duals(duals.rows, duals.caps * min(1.0, share))


def fractional_bound(market: Market) -> float:
    """The cost if pods and nodes could be cut at will; crude, and there at once.

    For weights of the dimensions that sum to 1, a pod's weighted share of a node times the node's
    price is a feasible dual: the shares on one node sum to at most 1.
    """
    dims = market.requests.shape[1]
    mixes = np.vstack([np.eye(dims), np.full((1, dims), 1.0 / dims)])
    return max((_mixed_bound(market, mix) for mix in mixes), default=0.0)


def _mixed_bound(market: Market, mix: FloatArray) -> float:
    bound = 0.0
    room = np.maximum(market.room, 1)
    for i, request in enumerate(market.requests):
        offers = market.compatible[:, i]
        shares = (request / room[offers]) @ mix
        bound += int(market.demand[i]) * float((shares * market.price[offers]).min())
    return bound * (1.0 - _ROUNDING)
