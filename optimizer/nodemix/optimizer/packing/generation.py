"""Column generation: patterns that pay at the duals, until none does or time is up."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packing.bound import Duals, affordable_caps
from nodemix.optimizer.packing.branch import best_pattern
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.greedy import row_orders
from nodemix.optimizer.packing.knapsack import counting_knapsacks
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Master, Relaxation
from nodemix.optimizer.packing.pricing import price_offers
from nodemix.optimizer.problem.types import FloatArray, IntArray

PAYS = 1e-7
"""Share of its price a pattern must be worth beyond it to be taken in."""
_TIERS = 1.0 + np.array([PAYS, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08])
"""Worth in prices above which patterns are ruled out; the first that can be proved counts."""
_PASSES = (_TIERS[3:4], _TIERS[:1], _TIERS[1:])
"""Patterns that pay well first, then any that pay, then bounds for what could not be finished."""
_LEAST_TARGET = 1e-9
_SAFETY = 1e-9


@dataclass(frozen=True, slots=True)
class GenerationParams:
    """Settings of the column generation.

    Args:
        max_rounds: solves of the master.
        patterns_per_round: most patterns taken in between two solves.
        tree_nodes: sizes of the branch-and-bound tree per offer, one after the other as the
            smaller ones find nothing more.
        smoothing: how far towards the best feasible duals patterns are priced; Wentges, Weighted
            Dantzig-Wolfe decomposition (1997).
        exact_patterns: after which an exact round stops.
    """

    max_rounds: int = 2000
    patterns_per_round: int = 100
    tree_nodes: tuple[int, ...] = (2_000, 20_000, 200_000)
    smoothing: float = 0.7
    exact_patterns: int = 30

    def __post_init__(self) -> None:
        if self.max_rounds < 1 or self.patterns_per_round < 1 or not self.tree_nodes:
            raise ParameterError(
                "max_rounds and patterns_per_round must be positive and tree_nodes not empty, "
                f"got {self}"
            )


class Generation:
    """The pool, the master and the best bound so far; `advance` makes one round."""

    def __init__(self, market: Market, pool: ColumnPool, params: GenerationParams) -> None:
        self.market = market
        self.pool = pool
        self.relaxation: Relaxation | None = None
        self.lower_bound_usd_per_hour = 0.0
        self.knapsacks = counting_knapsacks(market)
        self._params = params
        self._master = Master(market, pool)
        self._anchor: Duals | None = None
        self._effort = 0

    @property
    def is_converged(self) -> bool:
        """Whether the last rounds found nothing that pays."""
        return self._effort >= len(self._params.tree_nodes)

    def best_offers(self, most: int) -> IntArray:
        """The offers whose best pattern may be worth most for its price, ascending."""
        duals = self.relaxation.duals if self.relaxation is not None else None
        if duals is None or len(self.market.price) <= most:
            return np.arange(len(self.market.price))
        charged = np.maximum(duals.charged(self.market), _LEAST_TARGET)
        gain = self.knapsacks.worth(duals.rows, charged) / charged
        return np.sort(np.argsort(-gain, kind="stable")[:most])

    def run(self, deadline: Deadline) -> None:
        """Rounds until nothing pays, or the time or the rounds are used up."""
        for _ in range(self._params.max_rounds):
            if deadline.has_passed or not self.advance(deadline):
                return

    def advance(self, deadline: Deadline) -> bool:
        """One round; whether another one can help."""
        relaxation = self._master.solve(deadline)
        if relaxation is None:
            return False
        self.relaxation = relaxation
        known = len(self.pool)
        enough = self._params.patterns_per_round // 20 + 1
        duals = relaxation.duals
        if self._anchor is not None:
            self._price_greedily(duals.towards(self._anchor, self._params.smoothing), duals)
        if len(self.pool) - known < enough:
            self._price_greedily(duals, duals)
        if len(self.pool) - known < enough:
            self._price_exactly(duals, deadline)
        if len(self.pool) == known:
            self._effort += 1
        return not self.is_converged

    def _price_greedily(self, at: Duals, duals: Duals) -> None:
        """Fill every offer by the values ``at``; patterns that pay at ``duals`` are kept."""
        market = self.market
        targets = np.maximum(at.charged(market), _LEAST_TARGET)
        bounds = self.knapsacks.worth(at.rows, targets)
        pods = np.zeros((len(targets), market.rows), dtype=np.int64)
        worth = np.zeros(len(targets))
        price_offers(
            at.rows, row_orders(market, at.rows), market.requests, market.limits, market.room,
            market.compatible, self.knapsacks.real_multipliers, bounds > targets, pods, worth,
        )  # fmt: skip
        self._raise_bound(at, bounds)
        gain = (pods @ duals.rows) / np.maximum(duals.charged(market), _LEAST_TARGET)
        best = np.argsort(-gain, kind="stable")[: self._params.patterns_per_round]
        best = best[gain[best] > 1.0 + PAYS]
        self.pool.add_all(best, pods[best])

    def _price_exactly(self, duals: Duals, deadline: Deadline) -> None:
        """Search the offers whose bound leaves room for a pattern that pays.

        Only where none is found the bounds of the unfinished searches are worth tightening.
        """
        targets = np.maximum(duals.charged(self.market), _LEAST_TARGET)
        bounds = self.knapsacks.worth(duals.rows, targets)
        known = len(self.pool)
        for tiers in _PASSES:
            for o in np.argsort(-bounds / targets, kind="stable").tolist():
                enough = len(self.pool) - known >= self._params.exact_patterns
                if bounds[o] <= targets[o] * (1.0 + PAYS) or enough or deadline.has_passed:
                    break
                bounds[o] = self._search(o, duals.rows, targets[o] * tiers, bounds[o])
            if len(self.pool) > known:
                break
        self._raise_bound(duals, bounds)

    def _search(self, offer: int, values: FloatArray, targets: FloatArray, bound: float) -> float:
        """The tightest bound on the offer's best pattern that can be proved; new ones are kept.

        Args:
            targets: tried one after the other until nothing better can be ruled out.
        """
        nodes = self._params.tree_nodes[self._effort]
        knapsack = self.knapsacks.of_offer(offer, values)
        pods = np.zeros(self.market.rows, dtype=np.int64)
        for target in targets[targets < bound].tolist():
            worth, is_best = best_pattern(knapsack, target, nodes, pods)
            if worth > target:
                self.pool.add(offer, pods)
            if is_best:
                return worth * (1.0 + _SAFETY)
        return bound

    def _raise_bound(self, duals: Duals, worth: FloatArray) -> None:
        priced = affordable_caps(self.market, duals)
        charged = np.maximum(priced.charged(self.market), 0.0)
        scales = self.knapsacks.scales(duals.rows, charged, worth)
        feasible = Duals(duals.rows * scales, priced.caps)
        bound = feasible.bound_usd_per_hour(self.market)
        if bound > self.lower_bound_usd_per_hour:
            self.lower_bound_usd_per_hour = bound
            self._anchor = feasible
