"""Demand of the past, made small and dull unless a test says otherwise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray

STEP_S = 900.0
DAY = 96
"""Steps of a day."""

START_S = 1_700_006_400.0
"""A midnight."""


def make_history(*rows: Sequence[float] | FloatArray, **fields: Any) -> DemandHistory:
    """One series of pods for each row, every 15 minutes."""
    defaults: dict[str, Any] = {
        "series": tuple(f"shop/Deployment/{i}" for i in range(len(rows))),
        "indicators": ("pods",),
        "start_s": START_S,
        "step_s": STEP_S,
        "values": np.array(rows, dtype=np.float64)[:, None, :],
    }
    return DemandHistory(**{**defaults, **fields})


def seasonal_rows(rows: int, days: float, seed: int = 0, noise: float = 0.1) -> FloatArray:
    """Rows with a daily wave, each with its own level and phase; shape (rows, steps)."""
    rng = np.random.default_rng(seed)
    steps = round(days * DAY)
    level = rng.uniform(5.0, 50.0, (rows, 1))
    wave = np.sin(2 * np.pi * np.arange(steps) / DAY + rng.uniform(0, 6, (rows, 1)))
    shaken = 1.0 + noise * rng.standard_normal((rows, steps))
    values: FloatArray = level * (1.0 + 0.5 * wave) * shaken
    return np.maximum(values, 0.0)


def make_forecast(samples: Any, **fields: Any) -> DemandForecast:
    """A forecast of ``samples`` (draws, series, steps, indicators) after ``START_S``."""
    values = np.asarray(samples, dtype=np.float32)
    defaults: dict[str, Any] = {
        "series": tuple(f"shop/Deployment/{i}" for i in range(values.shape[1])),
        "indicators": ("pods", "cpu_milli")[: values.shape[3]],
        "start_s": START_S,
        "step_s": STEP_S,
        "samples": values,
    }
    return DemandForecast(**{**defaults, **fields})
