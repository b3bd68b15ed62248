"""Demand histories of every kind that a cluster may show."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from nodemix.forecasting.types import DemandHistory, FloatArray

STEP_S = 900.0
DAY = 96
START_S = 1_700_006_400.0


def history_of(values: FloatArray) -> DemandHistory:
    """A history of ``values``, shape (series, indicators, steps)."""
    return DemandHistory(
        series=tuple(f"shop/Deployment/{i}" for i in range(values.shape[0])),
        indicators=("pods", "cpu_milli")[: values.shape[1]],
        start_s=START_S,
        step_s=STEP_S,
        values=values,
    )


def _busy(days: float, series: int = 2) -> FloatArray:
    rng = np.random.default_rng(0)
    steps = round(days * DAY)
    wave = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(steps) / DAY)
    rows = rng.uniform(5.0, 50.0, (series, 2, 1)) * wave * rng.gamma(50.0, 0.02, (1, 1, steps))
    return np.asarray(rows, dtype=np.float64)


def _exploding() -> FloatArray:
    values = _busy(5)
    values[0] *= 2.0 ** (np.arange(values.shape[2]) / 12)  # twelve orders of magnitude
    return values


def _steps() -> FloatArray:
    jumps = np.random.default_rng(1).integers(0, 9, (2, 2, 10)).astype(np.float64)
    return np.repeat(jumps, DAY // 2, axis=2)


def _woken() -> FloatArray:
    values = np.zeros((2, 2, 5 * DAY))
    values[1, :, -10:] = 20.0
    return values


WHOLE = {
    "busy": _busy(5),
    "constant": np.full((2, 2, 5 * DAY), 7.0),
    "all zero": np.zeros((2, 2, 5 * DAY)),
    "short": _busy(0.25),
    "one step": _busy(1 / DAY),
    "exploding": _exploding(),
    "steps": _steps(),
    "woken": _woken(),
    "tiny": 1e-9 * _busy(5),
    "huge": 1e12 * _busy(5),
}
"""Values without holes, shape (series, indicators, steps), by what they are like."""


def gappy(values: FloatArray, share: float = 0.3) -> FloatArray:
    """``values`` with a random ``share`` missing, though not the newest."""
    holes = np.random.default_rng(2).random(values.shape) < share
    holes[:, :, -1] = False
    return np.where(holes, np.nan, values)


def poisoned(values: FloatArray) -> FloatArray:
    """``values`` with NaN, negative, infinite and absurd samples strewn in."""
    rng = np.random.default_rng(3)
    bad = rng.choice([np.nan, -5.0, np.inf, -np.inf, 1e300], values.shape)
    hit = rng.random(values.shape) < 0.1
    hit[:, :, -1] = False
    return np.where(hit, bad, values)


BROKEN = {
    "gappy": gappy(WHOLE["busy"]),
    "poisoned": poisoned(WHOLE["busy"]),
    "gappy steps": gappy(WHOLE["steps"]),
    "an outage of two days": np.where(
        (np.arange(5 * DAY) > 200) & (np.arange(5 * DAY) < 392), np.nan, WHOLE["busy"]
    ),
}
"""Values with holes and worse."""


def raw_histories() -> st.SearchStrategy[DemandHistory]:
    """Small histories of arbitrary samples, NaN and infinite ones too."""
    shapes = st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 250))
    return shapes.flatmap(
        lambda shape: npst.arrays(np.float64, shape, elements=st.floats(width=32))
    ).map(history_of)
