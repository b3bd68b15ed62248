"""The stage against an API server that is a dictionary."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from nodemix.operator.demo.cluster import DemoCluster, demo_cluster
from nodemix.operator.demo.objects import DEMO_LABEL
from nodemix.operator.demo.policy import demo_policy
from nodemix.operator.demo.stage import (
    Stage,
    collection_path,
    cpu_milli_of,
    on_demo_nodes,
    until,
)
from nodemix.operator.errors import DemoError
from nodemix.optimizer.catalog.bundled import bundled_catalog

Json = dict[str, Any]

SHOP = "/api/v1/namespaces/shop"


class FakeServer:
    """Objects by path; stands in for the ObjectWriter."""

    def __init__(self, objects: Mapping[str, Json] | None = None) -> None:
        self.objects: dict[str, Json] = dict(objects or {})
        self.deleted: list[str] = []

    async def get(self, path: str) -> Json | None:
        if path.startswith("/api/v1/pods?"):
            return {"items": []}
        return self.objects.get(path)

    async def create(self, collection: str, body: Json) -> Json | None:
        path = f"{collection}/{body['metadata']['name']}"
        if path in self.objects:
            return None
        if body["kind"] == "CustomResourceDefinition":
            body = {**body, "status": {"conditions": [{"type": "Established", "status": "True"}]}}
        self.objects[path] = body
        return body

    async def delete(self, path: str) -> None:
        self.deleted.append(path)
        self.objects.pop(path, None)


def a_stage(server: FakeServer, patience_s: float = 1.0) -> Stage:
    return Stage(server, None, patience_s)  # type: ignore[arg-type]  # a fake; nothing is patched


@pytest.fixture(scope="module")
def cluster() -> DemoCluster:
    return demo_cluster(bundled_catalog())


async def put_everything(stage: Stage, cluster: DemoCluster) -> None:
    await stage.put_crds()
    await stage.put(cluster.to_apply())
    await stage.put_policy(demo_policy())


def test_every_object_goes_where_the_api_server_serves_its_kind(cluster: DemoCluster) -> None:
    paths = {obj["kind"]: collection_path(obj) for obj in (*cluster.to_apply(), demo_policy())}

    assert paths["Node"] == "/api/v1/nodes"
    assert paths["StatefulSet"].startswith("/apis/apps/v1/namespaces/")
    assert paths["PodDisruptionBudget"].endswith("/poddisruptionbudgets")
    assert paths["NodeMixPolicy"] == "/apis/nodemix.dev/v1alpha1/nodemixpolicies"


def test_clearing_leaves_the_cluster_as_it_was(cluster: DemoCluster) -> None:
    server = FakeServer({"/api/v1/nodes/yours": {"metadata": {"name": "yours"}}})
    stage = a_stage(server)

    async def play() -> int:
        await put_everything(stage, cluster)
        count = len(server.objects)
        await stage.clear()
        return count

    assert asyncio.run(play()) > 100
    assert list(server.objects) == ["/api/v1/nodes/yours"]


def test_nodes_go_after_pods_and_definitions_last(cluster: DemoCluster) -> None:
    server = FakeServer()
    stage = a_stage(server)

    async def play() -> None:
        await put_everything(stage, cluster)
        await stage.clear()

    asyncio.run(play())
    kinds = [path.split("/")[-2] for path in server.deleted]
    assert kinds[0] == "nodemixpolicies"
    assert kinds.index("nodes") > max(i for i, k in enumerate(kinds) if k == "deployments")
    assert set(kinds[-3:]) == {"customresourcedefinitions"}


def test_what_was_there_before_is_neither_changed_nor_deleted(cluster: DemoCluster) -> None:
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pricebooks.nodemix.dev"
    established = {"conditions": [{"type": "Established", "status": "True"}]}
    yours = {"metadata": {"name": "pricebooks.nodemix.dev"}, "status": established}
    server = FakeServer({definition: yours})
    stage = a_stage(server)

    async def play() -> None:
        await put_everything(stage, cluster)
        await stage.clear()

    asyncio.run(play())
    assert server.objects == {definition: yours}


def test_a_namespace_of_somebody_else_stops_the_demo() -> None:
    server = FakeServer({SHOP: {"metadata": {"name": "shop", "labels": {"team": "shop"}}}})

    with pytest.raises(DemoError, match="Namespace/shop: exists already"):
        asyncio.run(a_stage(server).refuse_strangers())


def test_what_an_interrupted_demo_left_is_taken_over(cluster: DemoCluster) -> None:
    left = {"metadata": {"name": "shop", "labels": {DEMO_LABEL: "true"}}}
    server = FakeServer({SHOP: left})
    stage = a_stage(server)

    async def play() -> None:
        await stage.refuse_strangers()
        await put_everything(stage, cluster)
        await stage.clear()

    asyncio.run(play())
    assert server.objects == {}


def test_somebodys_policy_of_the_same_name_is_not_replaced() -> None:
    policy = demo_policy()
    path = f"{collection_path(policy)}/demo"
    server = FakeServer({path: policy})

    with pytest.raises(DemoError, match="NodeMixPolicy/demo: exists already"):
        asyncio.run(a_stage(server).put_policy(policy))


def test_a_definition_that_is_never_served_is_an_error() -> None:
    name = "nodemixpolicies.nodemix.dev"
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    server = FakeServer({path: {"metadata": {"name": name}}})

    with pytest.raises(DemoError, match=r"nodemixpolicies\.nodemix\.dev: is not established"):
        asyncio.run(a_stage(server, patience_s=0.0).put_crds())


def test_pods_stay_off_nodes_that_are_not_the_demos(cluster: DemoCluster) -> None:
    alone = next(c for c in cluster.controllers if c["metadata"]["name"] == "redis")

    pod = on_demo_nodes(alone)["spec"]["template"]["spec"]

    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    (rule,) = term["matchExpressions"]
    assert all(rule["key"] in node["metadata"]["labels"] for node in cluster.nodes)
    assert "podAntiAffinity" in pod["affinity"]
    assert "nodeAffinity" not in alone["spec"]["template"]["spec"]["affinity"]


def test_size_of_a_controllers_pod_is_read_in_millicores(cluster: DemoCluster) -> None:
    sizes = {c["metadata"]["name"]: cpu_milli_of(c) for c in cluster.controllers}

    assert (sizes["archive"], sizes["auth"]) == (12500, 300)


def test_waiting_ends_when_the_time_is_over() -> None:
    async def never() -> bool:
        return False

    assert asyncio.run(until(never, 0.0)) is False
