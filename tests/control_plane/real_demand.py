"""Demand as it was: pods shaped like a GPU cluster's trace, their numbers from another trace."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

STEP_S = 900
DAYS = 14
WORKLOADS = 8
MOST_PODS = 14
GPU_TRACE = "gpu/openb_pods_default.csv"
DEMAND_TRACE = "traces/alibaba_dlrm_gpu_15min.parquet"
METRIC = "kube_deployment_status_replicas"


@dataclass(frozen=True, slots=True)
class TracedWorkload:
    """A Deployment of the trace.

    Args:
        requests: as a pod's container writes them.
        pods: at each step, oldest first; the last one is now.
    """

    name: str
    requests: dict[str, str]
    pods: tuple[int, ...]

    @property
    def has_gpu(self) -> bool:
        return "nvidia.com/gpu" in self.requests


def traced_workloads(data: Path) -> list[TracedWorkload]:
    """The most frequent shapes of the GPU trace, each with the pods of one inference app."""
    shapes, histories = frequent_shapes(data / GPU_TRACE), moving_histories(data / DEMAND_TRACE)
    return [
        TracedWorkload(f"app-{i}", requests, pods)
        for i, (requests, pods) in enumerate(zip(shapes, histories, strict=True))
    ]


def frequent_shapes(path: Path) -> list[dict[str, str]]:
    """Requests of the most frequent pods; a share of a GPU counts as a whole one."""
    pods = pd.read_csv(path)
    counts = pods.groupby(["cpu_milli", "memory_mib", "num_gpu"]).size()
    frequent = counts.sort_values(ascending=False, kind="stable").index[:WORKLOADS]
    return [shape_requests(int(cpu), int(memory), int(gpus)) for cpu, memory, gpus in frequent]


def shape_requests(cpu_milli: int, memory_mib: int, gpus: int) -> dict[str, str]:
    requests = {"cpu": f"{cpu_milli}m", "memory": f"{memory_mib}Mi"}
    return requests | ({"nvidia.com/gpu": str(gpus)} if gpus else {})


def moving_histories(path: Path) -> list[tuple[int, ...]]:
    """Pods of apps that are small, alive at the end, and not always the same."""
    trace = pd.read_parquet(path)
    recent = trace["timestamp"].max() - DAYS * 86_400
    pods = trace[(trace["indicator"] == "pods") & (trace["timestamp"] > recent)]
    table = pods.pivot_table(index="timestamp", columns="series_id", values="value").fillna(0)
    is_small = table.max() <= MOST_PODS
    moves = (table.std() > 0.5) & (table.iloc[-1] >= 1)
    chosen = table.loc[:, is_small & moves].iloc[:, :WORKLOADS]
    return [tuple(int(n) for n in chosen[name]) for name in chosen.columns]


def write_history(path: Path, namespace: str, workloads: Sequence[TracedWorkload]) -> Path:
    """What kube-state-metrics would have said, shifted to end now, as OpenMetrics text."""
    end_s = math.floor(time.time() / STEP_S) * STEP_S
    lines = [f"# TYPE {METRIC} gauge"]
    for workload in workloads:
        labels = f'namespace="{namespace}",deployment="{workload.name}"'
        first_s = end_s - (len(workload.pods) - 1) * STEP_S
        lines += [
            f"{METRIC}{{{labels}}} {pods} {first_s + step * STEP_S}"
            for step, pods in enumerate(workload.pods)
        ]
    path.write_text("\n".join([*lines, "# EOF", ""]))
    return path
