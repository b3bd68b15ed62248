"""Today's nodes in the terms of the problem."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from nodemix.optimizer.catalog.types import InstanceType, Offer
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.built import CurrentNode
from nodemix.optimizer.problem.caps import KeptShare
from nodemix.optimizer.problem.churn import InPlace
from nodemix.optimizer.problem.demand import PodCounts
from nodemix.optimizer.problem.kept import NodeFate, workloads_on
from nodemix.optimizer.problem.quotas import quota_use
from nodemix.optimizer.problem.rows import CutRow
from nodemix.optimizer.problem.safety import Pool
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey


def current_nodes(
    fates: Iterable[NodeFate],
    counts: PodCounts,
    rows: Sequence[CutRow],
    offers: Sequence[Offer],
    in_place: Iterable[InPlace] = (),
) -> tuple[CurrentNode, ...]:
    """The movable nodes as they are packed today, in order of their names.

    Args:
        rows: of the problem, in its order.
        offers: of the problem; a node has the one of its pool that it would be in a plan, on its
            terms if there is one.
    """
    position = _positions(offers, in_place)
    rows_of_variant = _rows_of_variants(rows)
    return tuple(
        CurrentNode(
            node=fate.node,
            offer=position(fate),
            pods=_pods_by_row(fate, counts.on_node.get(fate.node.name, {}), rows_of_variant),
            workloads=workloads_on(fate.node, counts),
            price_usd_per_hour=fate.offer.price_usd_per_hour if fate.offer else None,
        )
        for fate in fates
        if fate.obstacle is None
    )


def _positions(
    offers: Sequence[Offer], in_place: Iterable[InPlace]
) -> Callable[[NodeFate], int | None]:
    groups = {name: group for group in in_place for name in group.names}
    exact = {offer: i for i, offer in enumerate(offers)}
    by_key = {offer.key: i for i, offer in reversed(list(enumerate(offers)))}

    def position(fate: NodeFate) -> int | None:
        if fate.offer is None:
            return None
        if (group := groups.get(fate.node.name)) is not None:
            same = (o for o in group.offers if o.terms == fate.offer.terms and o in exact)
            return next((exact[offer] for offer in same), None)
        return exact.get(fate.offer, by_key.get(fate.offer.key))

    return position


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


def kept_share(
    fates: Iterable[NodeFate],
    policy: Policy,
    fixed_usd_per_hour: float,
    instances: Mapping[str, InstanceType],
) -> KeptShare:
    """What the nodes that stay use of a policy's limits.

    Args:
        fixed_usd_per_hour: what is paid for commitments in any case.
        instances: the types that the catalog knows.
    """
    kept = [fate for fate in fates if fate.obstacle is not None]
    offers = [_offer_like(fate, instances) for fate in kept]
    spot: defaultdict[Pool, float] = defaultdict(float)
    for fate in kept:
        if fate.node.capacity_type is CapacityType.SPOT:
            spot[fate.node.instance_type or "", fate.node.zone or ""] += _vcpus(fate)
    return KeptShare(
        nodes=len(kept),
        usd_per_hour=sum(fate.price_usd_per_hour for fate in kept) + fixed_usd_per_hour,
        vcpus=sum(map(_vcpus, kept)),
        spot_vcpus=tuple(sorted(spot.items())),
        quotas=tuple((q.name, sum(quota_use(q, offer) for offer in offers)) for q in policy.quotas),
        terms=tuple(Counter(f.offer.terms for f in kept if f.offer and f.offer.terms).items()),
    )


def _offer_like(fate: NodeFate, instances: Mapping[str, InstanceType]) -> Offer:
    """The offer a node would be of; of a type that nobody knows, what its name tells."""
    if fate.offer is not None:
        return fate.offer
    node = fate.node
    name = node.instance_type or ""
    family = name.partition(".")[0]
    unknown = InstanceType(
        name=name,
        family=family,
        category=re.match("[a-z]*", family)[0],  # type: ignore[index] # it matches any text
        generation=0,
        architecture="",
        vcpus=-(-node.allocatable.cpu_milli // 1000),
        memory_mib=node.allocatable.memory_mib,
        allocatable=node.allocatable,
    )
    return Offer(instances.get(name, unknown), node.zone or "", node.capacity_type, 0.0)


def _vcpus(fate: NodeFate) -> float:
    """Of the node; what it allots to pods where the catalog does not know its type."""
    if fate.offer is not None:
        return float(fate.offer.instance.vcpus)
    return fate.node.allocatable.cpu_milli / 1000
