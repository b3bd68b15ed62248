"""Kubernetes objects of the demo cluster, as ``kubectl get -o json`` prints them."""

from typing import Any

from nodemix.operator.demo.workloads import DemoWorkload
from nodemix.optimizer.catalog.labels import offer_labels
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.resources import GPU_RESOURCE, Resources

Json = dict[str, Any]

DEMO_LABEL = "nodemix.dev/demo"
IMAGE = "nodemix.invalid/demo:1"
"""Never pulled: in the demo's control plane kwok plays the kubelets."""

TEMPLATE_HASH = "6d4b75cb6d"


def namespace_object(name: str) -> Json:
    """A namespace of the demo."""
    metadata = {"name": name, "labels": {DEMO_LABEL: "true"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def node_object(name: str, offer: Offer) -> Json:
    """A ready node bought from ``offer``."""
    room = _amounts(offer.instance.allocatable)
    taints = [{"key": t.key, "value": t.value, "effect": t.effect} for t in offer.instance.taints]
    labels = {**offer_labels(offer), "kubernetes.io/hostname": name, DEMO_LABEL: "true"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints} if taints else {},
        "status": {
            "allocatable": room,
            "capacity": room,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def controller_object(workload: DemoWorkload) -> Json:
    """The Deployment, StatefulSet or DaemonSet of ``workload``."""
    spec: Json = {
        "selector": {"matchLabels": _labels(workload)},
        "template": {"metadata": _template_metadata(workload), "spec": _pod_spec(workload)},
    }
    if workload.kind != "DaemonSet":
        spec["replicas"] = workload.replicas
    if workload.kind == "StatefulSet":
        spec |= {"serviceName": workload.name, "podManagementPolicy": "Parallel"}
    return {
        "apiVersion": "apps/v1",
        "kind": workload.kind,
        "metadata": {**_named(workload, workload.name), "labels": _labels(workload)},
        "spec": spec,
    }


def replica_set_object(workload: DemoWorkload) -> Json:
    """The ReplicaSet between a Deployment and its pods."""
    labels = _labels(workload) | {"pod-template-hash": TEMPLATE_HASH}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            **_named(workload, _replica_set_name(workload)),
            "labels": labels,
            "ownerReferences": [_owner("Deployment", workload.name)],
        },
        "spec": {"replicas": workload.replicas, "selector": {"matchLabels": labels}},
    }


def pod_object(workload: DemoWorkload, number: int, node_name: str) -> Json:
    """Pod ``number`` of ``workload``, running on a node."""
    metadata = _template_metadata(workload)
    owner = _owner(workload.kind, workload.name)
    name = f"{workload.name}-{number}"
    if workload.kind == "Deployment":
        metadata["labels"] = metadata["labels"] | {"pod-template-hash": TEMPLATE_HASH}
        owner = _owner("ReplicaSet", _replica_set_name(workload))
        name = f"{_replica_set_name(workload)}-{number:05d}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**_named(workload, name), **metadata, "ownerReferences": [owner]},
        "spec": _pod_spec(workload) | {"nodeName": node_name},
        "status": {"phase": "Running"},
    }


def budget_object(workload: DemoWorkload) -> Json:
    """The PodDisruptionBudget of a workload that has one."""
    available = workload.budget or 0
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _named(workload, workload.name),
        "spec": {"minAvailable": available, "selector": {"matchLabels": _labels(workload)}},
        "status": {
            "currentHealthy": workload.replicas,
            "desiredHealthy": available,
            "expectedPods": workload.replicas,
            "disruptionsAllowed": max(0, workload.replicas - available),
        },
    }


def _named(workload: DemoWorkload, name: str) -> Json:
    return {"namespace": workload.namespace, "name": name}


def _labels(workload: DemoWorkload) -> dict[str, str]:
    return {"app": workload.name, DEMO_LABEL: "true"}


def _replica_set_name(workload: DemoWorkload) -> str:
    return f"{workload.name}-{TEMPLATE_HASH}"


def _owner(kind: str, name: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": f"{kind}-{name}".lower(),
        "controller": True,
    }


def _template_metadata(workload: DemoWorkload) -> Json:
    metadata: Json = {"labels": _labels(workload)}
    if workload.is_spot_denied:
        metadata["annotations"] = {"nodemix.dev/spot": "deny"}
    return metadata


def _pod_spec(workload: DemoWorkload) -> Json:
    requests = _amounts(
        Resources.of(
            {GPU_RESOURCE: workload.gpus},
            cpu_milli=workload.cpu_milli,
            memory_mib=workload.memory_mib,
        )
    )
    resources: Json = {"requests": requests}
    if workload.gpus:
        resources["limits"] = {GPU_RESOURCE: str(workload.gpus)}  # must equal the request
    spec: Json = {"containers": [{"name": "main", "image": IMAGE, "resources": resources}]}
    if workload.kind == "DaemonSet":
        spec["tolerations"] = [{"operator": "Exists"}]
    elif workload.gpus:
        spec["tolerations"] = [{"key": GPU_RESOURCE, "operator": "Exists"}]
    if workload.spreads_zones:
        spec["topologySpreadConstraints"] = [_zone_spread(workload)]
    if workload.is_alone_on_node:
        spec["affinity"] = {"podAntiAffinity": _alone_on_node(workload)}
    return spec


def _zone_spread(workload: DemoWorkload) -> Json:
    return {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": _labels(workload)},
    }


def _alone_on_node(workload: DemoWorkload) -> Json:
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": _labels(workload)},
    }
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def _amounts(resources: Resources) -> dict[str, str]:
    """Amounts as quantities; those that are zero are left out."""
    amounts = {
        "cpu": f"{resources.cpu_milli}m" if resources.cpu_milli else "",
        "memory": f"{resources.memory_mib}Mi" if resources.memory_mib else "",
        "pods": str(resources.pods or ""),
        "ephemeral-storage": f"{resources.ephemeral_mib}Mi" if resources.ephemeral_mib else "",
        **{name: str(amount) for name, amount in resources.extended},
    }
    return {name: text for name, text in amounts.items() if text}
