"""The genetic search for the plan that costs least once kube-scheduler has placed the pods.

Plans are compared on common draws, few at first and more as the time goes by, and a child that
falls behind is given up after the first. What the search believes of its best plans is too good,
so the last ones are compared on draws that it has not seen, and the plan that is returned is
scored on still other ones, beside the one it must not be worse than.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from deap import tools
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.placed_plan import (
    PlacedPlan,
    cheapest_placed,
    nodes_to_change,
)
from nodemix.optimizer.genetic.reshape import Reshaper
from nodemix.optimizer.genetic.variation import Breeder
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft, trim
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.placement.hosting import Hosting
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.trials import Trials
from nodemix.optimizer.problem.types import IntArray, Problem

HEAD_START = 0.01
"""By how much a plan may be dearer on its first draw than the one it races; half as much on two."""


@dataclass(frozen=True, slots=True)
class PlacedParams:
    """Settings of the search for least placed cost.

    Args:
        population: plans kept.
        elite: of them, those of least placed cost; the others are the best of the front.
        children: bred between two selections.
        crossed: share of the children that have two parents.
        fresh: share of the children that are bought anew, without parents.
        settled: share of the others that begin with the places a draw gave the pods.
        most_freed: largest share of a plan's nodes that a variation frees.
        draws: of each plan in the population, at most.
        tolerance: plans whose placed cost is above the best by more than this share die out.
        patience: children without a better plan before it stops.
        grown: share of the plans' own time that more draws for the population may take.
    """

    population: int = 16
    elite: int = 10
    children: int = 8
    crossed: float = 0.15
    fresh: float = 0.1
    settled: float = 0.5
    most_freed: float = 0.3
    draws: int = 24
    tolerance: float = 0.06
    patience: int = 4000
    grown: float = 0.3

    def __post_init__(self) -> None:
        if not 4 <= self.elite <= self.population:
            raise ParameterError(
                f"4 <= elite <= population asked, got {self.elite} and {self.population}"
            )
        if min(self.children, self.draws, self.patience) < 1:
            raise ParameterError(f"children, draws and patience must be positive, got {self}")


class PlacedSearch:
    """A population of plans around the cheapest ones, bred for their placed cost."""

    def __init__(
        self,
        problem: Problem,
        market: Market,
        mode: PlacementMode,
        duals: Duals,
        rng: np.random.Generator,
        params: PlacedParams,
        nodes_now: IntArray | None = None,
    ) -> None:
        self._market = market
        self._rng = rng
        self._params = params
        self._nodes_now = nodes_now
        seed = int(rng.integers(2**31))
        self.trials = Trials(problem, mode, seed, Hosting(problem, market))
        self._breeder = Breeder(market, duals, rng, noise=0.2, most_ruined=params.most_freed)
        self._reshaper = Reshaper(market, duals, rng, params.most_freed)
        self._worth = duals.rows
        self._run_s = 0.0
        self._spent_s = 0.0
        self.population: list[PlacedPlan] = []

    @property
    def best(self) -> PlacedPlan:
        """The plan of least placed cost on the draws so far."""
        return cheapest_placed(self.population)

    def front(self) -> list[PlacedPlan]:
        """Plans of the population that no other one beats in every objective."""
        everyone = self.population
        first: list[PlacedPlan] = tools.sortLogNondominated(everyone, len(everyone), True)
        return first

    def run(self, seeds: Sequence[Draft], deadline: Deadline) -> None:
        """Breed until the deadline; the seeds come first, in their order."""
        self._begin(seeds, deadline)
        quiet = 0
        while self.population and quiet < self._params.patience and not self._is_over(deadline):
            before = self.best.placed_usd_per_hour()
            self._advance(deadline)
            quiet = 0 if self.best.placed_usd_per_hour() < before else quiet + 1
            self._draw_more(deadline)

    def try_out(self, plan: PlacedPlan, deadline: Deadline) -> float:
        """Seconds that one draw of the plan takes."""
        self._draw(plan, deadline)
        plan.hosting.clear()
        return self._run_s

    def to_plan(self, draft: Draft) -> PlacedPlan:
        """A plan that no draw has been made of."""
        plan = PlacedPlan(self._market, draft, 0)
        plan.nodes_changed = nodes_to_change(plan.kinds, self._nodes_now)
        return plan

    def _begin(self, seeds: Sequence[Draft], deadline: Deadline) -> None:
        for draft in seeds:
            if self._is_over(deadline):
                return
            self._welcome(draft, deadline)
        for _ in range(self._params.population):
            if self._is_over(deadline):
                return
            self._welcome(self._valid(self._reshaper.draw_plan()), deadline)

    def _welcome(self, draft: Draft | None, deadline: Deadline) -> None:
        if draft is not None:
            plan = self.to_plan(draft)
            self._draw(plan, deadline)
            self._survive([plan])

    def _advance(self, deadline: Deadline) -> None:
        """Breed children, and let the best of all survive."""
        children = []
        for _ in range(self._params.children):
            if self._is_over(deadline):
                break
            child = self._valid(self._child())
            if child is not None and child.cost_usd_per_hour < self.best.placed_usd_per_hour():
                plan = self.to_plan(child)
                if self._race(plan, deadline):
                    children.append(plan)
        self._survive(children)

    def _child(self) -> Draft | None:
        rng, parent = self._rng, self._parent()
        lot = rng.random()
        if lot < self._params.crossed:
            return self._breeder.cross(parent.draft, self._parent().draft)
        if lot < self._params.crossed + self._params.fresh:
            return self._reshaper.draw_plan()
        settled = parent.settled
        if settled is not None and rng.random() < self._params.settled:
            held = settled.held.astype(np.int64)
            return self._reshaper.rebuild(settled.offers, held, settled.pending.copy())
        return self._reshaper.reshape(parent.draft)

    def _parent(self) -> PlacedPlan:
        """The better of two drawn at random."""
        drawn = [self.population[i] for i in self._rng.integers(len(self.population), size=2)]
        return cheapest_placed(drawn)

    def _valid(self, draft: Draft | None) -> Draft | None:
        """The plan without surplus; None where it lacks pods or breaks a cap."""
        if draft is None or not draft.is_allowed(self._market):
            return None
        held = draft.held
        if (held > self._market.demand).any():
            draft = trim(self._market, draft)
        return draft if (held >= self._market.demand).all() else None

    def _race(self, plan: PlacedPlan, deadline: Deadline) -> bool:
        """Draw as often as the population was drawn; whether the plan kept up."""
        ranked = sorted(self.population, key=PlacedPlan.placed_usd_per_hour)
        rival = ranked[min(self._params.elite, len(ranked)) - 1]
        for draws in range(1, len(rival.hosting) + 1):
            most = (1.0 + HEAD_START / draws) * rival.placed_usd_per_hour(draws)
            if not self._draw(plan, deadline, most):
                return False
            if self._is_over(deadline):
                return draws == len(rival.hosting)
        return True

    def _draw_more(self, deadline: Deadline) -> None:
        """One more draw of every plan, where that has become cheap beside what was spent."""
        draws = len(self.best.hosting)
        dear = self._run_s * len(self.population) * draws > self._params.grown * self._spent_s
        if draws >= self._params.draws or dear:
            return
        self._spent_s = 0.0
        for plan in self.population:
            self._draw(plan, deadline)
            plan.rate()

    def _draw(self, plan: PlacedPlan, deadline: Deadline, most: float = np.inf) -> bool:
        """Draw the plan once more, unless its placed cost gets above ``most``; whether it did not.

        What pending pods are worth at the duals is a floor of what hosting them costs, and saves
        most of the purchases.
        """
        started_s, draw = deadline.clock(), len(plan.hosting)
        outcome = self.trials.run(plan.kinds, draw)
        left = (most - plan.draft.cost_usd_per_hour) * (draw + 1) - sum(plan.hosting)
        keeps_up = float(outcome.pending @ self._worth) <= left
        if keeps_up:
            hosting = self.trials.hosting.cost_usd_per_hour(outcome.pending)
            keeps_up = hosting <= left
            plan.add(outcome, hosting)
        self._run_s = max(deadline.clock() - started_s, 0.8 * self._run_s)
        self._spent_s += deadline.clock() - started_s
        return keeps_up

    def _is_over(self, deadline: Deadline) -> bool:
        """Whether another draw would end too late."""
        return deadline.left_s <= self._run_s

    def _survive(self, newcomers: Sequence[PlacedPlan]) -> None:
        """Keep those of least placed cost, and of the others the best fronts."""
        everyone = list({plan.key: plan for plan in [*newcomers, *self.population]}.values())
        for plan in newcomers:
            plan.rate()
        everyone.sort(key=PlacedPlan.placed_usd_per_hour)
        if not everyone:
            return
        dearest = (1.0 + self._params.tolerance) * everyone[0].placed_usd_per_hour()
        alive = [plan for plan in everyone if plan.placed_usd_per_hour() <= dearest]
        elite, others = alive[: self._params.elite], alive[self._params.elite :]
        places = min(self._params.population - len(elite), len(others))
        self.population = [*elite, *(tools.selNSGA2(others, places, nd="log") if places else [])]
