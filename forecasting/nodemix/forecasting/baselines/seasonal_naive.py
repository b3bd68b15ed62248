"""Tomorrow is like today at the same time, give or take what that rule missed in the past."""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.residuals import IndexArray, block_length, error_paths
from nodemix.forecasting.rows import to_forecast, to_rows
from nodemix.forecasting.season import seasons, steps_per_day
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

NEAR_PHASE = 1 / 16
"""Errors are taken from the same time of day within this share of a season (90 minutes)."""

ENOUGH_STARTS = 60
"""With fewer stretches near the same time of day, any time of day serves."""


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """The value one day earlier plus joint stretches of that rule's past errors.

    Beyond one day ahead the same day repeats and its errors grow with the square root of the
    number of days. A history shorter than two days is left to :class:`LastValue`.
    """

    name: str = "seasonal-naive"

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        if seasons(history) < 2:
            return LastValue().forecast(history, horizon, rng)
        season = steps_per_day(history.step_s)
        values = to_rows(history)
        errors = values[:, season:] - values[:, :-season]
        length = block_length(min(horizon.steps, season), errors.shape[1])
        starts = stretch_starts(errors.shape[1], length, season)
        paths = error_paths(errors, starts, length, horizon.steps, horizon.draws, rng)
        days_ahead = 1 + np.arange(horizon.steps) // season
        same_time = last_season(values, season, horizon.steps)
        return to_forecast(history, same_time[:, None, :] + paths * np.sqrt(days_ahead))


def last_season(values: FloatArray, season: int, steps: int) -> FloatArray:
    """The newest season repeated over ``steps``, shape (rows, steps)."""
    index = values.shape[1] - season + np.arange(steps) % season
    repeated: FloatArray = values[:, index]
    return repeated


def stretch_starts(past: int, length: int, season: int) -> IndexArray:
    """Starts of past stretches near the time of day at which ``past`` ends."""
    starts = np.arange(past - length + 1)
    distance = np.abs((starts - past + season // 2) % season - season // 2)
    near = starts[distance <= max(1, round(season * NEAR_PHASE))]
    return near if near.size >= ENOUGH_STARTS else starts
