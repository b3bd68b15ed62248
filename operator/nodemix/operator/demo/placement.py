"""Nodes as a careless operator buys them, and the pods that run on them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

from nodemix.operator.demo.workloads import DAEMON_SETS, DemoWorkload
from nodemix.optimizer.catalog.types import Catalog, Offer
from nodemix.optimizer.errors import CatalogError
from nodemix.optimizer.resources import GPU_RESOURCE, Resources
from nodemix.optimizer.snapshot import CapacityType

TEAM_TYPES = {
    "shop": "m5.2xlarge",
    "media": "c5.4xlarge",
    "data": "r5.4xlarge",
    "ml": "m5.4xlarge",
    "platform": "m5.4xlarge",
}
"""Each team buys one on-demand type and stays with it."""

GPU_TYPE = "g5.4xlarge"
FILL_LIMIT = 0.6
"""A team that is afraid of running out buys a node more at this fill."""


@dataclass(slots=True)
class BoughtNode:
    """A node being filled."""

    name: str
    team: str
    offer: Offer
    used: Resources
    pods: list[tuple[DemoWorkload, int]] = field(default_factory=list)

    def takes(self, workload: DemoWorkload, zone: str | None) -> bool:
        """Whether its team would put one more pod of ``workload`` here."""
        if zone not in (None, self.offer.zone) or self._is_for_gpus != (workload.gpus > 0):
            return False
        if workload.is_alone_on_node and any(other is workload for other, _ in self.pods):
            return False
        return (self.used + requests(workload)).fits(self._room)

    def put(self, workload: DemoWorkload, number: int) -> None:
        """Place pod ``number`` of ``workload`` here."""
        self.used += requests(workload)
        self.pods.append((workload, number))

    @property
    def _is_for_gpus(self) -> bool:
        return self.offer.instance.allocatable.gpus > 0

    @property
    def _room(self) -> Resources:
        """What the team dares to use: all of it for the first pod, else up to the limit."""
        whole = self.offer.instance.allocatable
        if not self.pods:
            return whole
        return Resources.of(
            dict(whole.extended),
            cpu_milli=int(whole.cpu_milli * FILL_LIMIT),
            memory_mib=int(whole.memory_mib * FILL_LIMIT),
            pods=whole.pods,
        )


def requests(workload: DemoWorkload) -> Resources:
    """What one pod of ``workload`` asks for."""
    return Resources.of(
        {GPU_RESOURCE: workload.gpus},
        cpu_milli=workload.cpu_milli,
        memory_mib=workload.memory_mib,
        pods=1,
    )


def place(workloads: tuple[DemoWorkload, ...], catalog: Catalog) -> list[BoughtNode]:
    """Every pod of ``workloads`` on a node, first fit; pods of a zone spread take turns.

    Raises:
        CatalogError: the catalog does not sell what the teams buy.
    """
    nodes: list[BoughtNode] = []
    zones = cycle(catalog.zones())
    for workload in workloads:
        spread = cycle(catalog.zones())
        for number in range(workload.replicas):
            zone = next(spread) if workload.spreads_zones else None
            node = next(_candidates(nodes, workload, zone), None)
            if node is None:
                node = _buy(workload, zone or next(zones), len(nodes), catalog)
                nodes.append(node)
            node.put(workload, number)
    return nodes


def _candidates(
    nodes: list[BoughtNode], workload: DemoWorkload, zone: str | None
) -> Iterator[BoughtNode]:
    return (
        node for node in nodes if node.team == workload.namespace and node.takes(workload, zone)
    )


def _buy(workload: DemoWorkload, zone: str, number: int, catalog: Catalog) -> BoughtNode:
    instance_type = GPU_TYPE if workload.gpus else TEAM_TYPES[workload.namespace]
    offer = catalog.by_key().get((instance_type, zone, CapacityType.ON_DEMAND))
    if offer is None:
        raise CatalogError(
            f"{catalog.source}: no {instance_type} on demand in {zone}; "
            "the demo needs the bundled catalog"
        )
    used = Resources()
    for daemon_set in DAEMON_SETS:
        used += requests(daemon_set)
    return BoughtNode(f"{workload.namespace}-{number:03d}", workload.namespace, offer, used)
