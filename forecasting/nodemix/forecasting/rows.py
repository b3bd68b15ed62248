"""Between the (series, indicator) layout of the contracts and the flat rows models work on."""

import numpy as np
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Samples


def to_rows(history: DemandHistory) -> FloatArray:
    """Values as (series x indicators, steps); row = series index * indicators + indicator."""
    return history.values.reshape(-1, history.steps)


def to_forecast(history: DemandHistory, paths: FloatArray | Samples) -> DemandForecast:
    """The forecast right after ``history`` of ``paths``, shape (rows, draws, steps); clips at 0."""
    rows, draws, steps = paths.shape
    shape = (len(history.series), rows // max(1, len(history.series)), draws, steps)
    samples = np.maximum(paths, 0.0).reshape(shape).transpose(2, 0, 3, 1)
    return DemandForecast(
        series=history.series,
        indicators=history.indicators,
        start_s=history.end_s + history.step_s,
        step_s=history.step_s,
        samples=np.ascontiguousarray(samples, dtype=np.float32),
    )
