"""API objects to trimmed, immutable records; what no decision needs is dropped at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from sys import intern
from typing import Any, Final

from nodemix.operator.cluster.departures import NOTICE_REASONS, Departure, departure_of
from nodemix.operator.cluster.pod_requests import RequestReader
from nodemix.operator.cluster.quantities import room_of
from nodemix.operator.cluster.refusals import (
    CLAIM,
    REFUSAL,
    REFUSAL_REASON,
    ClaimRecord,
    Refusal,
    claim_record,
)
from nodemix.operator.cluster.selectors import label_selector, taints
from nodemix.operator.cluster.templates import (
    PodShape,
    disruption_denial,
    pod_shape,
    spot_denial,
)
from nodemix.optimizer.snapshot import (
    CapacityType,
    DaemonSet,
    DisruptionBudget,
    Node,
    WorkloadKey,
)

Json = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]

EVENT: Final = "Event"
_FINISHED: Final = ("Succeeded", "Failed")
_TYPE_LABELS: Final = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_ZONE_LABELS: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_SPOT_LABELS: Final = (
    ("karpenter.sh/capacity-type", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("cloud.google.com/gke-spot", "true"),
    ("cloud.google.com/gke-preemptible", "true"),
    ("cloud.google.com/gke-provisioning", "spot"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
)
# The DaemonSet controller adds these to each of its pods.
_DAEMON_TOLERATIONS: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_HOST_NETWORK_TOLERATION: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller of an object.

    Args:
        deployment: for a ReplicaSet, the Deployment its name hints at; None without a hint.
    """

    kind: str
    name: str
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod that is not finished.

    Args:
        owner: None for a pod nobody controls.
        node_name: where it is bound; for a DaemonSet's waiting pod, the node it waits for.
    """

    namespace: str
    name: str
    owner: Owner | None
    node_name: str | None
    is_terminating: bool
    shape: PodShape

    def sharing(self, shape: PodShape) -> "PodRecord":
        """This pod with an equal ``shape`` that other pods use already."""
        return replace(self, shape=shape)


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node, with the quantities that could not be read.

    Args:
        uid: tells two nodes apart that had the same name one after the other.
        created_at_s: when the node joined, seconds since the epoch; None if the object is silent.
        ready_since_s: likewise since when it is ready; None while it is not.
        departure: what the marks on it say of its end.
    """

    node: Node
    faults: tuple[str, ...] = ()
    uid: str = ""
    created_at_s: float | None = None
    ready_since_s: float | None = None
    departure: Departure = Departure.NONE

    def noticed(self) -> "NodeRecord":
        """This node, which its provider is about to take back."""
        return replace(self, departure=Departure.RECLAIMED)


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """An event that says that a provider takes a node back.

    Args:
        at_s: when it was said, seconds since the epoch; None if the object is silent.
    """

    node_name: str
    at_s: float | None

    def is_about(self, node: NodeRecord) -> bool:
        """Whether the node was there; one that has the name since is another."""
        is_later = (self.at_s or 0.0) >= (node.created_at_s or 0.0)
        return self.node_name == node.node.name and is_later


@dataclass(frozen=True, slots=True)
class DaemonSetRecord:
    """A DaemonSet, with the quantities that could not be read."""

    daemon_set: DaemonSet
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkloadRecord:
    """A controller of pods.

    Args:
        owner: the controller's own controller (a ReplicaSet's Deployment), or None.
        spot_denied: why none of its pods may run on spot; None if they may.
    """

    key: WorkloadKey
    replicas: int | None
    labels: Pairs
    owner: Owner | None = None
    spot_denied: str | None = None


Record = (
    PodRecord
    | NodeRecord
    | DaemonSetRecord
    | WorkloadRecord
    | DisruptionBudget
    | NoticeRecord
    | Refusal
    | ClaimRecord
)
RecordKey = tuple[str, str]  # (namespace, name); the namespace of a node is empty


def key_of(obj: Json) -> RecordKey:
    """The key of an object among those of its kind."""
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def record_of(kind: str, obj: Json) -> Record | None:
    """The record of one API object; None where no decision needs it (a finished pod)."""
    return _READERS[kind](obj)


def pod_record(pod: Json) -> PodRecord | None:
    """The record of a pod; None if it has finished."""
    if (pod.get("status") or {}).get("phase") in _FINISHED:
        return None
    metadata, spec = pod["metadata"], pod["spec"]
    namespace = _namespace(metadata)
    node_name = spec.get("nodeName")
    owner = _owner(metadata)
    if owner is not None and owner.kind == "DaemonSet":
        node_name = node_name or _target_node(spec)
    return PodRecord(
        namespace=namespace,
        name=metadata["name"],
        owner=owner,
        node_name=intern(node_name) if node_name else None,
        is_terminating=bool(metadata.get("deletionTimestamp")),
        shape=pod_shape(metadata, spec, namespace),
    )


def node_record(node: Json) -> NodeRecord:
    """The record of a node; room that cannot be read counts as none."""
    metadata, status = node["metadata"], node.get("status") or {}
    spec = node.get("spec") or {}
    labels = metadata.get("labels") or {}
    reader = RequestReader()
    room = reader.amounts(status.get("allocatable") or {}, "allocatable")
    departure = departure_of(node)
    record = Node(
        name=intern(metadata["name"]),
        allocatable=room_of(room),
        labels=_pairs(labels),
        taints=taints(spec),
        instance_type=_first_label(labels, _TYPE_LABELS),
        zone=_first_label(labels, _ZONE_LABELS),
        capacity_type=_capacity_type(labels),
        is_ready=_is_ready(status),
        is_leaving=departure is not Departure.NONE,
        do_not_disrupt=disruption_denial(metadata),
    )
    return NodeRecord(
        record,
        tuple(reader.faults),
        uid=str(metadata.get("uid") or metadata["name"]),
        created_at_s=_seconds(metadata.get("creationTimestamp")),
        ready_since_s=_ready_since_s(status),
        departure=departure,
    )


def daemon_set_record(obj: Json) -> DaemonSetRecord:
    """The record of a DaemonSet, with the tolerations its controller adds."""
    template = obj["spec"]["template"]
    namespace = _namespace(obj["metadata"])
    spec = template.get("spec") or {}
    of_host_network = (_HOST_NETWORK_TOLERATION,) if spec.get("hostNetwork") else ()
    added = (*_DAEMON_TOLERATIONS, *of_host_network)
    tolerated = [{"key": k, "operator": "Exists", "effect": e} for k, e in added]
    spec = {**spec, "tolerations": [*(spec.get("tolerations") or ()), *tolerated]}
    shape = pod_shape(template.get("metadata") or {}, spec, namespace)
    key = WorkloadKey(namespace, "DaemonSet", obj["metadata"]["name"])
    return DaemonSetRecord(DaemonSet(key, shape.template), shape.faults)


def workload_record(kind: str, obj: Json) -> WorkloadRecord:
    """The record of a Deployment, ReplicaSet or StatefulSet."""
    replicas = (obj.get("spec") or {}).get("replicas")
    return _workload(kind, obj, 1 if replicas is None else int(replicas))


def job_record(obj: Json) -> WorkloadRecord | None:
    """The record of a Job, with the pods it still wants at once; None if it has finished."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    conditions = status.get("conditions") or ()
    if any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions):
        return None
    parallelism = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    left = parallelism
    if spec.get("completions") is not None:
        left = int(spec["completions"]) - int(status.get("succeeded") or 0)
    wanted = 0 if spec.get("suspend") else max(0, min(parallelism, left))
    return _workload("Job", obj, wanted)


def budget_record(obj: Json) -> DisruptionBudget | None:
    """The record of a PodDisruptionBudget; None if it selects nothing."""
    selector = label_selector((obj.get("spec") or {}).get("selector"))
    if selector is None:
        return None
    return DisruptionBudget(
        namespace=_namespace(obj["metadata"]),
        name=obj["metadata"]["name"],
        selector=selector,
        disruptions_allowed=int((obj.get("status") or {}).get("disruptionsAllowed") or 0),
    )


def notice_record(event: Json) -> NoticeRecord | None:
    """The record of an event; None unless it tells that a node is taken back."""
    about = event.get("involvedObject") or {}
    if about.get("kind") != "Node" or event.get("reason") not in NOTICE_REASONS:
        return None
    return NoticeRecord(str(about.get("name") or ""), _said_at_s(event))


def refusal_record(event: Json) -> Refusal | None:
    """The record of an event; None unless it tells that a machine could not be had."""
    about, metadata = event.get("involvedObject") or {}, event["metadata"]
    if about.get("kind") != CLAIM or event.get("reason") != REFUSAL_REASON:
        return None
    at_s = _said_at_s(event)
    return Refusal(
        key=f"{metadata.get('uid') or metadata['name']}/{at_s}",
        at_s=at_s,
        claim_name=str(about.get("name") or ""),
        message=str(event.get("message") or ""),
    )


_READERS: Final[Mapping[str, Callable[[Json], Record | None]]] = {
    "Pod": pod_record,
    "Node": node_record,
    "DaemonSet": daemon_set_record,
    "Deployment": lambda obj: workload_record("Deployment", obj),
    "ReplicaSet": lambda obj: workload_record("ReplicaSet", obj),
    "StatefulSet": lambda obj: workload_record("StatefulSet", obj),
    "Job": job_record,
    "PodDisruptionBudget": budget_record,
    EVENT: notice_record,
    REFUSAL: refusal_record,
    CLAIM: claim_record,
}
HINTS: Final = (EVENT, REFUSAL, CLAIM)
"""Of the objects that only tell what becomes of nodes."""
KINDS: Final = tuple(kind for kind in _READERS if kind not in HINTS)
"""Of the objects that a snapshot is made of."""


def _workload(kind: str, obj: Json, replicas: int) -> WorkloadRecord:
    metadata = obj["metadata"]
    return WorkloadRecord(
        key=WorkloadKey(_namespace(metadata), kind, intern(metadata["name"])),
        replicas=replicas,
        labels=_pairs(metadata.get("labels") or {}),
        owner=_owner(metadata),
        spot_denied=spot_denial(metadata),
    )


def _owner(metadata: Json) -> Owner | None:
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            kind, name = intern(reference["kind"]), intern(reference["name"])
            return Owner(kind, name, _hinted_deployment(kind, name, metadata))
    return None


def _hinted_deployment(kind: str, name: str, metadata: Json) -> str | None:
    """A Deployment names its ReplicaSets after itself and the hash it labels their pods with."""
    template_hash = (metadata.get("labels") or {}).get("pod-template-hash")
    if kind != "ReplicaSet" or not template_hash or not name.endswith(f"-{template_hash}"):
        return None
    return intern(name.removesuffix(f"-{template_hash}"))


def _target_node(spec: Json) -> str | None:
    """The node a DaemonSet's pod is made for, from the node affinity its controller writes."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for match in term.get("matchFields") or ():
            if match.get("key") == "metadata.name" and match.get("values"):
                return str(match["values"][0])
    return None


def _namespace(metadata: Json) -> str:
    return intern(metadata.get("namespace") or "default")


def _pairs(labels: Json) -> Pairs:
    return tuple(sorted((intern(str(k)), intern(str(v))) for k, v in labels.items()))


def _first_label(labels: Json, names: tuple[str, ...]) -> str | None:
    return next((str(labels[name]) for name in names if labels.get(name)), None)


def _capacity_type(labels: Json) -> CapacityType:
    is_spot = any(labels.get(key) == value for key, value in _SPOT_LABELS)
    return CapacityType.SPOT if is_spot else CapacityType.ON_DEMAND


def _is_ready(status: Json) -> bool:
    return _ready_condition(status) is not None


def _ready_since_s(status: Json) -> float | None:
    return _seconds((_ready_condition(status) or {}).get("lastTransitionTime"))


def _ready_condition(status: Json) -> Json | None:
    """The condition Ready where it holds."""
    conditions: Iterable[Json] = status.get("conditions") or ()
    holding = (c for c in conditions if c.get("type") == "Ready" and c.get("status") == "True")
    return next(holding, None)


def _said_at_s(event: Json) -> float | None:
    """When an event was last said."""
    again = (event.get("series") or {}).get("lastObservedTime")
    moments = (event.get(name) for name in ("lastTimestamp", "eventTime", "firstTimestamp"))
    seconds = (_seconds(moment) for moment in (again, *moments))
    return next((s for s in seconds if s is not None), None)


def _seconds(moment: object) -> float | None:
    """Seconds since the epoch of a time as Kubernetes writes it; None where it is no time."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return None
