"""Column generation: patterns that pay at the duals, until none does or time is up."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packing.bound import certified_bound
from nodemix.optimizer.packing.branch import best_pattern
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.greedy import row_orders
from nodemix.optimizer.packing.knapsack import counting_knapsacks, plain_knapsacks
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Master, Relaxation
from nodemix.optimizer.packing.pricing import price_offers
from nodemix.optimizer.problem.types import FloatArray, IntArray

PAYS = 1e-7
"""Share of its price a pattern must be worth beyond it to be taken in."""
_TIERS = (PAYS, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)
"""How far above its price a pattern's worth is ruled out; the first that can be proved counts."""
_STEPS, _STEPS_EXACT = 8, 40


@dataclass(frozen=True, slots=True)
class GenerationParams:
    """Settings of the column generation.

    Args:
        max_rounds: solves of the master.
        patterns_per_round: most patterns taken in between two solves.
        tree_nodes: sizes of the branch-and-bound tree per offer, one after the other as the
            smaller ones find nothing more.
    """

    max_rounds: int = 2000
    patterns_per_round: int = 100
    tree_nodes: tuple[int, ...] = (2_000, 20_000, 200_000)

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
        self._params = params
        self._master = Master(market, pool)
        self._plain = plain_knapsacks(market)
        self._counting = counting_knapsacks(market)
        self._effort = 0

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
        self._price_greedily(relaxation)
        if len(self.pool) - known < self._params.patterns_per_round // 20 + 1:
            self._price_exactly(relaxation, deadline)
        if len(self.pool) == known:
            self._effort += 1
        return self._effort < len(self._params.tree_nodes)

    def _targets(self, relaxation: Relaxation) -> FloatArray:
        """Price of each offer, adjusted for what the caps charge, shape (offers,)."""
        charged = self.market.price + relaxation.cap_duals @ self.market.cap_coefficients
        targets: FloatArray = np.maximum(charged, 1e-9)
        return targets

    def _price_greedily(self, relaxation: Relaxation) -> None:
        market, values = self.market, relaxation.row_duals
        targets = self._targets(relaxation)
        bounds = self._plain.worth(values, targets, _STEPS)
        pods = np.zeros((len(targets), market.rows), dtype=np.int64)
        worth = np.zeros(len(targets))
        price_offers(
            values, row_orders(market, values), market.requests, market.limits, market.room,
            market.compatible, self._plain.multipliers, pods, worth,
        )  # fmt: skip
        self._raise_bound(relaxation, bounds)
        gain = worth / targets
        best = np.argsort(-gain, kind="stable")[: self._params.patterns_per_round]
        best = best[gain[best] > 1.0 + PAYS]
        self.pool.add_all(best, pods[best])

    def _price_exactly(self, relaxation: Relaxation, deadline: Deadline) -> None:
        """Search the offers whose bound leaves room for a pattern that pays."""
        targets = self._targets(relaxation)
        bounds = self._counting.worth(relaxation.row_duals, targets, _STEPS_EXACT)
        pods = np.zeros(self.market.rows, dtype=np.int64)
        for o in np.argsort(-bounds / targets, kind="stable"):
            if bounds[o] <= targets[o] * (1.0 + PAYS) or deadline.has_passed:
                break
            bounds[o] = self._search(int(o), relaxation.row_duals, targets[o], bounds[o], pods)
        self._raise_bound(relaxation, bounds)

    def _search(
        self, offer: int, values: FloatArray, target: float, bound: float, pods: IntArray
    ) -> float:
        """The tightest bound on the offer's best pattern that can be proved; new ones are kept."""
        market, nodes = self.market, self._params.tree_nodes[self._effort]
        for tier in _TIERS:
            above = target * (1.0 + tier)
            if bound <= above:
                break
            worth, is_best = best_pattern(
                values, self._counting.requests[offer], market.limits, self._counting.room[offer],
                market.compatible[offer], self._counting.multipliers[offer], above, nodes, pods,
            )  # fmt: skip
            if worth > above:
                self.pool.add(offer, pods)
            if is_best:
                return worth * (1.0 + 1e-9)
        return bound

    def _raise_bound(self, relaxation: Relaxation, worth: FloatArray) -> None:
        bound = certified_bound(self.market, relaxation.row_duals, relaxation.cap_duals, worth)
        self.lower_bound_usd_per_hour = max(self.lower_bound_usd_per_hour, bound)
