"""The local control plane behaves like a cluster: schedules, recreates, refuses and logs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.waiting import wait_for
from tools.local_cluster import OPERATOR_USER, KubectlError, LocalCluster, make_node

# The pod garbage collector looks every 20 s and waits another 40 s before it believes that a node
# is gone; both are constants of Kubernetes.
_ORPHAN_PATIENCE_S = 150.0
_ROLE = "test-pod-reader"


def deployment(name: str, pool: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "main", "image": "nothing", "resources": {"requests": {"cpu": "500m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeSelector": {"pool": pool}, "containers": [container]},
            },
        },
    }


def running(cluster: LocalCluster, namespace: str) -> list[dict[str, Any]]:
    pods = cluster.get("pods", "-n", namespace)["items"]
    return [
        pod
        for pod in pods
        if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]


@pytest.fixture
def deployed(local_cluster: LocalCluster, namespace: str) -> Iterator[str]:
    """Ten pods of half a core on three posted nodes of four cores; gives the namespace."""
    pool = {"pool": namespace}
    local_cluster.apply([make_node(f"{namespace}-{n}", labels=pool) for n in range(3)])
    manifest = deployment("web", pool=namespace, replicas=10)
    manifest["metadata"]["namespace"] = namespace
    local_cluster.apply([manifest])
    wait_for(lambda: running(local_cluster, namespace), lambda pods: len(pods) == 10)
    yield namespace
    local_cluster.kubectl("delete", "node", "-l", f"pool={namespace}", "--wait=false")


def test_deployment_runs_on_posted_nodes(local_cluster: LocalCluster, deployed: str) -> None:
    nodes = {pod["spec"]["nodeName"] for pod in running(local_cluster, deployed)}

    assert len(running(local_cluster, deployed)) == 10
    assert nodes <= {f"{deployed}-{n}" for n in range(3)}


def all_moved_from(node: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda pods: len(pods) == 10 and all(pod["spec"]["nodeName"] != node for pod in pods)


def test_pods_of_an_interrupted_node_move_at_once(
    local_cluster: LocalCluster, deployed: str
) -> None:
    lost = running(local_cluster, deployed)[0]["spec"]["nodeName"]

    local_cluster.kubectl("taint", "node", lost, "interrupted=yes:NoExecute")
    pods = wait_for(lambda: running(local_cluster, deployed), all_moved_from(lost))

    assert all_moved_from(lost)(pods)


@pytest.mark.slow
def test_pods_of_a_deleted_node_are_recreated_elsewhere(
    local_cluster: LocalCluster, deployed: str
) -> None:
    lost = running(local_cluster, deployed)[0]["spec"]["nodeName"]

    local_cluster.kubectl("delete", "node", lost, "--wait=false")
    pods = wait_for(
        lambda: running(local_cluster, deployed), all_moved_from(lost), _ORPHAN_PATIENCE_S
    )

    assert all_moved_from(lost)(pods)


def test_node_keeps_the_gpus_it_was_posted_with(
    local_cluster: LocalCluster, namespace: str
) -> None:
    name = f"{namespace}-gpu"
    local_cluster.apply([make_node(name, cpu="48", memory="192Gi", gpus=4)])

    node = wait_for(lambda: local_cluster.get("node", name), is_ready)
    local_cluster.kubectl("delete", "node", name, "--wait=false")

    assert is_ready(node)
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "4"


def is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def as_operator(cluster: LocalCluster, *arguments: str) -> str:
    return cluster.kubectl("--kubeconfig", str(cluster.operator_kubeconfig), *arguments)


@pytest.mark.parametrize(
    "request_", [("get", "configmaps"), ("delete", "node", "any"), ("get", "services")]
)
def test_operator_is_refused_what_nobody_granted(
    local_cluster: LocalCluster, request_: tuple[str, ...]
) -> None:
    with pytest.raises(KubectlError, match=f'User "{OPERATOR_USER}" cannot'):
        as_operator(local_cluster, *request_)


def test_operator_may_do_what_its_group_was_granted_and_no_more(
    local_cluster: LocalCluster, namespace: str
) -> None:
    rules = ("--verb=get,list", "--resource=secrets")
    local_cluster.kubectl("create", "clusterrole", f"{_ROLE}-{namespace}", *rules)
    local_cluster.grant_operator(f"{_ROLE}-{namespace}")

    answer = wait_for(
        lambda: as_operator(local_cluster, "auth", "whoami", "-o", "jsonpath={..username}"), bool
    )

    assert answer == OPERATOR_USER
    assert as_operator(local_cluster, "get", "secrets", "-n", namespace, "-o", "name") == ""
    with pytest.raises(KubectlError, match="cannot create"):
        as_operator(local_cluster, "create", "secret", "generic", "any", "-n", namespace)


def test_audit_log_tells_who_wrote_what(local_cluster: LocalCluster, namespace: str) -> None:
    local_cluster.kubectl("create", "configmap", "seen", "-n", namespace)

    written = [
        (event["user"]["username"], event["verb"], event["objectRef"]["name"])
        for event in local_cluster.audit_events()
        if event.get("objectRef", {}).get("namespace") == namespace
        and event["objectRef"]["resource"] == "configmaps"
        and event["user"]["username"] == "admin"
    ]

    assert written == [("admin", "create", "seen")]


def test_failed_kubectl_says_what_the_server_said(local_cluster: LocalCluster) -> None:
    with pytest.raises(KubectlError, match='nodes "nowhere" not found'):
        local_cluster.kubectl("get", "node", "nowhere")
