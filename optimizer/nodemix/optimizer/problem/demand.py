"""Pods counted by workload and template, and which of them a policy plans for."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.architectures import bound_to
from nodemix.optimizer.problem.digest import digest
from nodemix.optimizer.problem.scope import selects
from nodemix.optimizer.snapshot import (
    DisruptionBudget,
    Note,
    Pod,
    PodTemplate,
    Snapshot,
    WorkloadKey,
)

SINGLE_REPLICA = "single replica behind a PodDisruptionBudget"
"""Why such a pod must not run on spot."""


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
        variants: sorted by workload, then by their id.
        on_node: pods by index of their variant, for each node with pods.
        waiting: pods without a node, by index of their variant.
        is_selected: whether the policy plans for a variant, by its index.
        terminating: pods that need no new place.
        architectures: where the variants that name none run; () for anywhere.
    """

    variants: tuple[Variant, ...]
    on_node: Mapping[str, Mapping[int, int]]
    waiting: Mapping[int, int]
    is_selected: tuple[bool, ...]
    terminating: int = 0
    architectures: tuple[str, ...] = ()

    def of_workload(self, workload: WorkloadKey) -> range:
        """Indexes of a workload's variants."""
        first = bisect_left(self.variants, workload, key=lambda variant: variant.workload)
        after = bisect_right(self.variants, workload, key=lambda variant: variant.workload)
        return range(first, after)

    def by_workload(self) -> dict[WorkloadKey, int]:
        """Pods of each workload, wherever they are, sorted."""
        return self._total(range(len(self.variants)))

    def selected_by_workload(self) -> dict[WorkloadKey, int]:
        """Pods of each workload that the policy selects, wherever they are, sorted."""
        return self._total(i for i, selected in enumerate(self.is_selected) if selected)

    def _total(self, variants: Iterable[int]) -> dict[WorkloadKey, int]:
        counted = set(variants)
        totals: Counter[WorkloadKey] = Counter()
        for counts in (self.waiting, *self.on_node.values()):
            for variant, pods in counts.items():
                if variant in counted:
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


def count_pods(
    snapshot: Snapshot, selector: WorkloadSelector, architectures: tuple[str, ...] = ()
) -> PodCounts:
    """The snapshot's pods by variant and node; pods of a vanished node count as waiting.

    Args:
        architectures: where pods that name none run; () for anywhere.
    """
    nodes = {node.name for node in snapshot.nodes}
    tally = _Tally()
    for pod in snapshot.pods:
        tally.add(pod, pod.node_name if pod.node_name in nodes else None)
    single = _single_replicas(snapshot)
    by_key = {
        key: _to_variant(
            key[0], bound_to(template, architectures), snapshot.disruption_budgets, single
        )
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
        architectures=architectures,
    )


def is_selected(variant: Variant, selector: WorkloadSelector) -> bool:
    """Whether a policy with this selector plans for the variant's pods."""
    return selects(selector, variant.workload.namespace, variant.template)


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
    is_single = workload in single_replicas and template.spot_denied is None
    if is_single and _is_guarded(workload, template, budgets):
        template = replace(template, spot_denied=SINGLE_REPLICA)
    return Variant(workload, template, f"{workload}#{digest(template)}")


def _is_guarded(
    workload: WorkloadKey, template: PodTemplate, budgets: Iterable[DisruptionBudget]
) -> bool:
    labels = dict(template.labels)
    own = (budget for budget in budgets if budget.namespace == workload.namespace)
    return any(budget.selector.matches(labels) for budget in own)


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
