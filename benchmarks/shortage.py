"""What a capacity rule costs and what it leaves unserved, and how rules are made comparable.

Capacity decided now stands for the whole lead time: nothing decided later arrives before its end.
Such a decision is a *window*. All arrays are in one unit, e.g. shares of a row's mean demand.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.types import BoolArray, FloatArray

HALVINGS = 45
SMALLEST = 1e-12
"""Stands for no capacity at all where it is multiplied by an infinite factor."""
LARGEST_FACTOR = 1e4
"""A rule that needs more headroom than this is said not to reach the shortage asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What came in each window.

    Args:
        values: shape (rows, windows, steps); NaN where nothing was observed, which counts for
            nothing.
    """

    values: FloatArray

    @property
    def scored(self) -> BoolArray:
        """Windows with something observed, shape (rows, windows)."""
        scored: BoolArray = np.asarray(np.isfinite(self.values).any(axis=2))
        return scored

    @property
    def known(self) -> FloatArray:
        """The values with 0 where nothing was observed, which no capacity is too small for."""
        return np.where(np.isfinite(self.values), self.values, 0.0)

    @property
    def highest(self) -> FloatArray:
        """Highest demand of each window, 0 where nothing was observed, shape (rows, windows)."""
        highest: FloatArray = self.known.max(axis=2)
        return highest

    @property
    def mean(self) -> FloatArray:
        """Mean demand of each row, 0 where nothing was observed, shape (rows,)."""
        seen = np.isfinite(self.values).sum(axis=(1, 2))
        mean: FloatArray = np.nansum(self.values, axis=(1, 2)) / np.maximum(seen, 1)
        return mean

    def only(self, rows: BoolArray) -> "Demand":
        """The rows that are marked."""
        return Demand(self.values[rows])

    def pooled(self) -> "Demand":
        """All rows as one long row."""
        return Demand(self.values.reshape(1, -1, self.values.shape[2]))

    def over(self, unit: FloatArray) -> "Demand":
        """Demand in shares of ``unit``, shape (rows,)."""
        return Demand(self.values / unit[:, None, None])


def unserved(capacity: FloatArray, demand: Demand) -> FloatArray:
    """Share of each row's demand-time that ``capacity`` leaves unserved, shape (rows,).

    Args:
        capacity: shape (rows, windows).
        demand: of the same rows and windows.
    """
    known = demand.known
    asked = known.sum(axis=(1, 2))
    share: FloatArray = _short(capacity, known) / np.where(asked > 0, asked, 1.0)
    return share


def _short(capacity: FloatArray, known: FloatArray) -> FloatArray:
    short: FloatArray = np.maximum(known - capacity[:, :, None], 0.0).sum(axis=(1, 2))
    return short


def mean_capacity(capacity: FloatArray, demand: Demand) -> FloatArray:
    """Mean of ``capacity`` over the windows that are scored, shape (rows,)."""
    counts = demand.scored
    total = np.where(counts, capacity, 0.0).sum(axis=1)
    mean: FloatArray = total / np.maximum(counts.sum(axis=1), 1)
    return mean


def least_factor(capacity: FloatArray, demand: Demand, target: float) -> FloatArray:
    """The smallest factor on each row's capacity that leaves at most ``target`` unserved.

    Args:
        capacity: shape (rows, windows).
        demand: of the same rows and windows.
        target: share of demand-time.

    Returns:
        Shape (rows,), within one part in ten million million of `LARGEST_FACTOR`; infinite where no
        factor up to that is enough, for instance where capacity is 0 and demand is not.
    """
    known = demand.known
    allowed = target * known.sum(axis=(1, 2))
    low, high = np.zeros(len(capacity)), np.full(len(capacity), LARGEST_FACTOR)
    possible = _short(high[:, None] * capacity, known) <= allowed
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        enough = _short(middle[:, None] * capacity, known) <= allowed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(possible, high, np.inf)


def cost_at(capacity: FloatArray, demand: Demand, target: float) -> FloatArray:
    """Mean of each row's capacity after its least factor, shape (rows,); infinite as there."""
    cost: FloatArray = least_factor(capacity, demand, target) * np.maximum(
        mean_capacity(capacity, demand), SMALLEST
    )
    return cost


def gap_closed(ours: float, reactive: float, perfect: float) -> float | None:
    """Share of the way from ``reactive`` to ``perfect`` cost; None where there is no way to go.

    0 is as dear as reactive, below 0 dearer; 1 is as cheap as perfect knowledge.
    """
    if not np.isfinite([ours, reactive, perfect]).all() or reactive <= perfect:
        return None
    return (reactive - ours) / (reactive - perfect)
