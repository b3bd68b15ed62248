"""What keeps nodes that a plan could do without, by the object that says so, with their price.

Nodes that stay out of the plan are kept by what the model does not know; of the others, which the
plan may let go, some cannot be emptied now, and some cannot go to spot. A node may have several
reasons, so that the prices of two blockers do not add up.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from nodemix.optimizer.explain.types import Blocker
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.demand import SINGLE_REPLICA, PodCounts, Variant, count_pods
from nodemix.optimizer.problem.kept import is_control_plane, unpriced
from nodemix.optimizer.problem.spread import foreign_topologies
from nodemix.optimizer.snapshot import CapacityType, DisruptionBudget, Node, Snapshot

BUDGET = "PodDisruptionBudget"


@dataclass(frozen=True, slots=True)
class _Reason:
    """What of a blocker does not depend on the node."""

    kind: str
    subject: str
    remedy: str


def blockers(
    snapshot: Snapshot,
    built: BuiltProblem,
    selector: WorkloadSelector | None = None,
    let_go: Container[str] | None = None,
) -> tuple[Blocker, ...]:
    """What keeps nodes, the dearest first; control planes are not counted.

    Args:
        selector: of the policy; None selects everything.
        let_go: names of the movable nodes that the plan does without; None for all.
    """
    prices = _prices(built)
    nodes = {node.name: node for node in snapshot.nodes}
    kept = [nodes[name] for group in built.kept for name in group.kept_nodes]
    movable = [node for node in built.movable if let_go is None or node.name in let_go]
    counts = count_pods(snapshot, selector or WorkloadSelector())
    found: defaultdict[_Reason, set[str]] = defaultdict(set)
    for node in kept:
        if not is_control_plane(node):
            for reason in _of_kept(node, prices.get(node.name), counts):
                found[reason].add(node.name)
    for name, reason in _of_movable(movable, snapshot, counts):
        found[reason].add(name)
    return _dearest_first(_to_blocker(reason, names, prices) for reason, names in found.items())


def _dearest_first(found: Iterable[Blocker]) -> tuple[Blocker, ...]:
    return tuple(sorted(found, key=lambda b: (-b.usd_per_hour, b.kind, b.subject)))


def _to_blocker(reason: _Reason, names: Iterable[str], prices: dict[str, float | None]) -> Blocker:
    names = tuple(sorted(names))
    usd_per_hour = sum((prices.get(name) or 0.0) for name in names)
    return Blocker(reason.kind, reason.subject, names, usd_per_hour, reason.remedy)


def _prices(built: BuiltProblem) -> dict[str, float | None]:
    """Of today's nodes, by name; None where the catalog does not know it."""
    kept = {name: group.price_usd_per_hour for group in built.kept for name in group.kept_nodes}
    return kept | {current.node.name: current.price_usd_per_hour for current in built.current}


def _of_kept(node: Node, price: float | None, counts: PodCounts) -> Iterator[_Reason]:
    """Why the plan leaves a node as it is."""
    if price is None:
        obstacle = unpriced(node)
        yield _Reason("no-price", f"Node/{node.name}", obstacle.remedy)
        return
    on_node = sorted(counts.on_node.get(node.name, {}))
    foreign = [counts.variants[i] for i in on_node if not counts.is_selected[i]]
    own = [counts.variants[i] for i in on_node if counts.is_selected[i]]
    reasons = [*map(_not_selected, foreign), *filter(None, map(_not_modelled, own))]
    yield from reasons or [_no_offer(node)]


def _not_selected(variant: Variant) -> _Reason:
    remedy = "let the policy select it, too, or keep its pods off the policy's nodes"
    return _Reason("not-selected", str(variant.workload), remedy)


def _not_modelled(variant: Variant) -> _Reason | None:
    template, subject = variant.template, str(variant.workload)
    if template.unsupported:
        remedy = f"see whether it can do without: {'; '.join(template.unsupported)}"
        return _Reason("unsupported", subject, remedy)
    if keys := foreign_topologies(template):
        return _Reason("spread", subject, f"spread it over zones or hosts instead of {keys[0]}")
    return None


def _no_offer(node: Node) -> _Reason:
    remedy = "the plan's notes say what its pods ask for that no offer has"
    return _Reason("no-offer", f"Node/{node.name}", remedy)


def _of_movable(
    nodes: Iterable[Node], snapshot: Snapshot, counts: PodCounts
) -> Iterator[tuple[str, _Reason]]:
    """(node, why it cannot be emptied now, or go to spot); nodes that leave anyway are left out."""
    staying = {node.name: node for node in nodes if node.is_ready and not node.is_leaving}
    for node in staying.values():
        if node.do_not_disrupt:
            yield node.name, _undisturbed(f"Node/{node.name}", node.do_not_disrupt)
    for pod in snapshot.pods:
        if pod.do_not_disrupt and pod.node_name in staying and not pod.is_terminating:
            yield pod.node_name, _undisturbed(str(pod.workload), pod.do_not_disrupt)
    tight = [budget for budget in snapshot.disruption_budgets if budget.disruptions_allowed <= 0]
    reasons = [tuple(_of_variant(variant, tight)) for variant in counts.variants]
    for name, node in staying.items():
        is_spot = node.capacity_type is CapacityType.SPOT
        for i in counts.on_node.get(name, {}):
            for reason in reasons[i]:
                if not (is_spot and reason.kind == "single-replica"):
                    yield name, reason


def _undisturbed(subject: str, annotation: str) -> _Reason:
    remedy = f"take the annotation {annotation} off once the work may be interrupted"
    return _Reason("do-not-disrupt", subject, remedy)


def _of_variant(variant: Variant, tight: Iterable[DisruptionBudget]) -> Iterator[_Reason]:
    labels, namespace = dict(variant.template.labels), variant.workload.namespace
    for budget in tight:
        if budget.namespace == namespace and budget.selector.matches(labels):
            subject = f"{budget.namespace}/{BUDGET}/{budget.name}"
            remedy = "it allows no disruption now: run a pod more than it asks for, or relax it"
            yield _Reason(BUDGET, subject, remedy)
    if variant.template.spot_denied == SINGLE_REPLICA:
        remedy = "run two replicas, so that they may go on spot"
        yield _Reason("single-replica", str(variant.workload), remedy)
