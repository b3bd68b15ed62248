"""The snapshot against a real API server, scheduler and controllers."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from nodemix.operator.cluster.connection import Connection, kubeconfig_connection
from nodemix.operator.cluster.listing import fetch_snapshot
from nodemix.operator.cluster.placement import HOSTNAME, ZONE
from nodemix.operator.cluster.quantities import parse_quantity
from nodemix.operator.cluster.store import snapshot_of
from nodemix.operator.cluster.view import ClusterView
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import CapacityType, Pod, Snapshot, SpreadConstraint

from tests.api_objects import make_container
from tests.waiting import until, wait_for
from tools.local_cluster import LocalCluster, make_node

Json = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
MIB = 2**20
_RUNNING = 9  # three of web, three agents, three bare; the others wait for volumes and disks


def placed(namespace: str, **spec: Any) -> Json:
    """A pod spec that only runs on the nodes of this test."""
    toleration = {"key": "scene", "operator": "Equal", "value": namespace, "effect": "NoSchedule"}
    plain = {"containers": [make_container(requests={"cpu": "100m", "memory": "64Mi"})]}
    return {
        **plain,
        "nodeSelector": {"scene": namespace},
        "tolerations": [toleration],
        **spec,
    }


def workload(kind: str, name: str, namespace: str, pod: Json, **spec: Any) -> Json:
    labels = {"app": name}
    group = "batch/v1" if kind == "Job" else "apps/v1"
    annotations = pod.pop("annotations", {})
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod}
    selector = {} if kind == "Job" else {"selector": {"matchLabels": labels}}
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {"team": "shop"}},
        "spec": {**selector, "template": template, **spec},
    }


def bare(name: str, namespace: str, **spec: Any) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def web(namespace: str) -> Json:
    """A limit without a request, a large first step, a sidecar, a spread, one for each node."""
    own = {"labelSelector": {"matchLabels": {"app": "web"}}}
    pod = placed(
        namespace,
        annotations={"karpenter.sh/do-not-disrupt": "true"},
        containers=[
            make_container(requests={"cpu": "0.25"}, limits={"memory": "128974848"}),
            make_container("second", {"cpu": "250m", "memory": "1e8"}),
        ],
        initContainers=[
            make_container("proxy", {"cpu": "100m", "memory": "50Mi"}, restartPolicy="Always"),
            make_container("migrate", {"cpu": "2", "memory": "16Mi"}),
        ],
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", **own}
        ],
        affinity={"podAntiAffinity": {REQUIRED: [{"topologyKey": HOSTNAME, **own}]}},
    )
    return workload("Deployment", "web", namespace, pod, replicas=3)


def database(namespace: str) -> Json:
    pod = placed(
        namespace,
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "none"}}],
    )
    return workload(
        "StatefulSet", "db", namespace, pod, replicas=2, serviceName="db",
        podManagementPolicy="Parallel",
    )  # fmt: skip


def batch(namespace: str) -> Json:
    return workload(
        "Job", "batch", namespace, placed(namespace, restartPolicy="Never"),
        parallelism=2, completions=5,
    )  # fmt: skip


def objects(namespace: str) -> list[Json]:
    agent = placed(namespace, containers=[make_container(requests={"cpu": "50m", "memory": "1Gi"})])
    overhead = {"podFixed": {"cpu": "250m", "memory": "120Mi"}}
    budget_spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    gpu = make_container(requests={"cpu": "1e-1"}, limits={"nvidia.com/gpu": "1"})
    disk = make_container(requests={"ephemeral-storage": "1G"})
    return [
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": namespace},
            "handler": "sandbox",
            "overhead": overhead,
        },
        workload("DaemonSet", "agent", namespace, agent),
        web(namespace),
        database(namespace),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "web", "namespace": namespace},
            "spec": budget_spec,
        },
        bare("accelerated", namespace, **placed(namespace, containers=[gpu])),
        bare("stored", namespace, **placed(namespace, containers=[disk])),
        bare("sandboxed", namespace, **placed(namespace, runtimeClassName=namespace)),
        bare(
            "levelled",
            namespace,
            **placed(
                namespace,
                containers=[make_container("a"), make_container("b", {"cpu": "10m"})],
                resources={"requests": {"cpu": "1500m", "memory": "700Mi"}},
            ),
        ),
    ]


@pytest.fixture(scope="module")
def furnished(local_cluster: LocalCluster) -> Iterator[str]:
    """A namespace of odd workloads on three nodes of its own; gives its name."""
    name = f"real-{time.time_ns() % 10**8}"
    local_cluster.kubectl("create", "namespace", name)
    taint = {"key": "scene", "value": name, "effect": "NoSchedule"}
    for number, zone in enumerate("abc"):
        labels = {
            "scene": name,
            ZONE: f"us-east-1{zone}",
            "node.kubernetes.io/instance-type": "g4dn.4xlarge",
            "karpenter.sh/capacity-type": "spot" if zone == "a" else "on-demand",
        }
        node = make_node(
            f"{name}-{number}",
            cpu="15890m",
            memory="61234Mi",
            gpus=1,
            labels=labels,
            taints=[taint],
        )
        local_cluster.apply([node])
    local_cluster.apply(objects(name))
    wait_for(lambda: bound(local_cluster, name), lambda pods: pods == _RUNNING)
    wait_for(
        lambda: local_cluster.get("pdb", "web", "-n", name).get("status", {}),
        lambda status: status.get("disruptionsAllowed") == 1,
    )
    yield name
    local_cluster.kubectl("delete", "namespace", name, "--wait=false")
    local_cluster.kubectl("delete", "runtimeclass", name, "--wait=false")
    local_cluster.kubectl("delete", "node", "-l", f"scene={name}", "--wait=false")


def bound(cluster: LocalCluster, namespace: str) -> int:
    pods = cluster.get("pods", "-n", namespace)["items"]
    return sum(pod["status"].get("phase") == "Running" for pod in pods)


@pytest.fixture(scope="module")
def connection(local_cluster: LocalCluster) -> Connection:
    return kubeconfig_connection({}, local_cluster.kubeconfig)


@pytest.fixture(scope="module")
def snapshot(connection: Connection, furnished: str) -> Snapshot:
    return asyncio.run(fetch_snapshot(connection, 0.0))


def pods_of(snapshot: Snapshot, namespace: str, workload: str) -> list[Pod]:
    return [
        pod
        for pod in snapshot.pods
        if pod.namespace == namespace and f"{pod.workload.kind}/{pod.workload.name}" == workload
    ]


def test_nodes_are_as_they_were_posted(snapshot: Snapshot, furnished: str) -> None:
    nodes = [node for node in snapshot.nodes if node.name.startswith(furnished)]

    room = Resources.of({"nvidia.com/gpu": 1}, cpu_milli=15_890, memory_mib=61_234, pods=110)
    assert [node.allocatable for node in nodes] == [room] * 3
    assert [node.zone for node in nodes] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert {node.instance_type for node in nodes} == {"g4dn.4xlarge"}
    assert [node.capacity_type for node in nodes] == [
        CapacityType.SPOT, CapacityType.ON_DEMAND, CapacityType.ON_DEMAND,
    ]  # fmt: skip
    assert all(node.is_ready and not node.is_leaving for node in nodes)


def test_deployment_is_what_was_asked_for(snapshot: Snapshot, furnished: str) -> None:
    pods = pods_of(snapshot, furnished, "Deployment/web")
    (template,) = {pod.template for pod in pods}

    assert len({id(pod.template) for pod in pods}) == 1
    assert {pod.node_name for pod in pods} == {f"{furnished}-{n}" for n in range(3)}
    # The first step needs 2 cores beside the proxy; later 500m + 100m run.
    assert template.requests == Resources(cpu_milli=2100, memory_mib=269, pods=1)
    assert template.spreads == (SpreadConstraint(ZONE, 1),)
    assert (template.max_per_node, template.unsupported) == (1, ())
    assert template.spot_denied == "karpenter.sh/do-not-disrupt: true"
    assert template.labels == (("app", "web"),)


def test_pods_that_wait_for_a_volume_stay_and_say_why(snapshot: Snapshot, furnished: str) -> None:
    pods = pods_of(snapshot, furnished, "StatefulSet/db")

    assert [(pod.name, pod.node_name) for pod in pods] == [("db-0", None), ("db-1", None)]
    assert {pod.template.unsupported for pod in pods} == {
        ("uses a PersistentVolumeClaim, whose zone is not known",)
    }


def test_bare_pods_are_read_with_all_they_ask_for(snapshot: Snapshot, furnished: str) -> None:
    found = {
        pod.name: pod.template.requests
        for pod in snapshot.pods
        if pod.namespace == furnished and pod.workload.kind == "Pod"
    }

    assert found == {
        "accelerated": Resources.of({"nvidia.com/gpu": 1}, cpu_milli=100, pods=1),
        "stored": Resources(ephemeral_mib=954, pods=1),
        "sandboxed": Resources(cpu_milli=350, memory_mib=184, pods=1),
        "levelled": Resources(cpu_milli=1500, memory_mib=700, pods=1),
    }


def test_daemon_pods_are_overhead_of_each_node(snapshot: Snapshot, furnished: str) -> None:
    overhead = {node: room for node, room in snapshot.overhead if node.startswith(furnished)}
    (daemon_set,) = (d for d in snapshot.daemon_sets if d.key.namespace == furnished)

    agent = Resources(cpu_milli=50, memory_mib=1024, pods=1)
    assert overhead == {f"{furnished}-{n}": agent for n in range(3)}
    assert daemon_set.template.requests == agent
    assert pods_of(snapshot, furnished, "DaemonSet/agent") == []


def test_workloads_are_listed_with_what_they_want(snapshot: Snapshot, furnished: str) -> None:
    found = {
        f"{w.key.kind}/{w.key.name}": (w.replicas, dict(w.labels))
        for w in snapshot.workloads
        if w.key.namespace == furnished
    }

    assert found == {
        "Deployment/web": (3, {"team": "shop"}),
        "StatefulSet/db": (2, {"team": "shop"}),
    }


def test_budget_tells_what_the_controller_counted(snapshot: Snapshot, furnished: str) -> None:
    (budget,) = (b for b in snapshot.disruption_budgets if b.namespace == furnished)

    assert (budget.name, budget.disruptions_allowed) == ("web", 1)
    assert budget.selector.matches({"app": "web"})


def test_nothing_of_it_is_unreadable(snapshot: Snapshot, furnished: str) -> None:
    assert [note for note in snapshot.notes if furnished in note.subject] == []


def allocated(cluster: LocalCluster, node: str, resource: str) -> int:
    """What ``kubectl describe node`` sums up by Kubernetes' own rule."""
    text = cluster.kubectl("describe", "node", node).partition("Allocated resources:")[2]
    (amount,) = re.findall(rf"^  {re.escape(resource)} +(\S+)", text, re.MULTILINE)
    return int(parse_quantity(amount) * 1000)


def test_sum_on_each_node_is_the_one_that_kubernetes_counts(
    local_cluster: LocalCluster, snapshot: Snapshot, furnished: str
) -> None:
    for number in range(3):
        node = f"{furnished}-{number}"
        own = [pod.template.requests for pod in snapshot.pods if pod.node_name == node]
        total = sum(own, dict(snapshot.overhead)[node])

        assert total.cpu_milli == allocated(local_cluster, node, "cpu")
        assert total.gpus * 1000 == allocated(local_cluster, node, "nvidia.com/gpu")
        # Each pod is rounded up to a whole MiB.
        exact_mib = allocated(local_cluster, node, "memory") / 1000 / MIB
        assert exact_mib <= total.memory_mib < exact_mib + total.pods


def names_in(snapshot: Snapshot, namespace: str) -> list[str]:
    return sorted(pod.name for pod in snapshot.pods if pod.namespace == namespace)


def test_live_view_follows_and_ends_up_equal_to_a_fresh_list(
    local_cluster: LocalCluster, connection: Connection, namespace: str
) -> None:
    """Created, scaled and deleted while it watches, with a Job that comes and goes."""
    kubectl = local_cluster.kubectl

    async def scenario() -> None:
        rng = Random(0)  # noqa: S311 - spreads pauses
        view = ClusterView(connection, time.time, rng)
        await view.start()
        try:
            await until(lambda: view.synced, 30)
            pod = placed("nowhere")
            deployment = workload("Deployment", "web", namespace, pod, replicas=4)
            await asyncio.to_thread(local_cluster.apply, [deployment, batch(namespace)])
            await until(lambda: len(names_in(view.snapshot(), namespace)) == 6, 30)
            await asyncio.to_thread(
                kubectl, "scale", "deployment/web", "--replicas=2", "-n", namespace
            )
            await asyncio.to_thread(kubectl, "delete", "job/batch", "-n", namespace, "--wait=false")
            await until(lambda: len(names_in(view.snapshot(), namespace)) == 2, 30)

            fresh = await fetch_snapshot(connection, 0.0)
            seen = view.snapshot()
            assert view.relists == 0
            assert names_in(seen, namespace) == names_in(fresh, namespace)
            own = [w for w in fresh.workloads if w.key.namespace == namespace]
            assert [w for w in seen.workloads if w.key.namespace == namespace] == own
            assert [(str(w.key), w.replicas) for w in own] == [(f"{namespace}/Deployment/web", 2)]
        finally:
            await view.stop()

    asyncio.run(scenario())


def test_snapshot_file_written_by_kubectl_reads_like_the_live_cluster(
    local_cluster: LocalCluster, snapshot: Snapshot, furnished: str
) -> None:
    kinds = "nodes,pods,deployments,replicasets,statefulsets,daemonsets,poddisruptionbudgets"
    listed = json.loads(local_cluster.kubectl("get", kinds, "-A", "-o", "json"))
    read = snapshot_of(listed["items"], 0.0)

    assert [p for p in read.pods if p.namespace == furnished] == [
        p for p in snapshot.pods if p.namespace == furnished
    ]
    assert dict(read.overhead)[f"{furnished}-0"] == dict(snapshot.overhead)[f"{furnished}-0"]
