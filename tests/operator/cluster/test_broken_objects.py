"""No object, however broken, stops the view of the others."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodemix.operator.cluster.store import SnapshotStore
from nodemix.optimizer.snapshot import Snapshot

from tests.api_objects import (
    make_budget_object,
    make_container,
    make_daemon_set_object,
    make_job_object,
    make_node_object,
    make_pod_object,
    make_workload_object,
)

Json = Any
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
OWN = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}


def rich_pod() -> dict[str, Any]:
    """A pod with something in nearly every field that is read."""
    expression = {"key": "zone", "operator": "In", "values": ["a"]}
    return make_pod_object(
        "rich",
        owner=("ReplicaSet", "web-1"),
        node_name="node-1",
        metadata={"labels": {"app": "web", "pod-template-hash": "1"}, "annotations": {"a": "b"}},
        initContainers=[make_container("i", {"cpu": "1"}, {"cpu": "2"}, restartPolicy="Always")],
        overhead={"cpu": "10m"},
        resources={"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
        nodeSelector={"kubernetes.io/arch": "arm64"},
        affinity={
            "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
            "podAffinity": {REQUIRED: [{"topologyKey": "zone", "labelSelector": OWN}]},
            "podAntiAffinity": {
                REQUIRED: [{"topologyKey": "kubernetes.io/hostname", "labelSelector": OWN}]
            },
        },
        topologySpreadConstraints=[
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": OWN,
            }
        ],
        tolerations=[{"key": "a", "operator": "Exists"}],
        volumes=[{"name": "v", "emptyDir": {}}],
        priority=1,
        schedulingGates=[{"name": "g"}],
    )


WHOLE: dict[str, dict[str, Any]] = {
    "Pod": rich_pod(),
    "Node": make_node_object(labels={"a": "b"}, taints=[{"key": "k", "effect": "NoSchedule"}]),
    "Deployment": make_workload_object(metadata={"labels": {"a": "b"}}),
    "ReplicaSet": make_workload_object("ReplicaSet", "web-1", owner=("Deployment", "web")),
    "StatefulSet": make_workload_object("StatefulSet", "db"),
    "DaemonSet": make_daemon_set_object(tolerations=[{"operator": "Exists"}]),
    "Job": make_job_object(
        status={"succeeded": 1, "conditions": [{"type": "Failed", "status": "False"}]},
        parallelism=2,
        completions=3,
    ),
    "PodDisruptionBudget": make_budget_object(selector=OWN),
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from(["", "x", "1Gi", "-1", "é"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "name", "kind"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(node: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside, but not to what a list finds its objects by."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        here = (*path, key)
        if here not in {("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace")}:
            yield here
        if isinstance(child, dict | list):
            yield from places(child, here)


def replaced(obj: Json, path: tuple[Any, ...], value: Json) -> Json:
    broken = copy.deepcopy(obj)
    parent = broken
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return broken


def see(kind: str, broken: Json) -> Snapshot:
    store = SnapshotStore()
    for other, obj in WHOLE.items():
        store.upsert(other, obj)
    store.upsert("Pod", make_pod_object("whole", owner=("ReplicaSet", "web-1")))
    store.upsert(kind, broken)
    return store.snapshot(0.0)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Pod", ("metadata", "labels", "app"), []),
        ("Pod", ("spec", "priority"), "high"),
        ("Job", ("spec", "parallelism"), float("inf")),
        ("Node", ("spec", "taints", 0, "value"), {"a": "b"}),
    ],
)
def test_what_once_stopped_the_view_stops_it_no_more(
    kind: str, path: tuple[Any, ...], value: Json
) -> None:
    found = see(kind, replaced(WHOLE[kind], path, value))

    assert "whole" in [pod.name for pod in found.pods]


@pytest.mark.parametrize("kind", WHOLE)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_broken_object_is_read_as_far_as_it_goes_or_noted(kind: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(places(WHOLE[kind]))), label="path")
    value = data.draw(values, label="value")

    found = see(kind, replaced(WHOLE[kind], path, value))

    assert "whole" in [pod.name for pod in found.pods]
    assert hash(found.pods) == hash(found.pods)


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_objects_are_read_without_a_remark(kind: str) -> None:
    assert see(kind, WHOLE[kind]).notes == ()
