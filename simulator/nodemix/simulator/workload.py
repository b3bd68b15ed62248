"""Pods wanted over time, from a history of demand and the workloads of a snapshot."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.types import DemandHistory, FloatArray
from nodemix.optimizer.decision import needs_a_place
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.scope import selects
from nodemix.optimizer.problem.types import IntArray
from nodemix.optimizer.snapshot import PodTemplate, Snapshot, WorkloadKey
from nodemix.simulator.clock import TOLERANCE_S
from nodemix.simulator.errors import ReplayError

PODS = "pods"


@dataclass(frozen=True, slots=True, eq=False)
class Workloads:
    """What is wanted when, and what of it was known when.

    Args:
        keys: sorted.
        templates: of each workload's pods; of a rollout the one that most pods have.
        history: as observed, holes and all; step ``i`` stands for the time up to its own.
        pods: wanted in each step of the history, shape (steps, workloads).
        left_out: series of the history whose pods the snapshot does not show.
        steady: workloads without a history; they want what the snapshot shows, always.
    """

    keys: tuple[WorkloadKey, ...]
    templates: tuple[PodTemplate, ...]
    history: DemandHistory
    pods: IntArray
    left_out: tuple[str, ...] = ()
    steady: tuple[WorkloadKey, ...] = ()

    def wanted_at(self, at_s: float) -> IntArray:
        """Pods of each workload just after ``at_s``, shape (workloads,)."""
        past = np.floor((at_s - self.history.start_s + TOLERANCE_S) / self.history.step_s)
        wanted: IntArray = self.pods[int(np.clip(past + 1, 0, len(self.pods) - 1))]
        return wanted

    def next_change_s(self, at_s: float) -> float:
        """When the next step of the history begins."""
        history = self.history
        past = np.floor((at_s - history.start_s + TOLERANCE_S) / history.step_s)
        return float(history.start_s + (past + 1) * history.step_s)

    def known_at(self, at_s: float) -> DemandHistory:
        """The steps that have ended by ``at_s``."""
        history = self.history
        ended = np.floor((at_s - history.start_s + TOLERANCE_S) / history.step_s) + 1
        return history.until(int(np.clip(ended, 0, history.steps)))

    def peak_between(self, start_s: float, end_s: float) -> IntArray:
        """Most pods that each workload wants after ``start_s`` and up to ``end_s``."""
        history = self.history
        first = np.floor((start_s - history.start_s + TOLERANCE_S) / history.step_s) + 1
        last = np.ceil((end_s - history.start_s - TOLERANCE_S) / history.step_s)
        low = int(np.clip(first, 0, len(self.pods) - 1))
        most: IntArray = self.pods[low : max(low, int(last)) + 1].max(axis=0)
        return most


def workloads_of(
    snapshot: Snapshot, history: DemandHistory, selector: WorkloadSelector | None = None
) -> Workloads:
    """The selected workloads of ``snapshot`` with the demand that ``history`` has of them.

    Raises:
        ReplayError: the history speaks of none of them.
    """
    chosen = selector or WorkloadSelector()
    counted = _templates(snapshot, chosen)
    keys = tuple(sorted(counted))
    named = {str(key): key for key in keys}
    spoken = [i for i, series in enumerate(history.series) if series in named]
    if not spoken:
        raise ReplayError(
            f"demand history: none of its {len(history.series)} series is one of the "
            f"{len(keys)} selected workloads of the snapshot; series are namespace/Kind/name"
        )
    ours = history.only(spoken)
    templates = {key: counted[key].most_common(1)[0][0] for key in keys}
    pods = np.tile([counted[key].total() for key in keys], (history.steps, 1)).astype(np.int64)
    wanted = wanted_pods(ours, {name: templates[key] for name, key in named.items()})
    for column, series in enumerate(ours.series):
        pods[:, keys.index(named[series])] = wanted[:, column]
    return Workloads(
        keys=keys,
        templates=tuple(templates[key] for key in keys),
        history=ours,
        pods=pods,
        left_out=tuple(name for name in history.series if name not in named),
        steady=tuple(key for key in keys if str(key) not in ours.series),
    )


def _templates(
    snapshot: Snapshot, selector: WorkloadSelector
) -> dict[WorkloadKey, Counter[PodTemplate]]:
    counted: dict[WorkloadKey, Counter[PodTemplate]] = {}
    for pod in filter(needs_a_place, snapshot.pods):
        if selects(selector, pod.namespace, pod.template):
            counted.setdefault(pod.workload, Counter())[pod.template] += 1
    return counted


def wanted_pods(history: DemandHistory, templates: Mapping[str, PodTemplate]) -> IntArray:
    """Pods that cover the demand, shape (steps, series); a hole keeps what was wanted before it.

    As in a decision, a count of pods speaks alone; else their requests have to cover the usage.
    """
    if PODS in history.indicators:
        served = history.values[:, [history.indicators.index(PODS)]]
    else:
        per_pod = np.array(
            [
                [templates[name].requests.amount(i) or np.inf for i in history.indicators]
                for name in history.series
            ]
        )
        served = history.values / per_pod[:, :, None]
    filled = _held(served)
    pods: IntArray = np.maximum(np.ceil(filled - 1e-9).max(axis=1).T, 0).astype(np.int64)
    return pods


def _held(values: FloatArray) -> FloatArray:
    """Holes filled with the last value before them, 0 where there is none; time is last."""
    steps = np.arange(values.shape[-1])
    seen = np.where(np.isnan(values), -1, steps)
    last = np.maximum.accumulate(seen, axis=-1)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=-1)
    return np.where(last >= 0, taken, 0.0)
