"""The stages of the search, one after the other, each with a share of the time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.genetic.evolve import SearchParams, evolve
from nodemix.optimizer.packing.aggregate import aggregate_duals
from nodemix.optimizer.packing.bound import Duals, fractional_bound
from nodemix.optimizer.packing.closing import close_gap
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.dive import DiveParams, dive, round_greedily
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.exchange import on_cheapest_offers
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.greedy import capped_draft, greedy_draft, share_values
from nodemix.optimizer.packing.incumbent import Incumbent
from nodemix.optimizer.packing.local_search import LocalSearch, LocalSearchParams, make_scene
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.part import complete_greedily, only_offers
from nodemix.optimizer.packing.refusal import Evidence, refusal
from nodemix.optimizer.packing.repair import meet_caps
from nodemix.optimizer.packing.restricted import MipParams, restricted_draft
from nodemix.optimizer.packing.seeds import Seeds, seeds_within, useful_patterns

FIRST_ROUNDING = 20
"""Rounds of column generation before a plan is made of it; then again at twice as many."""

UNDER_CAPS = LocalSearchParams(warmth=0.1, most_skipped=0.8)
"""Caps are walls that a cold walk does not climb: on the demo 11.9 $/h instead of 12.2 in 3 s."""


SHORT_PATIENCE = 4_000
"""Iterations of local search in vain before a proof is tried; d1 is closed in 1 s, not in 4."""

PROVEN = 1e-6
"""Share of the cost; a plan this close to the bound is optimal."""


@dataclass(frozen=True, slots=True)
class StageParams:
    """When each stage ends, in shares of all the time.

    Args:
        generation, dive, local_search: ends of these stages; the genetic search has the rest.
        close: most time for listing all patterns a better plan could use, as a share.
        close_gap: in shares of the cost, above which that is not tried; with few rows it always is.
        proven: time that an optimal plan leaves for finding alternatives to it, as a share.
        wide: end of the column generation where the stages after it start anew on fewer offers.
        most_offers: that all stages look at under caps; of more, the column generation alone
            sees all.
    """

    generation: float = 0.4
    dive: float = 0.7
    local_search: float = 0.85
    close: float = 0.08
    close_gap: float = 0.02
    few_rows: int = 8
    proven: float = 0.05
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
        seeds: Seeds | None = None,
    ) -> None:
        self.market = market
        self.incumbent = Incumbent(market, deadline.clock)
        self.lower_bound_usd_per_hour = 0.0
        self.duals = Duals(np.zeros(market.rows), np.zeros(len(market.cap_limits)))
        self.lp_value_usd_per_hour: float | None = None
        self.others: list[Draft] = []
        self.useful = ColumnPool(market)
        self._seeds = seeds
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
        self._begin()
        self._raise_bound(fractional_bound(self.market))
        generation = self._generate()
        if self.incumbent.best is None:
            self._insist(generation)
        relaxation = generation.relaxation
        if self._is_wide and relaxation is not None:
            self._search_best_offers(generation)
        elif relaxation is not None and relaxation.is_met:
            self._improve(generation, relaxation)
        if self.is_proven:
            self._deadline = self._deadline.within(self._params.proven * self._seconds)
        self._evolve()
        if self.incumbent.best is not None:
            self._offer(on_cheapest_offers(self.market, self.incumbent.best), "exchange")

    def _improve(self, generation: Generation, relaxation: Relaxation) -> None:
        """The stages from the relaxation to a plan, until none can be cheaper."""
        close = partial(self._close_gap, generation, relaxation)
        stages = (
            close,
            partial(self._dive, relaxation),
            partial(self._force, relaxation),
            partial(self._search_locally, SHORT_PATIENCE),
            close,
            self._search_locally,
            close,
        )
        for stage in stages:
            if not self.is_proven:
                stage()

    def _begin(self) -> None:
        """The first plan: an earlier one with what it lacks now, or the greedy's."""
        self.duals = Duals(share_values(self.market), self.duals.caps)
        if self._seeds is not None:
            self.duals = self._seeds.duals
            self._pool.add_all(self._seeds.offers, self._seeds.pods)
            for plan in self._seeds.plans:
                if self.incumbent.best is None or not self._deadline.has_passed:
                    self._offer(complete_greedily(self.market, plan, self.duals), "earlier plan")
        self._offer(greedy_draft(self.market, self.duals.rows), "greedy")
        sums = aggregate_duals(self.market, self._deadline)
        if sums is not None:
            self._raise_bound(sums.bound_usd_per_hour(self.market))
            self._offer(greedy_draft(self.market, sums.rows), "greedy by sums")
        if self.incumbent.best is None:
            self._offer(capped_draft(self.market), "greedy within caps")

    def _search_best_offers(self, generation: Generation) -> None:
        """All stages on the offers that look best; the bound stays that of all of them.

        A share of the mix for each spot pool makes a thousand pools differ that could otherwise
        stand in for each other, and every stage but the first looks at each offer many times.
        """
        bought = [draft.offers for draft in self.incumbent.elite[:1]]
        best = generation.best_offers(self._params.most_offers)
        part = only_offers(self.market, np.unique(np.concatenate([best, *bought])))
        params = replace(self._params, generation=0.1, dive=0.25, local_search=0.95)
        seeds = seeds_within(part, self.useful, self.incumbent.elite[:1], self.duals)
        inner = Search(part.market, self._deadline, self._rng, params, seeds)
        inner.run()
        self.useful.add_all(part.offers[inner.useful.offers], inner.useful.pods)
        for draft in inner.incumbent.elite:
            self._offer(part.lift(draft), "best offers")
        self.others += [part.lift(draft) for draft in inner.others]

    @property
    def is_proven(self) -> bool:
        """Whether no plan is cheaper than the best one by anything that counts."""
        cost = self.incumbent.cost_usd_per_hour
        return self.lower_bound_usd_per_hour >= cost * (1.0 - PROVEN)

    @property
    def evidence(self) -> Evidence:
        """What there is to say where no plan was found."""
        return Evidence(self.market, self.duals, self.lower_bound_usd_per_hour)

    def _raise_bound(self, usd_per_hour: float) -> None:
        self.lower_bound_usd_per_hour = max(self.lower_bound_usd_per_hour, usd_per_hour)

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
            self._raise_bound(generation.lower_bound_usd_per_hour)
            if self.is_proven:
                break
            if rounds == next_rounding:
                next_rounding *= 2
                self._round(generation)
        self._raise_bound(generation.lower_bound_usd_per_hour)
        self._round(generation)
        if generation.relaxation is not None:
            self.duals = generation.relaxation.duals
            useful = useful_patterns(self.market, self._pool, generation.relaxation)
            self.useful.add_all(self._pool.offers[useful], self._pool.pods[useful])
            if generation.relaxation.is_met:
                self.lp_value_usd_per_hour = generation.relaxation.cost_usd_per_hour
        return generation

    def _insist(self, generation: Generation) -> None:
        """Go on where the caps allowed no plan yet, until there is one or a proof of none."""
        while self.incumbent.best is None and not self.evidence.proves_infeasible:
            if self._deadline.has_passed or not generation.advance(self._deadline):
                break
            self._raise_bound(generation.lower_bound_usd_per_hour)
            self._round(generation)
        if generation.relaxation is not None:
            self.duals = generation.relaxation.duals

    def _round(self, generation: Generation) -> None:
        relaxation = generation.relaxation
        if relaxation is not None and relaxation.is_met and not self._deadline.has_passed:
            self._offer(round_greedily(self.market, self._pool, relaxation), "rounding")

    def _close_gap(self, generation: Generation, relaxation: Relaxation) -> None:
        """List all patterns a better plan could use, if they are few, and solve over them."""
        cost = self.incumbent.cost_usd_per_hour
        gap = cost - relaxation.cost_usd_per_hour
        until = self._deadline.within(self._params.close * self._seconds)
        is_far = gap > self._params.close_gap * cost and self.market.rows > self._params.few_rows
        if self.incumbent.best is None or is_far or until.has_passed:
            return
        closing = close_gap(
            self.market, generation.knapsacks, relaxation, self.incumbent.elite, until
        )
        self._offer(closing.draft, "enumeration")
        self._raise_bound(closing.lower_bound_usd_per_hour)

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

    def _search_locally(self, patience: int = LocalSearchParams().patience) -> None:
        best, until = self.incumbent.best, self._until(self._params.local_search)
        if best is not None and not until.has_passed:
            scene = make_scene(self.market, self.duals)
            params = UNDER_CAPS if self._has_caps else LocalSearchParams()
            params = replace(params, patience=patience)
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
        InfeasiblePlanError: there is none; it says whether there can be one.
    """
    if search.incumbent.best is not None:
        return search.incumbent.best
    raise refusal(search.evidence, cap_names)


def _nothing(market: Market) -> Draft:
    empty = np.zeros(0, dtype=np.int64)
    return make_draft(market, empty, np.zeros((0, market.rows), dtype=np.int64), empty)
