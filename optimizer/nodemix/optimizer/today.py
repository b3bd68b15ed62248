"""Today's nodes as a plan that changes nothing, and whether they would do."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.catalog.types import Catalog, Offer, PoolKey
from nodemix.optimizer.decision import needs_a_place
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.problem.built import BuiltProblem, CurrentNode
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.risk.shortfall import node_limits, node_room, shortfall_probability
from nodemix.optimizer.snapshot import Node, Snapshot, WorkloadKey


@dataclass(frozen=True, slots=True, eq=False)
class Today:
    """Today's nodes as a plan that changes nothing.

    Args:
        packing: the movable nodes that stay and are like some offer.
        kept: the others; those that leave hold nothing any more.
        problem: without the pods that ``kept`` has of it, so that none is needed twice.
        holds_everything: see `holds_everything`.
        broken_rules: names of the policy's caps that they break.
    """

    packing: Packing
    kept: tuple[PlannedNodes, ...]
    problem: Problem
    holds_everything: bool
    broken_rules: tuple[str, ...]


def today_of(built: BuiltProblem) -> Today:
    """Today's nodes in the terms of the problem."""
    staying = _staying(built)
    unlike = tuple(_as_they_are(current) for current in staying if current.offer is None)
    leaving = tuple(
        replace(_as_they_are(current), pods=())
        for current in built.current
        if not _stays(current.node)
    )
    packing = _packing(built, staying)
    return Today(
        packing,
        (*built.kept, *unlike, *leaving),
        _without(built.problem, (current for current in staying if current.offer is None)),
        holds_everything(built),
        _broken_rules(built, packing),
    )


def _without(problem: Problem, nodes: Iterable[CurrentNode]) -> Problem:
    """The problem without the pods on some nodes."""
    held: Counter[int] = Counter()
    for node in nodes:
        held.update(dict(node.pods))
    rows = (replace(row, pods=max(0, row.pods - held[i])) for i, row in enumerate(problem.rows))
    return replace(problem, rows=tuple(rows))


def _broken_rules(built: BuiltProblem, packing: Packing) -> tuple[str, ...]:
    problem = built.problem
    counts = np.zeros(len(problem.offers))
    for group in packing.nodes:
        counts[group.offer] += group.count
    return tuple(
        cap.name
        for cap in problem.caps
        if cap.is_rule and cap.coefficients @ counts > cap.limit + 1e-9 * (1.0 + abs(cap.limit))
    )


def _as_they_are(current: CurrentNode) -> PlannedNodes:
    """A node that is like no allowed offer, with what it holds."""
    node = current.node
    return PlannedNodes(
        *_pool_of(node), 1, current.workloads, current.price_usd_per_hour, (node.name,)
    )


def holds_everything(built: BuiltProblem) -> bool:
    """Whether today's nodes, without those that leave, have a place for every pod of the problem.

    Pods that are forecast are placed first-fit into the room that is left. Where a node is like
    no allowed offer its room is not known to the problem, and only what it holds counts.
    """
    staying = _staying(built)
    if any(current.offer is None and current.workloads for current in staying):
        return _counted_pods(staying) >= int(built.problem.demand.sum())
    needed = built.problem.demand[None, :]
    if shortfall_probability(built.problem, _packing(built, staying), needed) > 0.0:
        return False
    return sum(pods for _, _, pods in _newcomers(built)) == _homeless(built).total()


def _staying(built: BuiltProblem) -> list[CurrentNode]:
    """The movable nodes that would stay if nothing is changed."""
    return [current for current in built.current if _stays(current.node)]


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


def nodes_of_today(
    snapshot: Snapshot, catalog: Catalog, built: BuiltProblem
) -> tuple[PlannedNodes, ...]:
    """Today's nodes with the pods that will be on them; only where they hold everything.

    Pods that wait, or whose node leaves, are shown where they find room.
    """
    staying = {node.name for node in snapshot.nodes if _stays(node)}
    staying |= {name for group in built.kept for name in group.kept_nodes}
    pods_on: defaultdict[str, Counter[WorkloadKey]] = defaultdict(Counter)
    for pod in snapshot.pods:
        if needs_a_place(pod) and pod.node_name in staying:
            pods_on[pod.node_name][pod.workload] += 1
    for name, workload, pods in _newcomers(built):
        pods_on[name][workload] += pods
    on_sale, covered = catalog.by_key(), dict(built.covered)
    return tuple(
        _as_it_is(node, pods_on[node.name], covered.get(node.name) or on_sale.get(_pool_of(node)))
        for node in snapshot.nodes
    )


def _newcomers(built: BuiltProblem) -> Iterator[tuple[str, WorkloadKey, int]]:
    """(node, workload, pods) that find room on the nodes that stay, first-fit."""
    hosts = [current for current in _staying(built) if current.offer is not None]
    problem = built.problem
    room = node_room(problem, _packing(built, hosts))
    limits = node_limits(problem)
    homeless = _homeless(built)
    for row, now in enumerate(built.rows_now):
        workload = problem.rows[row].workload
        # A zone's row may lack pods that another zone has too many of: those have a home.
        lacking = min(now - int(room.held[:, row].sum()), homeless[workload])
        request = problem.requests[row]
        for i in np.flatnonzero(room.compatible[row]).tolist():
            fitting = int(min(room.free[i, request > 0] // request[request > 0]))
            pods = min(lacking, fitting, int(limits[row] - room.held[i, row]))
            if pods > 0:
                room.free[i] -= pods * request
                lacking -= pods
                homeless[workload] -= pods
                yield hosts[i].node.name, workload, pods


def _homeless(built: BuiltProblem) -> Counter[WorkloadKey]:
    """Pods of today, by workload, that wait or are on nodes that leave."""
    totals: Counter[WorkloadKey] = Counter()
    for row, now in zip(built.problem.rows, built.rows_now, strict=True):
        totals[row.workload] += now
    for current in _staying(built):
        totals.subtract(dict(current.workloads))
    return totals


def _pool_of(node: Node) -> PoolKey:
    return (node.instance_type or "unknown", node.zone or "unknown", node.capacity_type)


def _as_it_is(node: Node, pods: Mapping[WorkloadKey, int], offer: Offer | None) -> PlannedNodes:
    price, terms = (offer.price_usd_per_hour, offer.terms) if offer else (None, "")
    held = tuple(sorted(pods.items()))
    return PlannedNodes(*_pool_of(node), 1, held, price, (node.name,), terms=terms)
