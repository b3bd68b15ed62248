"""Small scenes whose figures can be computed by hand: two workloads, three offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from nodemix.forecasting.types import DemandHistory
from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.snapshot import Snapshot, WorkloadKey
from nodemix.simulator.market import Market, PriceChange, Reclaim
from nodemix.simulator.policies import Observation, Target
from nodemix.simulator.replay import Scene
from nodemix.simulator.workload import Workloads, workloads_of

from tests.builders import ON_DEMAND, SPOT, ZONE, make_catalog, make_offer, make_pods, make_snapshot

STEP_S = 600.0
DB, WEB = WorkloadKey("default", "Deployment", "db"), WorkloadKey("default", "Deployment", "web")
PLAIN: PoolKey = ("m5.xlarge", ZONE, ON_DEMAND)
CHEAP: PoolKey = ("m5.xlarge", ZONE, SPOT)
OTHER: PoolKey = ("c5.xlarge", "us-east-1b", SPOT)
OFFERS = make_catalog(
    make_offer("m5.xlarge", 0.2),
    make_offer("m5.xlarge", 0.08, capacity_type=SPOT, interruptions_per_hour=1e-4),
    make_offer("c5.xlarge", 0.07, "us-east-1b", SPOT, interruptions_per_hour=1e-4, memory_gib=8),
)
"""Each node has four cores."""


def make_history(
    pods: Mapping[WorkloadKey, Sequence[float]], indicator: str = "pods", step_s: float = STEP_S
) -> DemandHistory:
    """Step ``i`` stands for the time up to ``i * step_s``."""
    values = np.array([list(demand) for demand in pods.values()], dtype=np.float64)
    return DemandHistory(tuple(map(str, pods)), (indicator,), 0.0, step_s, values[:, None, :])


def make_cluster() -> Snapshot:
    """One pod of 1 core of db, one of 2 cores of web; both of 1 GiB."""
    db = make_pods(1, workload="db", cpu_milli=1000)
    web = make_pods(1, workload="web", cpu_milli=2000)
    return make_snapshot([*db, *web])


def make_workloads(db: Sequence[float], web: Sequence[float]) -> Workloads:
    return workloads_of(make_cluster(), make_history({DB: db, WEB: web}))


def make_scene(
    db: Sequence[float],
    web: Sequence[float],
    reclaims: Sequence[Reclaim] = (),
    changes: Sequence[PriceChange] = (),
    boot_s: float = 600.0,
) -> Scene:
    market = Market(OFFERS, tuple(reclaims), tuple(changes))
    return Scene(make_workloads(db, web), market, boot_s)


@dataclass
class Scripted:
    """Says what it was told to say, and remembers what it saw."""

    targets: Sequence[Target | None]
    has_recourse: bool = False
    name: str = "scripted"
    seen: list[Observation] = field(default_factory=list)

    def step(self, seen: Observation) -> Target | None:
        self.seen.append(seen)
        return self.targets[min(seen.number, len(self.targets) - 1)]
