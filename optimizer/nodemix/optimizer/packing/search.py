"""The stages of the search, one after the other, each with a share of the time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.packing.bound import fractional_bound
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.dive import DiveParams, dive, round_greedily
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.enumeration import EnumerationParams, enumerate_patterns
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.incumbent import Incumbent
from nodemix.optimizer.packing.local_search import LocalSearch, LocalSearchParams, make_scene
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.repair import meet_caps
from nodemix.optimizer.packing.restricted import MipParams, restricted_draft
from nodemix.optimizer.problem.types import FloatArray


@dataclass(frozen=True, slots=True)
class StageParams:
    """How the time is shared.

    Args:
        generation_share: of the time, at most, for the column generation.
        close_share: of the time, at most, for listing all patterns a better plan could use.
        close_gap: in shares of the cost, above which that is not tried.
    """

    generation_share: float = 0.4
    close_share: float = 0.08
    close_gap: float = 0.02


class Search:
    """One run over a market."""

    def __init__(
        self,
        market: Market,
        deadline: Deadline,
        rng: np.random.Generator,
        cap_names: Sequence[str],
        params: StageParams | None = None,
    ) -> None:
        self.market = market
        self.incumbent = Incumbent(market, deadline.clock)
        self.lower_bound_usd_per_hour = 0.0
        self.row_duals: FloatArray = np.zeros(market.rows)
        self.cap_duals: FloatArray = np.zeros(len(market.cap_limits))
        self._deadline = deadline
        self._seconds = max(deadline.left_s, 0.0)
        self._rng = rng
        self._cap_names = cap_names
        self._params = params or StageParams()
        self._pool = ColumnPool(market)

    def run(self) -> None:
        """All stages; the first plan comes even when no time is left."""
        if self.market.rows == 0:
            self.incumbent.offer(self._repaired(_nothing(self.market)), "empty")
            return
        self.row_duals = share_values(self.market)
        self.incumbent.offer(self._repaired(greedy_draft(self.market, self.row_duals)), "greedy")
        self.lower_bound_usd_per_hour = fractional_bound(self.market)
        generation = self._generate()
        if generation.relaxation is None:
            return
        self._make_whole(generation)

    def require_best(self) -> Draft:
        """The best draft.

        Raises:
            InfeasiblePlanError: there is none.
        """
        if self.incumbent.best is not None:
            return self.incumbent.best
        cap = int(self.cap_duals.argmax()) if self.cap_duals.any() else self._broken_by_greedy()
        raise InfeasiblePlanError(
            self._cap_names[cap],
            f"no plan found within its limit of {self.market.cap_limits[cap]:g}",
            "raise it, or allow more or cheaper offers",
        )

    def _generate(self) -> Generation:
        """Column generation within its share of the time, rounding now and then."""
        for draft in self.incumbent.elite:
            self._pool.add_draft(draft)
        generation = Generation(self.market, self._pool, GenerationParams())
        share = self._deadline.within(self._params.generation_share * self._seconds)
        rounds, next_rounding = 0, 20
        while not share.has_passed and generation.advance(share):
            rounds += 1
            if rounds == next_rounding and generation.relaxation is not None:
                next_rounding *= 2
                self._offer_rounded(generation)
        bound = generation.lower_bound_usd_per_hour
        self.lower_bound_usd_per_hour = max(self.lower_bound_usd_per_hour, bound)
        if generation.relaxation is not None:
            self.row_duals = generation.relaxation.duals.rows
            self.cap_duals = generation.relaxation.duals.caps
        return generation

    def _offer_rounded(self, generation: Generation) -> None:
        relaxation = generation.relaxation
        if relaxation is not None and relaxation.is_met:
            rounded = round_greedily(self.market, self._pool, relaxation)
            self.incumbent.offer(self._repaired(rounded), "rounding")

    def _make_whole(self, generation: Generation) -> None:
        self._offer_rounded(generation)
        relaxation = generation.relaxation
        if relaxation is None or not relaxation.is_met:
            return
        self._close_gap(generation, relaxation)
        dived = dive(self.market, self._pool, relaxation, self._deadline, DiveParams())
        self.incumbent.offer(self._repaired(dived), "dive")
        self._search_locally()
        self._close_gap(generation, relaxation)

    def _close_gap(self, generation: Generation, relaxation: Relaxation) -> None:
        """List all patterns a better plan could use, if they are few, and solve over them."""
        gap = self.incumbent.cost_usd_per_hour - relaxation.cost_usd_per_hour
        if gap > self._params.close_gap * self.incumbent.cost_usd_per_hour:
            return
        share = self._deadline.within(self._params.close_share * self._seconds)
        pool = enumerate_patterns(
            self.market, generation.knapsacks, relaxation, gap, share, EnumerationParams()
        )
        for draft in self.incumbent.elite:
            pool.add_draft(draft)
        cost = self.incumbent.cost_usd_per_hour
        found = restricted_draft(self.market, pool, relaxation, share, MipParams(), cost)
        self.incumbent.offer(found, "enumeration")

    def _search_locally(self) -> None:
        best = self.incumbent.best
        if best is not None:
            scene = make_scene(self.market, self.row_duals, self.cap_duals)
            search = LocalSearch(self.market, scene, self._rng, LocalSearchParams())
            share = self._deadline.within(self._deadline.left_s - 0.1 * self._seconds)
            self.incumbent.offer(search.improve(best, share), "local search")

    def _repaired(self, draft: Draft | None) -> Draft | None:
        if draft is None or draft.is_allowed(self.market):
            return draft
        return meet_caps(self.market, draft)

    def _broken_by_greedy(self) -> int:
        """The cap that an ordinary plan breaks most; the one to name when there is no plan."""
        if self.market.rows == 0:
            return int((-self.market.cap_limits).argmax())
        free = greedy_draft(
            self.market, self.row_duals, cap_left=np.full(len(self.market.cap_limits), np.inf)
        )
        counts = free.offer_counts(self.market) if free else np.zeros(len(self.market.price))
        scale = np.maximum(np.abs(self.market.cap_limits), 1e-9)
        return int(((self.market.cap_use(counts) - self.market.cap_limits) / scale).argmax())


def _nothing(market: Market) -> Draft:
    empty = np.zeros(0, dtype=np.int64)
    return make_draft(market, empty, np.zeros((0, market.rows), dtype=np.int64), empty)
