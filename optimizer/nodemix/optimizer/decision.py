"""How many pods of each workload the plan must hold."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.snapshot import Pod, Snapshot, WorkloadKey


@dataclass(frozen=True, slots=True, eq=False)
class PodPaths:
    """Highest number of pods of each workload within the lead time, on joint paths.

    Args:
        workloads: shape (workloads,).
        pods: whole pods, shape (draws, workloads).
    """

    workloads: tuple[WorkloadKey, ...]
    pods: IntArray

    def halves(self) -> tuple["PodPaths", "PodPaths"]:
        """Paths to decide on and fresh ones to score on: the same law, no path in both."""
        return (
            PodPaths(self.workloads, self.pods[0::2]),
            PodPaths(self.workloads, self.pods[1::2]),
        )


def pod_paths(
    workloads: tuple[WorkloadKey, ...], highest: FloatArray, per_pod: FloatArray
) -> PodPaths:
    """Pods that cover the highest demand of each path in every indicator.

    Args:
        highest: demand, shape (draws, workloads, indicators).
        per_pod: what one pod serves, shape (workloads, indicators); inf where the indicator says
            nothing about the workload.
    """
    # The tolerance keeps 3.0000000001 pods from becoming four.
    pods = np.ceil(highest / per_pod - 1e-9).max(axis=2)
    return PodPaths(workloads, np.maximum(pods, 0).astype(np.int64))


def pods_by_workload(snapshot: Snapshot) -> dict[WorkloadKey, int]:
    """Pods of each workload that hold or wait for a place and are not on their way out."""
    counts: dict[WorkloadKey, int] = {}
    for pod in snapshot.pods:
        if needs_a_place(pod):
            counts[pod.workload] = counts.get(pod.workload, 0) + 1
    return counts


def over_provisioned(
    pods: Mapping[WorkloadKey, int], share: float, on_spot: Collection[WorkloadKey]
) -> dict[WorkloadKey, int]:
    """Further places for the workloads that may run on spot, ``share`` of their pods in sum.

    Fractions are carried over from one workload to the next, so that small ones do not each get a
    whole pod more.
    """
    carried = 0.0
    planned = dict(pods)
    for key in sorted(on_spot):
        carried += share * pods.get(key, 0)
        extra = int(carried + 1e-9)
        if key in planned and planned[key] > 0:
            planned[key] += extra
            carried -= extra
    return planned


def needs_a_place(pod: Pod) -> bool:
    """Whether a plan must hold the pod."""
    return not pod.is_terminating
