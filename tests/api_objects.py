"""Small objects as the API server prints them; a test names only what it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]


def make_metadata(
    name: str,
    namespace: str | None = "default",
    owner: tuple[str, str] | None = None,
    **fields: Any,
) -> Json:
    """Metadata; ``owner`` is (kind, name) of the controller."""
    metadata: Json = {"name": name, **fields}
    if namespace is not None:
        metadata["namespace"] = namespace
    if owner is not None:
        kind, owner_name = owner
        reference = {"kind": kind, "name": owner_name, "controller": True, "uid": "1"}
        metadata["ownerReferences"] = [reference]
    return metadata


def make_container(
    name: str = "main",
    requests: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
    **fields: Any,
) -> Json:
    resources: Json = {}
    if requests is not None:
        resources["requests"] = dict(requests)
    if limits is not None:
        resources["limits"] = dict(limits)
    return {"name": name, "image": "nothing", "resources": resources, **fields}


def make_pod_spec(requests: Mapping[str, str] | None = None, **fields: Any) -> Json:
    """A pod spec with one container of 1 core and 1 GiB unless told otherwise."""
    wanted = {"cpu": "1", "memory": "1Gi"} if requests is None else requests
    return {"containers": [make_container(requests=wanted)], **fields}


def make_pod_object(
    name: str = "pod",
    *,
    namespace: str | None = "default",
    owner: tuple[str, str] | None = None,
    node_name: str | None = None,
    phase: str = "Running",
    metadata: Mapping[str, Any] | None = None,
    requests: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """A Pod; ``spec`` are further fields of its spec, ``metadata`` of its metadata."""
    if node_name is not None:
        spec["nodeName"] = node_name
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": make_metadata(name, namespace, owner, **(metadata or {})),
        "spec": make_pod_spec(requests, **spec),
        "status": {"phase": phase},
    }


def make_node_object(
    name: str = "node-1",
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    allocatable: Mapping[str, str] | None = None,
    is_ready: bool = True,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A Node of 4 cores, 16 GiB and 110 pods unless told otherwise."""
    room = {"cpu": "4", "memory": "16Gi", "pods": "110"} if allocatable is None else allocatable
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": make_metadata(name, None, labels=dict(labels or {}), **(metadata or {})),
        "spec": {"taints": [dict(taint) for taint in taints], **spec},
        "status": {
            "allocatable": dict(room),
            "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
        },
    }


def make_workload_object(
    kind: str = "Deployment",
    name: str = "web",
    *,
    namespace: str | None = "default",
    replicas: int | None = 3,
    owner: tuple[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Json:
    """A Deployment, ReplicaSet or StatefulSet."""
    spec = {} if replicas is None else {"replicas": replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": make_metadata(name, namespace, owner, **(metadata or {})),
        "spec": spec,
    }


def make_daemon_set_object(
    name: str = "agent", requests: Mapping[str, str] | None = None, **spec: Any
) -> Json:
    """A DaemonSet; ``spec`` are further fields of its pods' spec."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": make_metadata(name),
        "spec": {"template": {"metadata": {}, "spec": make_pod_spec(requests, **spec)}},
    }


def make_job_object(
    name: str = "job",
    *,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": make_metadata(name),
        "spec": spec,
        "status": dict(status or {}),
    }


def make_budget_object(
    name: str = "budget",
    selector: Mapping[str, Any] | None = None,
    disruptions_allowed: int | None = 1,
) -> Json:
    """A PodDisruptionBudget; without a selector it selects nothing."""
    spec = {} if selector is None else {"selector": dict(selector)}
    allowed = {} if disruptions_allowed is None else {"disruptionsAllowed": disruptions_allowed}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": make_metadata(name),
        "spec": spec,
        "status": allowed,
    }


def make_claim_object(
    name: str,
    *,
    types: Sequence[str] = (),
    zones: Sequence[str] = (),
    markets: Sequence[str] = ("spot",),
    launched: tuple[str, str] | None = None,
) -> Json:
    """Karpenter's NodeClaim; ``launched`` is (status, message) of that condition."""
    wanted = {
        "node.kubernetes.io/instance-type": types,
        "topology.kubernetes.io/zone": zones,
        "karpenter.sh/capacity-type": markets,
    }
    requirements = [
        {"key": key, "operator": "In", "values": list(values)}
        for key, values in wanted.items()
        if values
    ]
    status: Json = {}
    if launched is not None:
        condition = {"type": "Launched", "status": launched[0], "message": launched[1]}
        status["conditions"] = [condition]
    metadata = make_metadata(name, None, uid=f"uid-of-{name}")
    return {"metadata": metadata, "spec": {"requirements": requirements}, "status": status}


def make_refusal_object(claim: str, message: str, **fields: Any) -> Json:
    """Karpenter's event about a NodeClaim that it could not launch."""
    return {
        "metadata": make_metadata(f"{claim}.1", uid=f"uid-of-{claim}.1"),
        "involvedObject": {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "name": claim},
        "reason": "InsufficientCapacityError",
        "type": "Warning",
        "message": message,
        "lastTimestamp": "2026-01-01T00:01:00Z",
        **fields,
    }
