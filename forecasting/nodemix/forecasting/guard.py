"""What no model may say: paths that are not finite, or far above anything ever seen."""

import numpy as np
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.types import DemandForecast, FloatArray, Horizon

CEILING = 3.0
"""Highest demand a path may reach, in multiples of the highest one of its row."""

EXPLODED_SHARE = 0.01


def guarded(model: str, paths: FloatArray, past: FloatArray) -> FloatArray:
    """The paths, none above three times the highest demand of its row; zero for a row of zeros.

    Args:
        model: named in the error.
        paths: shape (rows, draws, steps).
        past: shape (rows, steps of the past).

    Raises:
        ModelFailedError: something is not finite, or one value in a hundred is above that limit.
    """
    if not np.isfinite(paths).all():
        raise ModelFailedError(model, "paths are not finite")
    limit = CEILING * past.max(axis=1)[:, None, None]
    was_seen = past.max(axis=1) > 0
    if was_seen.any() and (paths > limit)[was_seen].mean() > EXPLODED_SHARE:
        raise ModelFailedError(model, f"paths exceed {CEILING:g} times the highest demand seen")
    below: FloatArray = np.minimum(paths, limit)
    return below


def checked(model: str, forecast: DemandForecast, horizon: Horizon) -> DemandForecast:
    """The forecast, if it is one.

    Raises:
        ModelFailedError: a sample is missing, not finite or negative.
    """
    samples = forecast.samples
    if (forecast.draws, forecast.steps) != (horizon.draws, horizon.steps):
        raise ModelFailedError(model, f"gave {forecast.draws} draws of {forecast.steps} steps")
    if not np.isfinite(samples).all() or (samples < 0).any():
        raise ModelFailedError(model, "samples are negative or not finite")
    return forecast
