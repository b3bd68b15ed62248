"""Whether a policy's limits leave a plan for some of the pods, as greedy plans tell at once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from nodemix.optimizer.fairness.shares import Claim, Pods
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.greedy import FIRST_CHARGE, LEAST_CHARGE, greedy_draft, share_values
from nodemix.optimizer.packing.market import CAP_TOLERANCE, Market, to_market
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

CAUTION = 0.02
"""Of a limit; a plan made anew of the same pods may need so much more."""
CHARGE_ROUNDS = 8
"""Plans made, each at dearer limits, before pods count as too many."""


class Limits:
    """Whether the policy's limits leave a plan for fewer pods than the problem's.

    Keeps what a limit is charged for from one question to the next: they are alike.

    Attributes:
        today: today's pods of each claim.
    """

    def __init__(self, built: BuiltProblem, claims: tuple[Claim, ...]) -> None:
        self.built = built
        self.today: Pods = tuple(claim.pods_now for claim in claims)
        self._market = to_market(built.problem)
        self._names = tuple(cap.name for cap in built.problem.caps)
        self._limits = self._market.cap_limits.copy()
        self._leeway = np.full(len(self._limits), -CAUTION)
        self.set_leeway(1.0)
        self._charges = np.zeros(len(self._limits))
        self._rows = _RowsOfClaims(built, claims)
        self._can_be_charged = ~_is_price(self._market)
        self._known: tuple[bytes, FloatArray] | None = None

    def hold(self, given: Pods) -> bool:
        """Whether there is a greedy plan within the limits; today's pods are taken for granted."""
        return given == self.today or not self.broken_by(given)

    def broken_by(self, given: Pods) -> set[str]:
        """Names of the limits that greedy plans break although they were charged for them."""
        market, charges, use = self._market_of(given), self._charges.copy(), np.inf
        for _ in range(CHARGE_ROUNDS):
            used = self._use(market, self._greedy(market, charges))
            broken, before = self._broken(used), use
            if not broken.any():
                self._charges = charges
                return set()
            use = float((used / self._scale())[broken].max())
            if use >= before or not (broken & self._can_be_charged).any():
                break
            charges[broken] = np.maximum(2.0 * charges, self._first_charge())[broken]
        return {self._names[cap] for cap in np.flatnonzero(broken)}

    def learn(self, given: Pods, used: Mapping[str, float], binding: Iterable[str]) -> None:
        """See how much more of each binding limit greedy plans need than a search.

        Args:
            used: of each limit by its name, by what a search found for these pods.
        """
        market = self._market_of(given)
        greedy = self._use(market, self._greedy(market, self._charges))
        for cap, name in enumerate(self._names):
            if name in binding and 0.0 < used.get(name, 0.0) < greedy[cap]:
                self._leeway[cap] = greedy[cap] / used[name] - 1.0
            else:
                self._leeway[cap] = 0.0

    def set_leeway(self, share: float) -> None:
        """Allow greedy plans this share of what they were seen to need beyond a search."""
        self._limits = self._market.cap_limits * (1.0 + share * self._leeway)

    def usd_per_hour(self, given: Pods) -> float:
        """Money of the greedy plan."""
        draft = self._greedy(self._market_of(given), self._charges)
        money = self.built.problem.money_usd_per_hour[self._market.offers]
        return float(money[draft.offers] @ draft.counts)

    def _market_of(self, given: Pods) -> Market:
        demand = self._rows.demand(given)
        limits = np.minimum(self._market.limits, np.maximum(demand, 1))
        return replace(self._market, demand=demand, limits=limits)

    def _greedy(self, market: Market, charges: FloatArray) -> Draft:
        charged = market.price + charges @ market.cap_coefficients
        charged = np.maximum(charged, LEAST_CHARGE * market.price)
        unlimited = np.full(len(self._limits), np.inf)
        draft = greedy_draft(market, self._values(charged), charged, unlimited)
        assert draft is not None, "without caps every row has an offer"  # noqa: S101 - impossible
        return draft

    def _values(self, charged: FloatArray) -> FloatArray:
        """Of a pod of each row, at these prices; they do not depend on how many there are."""
        key = charged.tobytes()
        if self._known is None or self._known[0] != key:
            self._known = key, share_values(self._market, charged)
        return self._known[1]

    def _use(self, market: Market, draft: Draft) -> FloatArray:
        return market.cap_use(draft.offer_counts(market))

    def _broken(self, used: FloatArray) -> BoolArray:
        """Limits that ask for nodes are left to the search, which adds some."""
        asks = (self._market.cap_coefficients <= 0.0).all(axis=1)
        broken: BoolArray = ~asks & (used > self._limits + CAP_TOLERANCE * self._scale())
        return broken

    def _scale(self) -> FloatArray:
        return 1.0 + np.abs(self._limits)

    def _first_charge(self) -> FloatArray:
        """A share of the dearest offer's price for what it uses of each limit."""
        weights = np.abs(self._market.cap_coefficients)
        per_unit = self._market.price / np.where(weights > 0.0, weights, np.inf)
        first: FloatArray = FIRST_CHARGE * per_unit.max(axis=1, initial=0.0)
        return first


def _is_price(market: Market) -> BoolArray:
    """Limits that weigh on each offer as its price does: no charge changes what is bought."""
    per_usd = market.cap_coefficients / market.price
    spread: FloatArray = per_usd.max(axis=1, initial=0.0) - per_usd.min(axis=1, initial=np.inf)
    is_price: BoolArray = spread <= CAP_TOLERANCE * np.abs(per_usd).max(axis=1, initial=0.0)
    return is_price


class _RowsOfClaims:
    """Deals the pods of claims out to the problem's rows: today's first, then in proportion."""

    def __init__(self, built: BuiltProblem, claims: tuple[Claim, ...]) -> None:
        position = {claim.workload: i for i, claim in enumerate(claims)}
        self._now = np.array(built.rows_now, dtype=np.int64)
        self._extra = built.problem.demand - self._now
        self._rows: list[list[int]] = [[] for _ in claims]
        for row, of in enumerate(built.problem.rows):
            self._rows[position[of.workload]].append(row)
        self._pods_now = [claim.pods_now for claim in claims]

    def demand(self, given: Pods) -> IntArray:
        """Pods of each row, shape (rows,)."""
        demand = self._now.copy()
        for rows, now, pods in zip(self._rows, self._pods_now, given, strict=True):
            if len(rows) == 1:
                demand[rows[0]] += pods - now
            elif pods > now:
                demand[rows] += _in_proportion(pods - now, self._extra[rows])
        return demand


def _in_proportion(pods: int, most: IntArray) -> IntArray:
    """``pods`` over rows in proportion to ``most``, which none exceeds; the rest from the first."""
    ends = np.cumsum(most) * pods // max(1, int(most.sum()))
    shares: IntArray = np.diff(ends, prepend=0)
    return shares
