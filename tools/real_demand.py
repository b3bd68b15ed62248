"""The demo's demand from a real trace, where the traces are at hand."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from nodemix.forecasting.types import DemandHistory, FloatArray
from nodemix.operator.demo.demand import STEP_S, STEPS, demo_history
from nodemix.operator.demo.workloads import WORKLOADS, DemoWorkload, Pattern

TRACE = "traces/alibaba_dlrm_gpu_15min.parquet"
"""Pods of the inference apps of Alibaba's GPU cluster (2025) every 15 minutes, by node pool."""

GPU_POOL, CPU_POOL = "HN", "CN"
SMALLEST_APP = 4
"""Fewer pods than this at the end would scale up to nonsense."""

MOST_OVER_NOW = 2.0
"""A past peak this much above today's pods is not one that the demo's nodes could have held."""

LEAST_VARIATION = 0.05


def find_trace(environ: Mapping[str, str]) -> Path | None:
    """The trace in the folder that ``NODEMIX_DATA`` names, or beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(environ.get("NODEMIX_DATA") or beside) / TRACE
    return path if path.is_file() else None


def traced_history(trace: Path, now_s: float) -> DemandHistory:
    """The demo's history with the two newest weeks of real apps, each scaled to today's pods.

    Workloads that never scale stay as they are.
    """
    history = demo_history(now_s, np.random.default_rng(0))
    curves = _moving_apps(trace)
    values = history.values.copy()  # noqa: PD011 - an array, no pandas
    for row, workload in enumerate(WORKLOADS):
        if workload.pattern is not Pattern.FLAT:
            pool = GPU_POOL if workload.gpus else CPU_POOL
            values[row, 0] = _scaled(curves[pool].pop(0), workload)
    return replace(history, values=values)


def _scaled(curve: FloatArray, workload: DemoWorkload) -> FloatArray:
    """Whole pods, the last one today's."""
    pods: FloatArray = np.maximum(1.0, np.round(workload.replicas * curve / curve[-1]))
    return pods


def _moving_apps(trace: Path) -> dict[str, list[FloatArray]]:
    """Pods of the apps that are alive at the end and change, by node pool, shape (STEPS,)."""
    table = pd.read_parquet(trace)
    first_s = table["timestamp"].max() - STEPS * STEP_S
    pods = table[(table["indicator"] == "pods") & (table["timestamp"] > first_s)]
    apps = pods.pivot_table(index="timestamp", columns="series_id", values="value")
    last = apps.iloc[-1]
    chosen = (
        (last >= SMALLEST_APP)
        & (apps.max() <= MOST_OVER_NOW * last)
        & (apps.std() > LEAST_VARIATION * apps.mean())
    )
    names = [str(name) for name in apps.columns[chosen]]
    return {
        pool: [apps[name].to_numpy(np.float64) for name in names if name.endswith(pool)]
        for pool in (GPU_POOL, CPU_POOL)
    }
