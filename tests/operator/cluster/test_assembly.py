from typing import Any

from nodemix.operator.cluster.placement import HOSTNAME, ZONE
from nodemix.operator.cluster.store import snapshot_of
from nodemix.optimizer.snapshot import Pod, Snapshot, SpreadConstraint, WorkloadKey

from tests.api_objects import (
    make_budget_object,
    make_daemon_set_object,
    make_job_object,
    make_node_object,
    make_pod_object,
    make_workload_object,
)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
WEB = WorkloadKey("default", "Deployment", "web")


def snapshot(*objects: dict[str, Any]) -> Snapshot:
    return snapshot_of(objects, now_s=100.0)


def only_pod(*objects: dict[str, Any]) -> Pod:
    (pod,) = snapshot(*objects).pods
    return pod


def replica_set(name: str = "web-6d4", deployment: str | None = "web") -> dict[str, Any]:
    owner = None if deployment is None else ("Deployment", deployment)
    return make_workload_object("ReplicaSet", name, owner=owner)


def pod_of(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    pod_name = fields.pop("pod_name", f"{name}-1")
    return make_pod_object(pod_name, owner=(kind, name), **fields)


def repelling(labels: dict[str, str], key: str = HOSTNAME) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": labels}}
    return {"podAntiAffinity": {REQUIRED: [term]}}


def test_pod_of_a_replica_set_belongs_to_its_deployment() -> None:
    pod = only_pod(pod_of("ReplicaSet", "web-6d4"), replica_set(), make_workload_object())

    assert pod.workload == WEB


def test_order_of_the_objects_does_not_matter() -> None:
    objects = [replica_set(), make_workload_object(), pod_of("ReplicaSet", "web-6d4")]

    assert snapshot(*objects) == snapshot(*objects[::-1])


def test_bare_replica_set_is_a_workload_itself() -> None:
    found = snapshot(pod_of("ReplicaSet", "solo"), replica_set("solo", deployment=None))

    key = WorkloadKey("default", "ReplicaSet", "solo")
    assert found.pods[0].workload == key
    assert [w.key for w in found.workloads] == [key]


def test_unknown_replica_set_with_a_hash_names_its_deployment() -> None:
    labels = {"labels": {"pod-template-hash": "6d4"}}

    assert only_pod(pod_of("ReplicaSet", "web-6d4", metadata=labels)).workload == WEB


def test_unknown_replica_set_without_a_hash_stays_the_owner() -> None:
    pod = only_pod(pod_of("ReplicaSet", "web"))

    assert pod.workload == WorkloadKey("default", "ReplicaSet", "web")


def test_pods_of_other_controllers_belong_to_them() -> None:
    found = snapshot(
        pod_of("StatefulSet", "db"), pod_of("Job", "batch"), pod_of("Workflow", "build")
    )

    assert [(p.workload.kind, p.workload.name) for p in found.pods] == [
        ("Job", "batch"),
        ("Workflow", "build"),
        ("StatefulSet", "db"),
    ]


def test_orphan_is_its_own_workload() -> None:
    assert only_pod(make_pod_object("lonely")).workload == WorkloadKey("default", "Pod", "lonely")


def test_workloads_are_listed_without_the_replica_sets_of_deployments() -> None:
    found = snapshot(
        make_workload_object(replicas=5, metadata={"labels": {"team": "a"}}),
        replica_set(),
        make_workload_object("StatefulSet", "db"),
        make_job_object("batch", parallelism=2),
    )

    assert [(str(w.key), w.replicas) for w in found.workloads] == [
        ("default/Deployment/web", 5),
        ("default/Job/batch", 2),
        ("default/StatefulSet/db", 3),
    ]
    assert found.workloads[0].labels == (("team", "a"),)


def test_daemon_and_static_pods_are_overhead_of_their_node() -> None:
    found = snapshot(
        make_node_object("node-1"),
        make_daemon_set_object(requests={"cpu": "100m"}),
        pod_of("DaemonSet", "agent", node_name="node-1", requests={"cpu": "100m"}),
        pod_of("Node", "node-1", node_name="node-1", requests={"cpu": "250m"}),
        pod_of("DaemonSet", "lost", node_name="gone", requests={"cpu": "1"}),
    )

    assert found.pods == ()
    ((name, overhead),) = found.overhead
    assert (name, overhead.cpu_milli, overhead.pods) == ("node-1", 350, 2)
    assert [str(d.key) for d in found.daemon_sets] == ["default/DaemonSet/agent"]


def test_annotation_of_a_deployment_keeps_its_pods_off_spot() -> None:
    denied = {"annotations": {"nodemix.dev/spot": "deny"}}
    pod = only_pod(
        make_workload_object(metadata=denied), replica_set(), pod_of("ReplicaSet", "web-6d4")
    )

    assert pod.template.spot_denied == "nodemix.dev/spot: deny"


def test_own_reason_of_a_pod_comes_before_its_deployments() -> None:
    denied = {"annotations": {"nodemix.dev/spot": "deny"}}
    own = {"annotations": {"karpenter.sh/do-not-disrupt": "true"}}
    pod = only_pod(
        make_workload_object(metadata=denied),
        replica_set(),
        pod_of("ReplicaSet", "web-6d4", metadata=own),
    )

    assert pod.template.spot_denied == "karpenter.sh/do-not-disrupt: true"
    assert pod.do_not_disrupt == "karpenter.sh/do-not-disrupt: true"


def test_pods_of_one_rollout_share_one_template() -> None:
    pods = [pod_of("StatefulSet", "db", pod_name=f"db-{n}", node_name=f"n{n}") for n in range(3)]

    found = snapshot(*pods).pods

    assert len({id(pod.template) for pod in found}) == 1


def test_anti_affinity_to_another_workload_marks_both() -> None:
    found = snapshot(
        pod_of(
            "StatefulSet", "a", affinity=repelling({"app": "b"}), metadata={"labels": {"app": "a"}}
        ),
        pod_of("StatefulSet", "b", metadata={"labels": {"app": "b"}}),
        pod_of("StatefulSet", "c", metadata={"labels": {"app": "c"}}),
    )

    a, b, c = (pod.template.unsupported for pod in found.pods)
    assert "required pod anti-affinity with default/StatefulSet/b" in a
    assert b == ("required pod anti-affinity with default/StatefulSet/a",)
    assert c == ()


def test_anti_affinity_that_also_meets_another_workload_marks_both() -> None:
    """One per node would hold for its own pods, and be wrong for the other's."""
    shared = {"labels": {"tier": "front"}}
    found = snapshot(
        pod_of("StatefulSet", "a", affinity=repelling({"tier": "front"}), metadata=shared),
        pod_of("StatefulSet", "b", metadata=shared),
    )

    assert [pod.template.unsupported for pod in found.pods] == [
        ("required pod anti-affinity with default/StatefulSet/b",),
        ("required pod anti-affinity with default/StatefulSet/a",),
    ]


def test_anti_affinity_does_not_reach_into_another_namespace() -> None:
    shared = {"labels": {"tier": "front"}}
    found = snapshot(
        pod_of("StatefulSet", "a", affinity=repelling({"tier": "front"}), metadata=shared),
        pod_of("StatefulSet", "b", namespace="other", metadata=shared),
    )

    assert [pod.template.unsupported for pod in found.pods] == [(), ()]


def spreading(labels: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": labels},
        }
    ]


def test_spread_that_also_counts_another_workload_is_unsupported() -> None:
    """The model spreads a workload's own pods; the scheduler would count the other's too."""
    shared = {"labels": {"tier": "front"}}
    found = snapshot(
        pod_of(
            "StatefulSet",
            "a",
            topologySpreadConstraints=spreading({"tier": "front"}),
            metadata=shared,
        ),
        pod_of("StatefulSet", "b", metadata=shared),
    )

    assert [pod.template.unsupported for pod in found.pods] == [
        ("required topology spread that also counts default/StatefulSet/b",),
        (),
    ]


def test_spread_of_its_own_pods_alone_is_modelled() -> None:
    found = snapshot(
        pod_of(
            "StatefulSet",
            "a",
            topologySpreadConstraints=spreading({"app": "a"}),
            metadata={"labels": {"app": "a"}},
        ),
        pod_of("StatefulSet", "b", metadata={"labels": {"app": "b"}}),
    )

    assert found.pods[0].template.spreads == (SpreadConstraint(ZONE, 1),)
    assert found.pods[0].template.unsupported == ()


def test_fault_is_noted_once_for_a_workload_with_one_of_its_pods() -> None:
    bad = {"cpu": "lots"}
    found = snapshot(
        *(pod_of("StatefulSet", "db", pod_name=f"db-{n}", requests=bad) for n in range(3))
    )

    (note,) = found.notes
    assert note.subject == "default/StatefulSet/db"
    assert note.severity == "error"
    assert "quantity 'lots'" in note.fact
    assert note.fact.endswith("(pod db-0 and 2 more)")
    assert len(found.pods) == 3


def test_fault_of_a_node_and_of_a_daemon_set_is_noted() -> None:
    found = snapshot(
        make_node_object("node-1", allocatable={"cpu": "x"}),
        make_daemon_set_object(requests={"memory": "y"}),
    )

    assert [note.subject for note in found.notes] == ["Node/node-1", "default/DaemonSet/agent"]


def test_everything_is_sorted_by_name() -> None:
    found = snapshot(
        *(make_node_object(name) for name in ("b", "a")),
        *(make_pod_object(name) for name in ("y", "x")),
        *(make_budget_object(name, selector={}) for name in ("q", "p")),
    )

    assert [node.name for node in found.nodes] == ["a", "b"]
    assert [pod.name for pod in found.pods] == ["x", "y"]
    assert [budget.name for budget in found.disruption_budgets] == ["p", "q"]


def test_objects_without_a_namespace_are_in_the_default_one() -> None:
    denied = {"annotations": {"nodemix.dev/spot": "deny"}}
    deployment = make_workload_object(namespace=None, metadata=denied)
    owned = make_workload_object("ReplicaSet", "api", namespace=None, owner=("Deployment", "web"))
    pod = only_pod(deployment, owned, pod_of("ReplicaSet", "api", namespace=None))

    assert pod.workload == WEB
    assert pod.template.spot_denied == "nodemix.dev/spot: deny"
