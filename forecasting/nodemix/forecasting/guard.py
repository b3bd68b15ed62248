"""What no model may say: what is not finite, crosses, or lies far above anything ever seen."""

import numpy as np
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.types import (
    DemandForecast,
    DemandHistory,
    FloatArray,
    Horizon,
    Samples,
)

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


def checked(
    model: str, forecast: DemandForecast, horizon: Horizon, past: DemandHistory
) -> DemandForecast:
    """The forecast, if it is one.

    Raises:
        ModelFailedError: a sample is missing, not finite or negative, or one value in a hundred is
            above three times the highest demand of its row in ``past``.
    """
    samples = forecast.samples
    if (forecast.draws, forecast.steps) != (horizon.draws, horizon.steps):
        raise ModelFailedError(model, f"gave {forecast.draws} draws of {forecast.steps} steps")
    if forecast.series != past.series or forecast.indicators != past.indicators:
        raise ModelFailedError(model, "spoke of other series or indicators than it was asked about")
    if not np.isfinite(samples).all() or (samples < 0).any():
        raise ModelFailedError(model, "samples are negative or not finite")
    _refuse_explosion(model, samples, past.values.max(axis=2))
    return forecast


def _refuse_explosion(model: str, samples: Samples, highest: FloatArray) -> None:
    """Rows that were always zero are no measure."""
    was_seen = highest > 0
    if was_seen.any():
        beyond = (samples > CEILING * highest[:, None, :]).mean(axis=(0, 2))
        if float(beyond[was_seen].mean()) > EXPLODED_SHARE:
            raise ModelFailedError(model, f"paths exceed {CEILING:g} times the highest demand seen")


def uncrossed(model: str, quantiles: FloatArray, tolerance: float = 0.0) -> FloatArray:
    """The quantiles, if none is below the one of a lower level.

    Args:
        model: named in the error.
        quantiles: shape (levels, ...), levels ascending.
        tolerance: by how much one may fall for want of digits; it is put in order.

    Raises:
        ModelFailedError: two quantiles cross, or one is not a number.
    """
    rising = np.diff(quantiles, axis=0) >= -tolerance
    if not rising.all():
        raise ModelFailedError(model, f"quantiles cross at {int((~rising).sum())} places")
    ordered: FloatArray = np.maximum.accumulate(quantiles, axis=0)
    return ordered
