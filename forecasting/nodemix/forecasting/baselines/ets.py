"""Exponential smoothing: level, damped trend and a daily profile, all additive.

Each row loses its daily profile (median of the same time of day), the rest is smoothed with an
additive error and a damped additive trend, whose parameters statsmodels finds most likely. Paths
are the model's own recursion fed with joint stretches of its past one-step errors, so rows and
steps stay dependent. Their spread is capped: extrapolated trends otherwise grow without limit.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.guard import guarded
from nodemix.forecasting.residuals import block_length, error_paths
from nodemix.forecasting.rows import to_forecast, to_rows
from nodemix.forecasting.season import seasons, steps_per_day
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

NAME = "ets"
MIN_STEPS = 24
FIT_DAYS = 3
"""Smoothing parameters are fitted to this many newest days; older ones hardly weigh."""

CANDIDATES = tuple(
    (level, share * level, damping)
    for level in (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0)
    for share, damping in ((0.0, 0.9), *product((0.05, 0.2), (0.8, 0.9, 0.97)))
)
"""Level, trend and damping parameters to choose from; statsmodels says how likely each is.

Its own optimizer is not used: L-BFGS from row to row costs ten times as much where the threads of
the linear algebra library compete for cores, and often ends without having converged.
"""

NO_TREND = (0.3, 0.0, 0.9)
"""Of a row that never moves."""

SPREAD_CAP = 1.5
"""Largest spread of the paths, in standard deviations of the smoothed remainder."""


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
        values = to_rows(history)
        if smoothing is None or smoothing.level.size != values.shape[0]:
            raise ModelFailedError(NAME, "its parameters were fitted to other series")
        season = steps_per_day(history.step_s)
        remainder, profile = _split(values, season, has_season=seasons(history) >= 2)
        newest = remainder[:, -max(MIN_STEPS, FIT_DAYS * season) :]
        paths = _simulate(newest, smoothing, horizon, rng)
        repeated = profile[:, np.arange(horizon.steps) % profile.shape[1]]
        paths = repeated[:, None, :] + _capped(paths, newest)
        return to_forecast(history, guarded(NAME, paths, values))

    def _fit_rows(self, remainder: FloatArray) -> Smoothing:
        from statsmodels.tsa.exponential_smoothing import ets  # noqa: PLC0415  1.1 s, 170 MiB

        started_s = self.clock()
        fits = []
        for row in remainder:
            if self.clock() - started_s > self.fit_s:
                raise ModelFailedError(NAME, f"fit took longer than {self.fit_s:g} s")
            fits.append(_fit(row, ets.ETSModel))
        return Smoothing(*np.array(fits).T)


def _split(values: FloatArray, season: int, *, has_season: bool) -> tuple[FloatArray, FloatArray]:
    """Remainder and profile; column 0 of the profile belongs to the first step ahead."""
    if not has_season:
        return values, np.zeros((values.shape[0], 1))
    days = values.shape[1] // season
    folded = values[:, -days * season :].reshape(values.shape[0], days, season)
    profile = np.median(folded - np.median(folded, axis=2, keepdims=True), axis=1)
    steps = values.shape[1]
    return values - profile[:, (np.arange(steps) - steps) % season], profile


def _fit(row: FloatArray, model: Callable[..., Any]) -> tuple[float, float, float]:
    """The most likely of the candidates."""
    spread = float(row.std())
    if spread <= 1e-9 * float(np.abs(row).max()):
        return NO_TREND
    standardised = (row - row.mean()) / spread
    smoothing = model(
        standardised,
        error="add",
        trend="add",
        damped_trend=True,
        initialization_method="known",  # as in _filtered
        initial_level=standardised[: MIN_STEPS // 2].mean(),
        initial_trend=0.0,
    )
    return max(CANDIDATES, key=smoothing.loglike)


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
