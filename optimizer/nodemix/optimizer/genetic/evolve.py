"""The genetic search: a population of plans around the incumbents, never worse than them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from deap import tools
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.individual import Individual, is_same, score, to_individual
from nodemix.optimizer.genetic.variation import Breeder
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.local_search import LocalSearch, LocalSearchParams, make_scene
from nodemix.optimizer.packing.market import Market


@dataclass(frozen=True, slots=True)
class SearchParams:
    """Settings of the genetic search.

    Args:
        population: plans kept per generation.
        patience: generations without a cheaper plan before stopping.
        crossed: share of the children that have two parents.
        noise: half-width of the factor by which a pod's value is blurred.
        most_ruined: largest share of a plan's kinds that a mutation tears down.
        polish: iterations of local search given to each child.
        tolerance: plans dearer than the best by more than this share die out.
    """

    population: int = 24
    patience: int = 20
    crossed: float = 0.5
    noise: float = 0.2
    most_ruined: float = 0.3
    polish: int = 64
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if self.population < 4:
            raise ParameterError(f"population must be at least 4, got {self.population}")
        if self.patience < 1:
            raise ParameterError(f"patience must be positive, got {self.patience}")
        for name in ("crossed", "noise", "most_ruined"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ParameterError(f"{name} must lie in [0, 1], got {getattr(self, name)}")


def evolve(
    market: Market,
    seeds: Sequence[Draft],
    duals: Duals,
    deadline: Deadline,
    rng: np.random.Generator,
    params: SearchParams,
) -> list[Draft]:
    """Plans of the last population and the cheapest ever, cheapest first.

    Args:
        seeds: plans that hold everything within the caps; the cheapest one never leaves the
            population, so the first plan returned costs at most as much.
    """
    evolution = Evolution(market, seeds, duals, rng, params)
    quiet = 0
    while seeds and quiet < params.patience and not deadline.has_passed:
        before = evolution.cheapest.cost_usd_per_hour
        evolution.advance(deadline)
        is_cheaper = evolution.cheapest.cost_usd_per_hour < before - 1e-9
        quiet = 0 if is_cheaper else quiet + 1
    return evolution.drafts()


class Evolution:
    """The population and the best plan ever; `advance` makes one generation."""

    def __init__(
        self,
        market: Market,
        seeds: Sequence[Draft],
        duals: Duals,
        rng: np.random.Generator,
        params: SearchParams,
    ) -> None:
        self._market = market
        self._rng = rng
        self._params = params
        self._pool = ColumnPool(market)
        self._breeder = Breeder(market, duals, rng, params.noise, params.most_ruined)
        polish = LocalSearchParams(patience=max(1, params.polish), cycle=max(1, params.polish))
        self._polisher = LocalSearch(market, make_scene(market, duals), rng, polish)
        self._hall = tools.HallOfFame(1, similar=is_same)
        self.population: list[Individual] = []
        self._survive([to_individual(self._pool, draft) for draft in seeds])

    @property
    def cheapest(self) -> Individual:
        """The cheapest plan ever."""
        best: Individual = self._hall[0]
        return best

    def advance(self, deadline: Deadline) -> None:
        """Breed as many children as there are places, and let the best of all survive."""
        children: list[Individual] = []
        while len(children) < self._params.population and not deadline.has_passed:
            child = self._child(deadline)
            if child is not None:
                children.append(to_individual(self._pool, child))
            elif self._rng.random() < 1.0 / self._params.population:
                break  # caps that refuse every child must not hold the loop forever
        self._survive(children)

    def drafts(self) -> list[Draft]:
        """The population and the cheapest plan as drafts, cheapest first."""
        everyone = [*self._hall, *self.population]
        ranked = sorted(everyone, key=lambda individual: individual.cost_usd_per_hour)
        distinct: list[Individual] = []
        for one in ranked:
            if not any(is_same(one, other) for other in distinct):
                distinct.append(one)
        return [one.to_draft(self._market, self._pool) for one in distinct]

    def _child(self, deadline: Deadline) -> Draft | None:
        mother = self._parent()
        if self._rng.random() < self._params.crossed:
            child = self._breeder.cross(mother, self._parent())
        else:
            child = self._breeder.mutate(mother)
        if child is None or self._params.polish < 1:
            return child
        return self._polisher.improve(child, deadline)

    def _parent(self) -> Draft:
        """The cheaper of two drawn at random."""
        drawn = [self.population[i] for i in self._rng.integers(len(self.population), size=2)]
        cheaper: Individual = min(drawn, key=lambda individual: individual.cost_usd_per_hour)
        return cheaper.to_draft(self._market, self._pool)

    def _survive(self, newcomers: list[Individual]) -> None:
        """Keep the best fronts of old and new; the cheapest plan always stays."""
        score(self._market, self._pool, newcomers)
        self._hall.update(newcomers)
        everyone = _distinct([*self.population, *newcomers])
        if not everyone:
            return
        dearest = (1.0 + self._params.tolerance) * self.cheapest.cost_usd_per_hour
        alive = [one for one in everyone if one.cost_usd_per_hour <= dearest]
        places = min(self._params.population, len(alive))
        self.population = tools.selNSGA2(alive, places, nd="log")


def _distinct(individuals: Sequence[Individual]) -> list[Individual]:
    kept: dict[bytes, Individual] = {}
    for one in individuals:
        used = np.flatnonzero(one.counts)
        kept.setdefault(used.tobytes() + one.counts[used].tobytes(), one)
    return list(kept.values())
