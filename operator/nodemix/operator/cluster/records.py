"""API objects to trimmed, immutable records; what no decision needs is dropped at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from sys import intern
from typing import Any, Final

from nodemix.operator.cluster.pod_requests import RequestReader
from nodemix.operator.cluster.quantities import room_of
from nodemix.operator.cluster.selectors import label_selector, taints
from nodemix.operator.cluster.templates import PodShape, pod_shape, spot_denial
from nodemix.optimizer.snapshot import (
    CapacityType,
    DaemonSet,
    DisruptionBudget,
    Node,
    Taint,
    WorkloadKey,
)

Json = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]

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
_LEAVING_TAINTS: Final = (
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "ToBeDeletedByClusterAutoscaler",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/out-of-service",
    "node.cloudprovider.kubernetes.io/shutdown",
    "aws-node-termination-handler/",
    "cloud.google.com/impending-node-termination",
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
    """A node, with the quantities that could not be read."""

    node: Node
    faults: tuple[str, ...] = ()


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


Record = PodRecord | NodeRecord | DaemonSetRecord | WorkloadRecord | DisruptionBudget
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
    node_taints = taints(spec)
    record = Node(
        name=intern(metadata["name"]),
        allocatable=room_of(room),
        labels=_pairs(labels),
        taints=node_taints,
        instance_type=_first_label(labels, _TYPE_LABELS),
        zone=_first_label(labels, _ZONE_LABELS),
        capacity_type=_capacity_type(labels),
        is_ready=_is_ready(status),
        is_leaving=_is_leaving(metadata, spec, node_taints),
    )
    return NodeRecord(record, tuple(reader.faults))


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


_READERS: Final[Mapping[str, Callable[[Json], Record | None]]] = {
    "Pod": pod_record,
    "Node": node_record,
    "DaemonSet": daemon_set_record,
    "Deployment": lambda obj: workload_record("Deployment", obj),
    "ReplicaSet": lambda obj: workload_record("ReplicaSet", obj),
    "StatefulSet": lambda obj: workload_record("StatefulSet", obj),
    "Job": job_record,
    "PodDisruptionBudget": budget_record,
}
KINDS: Final = tuple(_READERS)


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
    conditions = status.get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _is_leaving(metadata: Json, spec: Json, node_taints: tuple[Taint, ...]) -> bool:
    if spec.get("unschedulable") or metadata.get("deletionTimestamp"):
        return True
    return any(taint.key.startswith(_LEAVING_TAINTS) for taint in node_taints)
