"""Today's nodes in the terms of the problem."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.problem.built import CurrentNode
from nodemix.optimizer.problem.caps import KeptShare, Pool
from nodemix.optimizer.problem.demand import PodCounts
from nodemix.optimizer.problem.kept import NodeFate, workloads_on
from nodemix.optimizer.problem.rows import CutRow
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey


def current_nodes(
    fates: Iterable[NodeFate], counts: PodCounts, rows: Sequence[CutRow], offers: Sequence[Offer]
) -> tuple[CurrentNode, ...]:
    """The movable nodes as they are packed today, in order of their names.

    Args:
        rows: of the problem, in its order.
        offers: of the problem.
    """
    positions = {offer.key: i for i, offer in enumerate(offers)}
    rows_of_variant = _rows_of_variants(rows)
    return tuple(
        CurrentNode(
            node=fate.node,
            offer=positions.get(fate.offer.key) if fate.offer else None,
            pods=_pods_by_row(fate, counts.on_node.get(fate.node.name, {}), rows_of_variant),
            workloads=workloads_on(fate.node, counts),
            price_usd_per_hour=fate.offer.price_usd_per_hour if fate.offer else None,
        )
        for fate in fates
        if fate.obstacle is None
    )


def _rows_of_variants(rows: Sequence[CutRow]) -> dict[int, dict[str | None, int]]:
    """For each variant the index of its row by zone; None for a row of all zones."""
    found: defaultdict[int, dict[str | None, int]] = defaultdict(dict)
    for i, cut in enumerate(rows):
        for variant in cut.group.variants:
            found[variant][cut.row.zone] = i
    return found


def _pods_by_row(
    fate: NodeFate, pods: Mapping[int, int], rows_of_variant: Mapping[int, Mapping[str | None, int]]
) -> tuple[tuple[int, int], ...]:
    totals: Counter[int] = Counter()
    for variant, count in pods.items():
        by_zone = rows_of_variant.get(variant, {})
        row = by_zone.get(None, by_zone.get(fate.node.zone))
        if row is not None:
            totals[row] += count
    return tuple(sorted(totals.items()))


def pods_kept_by_zone(
    fates: Iterable[NodeFate], counts: PodCounts
) -> dict[WorkloadKey, dict[str, int]]:
    """Pods of each workload that stay, by the zone of their node."""
    totals: defaultdict[WorkloadKey, Counter[str]] = defaultdict(Counter)
    for fate in fates:
        if fate.obstacle is not None and fate.node.zone is not None:
            for workload, pods in workloads_on(fate.node, counts):
                totals[workload][fate.node.zone] += pods
    return {workload: dict(zones) for workload, zones in totals.items()}


def kept_share(fates: Iterable[NodeFate]) -> KeptShare:
    """What the nodes that stay use of a policy's limits."""
    kept = [fate for fate in fates if fate.obstacle is not None]
    spot: defaultdict[Pool, float] = defaultdict(float)
    for fate in kept:
        if fate.node.capacity_type is CapacityType.SPOT:
            spot[fate.node.instance_type or "", fate.node.zone or ""] += _vcpus(fate)
    return KeptShare(
        nodes=len(kept),
        usd_per_hour=sum(fate.price_usd_per_hour for fate in kept),
        vcpus=sum(map(_vcpus, kept)),
        spot_vcpus=tuple(sorted(spot.items())),
    )


def _vcpus(fate: NodeFate) -> float:
    """Of the node; what it allots to pods where the catalog does not know its type."""
    if fate.offer is not None:
        return float(fate.offer.instance.vcpus)
    return fate.node.allocatable.cpu_milli / 1000
