"""Today's nodes as a plan that changes nothing, and whether they would do."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.decision import needs_a_place
from nodemix.optimizer.plan import PackedNodes, Packing, PlannedNodes
from nodemix.optimizer.problem.built import BuiltProblem, CurrentNode
from nodemix.optimizer.risk.shortfall import shortfall_probability
from nodemix.optimizer.snapshot import Node, Pod, Snapshot, WorkloadKey


def holds_everything(built: BuiltProblem) -> bool:
    """Whether today's nodes, without those that leave, have a place for every pod of the problem.

    Pods that are forecast are placed first-fit into the room that is left. Where a node is like
    no allowed offer its room is not known to the problem, and only what it holds counts.
    """
    staying = [current for current in built.current if _stays(current.node)]
    if any(current.offer is None and current.workloads for current in staying):
        return _counted_pods(staying) >= int(built.problem.demand.sum())
    needed = built.problem.demand[None, :]
    return shortfall_probability(built.problem, _packing(built, staying), needed) == 0.0


def _stays(node: Node) -> bool:
    return node.is_ready and not node.is_leaving


def _counted_pods(nodes: Iterable[CurrentNode]) -> int:
    return sum(pods for node in nodes for _, pods in node.workloads)


def _packing(built: BuiltProblem, nodes: Iterable[CurrentNode]) -> Packing:
    packed = tuple(
        PackedNodes(node.offer, node.pods, 1) for node in nodes if node.offer is not None
    )
    prices = built.problem.price_usd_per_hour
    return Packing(packed, float(sum(prices[nodes.offer] for nodes in packed)))


def nodes_of_today(snapshot: Snapshot, catalog: Catalog) -> tuple[PlannedNodes, ...]:
    """Today's nodes with the pods they hold."""
    pods_on: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in snapshot.pods:
        if needs_a_place(pod) and pod.node_name is not None:
            pods_on[pod.node_name].append(pod)
    prices = {key: offer.price_usd_per_hour for key, offer in catalog.by_key().items()}
    return tuple(_as_it_is(node, pods_on[node.name], prices) for node in snapshot.nodes)


def _as_it_is(
    node: Node, pods: Iterable[Pod], prices: Mapping[tuple[object, ...], float]
) -> PlannedNodes:
    counts: dict[WorkloadKey, int] = {}
    for pod in pods:
        counts[pod.workload] = counts.get(pod.workload, 0) + 1
    pool = (node.instance_type or "unknown", node.zone or "unknown", node.capacity_type)
    return PlannedNodes(*pool, 1, tuple(sorted(counts.items())), prices.get(pool), (node.name,))
