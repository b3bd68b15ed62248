"""SpotKube's genetic algorithm as its paper and repository describe it.

NSGA-II, 50 plans, 50 generations, counts of nodes between 0 and the number of services; enough
is what has the cpu and memory in sum; the cost goes down and the number of nodes up. Operators
are the defaults of the library it uses (simulated binary crossover, polynomial mutation).

Source: Edirisinghe and others, SpotKube (2024), arXiv 2405.12311; repository SpotKube/SpotKube,
``optimizer/ga/pymoo_v2.py``. There the signs of both goals are turned and the cost counts kinds
of nodes instead of nodes; here they are as its comment and the paper mean them.
"""

import numpy as np
from deap import base, tools
from nodemix.optimizer.plan import Packing
from nodemix.optimizer.problem.types import IntArray, Problem

from benchmarks.baselines.counts import Hosting
from benchmarks.baselines.naive_deap import seeded

POPULATION = 52
"""50 there; the selection of DEAP wants a multiple of four."""
GENERATIONS = 50
CROSSED, CROWDING, MUTATION_CROWDING = 0.9, 15.0, 20.0
TOO_LITTLE = 1e6
"""Cost of a plan whose sums do not reach the demand."""


class Goals(base.Fitness):  # type: ignore[misc] # deap publishes no types
    """Cost down, nodes up."""

    weights = (-1.0, 1.0)


class Plan(list[float]):
    """Nodes of each offer before they are cut to whole ones."""

    def __init__(self, genes: list[float]) -> None:
        super().__init__(genes)
        self.fitness = Goals()

    @property
    def counts(self) -> IntArray:
        """Whole nodes of each offer."""
        return np.array(self).astype(np.int64)


def spotkube(problem: Problem, rng: np.random.Generator, services: int | None = None) -> Packing:
    """The cheapest plan of the last population, every pod hosted.

    Args:
        services: most nodes of an offer; the number of rows where it is None.
    """
    most = float(services or len(problem.rows))
    offers = len(problem.offers)
    with seeded(rng):
        plans = [Plan(rng.uniform(0.0, most, offers).tolist()) for _ in range(POPULATION)]
        _score(problem, plans)
        plans = tools.selNSGA2(plans, POPULATION)
        for _ in range(GENERATIONS):
            children = _children(plans, most, rng)
            _score(problem, children)
            plans = tools.selNSGA2(plans + children, POPULATION)
    cheapest = min(plans, key=lambda plan: float(plan.fitness.values[0]))
    return Hosting(problem).host(cheapest.counts).to_packing(problem)


def _score(problem: Problem, plans: list[Plan]) -> None:
    asked = problem.demand @ problem.requests[:, :2]
    for plan in plans:
        counts = plan.counts
        if (counts @ problem.room[:, :2] >= asked).all():
            plan.fitness.values = float(counts @ problem.price_usd_per_hour), float(counts.sum())
        else:
            plan.fitness.values = TOO_LITTLE, -TOO_LITTLE


def _children(plans: list[Plan], most: float, rng: np.random.Generator) -> list[Plan]:
    children = [Plan(list(plan)) for plan in tools.selTournamentDCD(plans, len(plans))]
    for first, second in zip(children[::2], children[1::2], strict=True):
        if rng.random() < CROSSED:
            tools.cxSimulatedBinaryBounded(first, second, CROWDING, 0.0, most)
        for child in (first, second):
            tools.mutPolynomialBounded(child, MUTATION_CROWDING, 0.0, most, 1.0 / len(child))
    return children
