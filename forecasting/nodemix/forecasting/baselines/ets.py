"""Exponential smoothing: level, damped trend and a daily profile, all additive.

Each row loses its daily profile (median of the same time of day), the rest is smoothed with an
additive error and a damped additive trend whose parameters statsmodels fits. Paths are the
model's own recursion fed with joint stretches of its past one-step errors, so rows and steps stay
dependent. Their spread is capped: extrapolated trends otherwise grow without limit.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.residuals import block_length, error_paths
from nodemix.forecasting.rows import to_forecast, to_rows
from nodemix.forecasting.season import seasons, steps_per_day
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

NAME = "ets"
MIN_STEPS = 24
FIT_DAYS = 3
"""Smoothing parameters are fitted to this many newest days; older ones hardly weigh."""

MAX_ITERATIONS = 40
NO_TREND = (0.3, 0.0, 0.9)
"""Level, trend and damping parameter where no fit is possible: plain smoothing."""

SPREAD_CAP = 1.5
"""Largest spread of the paths, in standard deviations of the smoothed remainder."""

EXPLOSION = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Smoothing:
    """Parameters per row, each of shape (rows,): ``level``, ``trend`` and ``damping``."""

    level: FloatArray
    trend: FloatArray
    damping: FloatArray


@dataclass(frozen=True, slots=True)
class Ets:
    """Guarded exponential smoothing.

    Args:
        fit_s: seconds the fit of all rows may take; beyond it the model gives up.
        clock: seconds, monotonic.
        fitted: parameters to use instead of fitting.
    """

    fit_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    fitted: Smoothing | None = None
    name: str = NAME

    def trained(self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator) -> "Ets":
        """The same model with its parameters fitted to ``history``."""
        del horizon, rng
        if history.steps < MIN_STEPS:
            raise ModelFailedError(NAME, f"{history.steps} steps of history, needs {MIN_STEPS}")
        season = steps_per_day(history.step_s)
        remainder, _ = _split(to_rows(history), season, has_season=seasons(history) >= 2)
        newest = remainder[:, -max(MIN_STEPS, FIT_DAYS * season) :]
        return Ets(self.fit_s, self.clock, self._fit_rows(newest))

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        smoothing = self.fitted or self.trained(history, horizon, rng).fitted
        if smoothing is None or history.steps < MIN_STEPS:
            raise ModelFailedError(NAME, f"{history.steps} steps of history, needs {MIN_STEPS}")
        season = steps_per_day(history.step_s)
        values = to_rows(history)
        remainder, profile = _split(values, season, has_season=seasons(history) >= 2)
        newest = remainder[:, -max(MIN_STEPS, FIT_DAYS * season) :]
        paths = _simulate(newest, smoothing, horizon, rng)
        repeated = profile[:, np.arange(horizon.steps) % profile.shape[1]]
        paths = repeated[:, None, :] + _capped(paths, newest)
        _guard(paths, values)
        return to_forecast(history, paths)

    def _fit_rows(self, remainder: FloatArray) -> Smoothing:
        started_s = self.clock()
        fits = []
        for row in remainder:
            if self.clock() - started_s > self.fit_s:
                raise ModelFailedError(NAME, f"fit took longer than {self.fit_s:g} s")
            fits.append(_fit(row))
        level, trend, damping = np.array(fits).T
        return Smoothing(level, trend, damping)


def _split(values: FloatArray, season: int, *, has_season: bool) -> tuple[FloatArray, FloatArray]:
    """Remainder and profile; column 0 of the profile belongs to the first step ahead."""
    if not has_season:
        return values, np.zeros((values.shape[0], 1))
    days = values.shape[1] // season
    folded = values[:, -days * season :].reshape(values.shape[0], days, season)
    profile = np.median(folded - np.median(folded, axis=2, keepdims=True), axis=1)
    steps = values.shape[1]
    return values - profile[:, (np.arange(steps) - steps) % season], profile


def _fit(row: FloatArray) -> tuple[float, float, float]:
    """Level, trend and damping parameter of one row; ``NO_TREND`` where none can be fitted."""
    spread = float(row.std())
    if spread <= 1e-9 * max(1.0, float(np.abs(row).max())):
        return NO_TREND
    try:
        level, trend, damping = _fitted_parameters((row - row.mean()) / spread)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return NO_TREND
    fine = np.isfinite([level, trend, damping]).all() and 0 <= trend <= level <= 1
    return (level, trend, damping) if fine and 0 <= damping < 1 else NO_TREND


def _fitted_parameters(standardised: FloatArray) -> tuple[float, float, float]:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415  2.5 s, 170 MiB

    model = ETSModel(
        standardised,
        error="add",
        trend="add",
        damped_trend=True,
        initialization_method="heuristic",
    )
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged after the last iteration is good enough
        fit = model.fit(disp=False, maxiter=MAX_ITERATIONS)
    level, trend, damping = (float(x) for x in fit.params[:3])
    return level, trend, damping


def _simulate(
    values: FloatArray, smoothing: Smoothing, horizon: Horizon, rng: np.random.Generator
) -> FloatArray:
    """Paths of the remainder, shape (rows, draws, steps)."""
    errors, level, trend = _filtered(values, smoothing)
    length = block_length(horizon.steps, errors.shape[1])
    starts = np.arange(errors.shape[1] - length + 1)
    shocks = error_paths(errors, starts, length, horizon.steps, horizon.draws, rng)
    a, b, phi = (x[:, None] for x in (smoothing.level, smoothing.trend, smoothing.damping))
    level_now, trend_now = level[:, None], trend[:, None]
    paths = np.empty_like(shocks)
    for step in range(horizon.steps):
        shock = shocks[:, :, step]
        base = level_now + phi * trend_now
        paths[:, :, step] = base + shock
        level_now, trend_now = base + a * shock, phi * trend_now + b * shock
    return paths


def _filtered(
    values: FloatArray, smoothing: Smoothing
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One-step errors (rows, steps) and the final level and trend, each (rows,)."""
    a, b, phi = smoothing.level, smoothing.trend, smoothing.damping
    level = values[:, : MIN_STEPS // 2].mean(axis=1)
    trend = np.zeros_like(level)
    errors = np.empty_like(values)
    for step in range(values.shape[1]):
        base = level + phi * trend
        errors[:, step] = values[:, step] - base
        level, trend = base + a * errors[:, step], phi * trend + b * errors[:, step]
    return errors[:, MIN_STEPS // 2 :], level, trend


def _capped(paths: FloatArray, past: FloatArray) -> FloatArray:
    """Paths whose spread around their mean stays below the cap at every step."""
    middle = paths.mean(axis=1, keepdims=True)
    spread = paths.std(axis=1, keepdims=True)
    cap = SPREAD_CAP * past.std(axis=1)[:, None, None]
    shrink = np.minimum(1.0, cap / np.maximum(spread, 1e-12))
    capped: FloatArray = middle + shrink * (paths - middle)
    return capped


def _guard(paths: FloatArray, past: FloatArray) -> None:
    if not np.isfinite(paths).all():
        raise ModelFailedError(NAME, "paths are not finite")
    limit = EXPLOSION * past.max(axis=1)[:, None, None] + 1e-9
    if (paths > limit).any():
        raise ModelFailedError(NAME, f"paths exceed {EXPLOSION:g} times the highest demand seen")
