"""The stages of the search, one after the other, each with a share of the time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.genetic.evolve import SearchParams, evolve
from nodemix.optimizer.packing.bound import Duals, fractional_bound
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.dive import DiveParams, dive, round_greedily
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.enumeration import EnumerationParams, enumerate_patterns
from nodemix.optimizer.packing.exchange import on_cheapest_offers
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.greedy import capped_draft, greedy_draft, share_values
from nodemix.optimizer.packing.incumbent import Incumbent
from nodemix.optimizer.packing.local_search import LocalSearch, LocalSearchParams, make_scene
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.part import only_offers
from nodemix.optimizer.packing.repair import meet_caps
from nodemix.optimizer.packing.restricted import MipParams, restricted_draft

FIRST_ROUNDING = 20
"""Rounds of column generation before a plan is made of it; then again at twice as many."""

UNDER_CAPS = LocalSearchParams(warmth=0.1, most_skipped=0.8)
"""Caps are walls that a cold walk does not climb: on the demo 11.9 $/h instead of 12.2 in 3 s."""


@dataclass(frozen=True, slots=True)
class StageParams:
    """When each stage ends, in shares of all the time.

    Args:
        generation, dive, local_search: ends of these stages; the genetic search has the rest.
        close: most time for listing all patterns a better plan could use, as a share.
        close_gap: in shares of the cost, above which that is not tried.
        wide: end of the column generation where the stages after it start anew on fewer offers.
        most_offers: that all stages look at under caps; of more, the column generation alone
            sees all.
    """

    generation: float = 0.4
    dive: float = 0.7
    local_search: float = 0.85
    close: float = 0.08
    close_gap: float = 0.02
    wide: float = 0.25
    most_offers: int = 300


class Search:
    """One run over a market."""

    def __init__(
        self,
        market: Market,
        deadline: Deadline,
        rng: np.random.Generator,
        params: StageParams | None = None,
    ) -> None:
        self.market = market
        self.incumbent = Incumbent(market, deadline.clock)
        self.lower_bound_usd_per_hour = 0.0
        self.duals = Duals(np.zeros(market.rows), np.zeros(len(market.cap_limits)))
        self.lp_value_usd_per_hour: float | None = None
        self.others: list[Draft] = []
        self._deadline = deadline
        self._seconds = max(deadline.left_s, 0.0)
        self._rng = rng
        self._params = params or StageParams()
        self._pool = ColumnPool(market)

    def run(self) -> None:
        """All stages; the first plan comes even when no time is left."""
        if self.market.rows == 0:
            self._offer(_nothing(self.market), "empty")
            return
        self.duals = Duals(share_values(self.market), self.duals.caps)
        self._offer(greedy_draft(self.market, self.duals.rows), "greedy")
        if self.incumbent.best is None:
            self._offer(capped_draft(self.market), "greedy within caps")
        self.lower_bound_usd_per_hour = fractional_bound(self.market)
        generation = self._generate()
        relaxation = generation.relaxation
        if self._is_wide and relaxation is not None:
            self._search_best_offers(generation)
        elif relaxation is not None and relaxation.is_met:
            self._close_gap(generation, relaxation)
            self._dive(relaxation)
            self._force(relaxation)
            self._search_locally()
            self._close_gap(generation, relaxation)
        self._evolve()
        if self.incumbent.best is not None:
            self._offer(on_cheapest_offers(self.market, self.incumbent.best), "exchange")

    def _search_best_offers(self, generation: Generation) -> None:
        """All stages on the offers that look best; the bound stays that of all of them.

        A share of the mix for each spot pool makes a thousand pools differ that could otherwise
        stand in for each other, and every stage but the first looks at each offer many times.
        """
        part = only_offers(self.market, generation.best_offers(self._params.most_offers))
        params = replace(self._params, generation=0.1, dive=0.25, local_search=0.95)
        inner = Search(part.market, self._deadline, self._rng, params)
        inner.run()
        for draft in inner.incumbent.elite:
            self._offer(part.lift(draft), "best offers")
        self.others += [part.lift(draft) for draft in inner.others]

    @property
    def _has_caps(self) -> bool:
        return len(self.market.cap_limits) > 0

    @property
    def _is_wide(self) -> bool:
        return self._has_caps and len(self.market.price) > self._params.most_offers

    def _until(self, share: float) -> Deadline:
        """The point in time at which this share of the time is used up."""
        at_s = self._deadline.at_s - (1.0 - share) * self._seconds
        return Deadline(self._deadline.clock, at_s)

    def _offer(self, draft: Draft | None, stage: str) -> None:
        if draft is not None and not draft.is_allowed(self.market):
            draft = meet_caps(self.market, draft)
        self.incumbent.offer(draft, stage)

    def _generate(self) -> Generation:
        """Column generation, with a plan made of it now and then."""
        for draft in self.incumbent.elite:
            self._pool.add_draft(draft)
        generation = Generation(self.market, self._pool, GenerationParams())
        until = self._until(self._params.wide if self._is_wide else self._params.generation)
        rounds, next_rounding = 0, FIRST_ROUNDING
        while not until.has_passed and generation.advance(until):
            rounds += 1
            if rounds == next_rounding:
                next_rounding *= 2
                self._round(generation)
        self._round(generation)
        bound = generation.lower_bound_usd_per_hour
        self.lower_bound_usd_per_hour = max(self.lower_bound_usd_per_hour, bound)
        if generation.relaxation is not None:
            self.duals = generation.relaxation.duals
            if generation.relaxation.is_met:
                self.lp_value_usd_per_hour = generation.relaxation.cost_usd_per_hour
        return generation

    def _round(self, generation: Generation) -> None:
        relaxation = generation.relaxation
        if relaxation is not None and relaxation.is_met and not self._deadline.has_passed:
            self._offer(round_greedily(self.market, self._pool, relaxation), "rounding")

    def _close_gap(self, generation: Generation, relaxation: Relaxation) -> None:
        """List all patterns a better plan could use, if they are few, and solve over them."""
        cost = self.incumbent.cost_usd_per_hour
        gap = cost - relaxation.cost_usd_per_hour
        until = self._deadline.within(self._params.close * self._seconds)
        is_far = self.incumbent.best is None or gap > self._params.close_gap * cost
        if is_far or until.has_passed:
            return
        pool = enumerate_patterns(
            self.market, generation.knapsacks, relaxation, gap, until, EnumerationParams()
        )
        for draft in self.incumbent.elite:
            pool.add_draft(draft)
        found = restricted_draft(self.market, pool, relaxation, until, MipParams(), cost)
        self._offer(found, "enumeration")

    def _dive(self, relaxation: Relaxation) -> None:
        until = self._until(self._params.dive)
        if not until.has_passed:
            self._offer(dive(self.market, self._pool, relaxation, until, DiveParams()), "dive")

    def _force(self, relaxation: Relaxation) -> None:
        """Where caps kept every other stage from a plan: the restricted program, at any length."""
        if self.incumbent.best is None:
            until = self._until(self._params.local_search)
            found = restricted_draft(self.market, self._pool, relaxation, until, MipParams())
            self._offer(found, "restricted program")

    def _search_locally(self) -> None:
        best, until = self.incumbent.best, self._until(self._params.local_search)
        if best is not None and not until.has_passed:
            scene = make_scene(self.market, self.duals)
            params = UNDER_CAPS if self._has_caps else LocalSearchParams()
            search = LocalSearch(self.market, scene, self._rng, params)
            self._offer(search.improve(best, until), "local search")

    def _evolve(self) -> None:
        if self._deadline.has_passed:
            return
        self.others = evolve(
            self.market, self.incumbent.elite, self.duals, self._deadline, self._rng, SearchParams()
        )
        self._offer(self.others[0] if self.others else None, "genetic search")


def require_best(search: Search, cap_names: Sequence[str]) -> Draft:
    """The best draft of a search that ran.

    Raises:
        InfeasiblePlanError: there is none.
    """
    if search.incumbent.best is not None:
        return search.incumbent.best
    limits = search.market.cap_limits
    cap = int(search.duals.caps.argmax()) if search.duals.caps.any() else _most_broken(search)
    raise InfeasiblePlanError(
        cap_names[cap],
        f"no plan was found within its limit of {limits[cap]:g}",
        "raise it, or allow more or cheaper offers",
    )


def _most_broken(search: Search) -> int:
    """The cap that a plan without caps breaks most, against its limit."""
    market = search.market
    free = None
    if market.rows:
        unlimited = np.full(len(market.cap_limits), np.inf)
        free = greedy_draft(market, search.duals.rows, cap_left=unlimited)
    use = market.cap_use((free or _nothing(market)).offer_counts(market))
    return int(((use - market.cap_limits) / np.maximum(np.abs(market.cap_limits), 1e-9)).argmax())


def _nothing(market: Market) -> Draft:
    empty = np.zeros(0, dtype=np.int64)
    return make_draft(market, empty, np.zeros((0, market.rows), dtype=np.int64), empty)
