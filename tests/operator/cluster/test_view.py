import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

import pytest
from nodemix.operator.cluster.informer import InformerSettings
from nodemix.operator.cluster.listing import RESOURCES, fetch_snapshot
from nodemix.operator.cluster.records import KINDS
from nodemix.operator.cluster.view import ClusterView
from nodemix.operator.errors import ConnectionFailedError, StaleViewError

from tests.api_objects import make_node_object, make_pod_object, make_workload_object
from tests.fakes.api_server import FakeApiServer, api_server
from tests.fakes.clock import FakeClock
from tests.waiting import until

NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
EVENTS = "/api/v1/events"
DEPLOYMENTS = "/apis/apps/v1/deployments"
QUICK = InformerSettings(backoff_s=0.001)


@dataclass
class World:
    server: FakeApiServer
    view: ClusterView
    time: FakeClock

    async def hear_of_all(self) -> None:
        """A bookmark on every watch."""
        paths = [resource.path for resource in RESOURCES]
        await until(lambda: all(self.server.open_streams(path) for path in paths))
        for path in paths:
            for stream in self.server.open_streams(path):
                await stream.bookmark(self.server.version)


@asynccontextmanager
async def viewed() -> AsyncIterator[World]:
    """A view, not started, of a cluster with a node and a pod."""
    time, rng = FakeClock(), Random(0)  # noqa: S311 - spreads pauses
    async with api_server() as server:
        await server.put(NODES, make_node_object("node-1"))
        await server.put(PODS, make_pod_object("a", node_name="node-1"))
        view = ClusterView(server.connection, time, rng, max_age_s=120.0, settings=QUICK)
        try:
            yield World(server, view, time)
        finally:
            await view.stop()


def test_every_kind_that_a_record_is_read_from_is_watched() -> None:
    assert {resource.kind for resource in RESOURCES} == set(KINDS)


def test_view_is_refused_before_every_kind_has_been_listed() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            with pytest.raises(StaleViewError, match="nodes: have not been listed; check"):
                world.view.snapshot()
            assert (world.view.synced, world.view.age_s()) == (False, None)

    asyncio.run(scenario())


def test_view_follows_all_kinds_at_once() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            await world.view.start()
            await until(lambda: world.view.synced)
            await world.server.put(DEPLOYMENTS, make_workload_object())
            await until(lambda: world.view.objects["Deployment"])

            snapshot = world.view.snapshot()
            assert snapshot.taken_at_s == 1000.0
            assert [node.name for node in snapshot.nodes] == ["node-1"]
            assert [pod.node_name for pod in snapshot.pods] == ["node-1"]
            assert [str(w.key) for w in snapshot.workloads] == ["default/Deployment/web"]
            assert world.view.relists == 0

    asyncio.run(scenario())


def test_old_view_is_refused_until_the_server_is_heard_again() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            await world.view.start()
            await until(lambda: world.view.synced)
            world.time.seconds += 121
            assert world.view.age_s() == 121
            with pytest.raises(StaleViewError, match="nodes: were heard of 121 s ago; check"):
                world.view.snapshot()
            await world.hear_of_all()
            await until(lambda: world.view.age_s() == 0)

            assert len(world.view.snapshot().pods) == 1

    asyncio.run(scenario())


def test_one_kind_that_is_not_heard_of_makes_the_whole_view_old() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            await world.view.start()
            await until(lambda: world.view.synced)
            await world.hear_of_all()
            await until(lambda: all(informer.events for informer in world.view.informers))
            world.time.seconds += 121
            await world.server.open_streams(PODS)[0].bookmark(500)
            await until(lambda: world.view.informers[1].age_s(world.time()) == 0)

            assert world.view.age_s() == 121
            with pytest.raises(StaleViewError):
                world.view.snapshot()

    asyncio.run(scenario())


def test_refusal_names_why_nothing_is_heard() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            world.server.refuse(403, "pods is forbidden", times=10_000)
            await world.view.start()
            await until(lambda: all(i.last_error for i in world.view.informers))

            with pytest.raises(StaleViewError) as caught:
                world.view.snapshot()
            assert "answers 403 for nodes: pods is forbidden" in str(caught.value)

    asyncio.run(scenario())


def test_informer_that_ended_by_a_mistake_is_no_quiet_cluster() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            await world.view.start()
            await until(lambda: world.view.synced and world.server.open_streams(PODS))
            await world.server.open_streams(PODS)[0].send({"type": "ADDED", "object": {}})
            await until(lambda: any(task.done() for task in world.view._tasks))

            with pytest.raises(StaleViewError, match=r"pods: are no longer watched .*KeyError"):
                world.view.require_running()

    asyncio.run(scenario())


def test_stopped_view_asks_nothing_more_and_stays_readable() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            await world.view.start()
            await until(lambda: world.view.synced)
            await world.view.stop()
            asked = len(world.server.requests)
            await world.server.put(PODS, make_pod_object("b"))

            assert len(world.view.snapshot().pods) == 1
            assert len(world.server.requests) == asked

    asyncio.run(scenario())


def test_fetched_snapshot_reads_each_kind_once_and_watches_nothing() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            snapshot = await fetch_snapshot(world.server.connection, 7.0)

            assert snapshot.taken_at_s == 7.0
            assert (len(snapshot.nodes), len(snapshot.pods)) == (1, 1)
            assert sorted(path for path, _, _ in world.server.requests) == sorted(
                resource.path for resource in RESOURCES
            )

    asyncio.run(scenario())


def test_fetched_snapshot_needs_every_kind() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            world.server.refuse(403, "no")
            with pytest.raises(ConnectionFailedError, match="grant this user the verbs"):
                await fetch_snapshot(world.server.connection, 0.0)

    asyncio.run(scenario())


def test_token_is_read_anew_for_each_request() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            numbers = iter(range(100))
            connection = replace(world.server.connection, read_token=lambda: f"t{next(numbers)}")
            await fetch_snapshot(connection, 0.0)

            sent = [headers["Authorization"] for _, _, headers in world.server.requests]
            assert sent == [f"Bearer t{n}" for n in range(len(RESOURCES))]

    asyncio.run(scenario())


def test_look_at_the_nodes_is_stricter_than_a_snapshot() -> None:
    async def scenario() -> None:
        async with viewed() as world:
            with pytest.raises(StaleViewError, match="nodes: have not been listed"):
                world.view.look()
            await world.view.start()
            await until(lambda: world.view.synced)
            look = world.view.look()
            assert (look.at_s, [r.node.name for r in look.nodes]) == (1000.0, ["node-1"])

            await world.hear_of_all()
            world.time.seconds += 61.0
            assert world.view.snapshot().nodes
            with pytest.raises(StaleViewError, match="nodes: were heard of 61 s ago"):
                world.view.look()

    asyncio.run(scenario())


def test_events_about_nodes_are_heard_and_no_view_waits_for_them() -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Node", "name": "node-1"},
        "reason": "SpotInterrupted",
    }

    async def scenario() -> None:
        async with viewed() as world:
            await world.view.start()
            await until(lambda: world.view.synced)
            await world.server.put(EVENTS, event)
            await until(lambda: str(world.view.look().nodes[0].departure) == "reclaimed")

            assert "events" not in {i.resource.plural for i in world.view.informers}
            asked = [query for path, query, _ in world.server.requests if path == EVENTS]
            assert {query["fieldSelector"] for query in asked} == {
                "involvedObject.kind=Node",
                "reason=InsufficientCapacityError",
            }

    asyncio.run(scenario())
