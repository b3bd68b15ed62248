"""The genetic algorithm everybody writes first: counts of each offer, stock operators."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from deap import algorithms, base, tools
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import Problem

from benchmarks.baselines.counts import Hosting

POPULATION = 100
GENERATIONS = 100
CROSSED, MUTATED = 0.7, 0.3


class Cost(base.Fitness):  # type: ignore[misc] # deap publishes no types
    """Dollars an hour, to be small."""

    weights = (-1.0,)


class Plan(list[int]):
    """Nodes of each offer, in the order of the problem."""

    def __init__(self, counts: list[int]) -> None:
        super().__init__(counts)
        self.fitness = Cost()


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """Stock operators draw from the global ``random``: seed it here and put it back after."""
    before = random.getstate()
    random.seed(int(rng.integers(2**32)))
    try:
        yield
    finally:
        random.setstate(before)


def naive_deap(problem: Problem, rng: np.random.Generator) -> Packing:
    """The cheapest plan of its generations, every pod hosted."""
    hosting = Hosting(problem)
    toolbox = base.Toolbox()
    toolbox.register("clone", _clone)
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutUniformInt, low=0, up=3, indpb=2.0 / len(problem.offers))
    toolbox.register("select", tools.selTournament, tournsize=3)
    toolbox.register("evaluate", lambda plan: (_cost_usd_per_hour(problem, hosting, plan),))
    best = tools.HallOfFame(1)
    with seeded(rng):
        algorithms.eaSimple(
            [Plan(_few(problem, rng)) for _ in range(POPULATION)],
            toolbox, CROSSED, MUTATED, GENERATIONS, halloffame=best, verbose=False,
        )  # fmt: skip
    return hosting.host(np.array(best[0], dtype=np.int64)).to_packing(problem)


def _clone(plan: Plan) -> Plan:
    """A copy; the stock one copies every count by itself, which takes most of the time."""
    twin = Plan(plan)
    twin.fitness.values = plan.fitness.values
    return twin


def _few(problem: Problem, rng: np.random.Generator) -> list[int]:
    """One node of as many random offers as there are rows."""
    counts = np.zeros(len(problem.offers), dtype=np.int64)
    counts[rng.integers(len(counts), size=len(problem.rows))] = 1
    return [int(n) for n in counts]


def _cost_usd_per_hour(problem: Problem, hosting: Hosting, plan: Plan) -> float:
    return hosting.host(np.array(plan, dtype=np.int64)).cost_usd_per_hour(problem)
