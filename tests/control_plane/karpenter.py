"""As much of Karpenter as leaves traces on an API server: claims for machines, and refusals."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tools.local_cluster import LocalCluster

GROUP, VERSION, PLURAL = "karpenter.sh", "v1", "nodeclaims"

Json = dict[str, Any]


def install_claims(cluster: LocalCluster) -> None:
    """Serve NodeClaims; of their schema only that they are objects."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": anything},
    }
    names = {"kind": "NodeClaim", "listKind": "NodeClaimList", "plural": PLURAL}
    spec = {
        "group": GROUP,
        "names": {**names, "singular": "nodeclaim"},
        "scope": "Cluster",
        "versions": [version],
    }
    name = f"{PLURAL}.{GROUP}"
    definition: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": name,
            # What upstream guards is not guarded here.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests only"},
        },
        "spec": spec,
    }
    cluster.apply([definition])
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")


def refuse(
    cluster: LocalCluster, name: str, wanted: Mapping[str, Sequence[str]], message: str
) -> None:
    """Ask for a machine, say why it cannot be had, and give up, as Karpenter does in a second.

    Args:
        wanted: what each label may be.
    """
    requirements = [{"key": k, "operator": "In", "values": list(v)} for k, v in wanted.items()]
    claim = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "NodeClaim",
        "metadata": {"name": name},
        "spec": {"requirements": requirements},
    }
    cluster.apply([claim])
    cluster.apply([_event(name, message)])
    cluster.kubectl("delete", PLURAL, name)


def _event(claim: str, message: str) -> Json:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{claim}.1", "namespace": "default"},
        "involvedObject": {"apiVersion": f"{GROUP}/{VERSION}", "kind": "NodeClaim", "name": claim},
        "reason": "InsufficientCapacityError",
        "type": "Warning",
        "message": f"NodeClaim {claim} event: {message}",
        "source": {"component": "karpenter"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
