"""How good a forecast was, judged by its samples."""

import numpy as np
from nodemix.forecasting.errors import ShapeError
from nodemix.forecasting.types import FloatArray


def fair_crps(samples: FloatArray, actual: FloatArray) -> FloatArray:
    """Fair continuous ranked probability score; lower is better, unbiased in the draw count.

    It can be slightly negative, which is the price of being unbiased.

    Args:
        samples: shape (draws, ...), at least two draws.
        actual: shape (...), unit of ``samples``.

    Returns:
        Shape of ``actual``, unit of ``samples``.

    Source: Ferro, Fair scores for ensemble forecasts, QJRMS 140 (2014).
    """
    _check(samples, actual)
    draws = samples.shape[0]
    ordered = np.sort(samples, axis=0)
    weights = 2.0 * np.arange(draws) - draws + 1.0
    spread = np.tensordot(weights, ordered, axes=(0, 0)) / (draws * (draws - 1))
    score: FloatArray = np.abs(samples - actual).mean(axis=0) - spread
    return score


def pinball(predicted: FloatArray, level: float, actual: FloatArray) -> FloatArray:
    """Pinball loss of one quantile level, element by element; lower is better."""
    error = actual - predicted
    loss: FloatArray = np.maximum(level * error, (level - 1.0) * error)
    return loss


def tail_pinball(
    samples: FloatArray, actual: FloatArray, levels: tuple[float, ...] = (0.9, 0.95, 0.98)
) -> FloatArray:
    """Mean pinball loss of the upper quantiles, shape of ``actual``."""
    _check(samples, actual)
    losses = [pinball(np.quantile(samples, lv, axis=0), lv, actual) for lv in levels]
    mean: FloatArray = np.mean(losses, axis=0)
    return mean


def scaled_crps(samples: FloatArray, actual: FloatArray, scale: FloatArray) -> float:
    """Mean fair CRPS over everything, each row divided by its ``scale``.

    Args:
        samples: shape (draws, series, steps, indicators).
        actual: shape (series, steps, indicators).
        scale: > 0, shape (series, indicators), for instance :func:`naive_scale`.
    """
    return float((fair_crps(samples, actual) / scale[:, None, :]).mean())


def naive_scale(values: FloatArray, lag: int) -> FloatArray:
    """Mean absolute change over ``lag`` steps of each row, floored to stay > 0.

    Args:
        values: shape (series, indicators, steps).
        lag: in steps; shortened for a short history.

    Returns:
        Shape (series, indicators).
    """
    lag = max(1, min(lag, values.shape[2] - 1))
    change = np.abs(values[:, :, lag:] - values[:, :, :-lag]).mean(axis=2)
    floor = np.maximum(1e-3 * np.abs(values).mean(axis=2), 1e-9)
    scale: FloatArray = np.maximum(change, floor)
    return scale


def coverage(samples: FloatArray, actual: FloatArray, level: float) -> float:
    """Share of ``actual`` at or below the ``level`` quantile; ideally ``level``."""
    _check(samples, actual)
    return float((actual <= np.quantile(samples, level, axis=0)).mean())


def maximum_crps(samples: FloatArray, actual: FloatArray) -> FloatArray:
    """Fair CRPS of the highest demand within the horizon, shape (series, indicators).

    Args:
        samples: shape (draws, series, steps, indicators).
        actual: shape (series, steps, indicators).
    """
    _check(samples, actual)
    return fair_crps(samples.max(axis=2), actual.max(axis=1))


def _check(samples: FloatArray, actual: FloatArray) -> None:
    if samples.shape[1:] != actual.shape or samples.shape[0] < 2:
        raise ShapeError("samples", (">= 2 draws", *actual.shape), samples.shape)
