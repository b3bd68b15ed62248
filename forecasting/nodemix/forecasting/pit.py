"""Where observed demand fell in its forecast distribution.

A forecast is kept as a few of its quantiles, so that many can be remembered. With ``d`` draws the
quantiles that count as probabilities are the plotting positions of ``1/(d+1)`` to ``d/(d+1)``,
between which demand like the draws falls exactly as often as it should.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.types import BoolArray, DemandForecast, DemandHistory, FloatArray
from numpy.typing import NDArray

BINS = 10
EDGES = np.linspace(0.0, 1.0, BINS + 1)
CENTRAL = (0.50, 0.80, 0.95)
EXCEEDED = (0.95, 0.99)
GRID = np.concatenate([[0.01, 0.025], np.linspace(0.05, 0.95, 19), [0.975, 0.99]])
"""Levels between which demand is located; fewer draws know fewer."""

KNOTS = (0.90, 0.95, 0.99)
"""Upper levels that an adjustment moves."""

NAMED = tuple(sorted({*(round(0.5 + s * c / 2, 9) for c in CENTRAL for s in (-1, 1)), *KNOTS}))
"""Levels at which capacity is planned, as :meth:`DemandForecast.quantile` gives them."""

_LOWER, _UPPER = ([NAMED.index(round(0.5 + s * c / 2, 9)) for c in CENTRAL] for s in (-1, 1))
_EXCEEDED = [NAMED.index(level) for level in EXCEEDED]

TIE = 1e-5
"""Demand this close to a quantile, in shares of itself, equals it: samples have 24 bits."""

OFF_GRID = 1e-3
"""Largest distance from the history's grid, in its steps, at which times are the same."""

MOST_LEADS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Quantiles of a forecast at some of its steps.

    Args:
        times_s: of the steps, ascending, shape (steps,).
        levels: of ``grid``, ascending, shape (levels,).
        grid: quantiles that count as probabilities, shape (levels, series, steps, indicators).
        named: quantiles at ``NAMED``, shape (named, series, steps, indicators).
        pivot: lowest draw at or above the median, shape (series, steps, indicators).
    """

    series: tuple[str, ...]
    indicators: tuple[str, ...]
    times_s: FloatArray
    levels: FloatArray
    grid: FloatArray
    named: FloatArray
    pivot: FloatArray

    def at(self, level: float) -> FloatArray:
        """The quantile at one of ``NAMED``, shape (series, steps, indicators)."""
        found: FloatArray = self.named[NAMED.index(level)]
        return found

    def only(self, steps: BoolArray) -> "Outlook":
        """At some of the steps, mask of shape (steps,)."""
        return replace(
            self,
            times_s=self.times_s[steps],
            grid=self.grid[:, :, steps],
            named=self.named[:, :, steps],
            pivot=self.pivot[:, steps],
        )


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened, and how often it should.

    Args:
        level: of the interval or of the quantile.
        observed: None while nothing has been observed.
    """

    level: float
    expected: float
    observed: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the forecast distributions of one indicator fitted what came.

    Args:
        observations: how many there were; recent ones count fully, older ones less.
        pit: observations in each tenth of the forecast distribution, the lowest first; tied ones
            are spread over all the probability they stand for.
        coverage: of the central intervals.
        exceedance: of the upper quantiles.

    Source: Czado, Gneiting and Held, Predictive model assessment for count data, Biometrics 65
    (2009), for the histogram with ties.
    """

    indicator: str
    observations: float
    pit: tuple[float, ...]
    coverage: tuple[Share, ...]
    exceedance: tuple[Share, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Weighted counts behind a :class:`Calibration`."""

    weight: float
    pit: FloatArray
    covered: FloatArray
    exceeded: FloatArray

    @classmethod
    def empty(cls) -> "Tally":
        """Nothing counted yet."""
        return cls(0.0, np.zeros(BINS), np.zeros(len(CENTRAL)), np.zeros(len(EXCEEDED)))

    def plus(self, other: "Tally", keep: float = 1.0) -> "Tally":
        """Both together, this one counted at the share ``keep``."""
        return Tally(
            keep * self.weight + other.weight,
            keep * self.pit + other.pit,
            keep * self.covered + other.covered,
            keep * self.exceeded + other.exceeded,
        )

    def calibration(self, indicator: str) -> Calibration:
        """The shares."""
        return Calibration(
            indicator,
            self.weight,
            tuple(float(count) for count in self.pit),
            tuple(self._share(c, c, n) for c, n in zip(CENTRAL, self.covered, strict=True)),
            tuple(
                self._share(level, round(1.0 - level, 9), n)
                for level, n in zip(EXCEEDED, self.exceeded, strict=True)
            ),
        )

    def _share(self, level: float, expected: float, count: float) -> Share:
        return Share(level, expected, float(count / self.weight) if self.weight > 0 else None)


def outlook(forecast: DemandForecast, leads: Sequence[int]) -> Outlook:
    """The quantiles of ``forecast`` at its steps ``leads``, the first one being 0."""
    steps = np.asarray(leads, dtype=np.intp)
    times_s = np.asarray(forecast.start_s + steps * forecast.step_s, dtype=np.float64)
    samples = np.sort(forecast.samples[:, :, steps, :].astype(np.float64), axis=0)
    ends = 1.0 / (forecast.draws + 1.0)
    levels = np.unique(np.clip(GRID, ends, 1.0 - ends))
    levels = np.unique(np.concatenate([[ends], levels, [1.0 - ends]]))
    return Outlook(
        forecast.series,
        forecast.indicators,
        times_s,
        levels,
        np.quantile(samples, levels, axis=0, method="weibull"),
        np.quantile(samples, NAMED, axis=0),
        samples[forecast.draws // 2],
    )


def some_leads(steps: int) -> tuple[int, ...]:
    """Up to eight steps of a horizon, dense near its start and with its end; the first is 0."""
    leads = np.geomspace(1.0, steps, min(MOST_LEADS, steps)).round().astype(int) - 1
    return tuple(int(lead) for lead in np.unique(leads))


def calibration(forecast: DemandForecast, history: DemandHistory) -> tuple[Calibration, ...]:
    """How each indicator of ``forecast`` fared at those of its steps that ``history`` observed.

    Series are matched by their ids. NaN and what lies outside the history count for nothing.
    """
    seen = outlook(forecast, range(forecast.steps))
    actual = observed_at(history, seen)
    return tuple(
        tally(
            seen.levels,
            seen.grid[..., k].reshape(seen.levels.size, -1),
            seen.named[..., k].reshape(len(NAMED), -1),
            actual[..., k].ravel(),
        ).calibration(indicator)
        for k, indicator in enumerate(forecast.indicators)
    )


def observed_at(history: DemandHistory, seen: Outlook) -> FloatArray:
    """What was observed at the steps of ``seen``, NaN where nothing; (series, steps, indicators).

    A step that lies between two of the history's own is not observed.
    """
    place = (seen.times_s - history.start_s) / history.step_s
    index = np.round(place).astype(np.intp)
    fits = (np.abs(place - index) < OFF_GRID) & (index >= 0) & (index < history.steps)
    rows = _places(seen.series, history.series)
    columns = _places(seen.indicators, history.indicators)
    known = (rows >= 0)[:, None, None] & fits[:, None] & (columns >= 0)
    picked = history.values[rows[:, None, None], columns, np.where(fits, index, 0)[:, None]]
    return np.where(known & np.isfinite(picked), picked, np.nan)


def _places(wanted: Sequence[str], there: Sequence[str]) -> NDArray[np.intp]:
    """Position of each name, -1 where it is missing."""
    places = {name: i for i, name in enumerate(there)}
    return np.array([places.get(name, -1) for name in wanted], dtype=np.intp)


def tally(levels: FloatArray, grid: FloatArray, named: FloatArray, actual: FloatArray) -> Tally:
    """Counts over observations.

    Args:
        levels: shape (levels,).
        grid: shape (levels, observations).
        named: shape (named, observations).
        actual: shape (observations,), NaN counts for nothing.
    """
    known = np.isfinite(actual)
    if not known.any():
        return Tally.empty()
    actual, named = actual[known], named[:, known]
    low, high = pit_interval(levels, grid[:, known], actual)
    slack = TIE * np.abs(actual)
    covered = (named[_LOWER] - slack <= actual) & (actual <= named[_UPPER] + slack)
    exceeded = actual > named[_EXCEEDED] + slack
    return Tally(
        float(actual.size),
        _histogram(low, high),
        np.sum(covered, axis=1, dtype=np.float64),
        np.sum(exceeded, axis=1, dtype=np.float64),
    )


def pit_interval(
    levels: FloatArray, grid: FloatArray, actual: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Probabilities between which each observation lies, shape (observations,) each.

    Args:
        levels: shape (levels,).
        grid: shape (levels, observations).
        actual: finite, shape (observations,).
    """
    slack = TIE * np.abs(actual)
    ends = np.concatenate([[0.0], levels, [1.0]])
    low: FloatArray = ends[(grid < actual - slack).sum(axis=0)]
    high: FloatArray = ends[(grid <= actual + slack).sum(axis=0) + 1]
    return low, high


def _histogram(low: FloatArray, high: FloatArray) -> FloatArray:
    """Share of each interval that lies in each bin, summed over the observations."""
    inside = np.minimum(high[:, None], EDGES[1:]) - np.maximum(low[:, None], EDGES[:-1])
    counts: FloatArray = (np.maximum(inside, 0.0) / (high - low)[:, None]).sum(axis=0)
    return counts
