"""Demand whose true distribution is known, and forecasts of it."""

from collections.abc import Iterable

import numpy as np
from nodemix.forecasting.calibrate import Monitor
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray

from tests.forecasting.histories import START_S, STEP_S, make_forecast, make_history

LEVEL, SPREAD = 100.0, 10.0
DRAWS = 200


def normal_demand(
    steps: int, series: int = 4, *, seed: int = 0, spread: float = 1.0, shift: float = 0.0
) -> FloatArray:
    """Demand around ``LEVEL``, half of its variance common to all series; (series, steps).

    Args:
        spread: in spreads of :func:`forecast_at`; 1 is what it says.
        shift: of the mean, in the same unit.
    """
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal(steps), rng.standard_normal((series, steps))
    noise = np.sqrt(0.5) * (common + own)
    rows: FloatArray = LEVEL + SPREAD * (spread * noise + shift)
    return rows


def forecast_at(
    step: int, rng: np.random.Generator, series: int = 4, steps: int = 4
) -> DemandForecast:
    """The forecast whose first step is ``step``: right for demand of spread 1 and shift 0."""
    noise = rng.standard_normal((DRAWS, series, steps, 1))
    samples = np.maximum(LEVEL + SPREAD * noise, 0.0)
    return make_forecast(samples, start_s=START_S + step * STEP_S)


def forecasts_of(history: DemandHistory, seed: int = 1, every: int = 1) -> list[DemandForecast]:
    """One forecast from every step of ``history`` on."""
    rng = np.random.default_rng(seed)
    series = len(history.series)
    return [forecast_at(step, rng, series) for step in range(1, history.steps - 4, every)]


def world(steps: int, series: int = 4, **demand: float) -> DemandHistory:
    """A history of :func:`normal_demand`."""
    seed = int(demand.pop("seed", 0))
    return make_history(*normal_demand(steps, series, seed=seed, **demand))


def replayed(
    forecasts: Iterable[DemandForecast], history: DemandHistory, monitor: Monitor
) -> Monitor:
    """The monitor after forecasts of the past, each issued when only its past was known.

    Args:
        forecasts: as models made them, in any order, none held.
        history: of their past and future.
        monitor: to begin with.
    """
    for forecast in sorted(forecasts, key=lambda made: made.start_s):
        known = round((forecast.start_s - history.start_s) / history.step_s)
        monitor = monitor.observed(history.until(max(0, known))).issued(forecast)
    return monitor.observed(history)
