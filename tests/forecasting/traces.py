"""Real traces of demand, as histories."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from nodemix.forecasting.types import DemandHistory

DAY_S = 86_400


@dataclass(frozen=True)
class Trace:
    """Which file, which of its indicators, on which grid."""

    file: str
    indicator: str
    step_s: int = 900
    series: int = 8


TRACES = {
    "bitbrains": Trace("bitbrains_rnd_5min", "cpu"),
    "rise": Trace("rise_k8s_5min", "cpu", series=20),
    "fisher": Trace("fisher_10min", "cpu.busy", step_s=600, series=10),
    "dlrm": Trace("alibaba_dlrm_gpu_15min", "pods"),
    "nab": Trace("nab_aws_5min", "cpu"),
}


def read(folder: Path, trace: Trace) -> DemandHistory:
    """Means on the trace's grid of the series that are best observed; NaN where there is a gap."""
    frame = pd.read_parquet(
        folder / "traces" / f"{trace.file}.parquet",
        columns=["timestamp", "series_id", "value"],
        filters=[("indicator", "==", trace.indicator)],
    )
    frame["step"] = frame["timestamp"] // trace.step_s
    frame["step"] -= frame.groupby("series_id")["step"].transform("max")  # nab's end apart
    frame = frame[frame["step"] > -20 * DAY_S // trace.step_s]
    chosen = frame["series_id"].value_counts().sort_index(kind="stable")
    names = chosen.sort_values(ascending=False, kind="stable").index[: trace.series]
    table = frame[frame["series_id"].isin(names)].pivot_table(
        index="step", columns="series_id", values="value"
    )
    values = table.reindex(range(int(table.index.min()), 1)).to_numpy(np.float64).T
    return DemandHistory(
        tuple(table.columns), ("demand",), 0.0, float(trace.step_s), values[:, None, :]
    )
