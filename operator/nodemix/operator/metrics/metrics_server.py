"""The usage of now, as metrics.k8s.io tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.cluster.quantities import MIB, parse_amount
from nodemix.operator.errors import ConnectionFailedError, MetricsServerError, QuantityError
from nodemix.operator.metrics.history import PODS, Grid
from nodemix.operator.metrics.object_reader import ObjectReader
from nodemix.optimizer.snapshot import Pod, WorkloadKey

POD_METRICS_PATH = "/apis/metrics.k8s.io/v1beta1/pods"
SUBJECT = "metrics.k8s.io"
INSTALL_REMEDY = "install metrics-server and let nodemix get and list pods.metrics.k8s.io"


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """Reads what pods use now."""

    api: ObjectReader

    async def observe(self, pods: Sequence[Pod], now_s: float, step_s: float) -> DemandHistory:
        """One step: pods, CPU and memory of each workload.

        Pods without metrics (they wait for a place, or just started) count as pods; their usage
        is taken as the mean of their workload's other pods, unknown where there is none.

        Raises:
            MetricsServerError: the API is absent, does not answer, or answers nonsense.
        """
        usage = await self._usage()
        members: dict[WorkloadKey, list[tuple[Fraction, Fraction] | None]] = {}
        for pod in pods:
            found = usage.get((pod.namespace, pod.name))
            members.setdefault(pod.workload, []).append(found)
        if not members:
            raise MetricsServerError(SUBJECT, "no pod was asked for", "select some workloads")
        keys = sorted(members)
        grid = Grid.until(now_s, step_s, step_s)
        return DemandHistory(
            series=tuple(str(key) for key in keys),
            indicators=(PODS, "cpu_milli", "memory_mib"),
            start_s=grid.start_s,
            step_s=step_s,
            values=np.array([_indicators(members[key]) for key in keys])[:, :, None],
            parents=tuple(key.namespace for key in keys),
        )

    async def _usage(self) -> Mapping[tuple[str, str], tuple[Fraction, Fraction]]:
        """Cores and bytes of each pod by (namespace, name)."""
        try:
            answer = await self.api.get(POD_METRICS_PATH)
        except ConnectionFailedError as err:
            raise MetricsServerError(SUBJECT, err.fact, INSTALL_REMEDY) from err
        if answer is None:
            raise MetricsServerError(SUBJECT, "is not served by this cluster", INSTALL_REMEDY)
        try:
            return dict(_pod_usage(item) for item in answer["items"])
        except (KeyError, TypeError, QuantityError) as err:
            fact = f"answered something that is no list of pod metrics ({err})"
            raise MetricsServerError(SUBJECT, fact, "update metrics-server") from err


def _pod_usage(item: Mapping[str, Any]) -> tuple[tuple[str, str], tuple[Fraction, Fraction]]:
    used = [container["usage"] for container in item["containers"]]
    cores = sum((parse_amount(u.get("cpu", 0)) for u in used), Fraction(0))
    held = sum((parse_amount(u.get("memory", 0)) for u in used), Fraction(0))
    meta = item["metadata"]
    return (meta["namespace"], meta["name"]), (cores, held)


def _indicators(used: Sequence[tuple[Fraction, Fraction] | None]) -> list[float]:
    """Pods, milli-cores and MiB of one workload."""
    known = [u for u in used if u is not None]
    if not known:
        return [float(len(used)), float("nan"), float("nan")]
    scale = Fraction(len(used), len(known))
    cores = sum((cpu for cpu, _ in known), Fraction(0)) * scale
    held = sum((memory for _, memory in known), Fraction(0)) * scale
    return [float(len(used)), float(cores * 1000), float(held / MIB)]
