"""What the flow sees: the recent past, the same time on other days, and the calendar.

Everything about an origin comes from steps up to that origin. Demand is normalised per row and
origin: ``z = asinh((value - median) / mean absolute deviation)`` over the week before it.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray

RECENT = (0, 1, 2, 3, 4, 6, 8, 12)
MEANS = (4, 16)
SAME_TIME_DAYS = 7
ANCHORS = 7
SCALE_FLOOR = 0.05
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Rows of demand on their time axis.

    Args:
        values: shape (rows, steps), finite.
        start_s: time of step 0.
        step_s: seconds between steps.
        season: steps per day.
    """

    values: FloatArray
    start_s: float
    step_s: float
    season: int


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Which (row, origin, lead) to describe; three index arrays of one shape (targets,).

    ``lead`` is 1 for the first step after ``origin``.
    """

    row: IndexArray
    origin: IndexArray
    lead: IndexArray

    @classmethod
    def at(cls, origins: IndexArray, rows: int, steps: int) -> "Targets":
        """Every row and lead at each origin, ordered (origin, row, lead)."""
        origin, row, lead = np.meshgrid(
            origins, np.arange(rows), np.arange(1, steps + 1), indexing="ij"
        )
        return cls(row.ravel(), origin.ravel(), lead.ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Centre and scale of each row at each step as an origin, both (rows, steps)."""

    middle: FloatArray
    scale: FloatArray

    def forward(self, values: FloatArray, targets: Targets) -> FloatArray:
        """Normalised ``values``, whose first axis is the targets'."""
        middle, scale = self._at(targets, values.ndim)
        z: FloatArray = np.arcsinh((values - middle) / scale)
        return z

    def backward(self, z: FloatArray, targets: Targets) -> FloatArray:
        """Inverse of :meth:`forward`."""
        middle, scale = self._at(targets, z.ndim)
        values: FloatArray = middle + scale * np.sinh(z)
        return values

    def _at(self, targets: Targets, ndim: int) -> tuple[FloatArray, FloatArray]:
        shape = (-1,) + (1,) * (ndim - 1)
        index = (targets.row, targets.origin)
        return self.middle[index].reshape(shape), self.scale[index].reshape(shape)


def norms(grid: Grid, origins: IndexArray) -> Norms:
    """Centre and scale over the week up to each of ``origins``; NaN at other steps.

    The scale has a floor of five percent of the highest value, so that a flat row stays flat
    instead of blowing up its rounding errors; a row of zeros has scale 1.
    """
    middle = np.full(grid.values.shape, np.nan)
    scale = np.full(grid.values.shape, np.nan)
    week = 7 * grid.season
    for origin in origins:
        window = grid.values[:, max(0, origin + 1 - week) : origin + 1]
        centre = np.median(window, axis=1)
        deviation = np.abs(window - centre[:, None]).mean(axis=1)
        floor = SCALE_FLOOR * np.abs(window).max(axis=1)
        middle[:, origin] = centre
        scale[:, origin] = np.where(floor > 0, np.maximum(deviation, floor), 1.0)
    return Norms(middle, scale)


def describe(grid: Grid, norm: Norms, targets: Targets) -> tuple[FloatArray, FloatArray]:
    """Features (targets, features) and anchors (targets, ANCHORS), both in ``z``.

    Anchors are plain guesses: last value, mean of the last four, same time yesterday and a week
    ago, mean of the same time over a week, yesterday moved by today's difference, the median.
    """

    def z(values: FloatArray) -> FloatArray:
        return norm.forward(values, targets)

    recent = np.stack([_value(grid, targets, targets.origin - lag) for lag in RECENT], axis=1)
    means = np.stack([_mean_before(grid, targets, n) for n in (*MEANS, grid.season)], axis=1)
    days = _days(grid, targets)
    yesterday, week_ago = days[:, 0], days[:, -1]
    same_time = days.mean(axis=1)
    around = _around(grid, targets)
    moved = yesterday + recent[:, 0] - _value(grid, targets, targets.origin - grid.season)
    guesses = (recent[:, 0], means[:, 0], yesterday, week_ago, same_time, moved)
    anchors = np.concatenate([z(np.stack(guesses, axis=1)), np.zeros((targets.row.size, 1))], 1)
    level = z(np.concatenate([recent, means, around], axis=1))
    spread = np.log1p(days.std(axis=1) / _scale(norm, targets))[:, None]
    return np.concatenate([anchors, level, spread, _calendar(grid, targets)], axis=1), anchors


def _value(grid: Grid, targets: Targets, step: IndexArray) -> FloatArray:
    picked: FloatArray = grid.values[targets.row, np.maximum(step, 0)]
    return picked


def _scale(norm: Norms, targets: Targets) -> FloatArray:
    picked: FloatArray = norm.scale[targets.row, targets.origin]
    return picked


def _mean_before(grid: Grid, targets: Targets, steps: int) -> FloatArray:
    total = np.concatenate([np.zeros((grid.values.shape[0], 1)), grid.values.cumsum(axis=1)], 1)
    stop = targets.origin + 1
    start = np.maximum(stop - steps, 0)
    mean: FloatArray = (total[targets.row, stop] - total[targets.row, start]) / (stop - start)
    return mean


def _yesterday(grid: Grid, targets: Targets) -> IndexArray:
    """Step of the newest known value at the target's time of day."""
    days_back = -(-targets.lead // grid.season)
    return targets.origin + targets.lead - days_back * grid.season


def _days(grid: Grid, targets: Targets) -> FloatArray:
    """The same time on the last seven days; where there is none, the newest one that is."""
    newest = _yesterday(grid, targets)
    columns = []
    for day in range(SAME_TIME_DAYS):
        step = newest - day * grid.season
        columns.append(_value(grid, targets, np.where(step >= 0, step, newest)))
    return np.stack(columns, axis=1)


def _around(grid: Grid, targets: Targets) -> FloatArray:
    """Yesterday a little earlier and a little later, as far as it is known."""
    newest = _yesterday(grid, targets)
    reach = max(1, grid.season // 48)
    steps = (newest - reach, np.minimum(newest + reach, targets.origin))
    return np.stack([_value(grid, targets, step) for step in steps], axis=1)


def _calendar(grid: Grid, targets: Targets) -> FloatArray:
    """Time of day and lead. No day of the week: a few weeks of it are learnt by heart."""
    at_s = grid.start_s + (targets.origin + targets.lead) * grid.step_s
    day = 2 * np.pi * at_s / DAY_S
    ahead = targets.lead / grid.season
    waves = (np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day))
    return np.stack([*waves, ahead, np.log(targets.lead)], axis=1)
