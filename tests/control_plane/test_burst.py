"""Five thousand pods at once: the decision's input follows, and the operator stays small."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp
import orjson
import pytest
from nodemix.operator.cluster.connection import Connection, connect
from nodemix.operator.cluster.listing import fetch_snapshot
from nodemix.operator.cluster.session import open_session
from nodemix.operator.cluster.view import ClusterView
from nodemix.optimizer.snapshot import Snapshot

from tests.control_plane.operator_process import OperatorProcess
from tests.control_plane.scene import Scene
from tests.waiting import until, wait_for
from tools.local_cluster import LocalCluster

pytestmark = pytest.mark.slow

PODS = 5000
WORKLOADS = 25
AT_ONCE = 64
LAG_S = 2.0
MEMORY_MIB = 260.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Followed:
    """What a view in this process saw of a burst."""

    lag_s: float
    seen: Snapshot
    listed: Snapshot
    truth: dict[str, str]


def owners(namespace: str) -> list[Json]:
    """Objects that own pods without a controller that would make or remove any."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"workload-{i}", "namespace": namespace},
        }
        for i in range(WORKLOADS)
    ]


def make_gated_pods(owners_found: Sequence[Json], run: str) -> list[Json]:
    """Pods of as many sizes as there are owners; the gate keeps the scheduler away."""
    return [
        gated_pod(f"{run}-{i}", i % WORKLOADS, owners_found[i % WORKLOADS]) for i in range(PODS)
    ]


def gated_pod(name: str, size: int, owner: Json) -> Json:
    requests = {"cpu": f"{100 + 50 * size}m", "memory": f"{128 * (1 + size)}Mi"}
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"size": str(size)}, "ownerReferences": [reference]},
        "spec": {
            "schedulingGates": [{"name": "nodemix.dev/test"}],
            "containers": [
                {"name": "main", "image": "nothing", "resources": {"requests": requests}}
            ],
        },
    }


async def burst(connection: Connection, namespace: str, pods: Sequence[Json]) -> None:
    """Create all pods, many at a time."""
    url = f"{connection.url}/api/v1/namespaces/{namespace}/pods"
    left = iter(pods)
    async with open_session(connection) as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(post_all(session, url, left))


async def post_all(session: aiohttp.ClientSession, url: str, left: Any) -> None:
    for pod in left:
        body = orjson.dumps(pod)
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as r:
            assert r.status == 201, await r.text()


async def follow(cluster: LocalCluster, namespace: str, pods: Sequence[Json]) -> Followed:
    """Let a view follow the burst with the operator's rights."""
    reader = connect({}, cluster.operator_kubeconfig)
    view = ClusterView(reader, time.time, Random())  # noqa: S311 - spreads calls
    await view.start()
    try:
        await until(lambda: view.synced)
        await burst(connect({}, cluster.kubeconfig), namespace, pods)
        ended_s = time.monotonic()
        await until(lambda: len(pods_of(view.snapshot(), namespace).pods) == len(pods))
        lag_s = time.monotonic() - ended_s
        seen = pods_of(view.snapshot(), namespace)
    finally:
        await view.stop()
    listed = pods_of(await fetch_snapshot(reader, time.time()), namespace)
    return Followed(lag_s, seen, listed, truth(cluster, namespace))


def pods_of(snapshot: Snapshot, namespace: str) -> Snapshot:
    """Only the pods of the namespace; other tests leave traces elsewhere."""
    pods = tuple(pod for pod in snapshot.pods if pod.namespace == namespace)
    return Snapshot(taken_at_s=0.0, pods=pods)


def truth(cluster: LocalCluster, namespace: str) -> dict[str, str]:
    """CPU request of each pod, as kubectl prints it."""
    path = "jsonpath={range .items[*]}{.metadata.name} {..requests.cpu}{'\\n'}{end}"
    lines = cluster.kubectl("get", "pods", "-n", namespace, "-o", path).splitlines()
    return dict(line.split() for line in lines)


@pytest.fixture
def pods(scene: Scene) -> list[Json]:
    scene.cluster.apply(owners(scene.namespace))
    found = scene.cluster.get("configmaps", "-n", scene.namespace)["items"]
    own = [o for o in found if o["metadata"]["name"].startswith("workload-")]
    return make_gated_pods(own, "burst")


def test_view_equals_the_api_after_a_burst_and_the_operator_stays_small(
    scene: Scene, pods: list[Json], running_operator: OperatorProcess
) -> None:
    scene.policy()

    followed = asyncio.run(follow(scene.cluster, scene.namespace, pods))

    assert followed.lag_s <= LAG_S
    assert followed.seen == followed.listed
    assert len(followed.truth) == PODS
    cpu = {pod.name: pod.template.requests.cpu_milli for pod in followed.seen.pods}
    assert cpu == {name: milli(text) for name, text in followed.truth.items()}
    assert len({id(pod.template) for pod in followed.seen.pods}) == WORKLOADS
    objects = 'nodemix_informer_objects{resource="pods"}'
    wait_for(lambda: running_operator.metrics()[objects], lambda count: count >= PODS)
    assert running_operator.metrics()[objects] >= PODS
    scene.await_condition("Ready", "Decided")
    demand = f'nodemix_demand_pods{{policy="{scene.namespace}",quantity="now"}}'
    wait_for(lambda: running_operator.metrics().get(demand, 0), lambda count: count == PODS)
    assert running_operator.metrics()[demand] == PODS
    assert running_operator.memory_mib() < MEMORY_MIB


def milli(text: str) -> int:
    return int(text.removesuffix("m")) if text.endswith("m") else 1000 * int(text)
