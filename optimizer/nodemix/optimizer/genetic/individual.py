"""Plans as the genetic search breeds them, and their scores, all at once."""

from collections.abc import Sequence

import numpy as np
from deap import base
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray, IntArray
from scipy import sparse

OBJECTIVES = ("cost_usd_per_hour", "largest_pool_share", "kinds")
"""Price; share of it spent on one offer; distinct kinds of nodes, which a scheduler must meet."""


class Scores(base.Fitness):  # type: ignore[misc] # deap publishes no types
    """The objectives, all to be small."""

    weights = (-1.0,) * len(OBJECTIVES)


class Individual:
    """Counts over the patterns of the pool; those found after it was made count zero.

    Args:
        counts: nodes of each pattern, shape (patterns at its time,).
    """

    __slots__ = ("counts", "fitness")

    def __init__(self, counts: IntArray) -> None:
        self.counts = counts
        self.fitness = Scores()

    @property
    def cost_usd_per_hour(self) -> float:
        """The first objective."""
        return float(self.fitness.values[0])

    def to_draft(self, market: Market, pool: ColumnPool) -> Draft:
        """The plan it stands for."""
        used = np.flatnonzero(self.counts)
        return make_draft(market, pool.offers[used], pool.pods[used], self.counts[used])


def to_individual(pool: ColumnPool, draft: Draft) -> Individual:
    """The draft over the patterns of the pool, which learns its kinds."""
    positions = pool.add_draft(draft)
    counts = np.zeros(len(pool), dtype=np.int64)
    np.add.at(counts, positions, draft.counts)
    return Individual(counts)


def is_same(one: Individual, other: Individual) -> bool:
    """Whether both stand for the same plan."""
    shorter, longer = sorted((one.counts, other.counts), key=len)
    return bool((shorter == longer[: len(shorter)]).all() and not longer[len(shorter) :].any())


def score(market: Market, pool: ColumnPool, individuals: Sequence[Individual]) -> None:
    """Write the objectives of all individuals, by one matrix product for the population."""
    if not individuals:
        return
    population = np.zeros((len(individuals), len(pool)))
    for row, individual in zip(population, individuals, strict=True):
        row[: len(individual.counts)] = individual.counts
    spent: FloatArray = population @ _spending(market, pool)
    cost = spent.sum(axis=1)
    share = spent.max(axis=1, initial=0.0) / np.maximum(cost, 1e-12)
    kinds = np.count_nonzero(population, axis=1)
    for individual, *values in zip(individuals, cost, share, kinds, strict=True):
        individual.fitness.values = tuple(float(value) for value in values)


def _spending(market: Market, pool: ColumnPool) -> sparse.csr_array:
    """Price of each pattern in the column of its offer, shape (patterns, offers in the pool)."""
    offers, columns = np.unique(pool.offers, return_inverse=True)
    prices = (market.price[pool.offers], (np.arange(len(pool)), columns))
    return sparse.csr_array(prices, shape=(len(pool), len(offers)))
