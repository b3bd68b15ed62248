"""Whether forecasts keep their word, and what to do where they do not.

A :class:`Monitor` remembers the forecasts that were issued and scores them as demand comes in::

    monitor = monitor.observed(history)   # score what has come since
    forecast = monitor.adjust(made)       # plan with this one
    monitor = monitor.issued(made)        # remember the forecast as the model made it
    monitor.report()                      # calibration, adjustment and drift as data
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.forecasting.conformal import Stretch, adjusted, scores, stretched
from nodemix.forecasting.drift import THRESHOLD, Detector, Drift
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.pit import (
    EXCEEDED,
    KNOTS,
    NAMED,
    OFF_GRID,
    Calibration,
    Outlook,
    Tally,
    observed_at,
    outlook,
    pit_interval,
    some_leads,
    tally,
)
from nodemix.forecasting.types import BoolArray, DemandForecast, DemandHistory, FloatArray

UNCHANGED = (1.0,) * len(KNOTS)

_KNOTS = [NAMED.index(level) for level in KNOTS]
_TAIL = [KNOTS.index(level) for level in EXCEEDED]

JUDGED_LONGER = 3.0
"""Half-lives over which an adjustment is judged: the tail has few events in one."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How forecasts are watched.

    Args:
        half_life_s: age at which an observation counts half; a day, so that it sees every hour.
        kept: forecasts remembered at most; the oldest goes first.
        may_adjust: whether upper quantiles are ever adjusted.
        enough: observations before anything is adjusted; the .99 quantile is exceeded a few times
            among so many.
        gain: share by which an adjustment must lower the tail pinball loss to begin.
        loss: share by which it may raise any other loss.
        threshold: see :class:`nodemix.forecasting.drift.Drift`.
    """

    half_life_s: float = 86_400.0
    kept: int = 128
    may_adjust: bool = True
    enough: float = 500.0
    gain: float = 0.01
    loss: float = 0.005
    threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        if self.half_life_s <= 0:
            raise ForecastError(f"half_life_s: must be positive, got {self.half_life_s:g}")
        if self.kept < 1:
            raise ForecastError(f"kept: must be at least 1, got {self.kept}")


@dataclass(frozen=True, slots=True)
class IndicatorReport:
    """What is known of the forecasts of one indicator.

    Args:
        calibration: of the forecasts as they were used.
        stretch: level and factor on its distance from the median, as it is applied now; 1 where
            nothing is adjusted.
        is_adjusted: whether an adjustment is applied now.
        gain: share by which the adjustment lowers, or would lower, the tail pinball loss of
            recent forecasts; None while nothing is known.
    """

    calibration: Calibration
    stretch: tuple[tuple[float, float], ...]
    is_adjusted: bool
    gain: float | None
    drift: Drift

    @property
    def indicator(self) -> str:
        """Its name."""
        return self.calibration.indicator


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What a :class:`Monitor` has found, one entry for each indicator."""

    indicators: tuple[IndicatorReport, ...] = ()

    @property
    def is_drifting(self) -> bool:
        """Whether the forecasts of any indicator have stopped fitting."""
        return any(entry.drift.is_drifting for entry in self.indicators)

    @property
    def why(self) -> str:
        """What drifts, in plain words; empty where nothing does."""
        return "; ".join(entry.drift.why for entry in self.indicators if entry.drift.why)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A forecast that waits for its demand.

    Args:
        seen: its quantiles as the model made them, at the steps not yet scored.
        unit: mean .99 quantile of each series, > 0, shape (series, indicators).
        factors: that were learnt when it was issued, shape (knots, indicators).
        is_adjusted: whether they were applied, shape (indicators,).
    """

    seen: Outlook
    start_s: float
    unit: FloatArray
    factors: FloatArray
    is_adjusted: tuple[bool, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """All that is remembered of one indicator.

    Args:
        losses: weighted sums of the pinball losses in units of each series, shape (2, 4): as made
            and stretched; of each of ``KNOTS`` and of all levels.
        newest_s: time of the newest step scored; None before the first.
    """

    counted: Tally = field(default_factory=Tally.empty)
    losses: FloatArray = field(default_factory=lambda: np.zeros((2, len(KNOTS) + 1)))
    stretch: Stretch = field(default_factory=Stretch)
    detector: Detector = field(default_factory=Detector)
    is_adjusted: bool = False
    newest_s: float | None = None

    def gain(self) -> float | None:
        """See :class:`IndicatorReport`."""
        made, changed = self.losses[:, _TAIL].sum(axis=1)
        return float(1.0 - changed / made) if made > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Observations of one indicator at one time, and what forecasts had said of them.

    Args:
        levels: of ``grid``, shape (levels,).
        grid, named: quantiles as made, shape (levels or named, observations).
        pivot, unit, actual: shape (observations,); no NaN.
        factors: that were learnt when the forecast was issued, shape (knots, observations).
        is_adjusted: whether they were applied, shape (observations,).
        is_first: whether it was the first step of the forecast, shape (observations,).
    """

    levels: FloatArray
    grid: FloatArray
    named: FloatArray
    pivot: FloatArray
    unit: FloatArray
    actual: FloatArray
    factors: FloatArray
    is_adjusted: BoolArray
    is_first: BoolArray

    @property
    def knots(self) -> FloatArray:
        """Quantiles at ``KNOTS`` as made, shape (knots, observations)."""
        return self.named[_KNOTS]

    def stretched(self) -> "Scored":
        """With the quantiles of the stretched forecast."""
        both = np.concatenate([self.grid, self.named])
        both = stretched(both, self.pivot, self.knots, self.factors)
        levels = self.levels.size
        return replace(self, grid=both[:levels], named=both[levels:])

    def used(self, changed: "Scored") -> "Scored":
        """With the quantiles of the forecast as it was used: these, or the stretched ones."""
        return replace(
            self,
            grid=np.where(self.is_adjusted, changed.grid, self.grid),
            named=np.where(self.is_adjusted, changed.named, self.named),
        )

    def tally(self) -> Tally:
        """What is counted."""
        return tally(self.levels, self.grid, self.named, self.actual)

    def losses(self) -> FloatArray:
        """Pinball losses in units of each series, summed; of each knot and of all levels."""
        levels = np.concatenate([KNOTS, self.levels])[:, None]
        error = self.actual - np.concatenate([self.knots, self.grid])
        loss = np.maximum(levels * error, (levels - 1.0) * error) / self.unit
        knots, grid = loss[: len(KNOTS)], loss[len(KNOTS) :]
        return np.append(knots.sum(axis=1), grid.mean(axis=0).sum())

    def first_steps(self) -> tuple[FloatArray, FloatArray]:
        """Probabilities between which those observations lie that came next, (observations,)."""
        first = self.is_first
        return pit_interval(self.levels, self.grid[:, first], self.actual[first])


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """What is known of the forecasts issued so far; every method gives a new one.

    Args:
        settings: see there.
        pending: forecasts that wait for their demand, oldest first.
        groups: by indicator.
        until_s: time of the newest observation that was looked at; None before the first.
    """

    settings: MonitorSettings = MonitorSettings()
    pending: tuple[Kept, ...] = field(default=(), repr=False)
    groups: Mapping[str, Group] = field(default_factory=dict, repr=False)
    until_s: float | None = None

    def issued(self, forecast: DemandForecast) -> "Monitor":
        """Remember a forecast as its model made it: before :meth:`adjust`, which is known here.

        One with the same first step takes the place of the earlier one. Held ones are emergencies
        and not remembered, nor are steps that have been observed.
        """
        if forecast.is_held:
            return self
        leads = [
            lead
            for lead in some_leads(forecast.steps)
            if self.until_s is None or forecast.start_s + lead * forecast.step_s > self.until_s
        ]
        others = [kept for kept in self.pending if kept.start_s != forecast.start_s]
        kept = [self._kept(forecast, leads)] if leads else []
        return replace(self, pending=tuple([*others, *kept][-self.settings.kept :]))

    def observed(self, history: DemandHistory) -> "Monitor":
        """Score each remembered step that has come, once.

        Steps whose demand is missing although later demand is there count for nothing.
        """
        seen = np.isfinite(history.values).any(axis=(0, 1))
        if not seen.any():
            return self
        newest = int(np.flatnonzero(seen)[-1])
        end_s = history.start_s + (newest + OFF_GRID) * history.step_s
        groups = dict(self.groups)
        for time_s, entries in _moments(self.pending, history, end_s):
            for indicator, scored in entries.items():
                group = groups.get(indicator, self._fresh())
                groups[indicator] = _updated(group, scored, time_s, self.settings)
        until_s = end_s if self.until_s is None else max(self.until_s, end_s)
        return replace(self, pending=_left(self.pending, end_s), groups=groups, until_s=until_s)

    def adjust(self, forecast: DemandForecast) -> DemandForecast:
        """The forecast with its upper quantiles adjusted where that has paid off lately.

        A forecast that does not begin after all that was observed is returned as it is, for it
        would know its own future.
        """
        if self.until_s is not None and forecast.start_s <= self.until_s:
            return forecast
        return adjusted(forecast, self._factors(forecast.indicators, applied=True))

    def report(self) -> CalibrationReport:
        """What was found, in the order in which indicators were first scored."""
        return CalibrationReport(
            tuple(self._entry(indicator, group) for indicator, group in self.groups.items())
        )

    def _fresh(self) -> Group:
        return Group(detector=Detector(threshold=self.settings.threshold))

    def _factors(self, indicators: Sequence[str], *, applied: bool) -> FloatArray:
        """Factors of each indicator, shape (knots, indicators); 1 where unknown or not applied."""
        groups = [self.groups.get(indicator) for indicator in indicators]
        return np.array(
            [
                UNCHANGED if g is None or (applied and not g.is_adjusted) else g.stretch.factors
                for g in groups
            ]
        ).T

    def _kept(self, forecast: DemandForecast, leads: Sequence[int]) -> Kept:
        seen = outlook(forecast, leads)
        unit = seen.at(max(KNOTS)).mean(axis=1)
        groups = (self.groups.get(indicator) for indicator in forecast.indicators)
        return Kept(
            seen,
            forecast.start_s,
            np.where(unit > 0, unit, 1.0),
            self._factors(forecast.indicators, applied=False),
            tuple(group is not None and group.is_adjusted for group in groups),
        )

    def _entry(self, indicator: str, group: Group) -> IndicatorReport:
        factors = group.stretch.factors if group.is_adjusted else UNCHANGED
        now_s = self.until_s if self.until_s is not None else 0.0
        return IndicatorReport(
            group.counted.calibration(indicator),
            tuple(zip(KNOTS, factors, strict=True)),
            group.is_adjusted,
            group.gain(),
            group.detector.drift(indicator, now_s),
        )


def _moments(
    pending: Sequence[Kept], history: DemandHistory, end_s: float
) -> list[tuple[float, dict[str, list[Scored]]]]:
    """What has come, step by step, and by indicator at each step."""
    moments: dict[float, dict[str, list[Scored]]] = {}
    for kept in pending:
        due = np.flatnonzero(kept.seen.times_s <= end_s)
        if due.size == 0:
            continue
        actual = observed_at(history, kept.seen)
        for step in due.tolist():
            at = moments.setdefault(float(kept.seen.times_s[step]), {})
            for k, indicator in enumerate(kept.seen.indicators):
                known = np.isfinite(actual[:, step, k])
                if known.any():
                    scored = _scored(kept, step, k, actual[known, step, k], known)
                    at.setdefault(indicator, []).append(scored)
    return sorted(moments.items())


def _scored(kept: Kept, step: int, k: int, actual: FloatArray, known: BoolArray) -> Scored:
    seen = kept.seen
    factors = np.repeat(kept.factors[:, k, None], actual.size, axis=1)
    is_first = float(seen.times_s[step]) == kept.start_s
    return Scored(
        seen.levels,
        seen.grid[:, known, step, k],
        seen.named[:, known, step, k],
        seen.pivot[known, step, k],
        kept.unit[known, k],
        actual,
        factors,
        np.full(actual.size, kept.is_adjusted[k]),
        np.full(actual.size, is_first),
    )


def _merged(entries: Sequence[Scored]) -> list[Scored]:
    """One entry for each number of levels, which forecasts of the same draws share."""
    by_levels: dict[int, list[Scored]] = {}
    for entry in entries:
        by_levels.setdefault(entry.levels.size, []).append(entry)
    return [
        Scored(
            same[0].levels,
            np.concatenate([e.grid for e in same], axis=1),
            np.concatenate([e.named for e in same], axis=1),
            np.concatenate([e.pivot for e in same]),
            np.concatenate([e.unit for e in same]),
            np.concatenate([e.actual for e in same]),
            np.concatenate([e.factors for e in same], axis=1),
            np.concatenate([e.is_adjusted for e in same]),
            np.concatenate([e.is_first for e in same]),
        )
        for same in by_levels.values()
    ]


def _updated(
    group: Group, entries: Sequence[Scored], time_s: float, settings: MonitorSettings
) -> Group:
    """The group after one more step."""
    age_s = 0.0 if group.newest_s is None else max(0.0, time_s - group.newest_s)
    counted = group.counted.plus(Tally.empty(), 0.5 ** (age_s / settings.half_life_s))
    losses = group.losses * 0.5 ** (age_s / (JUDGED_LONGER * settings.half_life_s))
    detector, found = group.detector, []
    for scored in _merged(entries):
        changed = scored.stretched()
        used = scored.used(changed)
        counted = counted.plus(used.tally())
        losses = losses + np.stack([scored.losses(), changed.losses()])
        detector = detector.tested(*used.first_steps(), time_s)
        found.append(scores(scored.actual, scored.pivot, scored.knots))
    stretch = group.stretch.learnt(np.concatenate(found, axis=1))
    after = Group(counted, losses, stretch, detector, group.is_adjusted, time_s)
    return replace(after, is_adjusted=_pays(after, settings))


def _pays(group: Group, settings: MonitorSettings) -> bool:
    """Whether to adjust from now on; once begun, it goes on until it no longer gains anything."""
    if not settings.may_adjust or group.counted.weight < settings.enough:
        return False
    gain = group.gain()
    made, changed = group.losses
    worst = float(np.max(changed / np.where(made > 0, made, np.inf))) - 1.0
    if gain is None:
        return False
    if group.is_adjusted:
        return gain > 0 and worst <= 2 * settings.loss
    return gain >= settings.gain and worst <= settings.loss


def _left(pending: Sequence[Kept], end_s: float) -> tuple[Kept, ...]:
    """What still waits after ``end_s``."""
    left = []
    for kept in pending:
        ahead = kept.seen.times_s > end_s
        if ahead.all():
            left.append(kept)
        elif ahead.any():
            left.append(replace(kept, seen=kept.seen.only(ahead)))
    return tuple(left)
