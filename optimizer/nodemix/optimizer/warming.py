"""A decision about next to nothing, so that nobody waits for kernels to compile."""

from itertools import count

import numpy as np
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer
from nodemix.optimizer.packing.solve import warm_up as warm_up_search
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.risk.front import warm_up as warm_up_front
from nodemix.optimizer.snapshot import CapacityType, Pod, PodTemplate, Snapshot, WorkloadKey

WORKLOAD = WorkloadKey("warm", "Deployment", "up")
SEARCH_READINGS = 1_000
"""Readings of a clock that ticks at each of them; enough to pass through the whole decision."""


def warm_up() -> None:
    """Compile every kernel that a decision uses, or load it from the disk."""
    warm_up_search()
    warm_up_front()
    readings = count()
    decide(
        _snapshot(),
        _forecast(),
        Policy(name="warm-up", search_s=float(SEARCH_READINGS)),
        _catalog(),
        np.random.default_rng(0),
        lambda: float(next(readings)),
    )


def _snapshot() -> Snapshot:
    template = PodTemplate(Resources.of({}, cpu_milli=400, memory_mib=700, pods=1))
    pods = (Pod(WORKLOAD.namespace, str(i), WORKLOAD, template) for i in range(12))
    return Snapshot(taken_at_s=0.0, pods=tuple(pods))


def _forecast() -> DemandForecast:
    """Twelve pods, or a few more."""
    pods = np.array([12.0, 13.0, 14.0, 12.0], dtype=np.float32)
    return DemandForecast((str(WORKLOAD),), ("pods",), 0.0, 300.0, pods.reshape(-1, 1, 1, 1))


def _catalog() -> Catalog:
    room = Resources.of({}, cpu_milli=2000, memory_mib=4000, pods=10)
    instance = InstanceType("warm.large", "warm", "m", 5, "amd64", 2, 4096, room)
    spot = Offer(instance, "zone", CapacityType.SPOT, 0.03, 1e-4)
    return Catalog((Offer(instance, "zone", CapacityType.ON_DEMAND, 0.1), spot), source="warm-up")
