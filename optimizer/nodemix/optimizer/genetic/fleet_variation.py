"""How plans are crossed, changed and repaired, all children at once.

Every draw comes from the generator that is passed in.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.genetic.fleet import FleetProblem
from nodemix.optimizer.genetic.fleet_scores import Brood, Float32Array
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

COPIED, BLENDED = 0.3, 0.8
"""Shares of children: of one parent up to the first, between two parents up to the second; the
rest takes each pool from either parent."""
SHARPEST = 6.0
"""Largest power of a pool's worth per dollar in the chance to be picked; 0 would be blind."""
LEAST_WORTH = 1e-3
"""Of the best pool's, so that no pool is out of reach."""
MOST_SWAPPED_IN = 8
REFILLS, REPAIRS = 3, 12
"""Rounds that give back what a repair took, and rounds in all."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class FleetBreeder:
    """The operators over one problem.

    Args:
        coefficients: of the caps, scaled, shape (caps, pools).
        limits: shape (caps,).
    """

    problem: FleetProblem
    coefficients: FloatArray
    limits: FloatArray
    rng: np.random.Generator

    def breed(self, mothers: Brood, fathers: FloatArray) -> IntArray:
        """One child of each pair, within the caps because its mother is."""
        children = self._move(self._cross(mothers.counts, fathers), mothers.worth)
        return self.repair(children, instead=mothers.counts)

    def rounded(self, fractions: FloatArray) -> IntArray:
        """Whole nodes: up with the chance of the fraction, else down."""
        floor = np.floor(fractions)
        up = self.rng.random(fractions.shape) < fractions - floor
        return (floor + up).astype(np.int64)

    def repair(self, counts: IntArray, instead: IntArray) -> IntArray:
        """Plans within quotas and caps.

        Args:
            instead: plans within the caps, taken where the repair finds none, shape of ``counts``.
        """
        counts = np.clip(counts, 0, self.problem.most_nodes)
        for round_ in range(REPAIRS):
            excess = self.excess(counts)
            rows = np.flatnonzero((excess > 0.0).any(axis=1))
            if not len(rows):
                return counts
            broken = excess[rows].argmax(axis=1)
            counts[rows] = self._trimmed(
                counts[rows], broken, excess[rows, broken], refill=round_ < REFILLS
            )
        outside = (self.excess(counts) > 0.0).any(axis=1)
        counts[outside] = instead[outside]
        return counts

    def excess(self, counts: IntArray) -> FloatArray:
        """By how much each plan breaks each cap, 0 where it keeps it, shape (plans, caps)."""
        over: FloatArray = counts @ self.coefficients.T - self.limits
        over[over <= ROUNDING * (1.0 + np.abs(self.limits))] = 0.0
        return over

    def _trimmed(
        self, counts: IntArray, broken: IntArray, excess: FloatArray, *, refill: bool
    ) -> IntArray:
        """Take nodes of pools in random order until the broken cap is kept."""
        rows, weights = np.arange(len(counts)), self.coefficients[broken]
        relief = np.maximum(weights, 0.0)
        into, per_node = self._refuge(counts, weights if refill else relief)
        relief += np.where(relief > 0.0, -per_node * weights[rows, into][:, None], 0.0)
        order = np.argsort(self.rng.random(counts.shape), axis=1)
        used = np.take_along_axis(relief, order, axis=1)
        have = np.take_along_axis(counts, order, axis=1)
        before = np.cumsum(used * have, axis=1) - used * have
        left = np.maximum(excess[:, None] - before, 0.0)
        nodes = np.ceil(np.divide(left, used, out=np.zeros_like(left), where=used > 0.0) - ROUNDING)
        taken = np.zeros_like(counts)
        np.put_along_axis(taken, order, np.minimum(nodes, have).astype(np.int64), axis=1)
        kept = counts - taken
        bought = np.ceil((taken * per_node).sum(axis=1) - ROUNDING).astype(np.int64)
        room = self.problem.most_nodes[into] - kept[rows, into]
        kept[rows, into] += np.minimum(bought, room)
        return kept

    def _refuge(self, counts: IntArray, weights: FloatArray) -> tuple[IntArray, FloatArray]:
        """A pool that relieves each plan's broken cap, and its nodes per node of each pool.

        Where there is none, no nodes of the first pool.
        """
        size = self.problem.capacity[:, 0]
        allowed = (weights < 0.0) & (counts < self.problem.most_nodes) & (size > 0.0)
        chance = np.where(allowed, 1.0 + counts, 0.0) * self.rng.random(counts.shape)
        into: IntArray = chance.argmax(axis=1)
        is_found = allowed[np.arange(len(counts)), into]
        per_node = np.where(is_found, 1.0 / np.maximum(size[into], ROUNDING), 0.0)
        return into, per_node[:, None] * size

    def _cross(self, mothers: IntArray, fathers: FloatArray) -> IntArray:
        way = self.rng.random((len(mothers), 1))
        share = self.rng.random((len(mothers), 1))
        blended = mothers + share * (fathers - mothers)
        mixed = np.where(self.rng.random(mothers.shape) < share, fathers, mothers)
        children = np.where(way < COPIED, mothers, np.where(way < BLENDED, blended, mixed))
        return self.rounded(children)

    def _move(self, counts: IntArray, worth: Float32Array) -> IntArray:
        """Buy nodes that help the worst scenarios per dollar, drop those that do not, or both."""
        per_dollar = worth / self.problem.cost_usd_per_hour
        best = np.maximum(per_dollar.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        taste = np.log(per_dollar / best + LEAST_WORTH)
        taste *= SHARPEST * self.rng.random((len(counts), 1))
        into = self._picked(taste, counts < self.problem.most_nodes)
        out = self._picked(-taste, counts > 0)
        rows = np.arange(len(counts))
        ratio = worth[rows, out] / np.maximum(worth[rows, into], ROUNDING)
        swapped = self.rounded(np.clip(ratio, 1.0, MOST_SWAPPED_IN))
        what = self.rng.integers(3, size=len(counts))  # buy, drop or swap
        counts[rows, into] += np.where(what == 0, 1, np.where(what == 2, swapped, 0))
        counts[rows, out] -= what > 0
        return counts

    def _picked(self, taste: FloatArray, allowed: BoolArray) -> IntArray:
        """One pool a plan, with chances exp(taste) among the allowed ones."""
        noisy = np.where(allowed, taste + self.rng.gumbel(size=taste.shape), -np.inf)
        picked: IntArray = noisy.argmax(axis=1)
        return picked


def make_breeder(problem: FleetProblem, rng: np.random.Generator) -> FleetBreeder:
    """The operators over a problem."""
    return FleetBreeder(problem, *problem.scaled_caps(), rng)
