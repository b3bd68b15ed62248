"""SpotKube's genetic algorithm as its repository has it.

NSGA-II, 100 plans, 100 generations, counts of nodes of each type; enough is what has the cpu and
memory in sum and nodes for as many pods; the cost goes down and the number of nodes up, and what
has more than twice the resources asked for is punished. Operators are the defaults of the library
it uses: simulated binary crossover (Deb and Agrawal 1995) and polynomial mutation (Deb 2001).

Source: Edirisinghe and others, SpotKube (2024), arXiv 2405.12311; repository SpotKube/SpotKube
at d71a52cf, ``optimizer/ga/pymoo_v2.py``.
"""

import numpy as np
from deap import base, tools
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem

from benchmarks.baselines.counts import Hosting
from benchmarks.baselines.naive_deap import seeded

POPULATION = 100
GENERATIONS = 100
LEAST_BOUND = 4
"""Nodes of a type are at most this many, or pods over types where that is more."""
CROSSED, CROSSED_GENE = 0.9, 0.5
CROWDING, MUTATION_CROWDING = 15.0, 20.0
MOST_RATIO = 2.0
"""Of resources bought to asked for; above it a plan's goals get worse by the ratio."""
TOO_LITTLE = 1e9
"""Cost of a plan that is not enough."""


class Goals(base.Fitness):  # type: ignore[misc] # deap publishes no types
    """Cost down, nodes up."""

    weights = (-1.0, 1.0)


class Plan:
    """Nodes of each type before they are rounded, shape (types,)."""

    def __init__(self, genes: FloatArray) -> None:
        self.genes = genes
        self.fitness = Goals()

    @property
    def counts(self) -> IntArray:
        """Whole nodes of each type."""
        return np.rint(self.genes).astype(np.int64)


def spotkube(problem: Problem, rng: np.random.Generator) -> Packing:
    """Every offer is a type it may choose."""
    return _planned(problem, np.arange(len(problem.offers)), rng)


def spotkube_few(problem: Problem, rng: np.random.Generator) -> Packing:
    """Only the cheapest offer for each row of pods: a list as short as those its users write."""
    return _planned(problem, np.unique(Hosting(problem).cheapest), rng)


def _planned(problem: Problem, offers: IntArray, rng: np.random.Generator) -> Packing:
    """The cheapest plan of the last population, every pod hosted."""
    most = float(max(LEAST_BOUND, int(problem.demand.sum()) // len(offers)))
    with seeded(rng):
        plans = [Plan(genes) for genes in rng.uniform(0.0, most, (POPULATION, len(offers)))]
        _score(problem, offers, plans)
        plans = tools.selNSGA2(plans, POPULATION, nd="log")
        for _ in range(GENERATIONS):
            children = _children(plans, most, rng)
            _score(problem, offers, children)
            plans = tools.selNSGA2(plans + children, POPULATION, nd="log")
    cheapest = min(plans, key=lambda plan: float(plan.fitness.values[0]))
    counts = np.zeros(len(problem.offers), dtype=np.int64)
    counts[offers] = cheapest.counts
    return Hosting(problem).host(counts).to_packing(problem)


def _score(problem: Problem, offers: IntArray, plans: list[Plan]) -> None:
    pods, asked = int(problem.demand.sum()), problem.demand @ problem.requests[:, :2]
    holds = (problem.room[offers, :2] * pods // asked).min(axis=1)  # of pods of average size
    for plan in plans:
        counts = plan.counts
        ratios = (counts @ problem.room[offers, :2]) / asked
        cost, nodes = float(counts @ problem.price_usd_per_hour[offers]), float(counts.sum())
        if (ratios < 1).any() or counts @ holds < pods:
            cost, nodes = TOO_LITTLE, -TOO_LITTLE
        elif ratios.max() > MOST_RATIO:
            cost, nodes = cost * ratios.max(), nodes // ratios.max()
        plan.fitness.values = cost, nodes


def _children(plans: list[Plan], most: float, rng: np.random.Generator) -> list[Plan]:
    parents = np.array([plan.genes for plan in tools.selTournamentDCD(plans, len(plans))])
    first, second = _crossed(parents[::2], parents[1::2], most, rng)
    return [Plan(genes) for genes in _mutated(np.concatenate([first, second]), most, rng)]


def _crossed(
    first: FloatArray, second: FloatArray, most: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Simulated binary crossover between 0 and ``most``, shape (pairs, types) each."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    apart = high - low
    alike = apart < 1e-14
    apart = np.where(alike, 1.0, apart)
    draw, power = rng.random(first.shape), 1.0 / (CROWDING + 1.0)
    children = []
    for towards, room in ((-1.0, low), (1.0, most - high)):
        alpha = 2.0 - (1.0 + 2.0 * room / apart) ** -(CROWDING + 1.0)
        near = draw * alpha
        spread = np.where(near <= 1.0, near, 1.0 / np.maximum(2.0 - near, 1e-14)) ** power
        children.append(np.clip(0.5 * (low + high + towards * spread * apart), 0.0, most))
    crossed = (rng.random((len(first), 1)) < CROSSED) & ~alike
    crossed &= rng.random(first.shape) < CROSSED_GENE
    swapped = rng.random(first.shape) < 0.5
    one = np.where(swapped, children[1], children[0])
    other = np.where(swapped, children[0], children[1])
    return np.where(crossed, one, first), np.where(crossed, other, second)


def _mutated(genes: FloatArray, most: float, rng: np.random.Generator) -> FloatArray:
    """Polynomial mutation of one gene of each plan on average, shape (plans, types)."""
    draw, power = rng.random(genes.shape), 1.0 / (MUTATION_CROWDING + 1.0)
    down = (1.0 - genes / most) ** (MUTATION_CROWDING + 1.0)
    up = (genes / most) ** (MUTATION_CROWDING + 1.0)
    step = np.where(
        draw < 0.5,
        (2.0 * draw + (1.0 - 2.0 * draw) * down) ** power - 1.0,
        1.0 - (2.0 * (1.0 - draw) + (2.0 * draw - 1.0) * up) ** power,
    )
    mutated = rng.random(genes.shape) < 1.0 / genes.shape[1]
    return np.where(mutated, np.clip(genes + step * most, 0.0, most), genes)
