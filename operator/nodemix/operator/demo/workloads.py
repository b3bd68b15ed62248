"""The workloads of the demo cluster.

Shapes of the heavy ones (``media``, ``data``, ``ml``) are those of pods in Alibaba's GPU cluster
trace of 2023 (openb); the small ones are what web services usually ask for.
"""

from dataclasses import dataclass
from enum import Enum


class Pattern(Enum):
    """How the demand for a workload moves over time."""

    OFFICE = "office"  # a hump a day, low at weekends
    SHOP = "shop"  # evenings and weekends
    NIGHT = "night"  # batch work after midnight
    GROWING = "growing"  # a shop that doubles in two weeks
    FLAT = "flat"
    STEPS = "steps"  # teams that start and stop jobs


@dataclass(frozen=True, slots=True)
class DemoWorkload:
    """One controller and what its pods ask for.

    Args:
        pattern: of the demand history.
        is_spot_denied: its pods carry ``nodemix.dev/spot: deny``.
        budget: pods that must stay available (a PodDisruptionBudget); None for no budget.
        spreads_zones: required topology spread over zones, maxSkew 1.
        is_alone_on_node: required anti-affinity on the hostname.
    """

    namespace: str
    name: str
    replicas: int
    cpu_milli: int
    memory_mib: int
    pattern: Pattern = Pattern.FLAT
    kind: str = "Deployment"
    gpus: int = 0
    is_spot_denied: bool = False
    budget: int | None = None
    spreads_zones: bool = False
    is_alone_on_node: bool = False

    @property
    def series(self) -> str:
        """Its name in histories, forecasts and plans."""
        return f"{self.namespace}/{self.kind}/{self.name}"


_W, _P = DemoWorkload, Pattern

WORKLOADS: tuple[DemoWorkload, ...] = (
    _W("shop", "frontend", 28, 500, 512, _P.SHOP, budget=20, spreads_zones=True),
    _W("shop", "cart", 22, 350, 384, _P.SHOP),
    _W("shop", "checkout", 12, 750, 1024, _P.SHOP, is_spot_denied=True, budget=10),
    _W("shop", "catalog", 20, 600, 1536, _P.SHOP),
    _W("shop", "search", 16, 1500, 4096, _P.SHOP),
    _W("shop", "recommend", 10, 2000, 6144, _P.SHOP),
    _W("shop", "payments", 6, 500, 1024, _P.SHOP, is_spot_denied=True, budget=5),
    _W("shop", "redis", 3, 1000, 6144, kind="StatefulSet", is_alone_on_node=True, budget=2),
    _W("media", "transcode", 20, 3152, 5600, _P.OFFICE),
    _W("media", "thumbnails", 22, 900, 1200, _P.GROWING),
    _W("media", "ingest", 12, 1000, 2048, _P.OFFICE),
    _W("data", "executors", 18, 4000, 15258, _P.NIGHT),
    _W("data", "etl", 6, 8000, 30517, _P.NIGHT),
    _W("data", "archive", 2, 12500, 57344),
    _W("data", "warehouse", 4, 6000, 12288, kind="StatefulSet"),
    _W("data", "kafka", 3, 2000, 8192, kind="StatefulSet", is_alone_on_node=True, budget=2),
    _W("data", "reports", 1, 500, 1024, budget=1),
    _W("ml", "chat", 5, 3152, 5600, _P.OFFICE, gpus=1, is_spot_denied=True),
    _W("ml", "embeddings", 3, 8000, 30517, _P.OFFICE, gpus=1),
    _W("ml", "trainer", 2, 11300, 49152, _P.STEPS, gpus=1),
    _W("ml", "features", 8, 1200, 4800, _P.OFFICE),
    _W("platform", "gateway", 12, 400, 512, _P.SHOP, budget=9, spreads_zones=True),
    _W("platform", "auth", 12, 300, 384, _P.OFFICE),
    _W("platform", "queue", 30, 450, 900, _P.GROWING),
    _W("platform", "runners", 22, 1500, 3000, _P.OFFICE),
)

DAEMON_SETS: tuple[DemoWorkload, ...] = (
    _W("platform", "node-agent", 0, 100, 128, kind="DaemonSet"),
    _W("platform", "log-shipper", 0, 150, 200, kind="DaemonSet"),
)
