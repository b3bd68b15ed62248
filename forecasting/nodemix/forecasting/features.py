"""What the flow sees of a target: the recent past, the same time on other days, the calendar.

Everything about an origin comes from steps up to that origin. Demand is normalised per row and
origin: ``z = asinh((value - median) / mean absolute deviation)`` over the week before it. What was
not observed before a row began does not exist; what was filled in later counts, and is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from nodemix.forecasting.events import same_place_before
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import BoolArray, FloatArray

RECENT = (0, 1, 2, 3, 4, 6, 8, 12)
MEANS = (4, 16)
SAME_TIME_DAYS = 7
GUESSES = 8
FEATURES = 39
SCALE_FLOOR = 0.05
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Rows of demand on their time axis.

    Args:
        values: shape (rows, steps), finite.
        observed: where they were observed, not filled in; shape (rows, steps).
        start_s: time of step 0.
        step_s: seconds between steps.
        season: steps per day.
        first: first observed step of each row, shape (rows,).
        sums: running sums that means over windows are taken from.
        events: which event is on, 0 for none; shape (rows, steps of past and future).
    """

    values: FloatArray
    observed: BoolArray
    start_s: float
    step_s: float
    season: int
    first: IndexArray
    sums: "Sums"
    events: IndexArray | None = None

    @classmethod
    def of(
        cls,
        values: FloatArray,
        observed: BoolArray,
        start_s: float,
        step_s: float,
        season: int,
        events: IndexArray | None = None,
    ) -> "Grid":
        """With the fields that follow from the others."""
        first = np.argmax(observed, axis=1)
        sums = Sums.of(values, observed)
        return cls(values, observed, start_s, step_s, season, first, sums, events)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Running sums, each (rows, steps + 1), of values, sizes of moves, moves and observations."""

    values: FloatArray
    move_sizes: FloatArray
    moves: FloatArray
    observed: FloatArray

    @classmethod
    def of(cls, values: FloatArray, observed: BoolArray) -> "Sums":
        """Over the steps of a grid."""
        moved = np.abs(np.diff(values, axis=1, prepend=values[:, :1]))
        moved[np.arange(values.shape[0]), np.argmax(observed, axis=1)] = 0.0
        return cls(*(_running(of) for of in (values, moved, moved > 0, observed)))


def _running(values: FloatArray | BoolArray) -> FloatArray:
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    return total


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


def evenly(first: int, last: int, most: int) -> IndexArray:
    """Up to ``most`` steps from ``first`` to ``last``, evenly spread."""
    return np.unique(np.linspace(first, max(first, last), most).round().astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Centre and scale of each row at each step as an origin, both (rows, steps)."""

    middle: FloatArray
    scale: FloatArray

    def forward(self, values: FloatArray, targets: Targets) -> FloatArray:
        """Normalised ``values``, whose first axis is the targets'."""
        middle, scale = self._at(targets, values.ndim)
        z: FloatArray = values - middle
        z /= scale
        return np.arcsinh(z, out=z)

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
    for first in np.unique(grid.first):
        rows = np.flatnonzero(grid.first == first)
        for origin in origins:
            start = max(min(first, origin), origin + 1 - week)
            window = grid.values[rows, start : origin + 1]
            centre = np.median(window, axis=1)
            deviation = np.abs(window - centre[:, None]).mean(axis=1)
            floor = SCALE_FLOOR * np.abs(window).max(axis=1)
            middle[rows, origin] = centre
            scale[rows, origin] = np.where(floor > 0, np.maximum(deviation, floor), 1.0)
    return Norms(middle, scale)


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What is known of targets, all in ``z``.

    Args:
        features: shape (targets, FEATURES).
        guesses: plain guesses, shape (targets, GUESSES).
        centres: what the distributions of :mod:`nodemix.forecasting.anchors` are centred on, in
            the unit of the row: name to shape (targets,).
    """

    features: FloatArray
    guesses: FloatArray
    centres: Mapping[str, FloatArray] = field(default_factory=dict)


def describe(grid: Grid, norm: Norms, targets: Targets) -> Described:
    """Features and plain guesses of each target.

    Guesses: last value, mean of the last four, same time yesterday and a week ago, mean of the
    same time over a week, yesterday moved by today's difference, the same place in the last event
    of this kind, the median.
    """

    def z(values: FloatArray) -> FloatArray:
        return norm.forward(values, targets)

    recent = np.stack([_value(grid, targets, targets.origin - lag) for lag in RECENT], axis=1)
    means = np.stack(
        [
            _mean_before(grid.sums.values, grid.first, targets, steps)
            for steps in (*MEANS, grid.season)
        ],
        axis=1,
    )
    days, known_days = _days(grid, targets)
    yesterday, week_ago = days[:, 0], days[:, -1]
    same_time = days.mean(axis=1)
    moved = yesterday + recent[:, 0] - _value(grid, targets, targets.origin - grid.season)
    in_event, was_event, event_guess = _event(grid, targets, recent[:, 0])
    guesses = (recent[:, 0], means[:, 0], yesterday, week_ago, same_time, moved, event_guess)
    guessed = np.concatenate([z(np.stack(guesses, 1)), np.zeros((targets.row.size, 1))], 1)
    level = z(np.concatenate([recent, means, _around(grid, targets), _reach(grid, targets)], 1))
    spreads = np.stack([days.std(axis=1), *_unrest(grid, targets)], axis=1)
    spread = np.log1p(spreads / norm.scale[targets.row, targets.origin][:, None])
    told = np.stack([known_days, in_event, was_event, *_observed(grid, targets)], axis=1)
    features = np.concatenate([guessed, level, spread, told, _calendar(grid, targets)], axis=1)
    centres = {"last": recent[:, 0], "yesterday": yesterday, "same_time": same_time}
    return Described(features, guessed, centres)


def _value(grid: Grid, targets: Targets, step: IndexArray) -> FloatArray:
    picked: FloatArray = grid.values[targets.row, np.maximum(step, grid.first[targets.row])]
    return picked


def _mean_before(total: FloatArray, first: IndexArray, targets: Targets, steps: int) -> FloatArray:
    """Mean of the last ``steps`` up to the origin, none before the row began; from its sums."""
    stop = targets.origin + 1
    start = np.minimum(np.maximum(stop - steps, first[targets.row]), targets.origin)
    mean: FloatArray = (total[targets.row, stop] - total[targets.row, start]) / (stop - start)
    return mean


def _yesterday(grid: Grid, targets: Targets) -> IndexArray:
    """Step of the newest known value at the target's time of day."""
    days_back = -(-targets.lead // grid.season)
    return targets.origin + targets.lead - days_back * grid.season


def _days(grid: Grid, targets: Targets) -> tuple[FloatArray, FloatArray]:
    """The same time on the last seven days, and the share of them that are known.

    Where there is none, the newest one that is.
    """
    newest = _yesterday(grid, targets)
    columns, known = [], np.zeros(targets.row.size)
    for day in range(SAME_TIME_DAYS):
        step = newest - day * grid.season
        exists = step >= grid.first[targets.row]
        step = np.where(exists, step, newest)
        columns.append(_value(grid, targets, step))
        known += exists & grid.observed[targets.row, np.maximum(step, 0)]
    return np.stack(columns, axis=1), known / SAME_TIME_DAYS


def _around(grid: Grid, targets: Targets) -> FloatArray:
    """Yesterday a little earlier and a little later, as far as it is known."""
    newest = _yesterday(grid, targets)
    reach = max(1, grid.season // 48)
    steps = (newest - reach, np.minimum(newest + reach, targets.origin))
    return np.stack([_value(grid, targets, step) for step in steps], axis=1)


def _reach(grid: Grid, targets: Targets) -> FloatArray:
    """Lowest and highest value of the last day before the origin, shape (targets, 2)."""
    row, origin, inverse = pairs(targets.row, targets.origin)
    steps = origin[:, None] + np.arange(1 - grid.season, 1)
    at = np.maximum(steps, np.minimum(grid.first[row], origin)[:, None])
    last_day = grid.values[row[:, None], at]
    reach: FloatArray = np.stack([last_day.min(axis=1), last_day.max(axis=1)], axis=1)
    return reach[inverse]


def pairs(row: IndexArray, origin: IndexArray) -> tuple[IndexArray, IndexArray, IndexArray]:
    """The distinct (row, origin), two arrays of shape (pairs,), and which of them each one is."""
    after = int(origin.max()) + 1
    distinct, inverse = np.unique(row * after + origin, return_inverse=True)
    return distinct // after, distinct % after, inverse.reshape(row.shape)


def _unrest(grid: Grid, targets: Targets) -> list[FloatArray]:
    """Mean size of a move within the last 16 steps, and within the last day."""
    sizes = grid.sums.move_sizes
    return [_mean_before(sizes, grid.first, targets, steps) for steps in (16, grid.season)]


def _observed(grid: Grid, targets: Targets) -> list[FloatArray]:
    """Share of recent steps that were observed, shares that moved, and the age in days."""
    age = np.maximum(targets.origin - grid.first[targets.row], 0) / grid.season
    return [
        _mean_before(grid.sums.observed, grid.first, targets, 16),
        *(_mean_before(grid.sums.moves, grid.first, targets, steps) for steps in (16, grid.season)),
        np.log1p(age) / 3.0,
    ]


def _event(
    grid: Grid, targets: Targets, last: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Whether an event is on at the target and at the origin, and what the last one was like."""
    if grid.events is None or not grid.events.any():
        return np.zeros(last.size), np.zeros(last.size), last
    at = grid.events[targets.row, targets.origin + targets.lead]
    now = grid.events[targets.row, targets.origin]
    before = same_place_before(grid.events)[targets.row, targets.origin + targets.lead]
    known = (at > 0) & (before >= grid.first[targets.row]) & (before <= targets.origin)
    then = grid.values[targets.row, np.where(known, before, 0)]
    return (at > 0).astype(np.float64), (now > 0).astype(np.float64), np.where(known, then, last)


def _calendar(grid: Grid, targets: Targets) -> FloatArray:
    """Time of day and lead. No day of the week: a few weeks of it are learnt by heart."""
    at_s = grid.start_s + (targets.origin + targets.lead) * grid.step_s
    day = 2 * np.pi * at_s / DAY_S
    ahead = targets.lead / grid.season
    waves = (np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day))
    return np.stack([*waves, ahead, np.log(targets.lead)], axis=1)
