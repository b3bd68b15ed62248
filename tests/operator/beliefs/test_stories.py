"""How spot nodes leave on each platform, as the API server tells it, and what is learned of it."""

from collections.abc import Callable
from typing import Any

import pytest
from nodemix.operator.beliefs.watch import NodeWatch
from nodemix.operator.cluster.store import SnapshotStore

from tests.api_objects import make_node_object

Json = dict[str, Any]
Step = Callable[[SnapshotStore], None]
AWS = {
    "node.kubernetes.io/instance-type": "m5.xlarge",
    "topology.kubernetes.io/zone": "us-east-1a",
    "karpenter.sh/capacity-type": "spot",
}
NOTICE = {"aws-node-termination-handler/event-id": "spot-itn-1"}
DELETED_AT = {"deletionTimestamp": "2026-01-01T00:02:00Z"}
STOPPED: Json = {"is_ready": False, "taints": [{"key": "node.kubernetes.io/unreachable"}]}


def node(*taints: str, labels: Json | None = None, **fields: Any) -> Step:
    """The node a, changed."""
    marks = [{"key": key, "effect": "NoSchedule"} for key in taints]
    defaults = {"taints": marks, "labels": {**AWS, **(labels or {})}}
    return lambda store: store.upsert("Node", make_node_object("a", **{**defaults, **fields}))


def gone(*taints: str, **fields: Any) -> Step:
    """The node a, deleted in this state."""
    marks = [{"key": key, "effect": "NoSchedule"} for key in taints]
    final = make_node_object("a", taints=marks, labels=AWS, **fields)
    return lambda store: store.delete("Node", final)


def event(reason: str) -> Step:
    about = {"kind": "Node", "name": "a"}
    body = {"metadata": {"name": reason}, "reason": reason, "involvedObject": about}
    return lambda store: store.upsert("Event", body)


def lost(*steps: Step) -> int:
    """Nodes taken back; every step is seen by a look of its own."""
    store = SnapshotStore()
    store.replace("Node", [make_node_object("a", labels=AWS), make_node_object("stays")])
    watch, total = NodeWatch().after(store.look(0.0))[0], 0
    for number, step in enumerate(steps, start=1):
        step(store)
        watch, seen = watch.after(store.look(5.0 * number))
        total += sum(seen.lost.values())
    return total


DISRUPTED = "karpenter.sh/disrupted"
RECLAIMS: dict[str, tuple[Step, ...]] = {
    "karpenter with its queue": (
        event("SpotInterrupted"),
        node(DISRUPTED, metadata=DELETED_AT),
        gone(DISRUPTED, metadata=DELETED_AT),
    ),
    "karpenter with its queue, the event after the taint": (
        node(DISRUPTED, metadata=DELETED_AT),
        event("SpotInterrupted"),
        gone(DISRUPTED, metadata=DELETED_AT),
    ),
    "karpenter without its queue": (
        node(**STOPPED),
        node(DISRUPTED, metadata=DELETED_AT, is_ready=False),
        gone(DISRUPTED, metadata=DELETED_AT, is_ready=False),
    ),
    "handler that taints": (
        node("aws-node-termination-handler/spot-itn", unschedulable=True),
        node("aws-node-termination-handler/spot-itn", unschedulable=True, is_ready=False),
        gone("aws-node-termination-handler/spot-itn", unschedulable=True, is_ready=False),
    ),
    "handler that only cordons": (
        node(labels=NOTICE, unschedulable=True),
        gone(unschedulable=True, is_ready=False),
    ),
    "google": (
        node("cloud.google.com/impending-node-termination"),
        node("cloud.google.com/impending-node-termination", is_ready=False),
        gone(is_ready=False),
    ),
    "azure that deletes": (event("PreemptScheduled"), node(**STOPPED), gone(is_ready=False)),
    "azure that stops and keeps": (
        node(**STOPPED),
        node("node.cloudprovider.kubernetes.io/shutdown", is_ready=False),
        node("node.cloudprovider.kubernetes.io/shutdown", is_ready=False),
    ),
    "no handler": (node(**STOPPED), gone(is_ready=False)),
    "without a word": (gone(),),
}
LET_GO: dict[str, tuple[Step, ...]] = {
    "karpenter consolidates": (
        node(DISRUPTED),
        node(DISRUPTED, metadata=DELETED_AT),
        gone(DISRUPTED, metadata=DELETED_AT),
    ),
    "karpenter consolidates within one look": (gone(DISRUPTED, metadata=DELETED_AT),),
    "cluster-autoscaler": (
        node("DeletionCandidateOfClusterAutoscaler"),
        node("ToBeDeletedByClusterAutoscaler"),
        node("ToBeDeletedByClusterAutoscaler", is_ready=False),
        gone("ToBeDeletedByClusterAutoscaler", is_ready=False),
    ),
    "group that scales in": (
        node("aws-node-termination-handler/asg-lifecycle-termination", unschedulable=True),
        gone("aws-node-termination-handler/asg-lifecycle-termination", unschedulable=True),
    ),
    "kubectl drain": (
        node("node.kubernetes.io/unschedulable", unschedulable=True),
        gone("node.kubernetes.io/unschedulable", unschedulable=True),
    ),
    "machine that stops after the autoscaler took it": (
        node("ToBeDeletedByClusterAutoscaler"),
        node(
            "ToBeDeletedByClusterAutoscaler",
            "node.cloudprovider.kubernetes.io/shutdown",
            is_ready=False,
        ),
        gone("ToBeDeletedByClusterAutoscaler", is_ready=False),
    ),
    "kubelet that restarts": (node(**STOPPED), node(), node(**STOPPED), node()),
}


@pytest.mark.parametrize("story", RECLAIMS)
def test_node_that_was_taken_back_is_lost_once(story: str) -> None:
    assert lost(*RECLAIMS[story]) == 1


@pytest.mark.parametrize("story", LET_GO)
def test_node_that_was_let_go_or_stays_is_not_lost(story: str) -> None:
    assert lost(*LET_GO[story]) == 0
