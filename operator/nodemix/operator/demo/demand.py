"""Two weeks of demand for the demo's workloads: seasons, noise, growth and gaps."""

import numpy as np
from nodemix.forecasting.types import DemandHistory, FloatArray
from nodemix.operator.demo.workloads import WORKLOADS, DemoWorkload, Pattern

STEP_S = 900.0
STEPS_PER_DAY = 96
DAYS = 14
STEPS = DAYS * STEPS_PER_DAY

NOISE_SHARE = 0.04
GAP_STEPS = 6
"""How long a scrape that fails stays down: an hour and a half."""

SERIES_WITH_GAPS = 4


def demo_history(now_s: float, rng: np.random.Generator) -> DemandHistory:
    """Pods of each workload every 15 minutes up to ``now_s``; ends with today's replicas.

    The clock of the seasons starts at ``now_s``, so that the demo shows a rising morning whenever
    it is run.
    """
    values = np.stack([_pods(workload, rng) for workload in WORKLOADS])
    for row in rng.choice(len(WORKLOADS), SERIES_WITH_GAPS, replace=False):
        start = int(rng.integers(STEPS_PER_DAY, STEPS - STEPS_PER_DAY))
        values[row, start : start + GAP_STEPS] = np.nan
    end_s = np.floor(now_s / STEP_S) * STEP_S
    return DemandHistory(
        series=tuple(workload.series for workload in WORKLOADS),
        indicators=("pods",),
        start_s=float(end_s - (STEPS - 1) * STEP_S),
        step_s=STEP_S,
        values=values[:, None, :],
    )


def _pods(workload: DemoWorkload, rng: np.random.Generator) -> FloatArray:
    """Whole pods, shape (STEPS,), the last one equal to the workload's replicas."""
    shape = _shape(workload.pattern, rng)
    noise = 1.0 + NOISE_SHARE * rng.standard_normal(STEPS) * (workload.pattern is not Pattern.FLAT)
    level = shape * noise
    pods: FloatArray = np.maximum(1.0, np.round(workload.replicas * level / shape[-1]))
    pods[-1] = workload.replicas
    return pods


def _shape(pattern: Pattern, rng: np.random.Generator) -> FloatArray:
    """Relative demand, shape (STEPS,), positive."""
    days = (np.arange(STEPS) - (STEPS - 1)) / STEPS_PER_DAY  # 0 is now, a Wednesday at 9:00
    is_weekend = np.isin(np.floor(days + 2 + 9 / 24) % 7, (5, 6))
    match pattern:
        case Pattern.OFFICE:
            return np.where(is_weekend, 0.5, 1.0) * (1.0 + 0.35 * _wave(days, peak_day=0.2))
        case Pattern.SHOP:
            return np.where(is_weekend, 1.25, 1.0) * (1.0 + 0.3 * _wave(days, peak_day=0.3))
        case Pattern.NIGHT:
            return 1.0 + 0.4 * _wave(days, peak_day=0.7)
        case Pattern.GROWING:
            return np.exp2(days / DAYS) * (1.0 + 0.15 * _wave(days, peak_day=0.2))
        case Pattern.STEPS:
            return np.repeat(rng.integers(1, 4, size=2 * DAYS), STEPS_PER_DAY // 2).astype(float)
        case Pattern.FLAT:
            return np.ones(STEPS)


def _wave(days: FloatArray, peak_day: float) -> FloatArray:
    """One hump a day whose peak is ``peak_day`` of a day after now."""
    wave: FloatArray = np.cos(2 * np.pi * (days - peak_day))
    return wave
