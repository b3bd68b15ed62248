"""From what was scraped to what a model may see.

Rules, in order:

1. Samples later than now are cut off.
2. Negative, infinite and absurdly large values become missing, with a warning that names the
   series.
3. Input whose newest sample is too old gives no forecast at all (:class:`StaleHistoryError`); a
   single series that is too old, or never observed, is left out and named in the warnings.
4. Gaps of up to three steps are interpolated; longer ones take the value one day earlier (one day
   later before the first sample), else the last value seen, and are named in the warnings.
"""

from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.errors import ForecastError, HistoryError, StaleHistoryError
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import BoolArray, DemandForecast, DemandHistory, FloatArray

SHORT_GAP_STEPS = 3
STALE_STEPS = 3
STALE_FLOOR_S = 1800.0
WIDEN_PER_HOUR = 0.25
"""How much wider a held forecast becomes with each hour since it was made."""

LARGEST = 1e30
"""No demand is larger; beyond it sums of samples would leave the range of 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class CleanHistory:
    """A history without holes.

    Args:
        history: finite and non-negative everywhere; says which steps were observed.
        first_step: the first step at which every indicator had been observed, shape (series,).
        observed: where ``history`` was observed, not filled; shape of its values.
        warnings: what was repaired or left out, naming the series.
    """

    history: DemandHistory
    first_step: IndexArray
    observed: BoolArray
    warnings: tuple[str, ...] = ()

    def only(self, index: IndexArray) -> "CleanHistory":
        """The series at ``index``; warnings stay behind."""
        return CleanHistory(
            self.history.only(index.tolist()), self.first_step[index], self.observed[index]
        )


def stale_limit_s(step_s: float) -> float:
    """Age from which the newest sample is too old: three steps or 30 minutes."""
    return max(STALE_STEPS * step_s, STALE_FLOOR_S)


def clean(history: DemandHistory, now_s: float, stale_after_s: float | None = None) -> CleanHistory:
    """The history as models may see it.

    Args:
        history: as observed; NaN where nothing was.
        now_s: seconds since the epoch; samples later than this are not looked at.
        stale_after_s: age from which the newest sample is too old; None for the default of
            :func:`stale_limit_s`.

    Raises:
        HistoryError: nothing was ever observed.
        StaleHistoryError: the newest sample of all is too old.
    """
    known = _until_now(history, now_s)
    values, warnings = _without_impossible(known)
    known = replace(known, values=values)
    limit_s = stale_limit_s(history.step_s) if stale_after_s is None else stale_after_s
    known, left_out = _without_unusable(known, now_s, limit_s)
    observed = ~np.isnan(known.values)
    first = np.argmax(observed, axis=2).max(axis=1)
    filled, repairs = _filled(known)
    filled = replace(filled, observed=observed)
    return CleanHistory(filled, first, observed, (*warnings, *left_out, *repairs))


def hold(previous: DemandForecast, now_s: float) -> DemandForecast:
    """The previous forecast, moved to now and widened, for when no fresh history is at hand.

    Steps that have passed are dropped and the last one is repeated at the end. Every draw moves
    away from the median of its step by the factor ``1 + 0.25 * age in hours``.

    Args:
        previous: a fresh one; holding a held one again would forget its age.
        now_s: seconds since the epoch.

    Raises:
        StaleHistoryError: the forecast is older than its own horizon; nothing is left to hold.
    """
    if previous.is_held:
        raise ForecastError("demand forecast: held already; hold the last fresh one instead")
    age_s = max(0.0, now_s - (previous.start_s - previous.step_s))
    limit_s = previous.steps * previous.step_s
    if age_s > limit_s:
        raise StaleHistoryError(age_s, limit_s)
    passed = int(age_s // previous.step_s)
    index = np.minimum(np.arange(previous.steps) + passed, previous.steps - 1)
    shifted = previous.samples[:, :, index, :].astype(np.float64)
    middle = np.median(shifted, axis=0)
    wide = middle + (1.0 + WIDEN_PER_HOUR * age_s / 3600.0) * (shifted - middle)
    return replace(
        previous,
        start_s=previous.start_s + passed * previous.step_s,
        samples=np.maximum(wide, 0.0).astype(np.float32),
        is_held=True,
        warnings=(*previous.warnings, f"forecast of {age_s:.0f} s ago held and widened"),
    )


def _until_now(history: DemandHistory, now_s: float) -> DemandHistory:
    if not history.series or not history.indicators or history.steps == 0:
        raise HistoryError(
            "demand history: it is empty; check the lookback and the query of the metrics source"
        )
    steps = int(np.floor((now_s - history.start_s) / history.step_s)) + 1
    if steps < 1:
        raise HistoryError(
            f"demand history: it begins {history.start_s - now_s:.0f} s after now; "
            "check the clocks of the operator and of the metrics source"
        )
    return history.until(min(steps, history.steps))


def _without_impossible(history: DemandHistory) -> tuple[FloatArray, tuple[str, ...]]:
    values = history.values.astype(np.float64)
    impossible = (values < 0) | (values > LARGEST)
    warnings = tuple(
        f"{series}: {int(count)} negative or infinite {indicator} samples taken as missing"
        for series, counts in zip(history.series, impossible.sum(axis=2), strict=True)
        for indicator, count in zip(history.indicators, counts, strict=True)
        if count
    )
    return np.where(impossible, np.nan, values), warnings


def _without_unusable(
    history: DemandHistory, now_s: float, limit_s: float
) -> tuple[DemandHistory, tuple[str, ...]]:
    """Drop what was never observed or is too old."""
    observed = ~np.isnan(history.values)
    seen: BoolArray = np.all(np.any(observed, axis=2), axis=1)
    if not seen.any():
        raise HistoryError(
            f"demand history: none of {len(history.series)} series has a sample of every "
            "indicator; check the query and that the workloads are scraped"
        )
    newest = history.steps - 1 - np.argmax(observed[:, :, ::-1], axis=2).max(axis=1)
    age_s = now_s - (history.start_s + newest * history.step_s)
    if age_s[seen].min() > limit_s:
        raise StaleHistoryError(float(age_s[seen].min()), limit_s)
    keep = np.flatnonzero(seen & (age_s <= limit_s))
    return history.only(keep.tolist()), _why_left_out(history, seen, age_s, limit_s)


def _why_left_out(
    history: DemandHistory, seen: BoolArray, age_s: FloatArray, limit_s: float
) -> tuple[str, ...]:
    never = tuple(
        f"{series}: left out, an indicator was never observed; check that it is scraped"
        for series, ok in zip(history.series, seen, strict=True)
        if not ok
    )
    old = tuple(
        f"{series}: left out, newest sample is {age:.0f} s old, more than {limit_s:.0f} s"
        for series, ok, age in zip(history.series, seen, age_s, strict=True)
        if ok and age > limit_s
    )
    return never + old


def _filled(history: DemandHistory) -> tuple[DemandHistory, tuple[str, ...]]:
    season = steps_per_day(history.step_s)
    values = history.values.copy()
    warnings = []
    for i, series in enumerate(history.series):
        for k, indicator in enumerate(history.indicators):
            values[i, k], long_steps = fill_gaps(values[i, k], season)
            if long_steps:
                warnings.append(
                    f"{series}: {long_steps} of {history.steps} steps of {indicator} were not "
                    "observed; filled from the same time of another day"
                )
    return replace(history, values=values), tuple(warnings)


def fill_gaps(row: FloatArray, season: int) -> tuple[FloatArray, int]:
    """The row without holes, and how many steps lay in gaps too long to interpolate.

    Args:
        row: shape (steps,), NaN where nothing was observed, at least one value.
        season: steps per day.
    """
    filled = row.copy()
    long_steps = 0
    for start, stop in _gaps(row):
        inside = start > 0 and stop < row.size
        if inside and stop - start <= SHORT_GAP_STEPS:
            ends = (filled[start - 1], row[stop])
            filled[start:stop] = np.interp(np.arange(start, stop), (start - 1, stop), ends)
        elif start > 0:
            long_steps += stop - start if stop - start > SHORT_GAP_STEPS else 0
            _fill_forward(filled, start, stop, season)
    if np.isnan(filled[0]):
        first = int(np.argmax(~np.isnan(filled)))
        long_steps += first if first > SHORT_GAP_STEPS else 0
        _fill_backward(filled, first, season)
    return filled, long_steps


def _gaps(row: FloatArray) -> list[tuple[int, int]]:
    missing = np.concatenate(([0], np.isnan(row).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(missing))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _fill_forward(row: FloatArray, start: int, stop: int, season: int) -> None:
    """Same time one day earlier, else the last value; a short tail takes the last value."""
    short = stop - start <= SHORT_GAP_STEPS
    for step in range(start, stop):
        known = not short and step >= season and not np.isnan(row[step - season])
        row[step] = row[step - season] if known else row[start - 1]


def _fill_backward(row: FloatArray, first: int, season: int) -> None:
    """Same time one day later, else the first value."""
    last = row.size - 1
    for step in range(first - 1, -1, -1):
        row[step] = row[step + season] if step + season <= last else row[first]
