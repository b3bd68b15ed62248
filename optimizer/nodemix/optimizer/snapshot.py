"""The observed cluster, as immutable records.

Pods of one workload share one interned :class:`PodTemplate`: 50,000 pods are some hundred
templates, so memory stays small and aggregation into rows is exact.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from nodemix.optimizer.resources import Resources

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


class CapacityType(StrEnum):
    """The market an offer is bought on."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True, order=True)
class WorkloadKey:
    """What a pod belongs to: a ReplicaSet's Deployment, a StatefulSet, a Job, or the pod."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a label selector.

    Args:
        operator: In, NotIn, Exists, DoesNotExist, Gt or Lt.
        values: sorted; empty for Exists and DoesNotExist.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:  # noqa: PLR0911 - one per operator
        """Whether ``labels`` satisfies this expression, by the API server's rules."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt":
                return _exceeds(value, next(iter(self.values), None))
            case "Lt":
                return _exceeds(next(iter(self.values), None), value)
            case _:
                return False


def _exceeds(left: str | None, right: str | None) -> bool:
    """Whether the left number is larger; where one of them is no whole number, nothing matches."""
    texts = (left or "", right or "")
    if not all(_WHOLE_NUMBER.fullmatch(text) for text in texts):
        return False
    return int(texts[0]) > int(texts[1])


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector; every requirement must hold. Empty matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` satisfies every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class Taint:
    """A node's taint; ``effect`` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Toleration:
    """A toleration; an empty key with Exists tolerates all taints, an empty effect all effects."""

    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        """Whether this toleration lets a pod onto a node with ``taint``."""
        if self.effect not in ("", taint.effect):
            return False
        if self.key == "":
            return self.operator == "Exists"
        if self.key != taint.key:
            return False
        return self.operator == "Exists" or self.value == taint.value


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """A required topology spread (``DoNotSchedule``) over the pod's own peers."""

    topology_key: str
    max_skew: int


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Everything about a pod that decides where it may run; identical for the pods of a rollout.

    Args:
        requests: effective requests: containers, sidecars, init containers and overhead.
        required_labels: the ``nodeSelector``; every requirement must hold.
        required_terms: required node affinity; one of the selectors must match (empty: any node).
        spreads: required topology spread constraints whose selector matches the pod itself.
        max_per_node: pods of this workload allowed on one node by required anti-affinity on the
            hostname or a hostname spread; None means no limit.
        unsupported: hard constraints the model cannot express, in words; such pods stay where
            they are.
        soft: preferences the model leaves out, in words.
        spot_denied: why the pod must not run on spot (an annotation, a selector); None if it may.
    """

    requests: Resources
    labels: tuple[tuple[str, str], ...] = ()
    required_labels: Selector = field(default_factory=Selector)
    required_terms: tuple[Selector, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    spreads: tuple[SpreadConstraint, ...] = ()
    max_per_node: int | None = None
    priority: int = 0
    unsupported: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    spot_denied: str | None = None

    @property
    def asked_labels(self) -> frozenset[str]:
        """Keys of the node labels that the selector and the required affinity speak of."""
        selectors = (self.required_labels, *self.required_terms)
        return frozenset(r.key for selector in selectors for r in selector.requirements)

    def allows(self, labels: Mapping[str, str]) -> bool:
        """Whether a node with ``labels`` satisfies the node selector and required node affinity."""
        if not self.required_labels.matches(labels):
            return False
        return not self.required_terms or any(t.matches(labels) for t in self.required_terms)

    def tolerates(self, taints: tuple[Taint, ...]) -> bool:
        """Whether every taint that keeps pods away is tolerated."""
        hard = (taint for taint in taints if taint.effect != "PreferNoSchedule")
        return all(any(t.tolerates(taint) for t in self.tolerations) for taint in hard)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that holds or waits for a place; finished pods are never in a snapshot.

    Args:
        node_name: the node it is bound to; None while it waits.
        is_terminating: it has a deletion timestamp; it holds its place but needs no new one.
        do_not_disrupt: the annotation that keeps autoscalers from moving it; None without one.
    """

    namespace: str
    name: str
    workload: WorkloadKey
    template: PodTemplate
    node_name: str | None = None
    is_terminating: bool = False
    do_not_disrupt: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster.

    Args:
        allocatable: room for pods, DaemonSets included.
        instance_type: None where the node carries no such label.
        is_ready: the Ready condition is True.
        is_leaving: cordoned, tainted for disruption or being deleted; it takes no new pods.
        do_not_disrupt: the annotation that keeps autoscalers from removing it; None without one.
    """

    name: str
    allocatable: Resources
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()
    instance_type: str | None = None
    zone: str | None = None
    capacity_type: CapacityType = CapacityType.ON_DEMAND
    is_ready: bool = True
    is_leaving: bool = False
    do_not_disrupt: str | None = None


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """A pod on every node it matches: overhead of each node bought."""

    key: WorkloadKey
    template: PodTemplate


@dataclass(frozen=True, slots=True)
class Workload:
    """A controller of pods.

    Args:
        labels: of the controller object; policies select by them.
        replicas: wanted pods; None where the kind has no such number.
    """

    key: WorkloadKey
    replicas: int | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget.

    Args:
        disruptions_allowed: pods that may be evicted now, as the API server's status says.
    """

    namespace: str
    name: str
    selector: Selector
    disruptions_allowed: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader should know about one object.

    Args:
        subject: the object, e.g. ``shop/Deployment/cart``.
        fact: what was found.
        remedy: what to do about it; empty where nothing can or need be done.
        severity: ``info`` (a preference left out), ``warning`` (a degraded input) or ``error``
            (the object was left out of the plan).
    """

    subject: str
    fact: str
    remedy: str = ""
    severity: str = "info"

    def __str__(self) -> str:
        return f"{self.subject}: {self.fact}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent view of the cluster.

    Args:
        taken_at_s: seconds since the epoch.
        pods: without DaemonSet and static pods, which are in ``overhead``.
        overhead: requests of the DaemonSet and static pods on each node, by node name.
        notes: objects that could not be read, and what was assumed.
    """

    taken_at_s: float
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    workloads: tuple[Workload, ...] = ()
    disruption_budgets: tuple[DisruptionBudget, ...] = ()
    overhead: tuple[tuple[str, Resources], ...] = ()
    notes: tuple[Note, ...] = ()
