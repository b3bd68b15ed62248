"""Files for the command line: two half-empty nodes, prices, a policy and a demand history."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.api_objects import make_node_object, make_pod_object, make_workload_object

Json = dict[str, Any]

DEAR, CHEAP = "m5.2xlarge", "m5.xlarge"
ZONE = "us-east-1a"
WEB = "default/Deployment/web"
OFFER_HEADER = "instance_type,zone,capacity_type,usd_h"
OFFER_ROWS = (f"{DEAR},{ZONE},on-demand,0.384", f"{CHEAP},{ZONE},on-demand,0.192")


def a_node(name: str, instance_type: str = DEAR) -> Json:
    labels = {
        "node.kubernetes.io/instance-type": instance_type,
        "topology.kubernetes.io/zone": ZONE,
        "karpenter.sh/capacity-type": "on-demand",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
    }
    room = {"cpu": "7910m", "memory": "30000Mi", "pods": "58"}
    return make_node_object(name, labels=labels, allocatable=room)


def a_cluster(pods_a_node: int = 1, requests: Mapping[str, str] | None = None) -> list[Json]:
    """Two m5.2xlarge nodes and the pods of one Deployment on them."""
    nodes = [a_node("node-1"), a_node("node-2")]
    pods = [
        make_pod_object(
            f"web-{node['metadata']['name']}-{i}",
            owner=("ReplicaSet", "web-1"),
            node_name=node["metadata"]["name"],
            requests=requests,
        )
        for node in nodes
        for i in range(pods_a_node)
    ]
    return [
        *nodes,
        *pods,
        make_workload_object("Deployment", "web", replicas=len(pods)),
        make_workload_object(
            "ReplicaSet", "web-1", replicas=len(pods), owner=("Deployment", "web")
        ),
    ]


def write_snapshot(path: Path, objects: Sequence[Json]) -> Path:
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
    return path


def write_offers(path: Path, rows: Sequence[str] = OFFER_ROWS) -> Path:
    path.write_text("\n".join([OFFER_HEADER, *rows]) + "\n")
    return path


def write_policy(path: Path, **spec: Any) -> Path:
    policy = {"kind": "NodeMixPolicy", "metadata": {"name": "mine"}, "spec": spec}
    path.write_text(yaml.safe_dump(policy))
    return path


def write_history(path: Path, pods: float, end_s: float, steps: int = 200) -> Path:
    """A steady demand for web every 15 minutes up to ``end_s``."""
    rows = [f"{end_s - 900 * i:.0f},{WEB},pods,{pods}" for i in reversed(range(steps))]
    path.write_text("\n".join(["timestamp,workload,indicator,value", *rows]) + "\n")
    return path
