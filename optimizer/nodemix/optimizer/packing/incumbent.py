"""The best plan so far, some others worth showing, and when they were found."""

from nodemix.optimizer.deadline import Clock
from nodemix.optimizer.packed import Milestone
from nodemix.optimizer.packing.draft import Draft, trim
from nodemix.optimizer.packing.market import Market

ELITE = 8
"""Drafts kept; the search for alternatives starts from them."""
_SAME_USD_PER_HOUR = 1e-9


class Incumbent:
    """Takes drafts and keeps the cheapest ones that hold every pod within the caps."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self.market = market
        self.elite: list[Draft] = []
        self.milestones: list[Milestone] = []
        self._clock = clock
        self._started_s = clock()

    @property
    def best(self) -> Draft | None:
        """The cheapest draft; None before there is one."""
        return self.elite[0] if self.elite else None

    @property
    def cost_usd_per_hour(self) -> float:
        """Of the cheapest draft; infinite before there is one."""
        return self.elite[0].cost_usd_per_hour if self.elite else float("inf")

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return self._clock() - self._started_s

    def offer(self, draft: Draft | None, stage: str) -> bool:
        """Take a draft; whether it is the best so far."""
        if draft is None or not self._is_valid(draft):
            return False
        trimmed = trim(self.market, draft)
        if not trimmed.is_allowed(self.market):
            trimmed = draft
        is_best = trimmed.cost_usd_per_hour < self.cost_usd_per_hour - _SAME_USD_PER_HOUR
        self._keep(trimmed)
        if is_best:
            self.milestones.append(Milestone(self.seconds, stage, trimmed.cost_usd_per_hour))
        return is_best

    def _is_valid(self, draft: Draft) -> bool:
        covered = bool((draft.held >= self.market.demand).all())
        return covered and draft.is_allowed(self.market)

    def _keep(self, draft: Draft) -> None:
        costs = [one.cost_usd_per_hour for one in self.elite]
        if all(abs(draft.cost_usd_per_hour - cost) > _SAME_USD_PER_HOUR for cost in costs):
            self.elite.append(draft)
            self.elite.sort(key=lambda one: one.cost_usd_per_hour)
            del self.elite[ELITE:]
