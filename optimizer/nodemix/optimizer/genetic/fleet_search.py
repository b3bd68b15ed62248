"""The genetic search over nodes per pool: cost, tail shortage, churn and concentration at once."""

from dataclasses import dataclass

import numpy as np
from deap import base, tools
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.fleet import (
    COST,
    OBJECTIVES,
    FleetFront,
    FleetProblem,
)
from nodemix.optimizer.genetic.fleet_polish import make_polisher
from nodemix.optimizer.genetic.fleet_scores import (
    Brood,
    cost_cvar_front,
    coverage,
    join,
    make_scorer,
)
from nodemix.optimizer.genetic.fleet_variation import make_breeder
from nodemix.optimizer.problem.types import FloatArray, IntArray

SPREAD = 1.05
"""Of the first plans' cost above a seed's."""


@dataclass(frozen=True, slots=True)
class FleetSearchParams:
    """Settings of the search.

    Args:
        population: plans kept per generation, and children of each.
        generations: at most; the deadline usually comes first.
        reach: how many places by cost the two parents of a child lie apart at most.
        guided: share of the children whose father is a fractional seed.
        polish_rounds: of the front of cost and CVaR after each generation.
        from_archive: share of the children whose parents lie on the front of cost and CVaR.
    """

    population: int = 200
    generations: int = 1000
    reach: int = 10
    from_archive: float = 0.8
    guided: float = 0.7
    polish_rounds: int = 3

    def __post_init__(self) -> None:
        bounds = (("population", 4), ("generations", 0), ("reach", 1), ("polish_rounds", 0))
        for name, least in bounds:
            if getattr(self, name) < least:
                raise ParameterError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("from_archive", "guided"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ParameterError(f"{name} must lie in [0, 1], got {getattr(self, name)}")


class Scores(base.Fitness):  # type: ignore[misc] # deap publishes no types
    """The objectives, all to be small."""

    weights = (-1.0,) * len(OBJECTIVES)


class Candidate:
    """A row of a brood as DEAP sees it."""

    __slots__ = ("fitness", "row")

    def __init__(self, row: int, objectives: tuple[float, ...]) -> None:
        self.row = row
        self.fitness = Scores(objectives)


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """The line through fractional plans, by cost.

    Args:
        cost: ascending, without equal ones, shape (plans,).
        counts: shape (plans, pools).
    """

    cost: FloatArray
    counts: FloatArray

    def at_cost(self, cost: FloatArray) -> FloatArray:
        """The plan of each cost between its neighbours on the line, shape (costs, pools)."""
        if len(self.cost) == 1:
            return np.repeat(self.counts, len(cost), axis=0)
        right = np.clip(np.searchsorted(self.cost, cost), 1, len(self.cost) - 1)
        width = self.cost[right] - self.cost[right - 1]
        share = np.clip((cost - self.cost[right - 1]) / width, 0.0, 1.0)[:, None]
        between: FloatArray = (1.0 - share) * self.counts[right - 1] + share * self.counts[right]
        return between


def make_guide(problem: FleetProblem, seeds: FloatArray) -> Guide:
    """The line through the seeds."""
    cost, first = np.unique(seeds @ problem.cost_usd_per_hour, return_index=True)
    return Guide(cost, seeds[first])


def evolve_fleet(
    problem: FleetProblem,
    seeds: FloatArray,
    deadline: Deadline,
    rng: np.random.Generator,
    params: FleetSearchParams,
) -> FleetFront:
    """The best compromises found until the deadline.

    Args:
        seeds: good plans, fractions allowed, shape (seeds, pools); may be empty. What is made of
            them by rounding stays in the population.
    """
    evolution = FleetEvolution(problem, seeds, rng, params)
    for _ in range(params.generations):
        if deadline.has_passed:
            break
        evolution.advance()
        evolution.polish(deadline)
    return evolution.front()


class FleetEvolution:
    """A population, and the front of cost and CVaR of everything ever seen, the archive.

    Args:
        seeds: as in `evolve_fleet`.
    """

    def __init__(
        self,
        problem: FleetProblem,
        seeds: FloatArray,
        rng: np.random.Generator,
        params: FleetSearchParams,
    ) -> None:
        self._rng = rng
        self._params = params
        self._scorer = make_scorer(problem)
        self._breeder = make_breeder(problem, rng)
        nothing = np.zeros((1, problem.pools))
        self._guide = make_guide(problem, np.concatenate([nothing, seeds]))
        today = self._whole(problem.nodes_now[None].astype(np.float64))
        whole = [self._whole(step(seeds)) for step in (np.floor, np.rint, np.ceil)]
        alone = self._whole(_alone(problem))
        starts = np.concatenate([*whole, today, alone, nothing.astype(np.int64)])
        self.archive = cost_cvar_front(self._scorer.score(np.unique(starts, axis=0)))
        self.seeds = self._scorer.score(self._settled(whole[1]))
        first = self._first()
        self.archive = cost_cvar_front(join(self.archive, first))
        self.population = self._survivors(join(self.archive, first))
        dearest = float(self._guide.cost[-1]) or np.inf  # without seeds all of the front is wanted
        self._polisher = make_polisher(problem, self._scorer, dearest, rng)

    def polish(self, deadline: Deadline) -> None:
        """Better the archive by triples of moves."""
        self.archive = self._polisher.polish(self.archive, self._params.polish_rounds, deadline)

    def advance(self) -> None:
        """Breed a generation of children and let the best of old and new survive."""
        count = self._params.population
        of_archive = int(self._rng.binomial(count, self._params.from_archive))
        mothers, fathers = self._pairs(self.archive, of_archive)
        others, their_fathers = self._pairs(self.population, count - of_archive)
        pairs = join(mothers, others), np.concatenate([fathers, their_fathers])
        children = self._breeder.breed(pairs[0], self._guided(*pairs))
        brood = self._scorer.score(np.unique(children, axis=0))
        self.archive = cost_cvar_front(join(self.archive, brood))
        self.population = self._survivors(join(self.population, brood))

    def front(self) -> FleetFront:
        """The archive, and plans of the population that no other one dominates."""
        others = self.population.take(undominated(self.population.objectives))
        no_worse = self.archive.objectives[None] <= others.objectives[:, None]
        beaten = np.any(np.all(no_worse, axis=2), axis=1)
        others = others.take(np.flatnonzero(~beaten))
        best = join(self.archive, others)  # of the archive, none is beaten in the first two
        best = best.take(np.argsort(best.objectives[:, COST], kind="stable"))
        return FleetFront(best.counts, best.objectives)

    def _whole(self, counts: FloatArray) -> IntArray:
        """Plans in whole nodes within the caps; nothing at all where there is none."""
        whole = counts.astype(np.int64)
        return self._breeder.repair(whole, instead=np.zeros_like(whole))

    def _settled(self, seeds: IntArray) -> IntArray:
        """Distinct seeds, no more than half of the population, evenly taken."""
        distinct = np.unique(seeds, axis=0)
        most = self._params.population // 2
        picks = np.linspace(0, len(distinct) - 1, min(most, len(distinct))).round()
        return distinct[picks.astype(np.int64)]

    def _first(self) -> Brood:
        """As many plans between neighbouring seeds as the population holds."""
        costs = self._rng.choice(self._guide.cost, self._params.population)
        costs *= self._rng.uniform(1.0, SPREAD, len(costs))
        counts = self._whole(self._breeder.rounded(self._guide.at_cost(costs)).astype(np.float64))
        return self._scorer.score(counts)

    def _guided(self, mothers: Brood, fathers: IntArray) -> FloatArray:
        """The fathers, some replaced by the fractional plan of the mother's cost."""
        if len(self._guide.cost) == 1:
            return fathers.astype(np.float64)
        is_guided = self._rng.random((len(fathers), 1)) < self._params.guided
        ideal = self._guide.at_cost(mothers.objectives[:, COST])
        return np.where(is_guided, ideal, fathers)

    def _pairs(self, brood: Brood, count: int) -> tuple[Brood, IntArray]:
        """Random plans, and for each another one of similar cost."""
        mothers = self._rng.integers(len(brood), size=count)
        apart = self._rng.integers(-self._params.reach, self._params.reach + 1, size=count)
        fathers = np.clip(mothers + apart, 0, len(brood) - 1)
        return brood.take(mothers), brood.counts[fathers]

    def _survivors(self, brood: Brood) -> Brood:
        """The seeds and the best of the rest, by ascending cost."""
        seeds = {row.tobytes() for row in self.seeds.counts}
        distinct = np.sort(np.unique(brood.counts, axis=0, return_index=True)[1])
        rest = [int(i) for i in distinct if brood.counts[i].tobytes() not in seeds]
        candidates = [Candidate(i, tuple(brood.objectives[i].tolist())) for i in rest]
        places = min(self._params.population - len(self.seeds), len(candidates))
        if places:
            candidates = tools.selNSGA2(candidates, places, nd="log")
        chosen = brood.take(np.array([one.row for one in candidates[:places]], dtype=np.int64))
        survivors = join(self.seeds, chosen)
        return survivors.take(np.argsort(survivors.objectives[:, COST], kind="stable"))


def _alone(problem: FleetProblem) -> FloatArray:
    """For each pool the nodes that serve all demand on average, shape (pools, pools)."""
    served = coverage(problem).mean(axis=2).min(axis=0)
    most = problem.most_nodes.astype(np.float64)
    nodes = np.divide(1.0, served, out=np.zeros(len(served)), where=served > 0.0)
    return np.diag(np.minimum(np.ceil(nodes), most))


def undominated(objectives: FloatArray) -> IntArray:
    """Rows that no other row dominates, by ascending first column; of equal rows the first."""
    order = np.lexsort(objectives.T[::-1])
    ranked = objectives[order]
    best = np.empty(ranked.T.shape)
    kept: list[int] = []
    for i, row in enumerate(ranked):  # only rows before it can be as good in the first column
        if not (best[:, : len(kept)] <= row[:, None]).all(axis=0).any():
            best[:, len(kept)] = row
            kept.append(i)
    return order[kept]
