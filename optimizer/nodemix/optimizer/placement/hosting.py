"""What nodes for pods cost that kube-scheduler leaves pending."""

import numpy as np
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.market import Market, to_market
from nodemix.optimizer.packing.part import take_part
from nodemix.optimizer.problem.types import IntArray, Problem

MOST_REMEMBERED = 50_000
"""Answers kept; forgotten all at once. Some 20 MB at 100 rows."""


class Hosting:
    """Buys nodes for pending pods greedily; caps do not stop pods that wait. Remembers answers."""

    def __init__(self, problem: Problem, market: Market | None = None) -> None:
        self._market = to_market(problem) if market is None else market
        self._known: dict[bytes, float] = {}

    def cost_usd_per_hour(self, pending: IntArray) -> float:
        """What nodes for ``pending`` pods cost, pods of each row, shape (rows,)."""
        if not pending.any():
            return 0.0
        key = pending.astype(np.int32).tobytes()
        if key not in self._known:
            if len(self._known) == MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = self._buy(pending)
        return self._known[key]

    def _buy(self, pending: IntArray) -> float:
        no_limits = np.full(len(self._market.cap_limits), np.inf)
        part = take_part(self._market, pending, no_limits)
        draft = greedy_draft(part.market, share_values(part.market))
        assert draft is not None, "without caps every row of a problem has an offer"  # noqa: S101 - impossible
        return draft.cost_usd_per_hour
