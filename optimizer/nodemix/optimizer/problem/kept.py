"""Which nodes of today stay out of the plan, and why."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.problem.demand import PodCounts
from nodemix.optimizer.snapshot import CapacityType, Node, Note, WorkloadKey

_CONTROL_PLANE_LABELS = frozenset(
    {"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
)
_NAMES_SHOWN = 3

OfferKey = tuple[str, str, CapacityType]
_Price = tuple[float | None, str]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a node stays as it is, and what would change that."""

    fact: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class NodeFate:
    """A node, its price, and the reason it stays; movable without one.

    Args:
        offer: of the unfiltered catalog; None where it knows no such offer.
    """

    node: Node
    offer: Offer | None
    obstacle: Obstacle | None = None

    @property
    def price_usd_per_hour(self) -> float:
        """What the node costs; 0 where nobody knows."""
        return self.offer.price_usd_per_hour if self.offer else 0.0


def node_fates(
    nodes: Iterable[Node],
    counts: PodCounts,
    catalog: Mapping[OfferKey, Offer],
    obstacle_of_variant: Callable[[int], Obstacle | None],
) -> tuple[NodeFate, ...]:
    """What becomes of each node, in order of their names.

    Args:
        obstacle_of_variant: why pods of a variant cannot be placed anew; None if they can.
    """
    fates = []
    for node in sorted(nodes, key=lambda node: node.name):
        offer = catalog.get(_offer_key(node))
        variants = counts.on_node.get(node.name, {})
        obstacle = _obstacle(node, offer, variants, counts, obstacle_of_variant)
        fates.append(NodeFate(node, offer, obstacle))
    return tuple(fates)


def _offer_key(node: Node) -> OfferKey:
    return (node.instance_type or "", node.zone or "", node.capacity_type)


def _obstacle(
    node: Node,
    offer: Offer | None,
    variants: Mapping[int, int],
    counts: PodCounts,
    obstacle_of_variant: Callable[[int], Obstacle | None],
) -> Obstacle | None:
    if is_control_plane(node):
        return Obstacle("runs the control plane and stays")
    if node.is_leaving or not node.is_ready:
        return None
    if offer is None:
        return unpriced(node)
    if foreign := [v for v in variants if not counts.is_selected[v]]:
        workload = counts.variants[foreign[0]].workload
        return Obstacle(f"stays, it runs pods the policy does not select ({workload})")
    return next(filter(None, map(obstacle_of_variant, sorted(variants))), None)


def is_control_plane(node: Node) -> bool:
    """Whether the node is labelled as running the control plane."""
    return not _CONTROL_PLANE_LABELS.isdisjoint(dict(node.labels))


def unpriced(node: Node) -> Obstacle:
    """What keeps a node whose price nobody knows."""
    if node.instance_type is None:
        fact = "stays, it carries no label node.kubernetes.io/instance-type"
        return Obstacle(fact, "label it, so that its price can be found")
    place = f"{node.instance_type}/{node.zone}/{node.capacity_type}"
    return Obstacle(f"stays, the catalog has no price for {place}", "add that offer")


def keep_nodes(fates: Iterable[NodeFate], counts: PodCounts) -> tuple[PlannedNodes, ...]:
    """The nodes that stay, equal ones together, with all their pods."""
    names: dict[tuple[OfferKey, _Price, tuple[tuple[WorkloadKey, int], ...]], list[str]]
    names = defaultdict(list)
    for fate in fates:
        if fate.obstacle is not None:
            node = fate.node
            key = (node.instance_type or "unknown", node.zone or "unknown", node.capacity_type)
            price = (fate.offer.price_usd_per_hour, fate.offer.terms) if fate.offer else (None, "")
            names[key, price, workloads_on(node, counts)].append(node.name)
    return tuple(
        PlannedNodes(*key, len(kept), pods, price, tuple(kept), terms=terms)
        for (key, (price, terms), pods), kept in names.items()
    )


def workloads_on(node: Node, counts: PodCounts) -> tuple[tuple[WorkloadKey, int], ...]:
    """Pods of each workload on a node, sorted."""
    pods: Counter[WorkloadKey] = Counter()
    for variant, count in counts.on_node.get(node.name, {}).items():
        pods[counts.variants[variant].workload] += count
    return tuple(sorted(pods.items()))


def notes_of_kept(fates: Iterable[NodeFate]) -> tuple[Note, ...]:
    """One note for each reason that keeps nodes as they are."""
    names: dict[Obstacle, list[str]] = defaultdict(list)
    for fate in fates:
        if fate.obstacle is not None:
            names[fate.obstacle].append(fate.node.name)
    return tuple(
        Note(_name_nodes(kept), obstacle.fact, obstacle.remedy, "warning")
        for obstacle, kept in names.items()
    )


def _name_nodes(names: list[str]) -> str:
    if len(names) == 1:
        return f"node {names[0]}"
    rest = len(names) - _NAMES_SHOWN
    return f"nodes {', '.join(names[:_NAMES_SHOWN])}" + (f" and {rest} more" if rest > 0 else "")
