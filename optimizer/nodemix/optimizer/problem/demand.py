"""Pods counted by workload and template, and which of them a policy plans for."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.digest import digest
from nodemix.optimizer.snapshot import (
    DisruptionBudget,
    Note,
    Pod,
    PodTemplate,
    Snapshot,
    WorkloadKey,
)


@dataclass(frozen=True, slots=True)
class Variant:
    """Pods of one workload that share a template; a rollout has two.

    Args:
        template: with ``spot_denied`` filled in by the cluster's disruption budgets.
        variant_id: stable between snapshots.
    """

    workload: WorkloadKey
    template: PodTemplate
    variant_id: str


@dataclass(frozen=True, slots=True)
class PodCounts:
    """How many pods of each variant are where.

    Args:
        variants: sorted by their id.
        on_node: pods by index of their variant, for each node with pods.
        waiting: pods without a node, by index of their variant.
        is_selected: whether the policy plans for a variant, by its index.
        terminating: pods that need no new place.
    """

    variants: tuple[Variant, ...]
    on_node: Mapping[str, Mapping[int, int]]
    waiting: Mapping[int, int]
    is_selected: tuple[bool, ...]
    terminating: int = 0

    def selected_by_workload(self) -> dict[WorkloadKey, int]:
        """Pods of each selected workload, wherever they are."""
        totals: Counter[WorkloadKey] = Counter()
        for counts in (self.waiting, *self.on_node.values()):
            for variant, pods in counts.items():
                if self.is_selected[variant]:
                    totals[self.variants[variant].workload] += pods
        return dict(sorted(totals.items()))


@dataclass(slots=True)
class _Tally:
    """Pods counted so far, by workload and identity of the template object.

    Templates are interned, so identity is enough here and spares hashing each pod's template.
    """

    templates: dict[tuple[WorkloadKey, int], PodTemplate] = field(default_factory=dict)
    places: dict[tuple[str | None, tuple[WorkloadKey, int]], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    terminating: int = 0

    def add(self, pod: Pod, node_name: str | None) -> None:
        if pod.is_terminating:
            self.terminating += 1
            return
        key = (pod.workload, id(pod.template))
        self.templates[key] = pod.template
        self.places[node_name, key] += 1


def count_pods(snapshot: Snapshot, selector: WorkloadSelector) -> PodCounts:
    """The snapshot's pods by variant and node; pods of a vanished node count as waiting."""
    nodes = {node.name for node in snapshot.nodes}
    tally = _Tally()
    for pod in snapshot.pods:
        tally.add(pod, pod.node_name if pod.node_name in nodes else None)
    single = _single_replicas(snapshot)
    by_key = {
        key: _to_variant(key[0], template, snapshot.disruption_budgets, single)
        for key, template in tally.templates.items()
    }
    variants = sorted(set(by_key.values()), key=lambda v: (v.workload, v.variant_id))
    position = {variant: i for i, variant in enumerate(variants)}
    on_node: dict[str, Counter[int]] = defaultdict(Counter)
    waiting: Counter[int] = Counter()
    for (node_name, key), pods in tally.places.items():
        counts = waiting if node_name is None else on_node[node_name]
        counts[position[by_key[key]]] += pods
    return PodCounts(
        variants=tuple(variants),
        on_node=on_node,
        waiting=waiting,
        is_selected=tuple(is_selected(variant, selector) for variant in variants),
        terminating=tally.terminating,
    )


def is_selected(variant: Variant, selector: WorkloadSelector) -> bool:
    """Whether a policy with this selector plans for the variant's pods."""
    if selector.namespaces and variant.workload.namespace not in selector.namespaces:
        return False
    labels = dict(variant.template.labels)
    return all(labels.get(key) == value for key, value in selector.match_labels)


def _single_replicas(snapshot: Snapshot) -> frozenset[WorkloadKey]:
    """Workloads of which one pod is wanted, or runs where no number is stated."""
    pods = Counter(pod.workload for pod in snapshot.pods if not pod.is_terminating)
    wanted = {w.key: w.replicas for w in snapshot.workloads if w.replicas is not None}
    return frozenset(key for key, count in {**pods, **wanted}.items() if count == 1)


def _to_variant(
    workload: WorkloadKey,
    template: PodTemplate,
    budgets: Iterable[DisruptionBudget],
    single_replicas: frozenset[WorkloadKey],
) -> Variant:
    if workload in single_replicas and template.spot_denied is None:
        if budget := _guarding(workload, template, budgets):
            reason = f"single replica behind PodDisruptionBudget {budget.name}"
            template = replace(template, spot_denied=reason)
    return Variant(workload, template, f"{workload}#{digest(template)}")


def _guarding(
    workload: WorkloadKey, template: PodTemplate, budgets: Iterable[DisruptionBudget]
) -> DisruptionBudget | None:
    labels = dict(template.labels)
    for budget in budgets:
        if budget.namespace == workload.namespace and budget.selector.matches(labels):
            return budget
    return None


def planned_pods_of_variants(in_play: Mapping[int, int], wanted: int) -> dict[int, int]:
    """``wanted`` pods of one workload shared over its variants as they stand now.

    Each gets its proportional share rounded down, the largest the rest.

    Args:
        in_play: pods of each variant that need a place, positive.
    """
    total = sum(in_play.values())
    shares = {variant: pods * wanted // total for variant, pods in in_play.items()}
    largest = max(in_play, key=lambda variant: (in_play[variant], -variant))
    shares[largest] += wanted - sum(shares.values())
    return shares


def preferences_left_out(counts: PodCounts) -> tuple[Note, ...]:
    """A note for each soft preference that the model does not weigh."""
    wishes: dict[tuple[str, str], None] = {}
    for variant, selected in zip(counts.variants, counts.is_selected, strict=True):
        for wish in variant.template.soft if selected else ():
            wishes[str(variant.workload), wish] = None
    return tuple(Note(subject, f"the plan does not weigh: {wish}") for subject, wish in wishes)
