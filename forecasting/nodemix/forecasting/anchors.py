"""Guesses that are whole distributions: simple rules with what they missed in the past.

Six rules are kept per row. Over four weeks: the last value moved as far as values moved in as many
steps, the same time yesterday, the mean of the same time over a week, and any value. Over the last
days, for demand that has changed its ways: the last value moved, and any value. The errors of a
rule are those of the past alone, noted at a few steps (marks) so that an origin in the past sees
what it would have seen then.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.features import SAME_TIME_DAYS, Grid, Norms, Targets, evenly
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray
from scipy.special import ndtri

LEVELS = np.array(
    [
        *(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
        *(0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999),
    ]
)
NOISE = ndtri(LEVELS)
"""The levels as standard normal noise; every distribution of the flow is known at these."""

ANCHORS = 6
LEAD_KNOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
LONG_DAYS, LONG_MARKS = 28, 8
SHORT_DAYS, SHORT_MARKS = 3, 40

Centres = tuple[FloatArray, FloatArray, FloatArray]
"""Last value, yesterday and mean of the same time of each target, in the unit of its row."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Quantiles of past errors, at ``LEVELS``.

    Args:
        marks: steps up to which the past was known, ascending, shape (marks,).
        leads: of ``change``, ascending.
        change: of the move over ``leads`` steps, shape (marks, rows, leads, LEVELS).
        fixed: of the other rules, shape (marks, rows, rules, LEVELS).
    """

    marks: IndexArray
    leads: IndexArray
    change: FloatArray
    fixed: FloatArray

    def around(self, centres: Centres, targets: Targets) -> FloatArray:
        """Distributions of each target, in the unit of its row, shape (targets, rules, LEVELS)."""
        mark = np.maximum(np.searchsorted(self.marks, targets.origin, side="right") - 1, 0)
        upper = np.minimum(np.searchsorted(self.leads, targets.lead), self.leads.size - 1)
        lower = np.maximum(upper - 1, 0)
        width = np.maximum(self.leads[upper] - self.leads[lower], 1)
        share = np.clip((targets.lead - self.leads[lower]) / width, 0.0, 1.0)[:, None]
        low, high = (self.change[mark, targets.row, at] for at in (lower, upper))
        values = np.empty((targets.row.size, 1 + self.fixed.shape[2], LEVELS.size))
        values[:, 0] = centres[0][:, None] + low + share * (high - low)
        values[:, 1:] = self.fixed[mark, targets.row]
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Errors of the rules over the last weeks and over the last days."""

    weeks: Errors
    days: Errors

    def around(self, centres: Centres, norm: Norms, targets: Targets) -> FloatArray:
        """The distributions of each target in ``z``, shape (targets, ANCHORS, LEVELS)."""
        weeks = self.weeks.around(centres, targets)
        weeks[:, 1:3] += np.stack(centres[1:], axis=1)[:, :, None]
        days = self.days.around(centres, targets)
        return norm.forward(np.concatenate([weeks, days], axis=1), targets)


def anchors(grid: Grid, origins: IndexArray, steps: int) -> Anchors:
    """Errors of the rules as they were known over the time of ``origins``.

    Args:
        grid: see there.
        origins: of the targets, at least one.
        steps: longest lead.
    """
    leads = np.array([lead for lead in LEAD_KNOTS if lead < steps] + [steps])
    values = np.where(grid.observed, grid.values, np.nan)
    values[np.arange(grid.values.shape[1]) < grid.first[:, None]] = np.nan
    yesterday = values - _shifted(values, grid.season)
    same_time = values - _same_time(values, grid.season)
    long, short = (
        evenly(int(origins.min()), int(origins.max()), most) for most in (LONG_MARKS, SHORT_MARKS)
    )
    return Anchors(
        _errors(values, (yesterday, same_time, values), long, leads, LONG_DAYS * grid.season),
        _errors(values, (values,), short, leads, SHORT_DAYS * grid.season),
    )


def _errors(
    values: FloatArray,
    rules: tuple[FloatArray, ...],
    marks: IndexArray,
    leads: IndexArray,
    window: int,
) -> Errors:
    """Of moves and of ``rules`` within ``window`` steps before each mark."""
    change, fixed = [], []
    for mark in marks:
        past = slice(max(0, int(mark) + 1 - window), int(mark) + 1)
        moves = [quantiles(_moved(values[:, past], int(lead))) for lead in leads]
        change.append(np.stack(moves, axis=1))
        fixed.append(np.stack([quantiles(errors[:, past]) for errors in rules], axis=1))
    return Errors(marks, leads, np.stack(change), np.stack(fixed))


def quantiles(samples: FloatArray) -> FloatArray:
    """At ``LEVELS`` of each row, NaN passed over; zeros for a row without any.

    Args:
        samples: shape (rows, samples).
    """
    if samples.shape[1] == 0:
        return np.zeros((samples.shape[0], LEVELS.size))
    ordered = np.sort(samples.astype(np.float32, copy=False), axis=1)
    count = np.isfinite(ordered).sum(axis=1, keepdims=True)
    at = LEVELS * np.maximum(count - 1, 0)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    lower, upper = (np.take_along_axis(ordered, index, axis=1) for index in (low, high))
    found = np.where(count > 0, lower + (at - low) * (upper - lower), 0.0)
    return found.astype(np.float64)


def _moved(values: FloatArray, lead: int) -> FloatArray:
    """In 32 bits, as quantiles are taken of it: half the memory to write and to read."""
    moved = np.empty((values.shape[0], max(0, values.shape[1] - lead)), dtype=np.float32)
    np.subtract(values[:, lead:], values[:, :-lead], out=moved, casting="same_kind")
    return moved


def _shifted(values: FloatArray, steps: int) -> FloatArray:
    """Each value as it was ``steps`` earlier; NaN before."""
    shifted = np.full(values.shape, np.nan)
    if steps < values.shape[1]:
        shifted[:, steps:] = values[:, :-steps]
    return shifted


def _same_time(values: FloatArray, season: int) -> FloatArray:
    """Mean of the same time on the days before, as many of seven as are known."""
    seen = np.isfinite(values)
    filled = np.where(seen, values, 0.0)
    total, known = np.zeros(values.shape), np.zeros(values.shape)
    for before in range(season, min(SAME_TIME_DAYS * season + 1, values.shape[1]), season):
        total[:, before:] += filled[:, :-before]
        known[:, before:] += seen[:, :-before]
    mean: FloatArray = np.divide(total, known, out=np.full(values.shape, np.nan), where=known > 0)
    return mean
