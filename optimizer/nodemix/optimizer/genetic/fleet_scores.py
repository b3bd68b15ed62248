"""Scores of many plans at once: one matrix product per capacity dimension over all scenarios."""

import math
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.genetic.fleet import COST, CVAR, FleetProblem
from nodemix.optimizer.problem.types import FloatArray, IntArray
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
_PLANS_AT_ONCE = 256
"""Bounds the memory: plans x scenarios x dimensions x 4 bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Brood:
    """Plans with their scores.

    Args:
        counts: shape (plans, pools).
        objectives: shape (plans, objectives).
        worth: how much the CVaR falls per node more of a pool, shape (plans, pools).
    """

    counts: IntArray
    objectives: FloatArray
    worth: Float32Array

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, index: IntArray) -> "Brood":
        """The plans at ``index``, in that order."""
        return Brood(self.counts[index], self.objectives[index], self.worth[index])


def join(*broods: Brood) -> Brood:
    """All plans, in order."""
    return Brood(
        np.concatenate([brood.counts for brood in broods]),
        np.concatenate([brood.objectives for brood in broods]),
        np.concatenate([brood.worth for brood in broods]),
    )


def cost_cvar_front(brood: Brood) -> Brood:
    """Plans that no other one beats in both cost and CVaR, by ascending cost."""
    order = np.lexsort(brood.objectives.T[::-1])  # of equal ones the one of least churn
    cost, cvar = brood.objectives[order][:, [COST, CVAR]].T
    return brood.take(order[lower_left(cost, cvar)])


def lower_left(cost: FloatArray, cvar: FloatArray) -> IntArray:
    """Points that no other one beats in both, by ascending cost; of equal ones the first."""
    order = np.lexsort((cvar, cost))
    lowest_before = np.minimum.accumulate(np.append(np.inf, cvar[order]))[:-1]
    best: IntArray = order[cvar[order] < lowest_before]
    return best


@dataclass(frozen=True, slots=True, eq=False)
class FleetScorer:
    """What depends on the problem alone.

    Args:
        coverage: share of a scenario's demand that one node serves, shape (dimensions, pools,
            scenarios).
        asked: 1 where a scenario demands anything, else 0, shape (dimensions, scenarios).
        tail: number of worst scenarios that the CVaR averages; a fraction counts one in part.
    """

    problem: FleetProblem
    coverage: Float32Array
    asked: Float32Array
    tail: float

    def shortage(self, counts: IntArray) -> Float32Array:
        """What is lacking in the scarcest dimension, as a share of demand: (plans, scenarios)."""
        shortage: Float32Array = np.maximum(self.lacking(counts).max(axis=0), 0.0)
        return shortage

    def score(self, counts: IntArray) -> Brood:
        """All objectives of all plans."""
        cvar, worth = self.tail_shortage(counts)
        cost = counts @ self.problem.cost_usd_per_hour
        churn = np.abs(counts - self.problem.nodes_now).sum(axis=1)
        objectives = np.column_stack([cost, cvar, churn, self._concentration(counts)])
        return Brood(counts, objectives, worth)

    def tail_shortage(self, counts: IntArray | FloatArray) -> tuple[FloatArray, Float32Array]:
        """CVaR of each plan (plans,), and its fall per node more of each pool (plans, pools)."""
        cvar, worth = np.zeros(len(counts)), np.zeros(counts.shape, dtype=np.float32)
        for start in range(0, len(counts), _PLANS_AT_ONCE):
            chunk = slice(start, start + _PLANS_AT_ONCE)
            cvar[chunk], worth[chunk] = self._tail(counts[chunk])
        return cvar, worth

    def lacking(self, counts: IntArray | FloatArray) -> Float32Array:
        """Demand not served, negative where there is more: (dimensions, plans, scenarios)."""
        held = np.flatnonzero(counts.any(axis=0))  # few of all pools, where plans are alike
        served = _product(counts[:, held].astype(np.float32), self.coverage[:, held])
        lacking: Float32Array = np.subtract(self.asked[:, None, :], served, out=served)
        return lacking

    def _tail(self, counts: IntArray | FloatArray) -> tuple[FloatArray, Float32Array]:
        by_dimension = self.lacking(counts)
        lacking = by_dimension.max(axis=0)
        worst = math.ceil(self.tail)
        first = lacking.shape[1] - worst
        ranked = np.partition(lacking, first, axis=1)[:, first:]  # before clipping: ties are slow
        edge = ranked[:, 0]
        shortage = np.maximum(ranked, 0.0).sum(axis=1, dtype=np.float64)
        shortage -= (worst - self.tail) * np.maximum(edge, 0.0)
        counted = (lacking >= edge[:, None]) & (lacking > 0.0)
        bad = np.flatnonzero(counted.any(axis=0))
        hurting = counted[:, bad] & (by_dimension[:, :, bad] >= lacking[:, bad])
        covered = self.coverage[:, :, bad].transpose(0, 2, 1)
        worth = _product(hurting.astype(np.float32), covered).sum(axis=0)
        return shortage / self.tail, worth / np.float32(self.tail)

    def _concentration(self, counts: IntArray) -> FloatArray:
        held = counts * self.problem.capacity[:, 0]
        share: FloatArray = held.max(axis=1) / np.maximum(held.sum(axis=1), 1e-12)
        return share


def _product(left: Float32Array, right: Float32Array) -> Float32Array:
    """The matrix product; small ones of 32 bits raise float errors over the padding of vectors."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        product: Float32Array = np.matmul(left, right)
    return product


def make_scorer(problem: FleetProblem) -> FleetScorer:
    """The scorer of a problem."""
    return FleetScorer(
        problem,
        coverage(problem).astype(np.float32),
        np.ascontiguousarray(problem.demand.T > 0.0, dtype=np.float32),
        tail_scenarios(problem),
    )


def coverage(problem: FleetProblem) -> FloatArray:
    """Share of a scenario's demand that one node serves: (dimensions, pools, scenarios)."""
    demand = problem.demand.T[:, None, :]
    served = problem.capacity.T[:, :, None] * problem.surviving.T[None]
    return np.divide(served, demand, out=np.zeros_like(served), where=demand > 0.0)


def tail_scenarios(problem: FleetProblem) -> float:
    """How many scenarios the CVaR averages; rounded so that 5 % of 2,000 is 100, not more."""
    return round((1.0 - problem.alpha) * len(problem.demand), 9)
