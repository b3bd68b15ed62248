"""The demo cluster: some 300 pods of 25 workloads on nodes that are half empty."""

from dataclasses import dataclass

from nodemix.operator.demo.objects import (
    Json,
    budget_object,
    controller_object,
    namespace_object,
    node_object,
    pod_object,
    replica_set_object,
)
from nodemix.operator.demo.placement import BoughtNode, place
from nodemix.operator.demo.workloads import DAEMON_SETS, WORKLOADS
from nodemix.optimizer.catalog.types import Catalog


@dataclass(frozen=True, slots=True)
class DemoCluster:
    """Objects of the demo, by what may be done with them.

    Args:
        controllers: Deployments, StatefulSets and DaemonSets.
        owned: what controllers make by themselves: ReplicaSets and pods.
    """

    namespaces: tuple[Json, ...]
    nodes: tuple[Json, ...]
    controllers: tuple[Json, ...]
    budgets: tuple[Json, ...]
    owned: tuple[Json, ...]

    def observed(self) -> list[Json]:
        """What ``kubectl get nodes,pods,deployments,... -A`` would list."""
        return [*self.nodes, *self.controllers, *self.budgets, *self.owned]

    def to_apply(self) -> list[Json]:
        """What a person applies; controllers and the scheduler make the rest."""
        return [*self.namespaces, *self.nodes, *self.controllers, *self.budgets]


def demo_cluster(catalog: Catalog) -> DemoCluster:
    """The cluster, built from ``catalog``; the same catalog gives the same objects."""
    bought = place(WORKLOADS, catalog)
    deployments = [w for w in WORKLOADS if w.kind == "Deployment"]
    names = sorted({w.namespace for w in WORKLOADS})
    return DemoCluster(
        namespaces=tuple(namespace_object(name) for name in names),
        nodes=tuple(node_object(node.name, node.offer) for node in bought),
        controllers=tuple(controller_object(w) for w in (*WORKLOADS, *DAEMON_SETS)),
        budgets=tuple(budget_object(w) for w in WORKLOADS if w.budget is not None),
        owned=(*(replica_set_object(w) for w in deployments), *_pods(bought)),
    )


def _pods(bought: list[BoughtNode]) -> list[Json]:
    pods = [pod_object(w, number, node.name) for node in bought for w, number in node.pods]
    daemons = [
        pod_object(daemon_set, number, node.name)
        for number, node in enumerate(bought)
        for daemon_set in DAEMON_SETS
    ]
    return pods + daemons
