import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.cluster.informer import Informer, InformerSettings, split_lines
from nodemix.operator.cluster.listing import ApiReader, Resource
from nodemix.operator.cluster.store import SnapshotStore
from nodemix.operator.errors import ConnectionFailedError, ExpiredVersionError

from tests.api_objects import make_pod_object
from tests.fakes.api_server import TOKEN, FakeApiServer, Stream, api_server
from tests.fakes.clock import FakeClock
from tests.waiting import until

PODS = Resource("Pod", "/api/v1/pods")
QUICK = InformerSettings(page_size=2, relist_after_s=300.0, inactivity_s=20.0, backoff_s=0.001)


def make_rng() -> Random:
    return Random(0)  # noqa: S311 - spreads pauses


@dataclass
class World:
    server: FakeApiServer
    informer: Informer
    store: SnapshotStore
    time: FakeClock
    task: asyncio.Task[None]

    @property
    def names(self) -> list[str]:
        return [pod.name for pod in self.store.snapshot(0.0).pods]

    async def stream(self) -> Stream:
        """The open watch, once there is one."""
        await until(lambda: self.server.open_streams(PODS.path))
        return self.server.open_streams(PODS.path)[-1]

    async def next_stream(self) -> Stream:
        """The watch after the present one."""
        number = len(self.server.streams[PODS.path]) + 1
        await until(lambda: len(self.server.streams[PODS.path]) >= number)
        return self.server.streams[PODS.path][-1]

    async def until_seen(self, *names: str) -> None:
        await until(lambda: self.names == list(names))


@asynccontextmanager
async def following(
    *pods: str, settings: InformerSettings = QUICK, refuse: tuple[int, str, int] | None = None
) -> AsyncIterator[World]:
    """An informer that follows a server which starts with ``pods``."""
    time, store = FakeClock(), SnapshotStore()
    async with api_server() as server:
        await server.put(PODS.path, *(make_pod_object(name) for name in pods))
        if refuse is not None:
            server.refuse(*refuse)
        informer = Informer(PODS, store, time, make_rng(), settings)
        async with ApiReader(server.connection) as reader:
            task = asyncio.create_task(informer.run(reader))
            try:
                yield World(server, informer, store, time, task)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def test_list_is_read_page_by_page_and_taken_over_as_a_whole() -> None:
    async def scenario() -> None:
        async with following("a", "b", "c", "d", "e") as world:
            await world.stream()

            assert world.names == ["a", "b", "c", "d", "e"]
            assert (world.informer.synced, world.informer.lists, world.informer.relists) == (
                True,
                1,
                0,
            )
            pages = world.server.queries(PODS.path, is_watch=False)
            assert [page["limit"] for page in pages] == ["2", "2", "2"]
            assert [page.get("continue", "") for page in pages] == ["", "105:2", "105:4"]

    asyncio.run(scenario())


def test_watch_starts_at_the_version_of_the_list_and_asks_for_bookmarks() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            await world.stream()

            (query,) = world.server.queries(PODS.path, is_watch=True)
            assert query["resourceVersion"] == "101"
            assert query["allowWatchBookmarks"] == "true"
            assert query["timeoutSeconds"] == "45"

    asyncio.run(scenario())


def test_every_request_carries_the_token() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            await world.stream()

            sent = {headers["Authorization"] for _, _, headers in world.server.requests}
            assert sent == {f"Bearer {TOKEN}"}

    asyncio.run(scenario())


def test_changes_are_followed() -> None:
    async def scenario() -> None:
        async with following("a", "b") as world:
            await world.stream()
            await world.server.put(PODS.path, make_pod_object("c"))
            await world.until_seen("a", "b", "c")
            await world.server.remove(PODS.path, make_pod_object("a"))
            await world.until_seen("b", "c")
            await world.server.put(PODS.path, make_pod_object("b", node_name="node-1"))
            await until(lambda: world.store.snapshot(0.0).pods[0].node_name == "node-1")

            assert world.informer.objects == 2
            assert world.informer.events == 3

    asyncio.run(scenario())


def test_pod_that_finishes_leaves_the_view() -> None:
    async def scenario() -> None:
        async with following("a", "b") as world:
            await world.stream()
            await world.server.put(PODS.path, make_pod_object("a", phase="Succeeded"))
            await world.until_seen("b")

    asyncio.run(scenario())


def test_ended_watch_goes_on_where_it_stopped_without_a_list() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            stream = await world.stream()
            await world.server.put(PODS.path, make_pod_object("b"))
            await world.until_seen("a", "b")
            stream.end()
            await world.server.put(PODS.path, make_pod_object("c"))
            await world.until_seen("a", "b", "c")

            assert world.informer.lists == 1
            assert world.server.queries(PODS.path, is_watch=True)[-1]["resourceVersion"] == "102"

    asyncio.run(scenario())


def test_bookmark_moves_the_version_to_go_on_from() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            stream = await world.stream()
            await stream.bookmark(170)
            await until(lambda: world.informer.events == 1)
            stream.end()
            await world.next_stream()

            assert world.server.queries(PODS.path, is_watch=True)[-1]["resourceVersion"] == "170"

    asyncio.run(scenario())


def test_broken_network_loses_nothing() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            (await world.stream()).abort()
            await world.server.put(PODS.path, make_pod_object("b"))
            await world.until_seen("a", "b")

            assert world.informer.lists == 1
            assert world.informer.last_error is None

    asyncio.run(scenario())


def test_forgotten_version_leads_to_a_new_list() -> None:
    """What was deleted meanwhile is never told again, so only a list can find it."""

    async def scenario() -> None:
        async with following("a", "b") as world:
            stream = await world.stream()
            world.server.changes.clear()
            del world.server.objects[PODS.path]["default", "a"]
            world.server.version = 200
            world.server.forgotten = 150
            stream.end()
            await world.until_seen("b")

            assert world.informer.relists == 1

    asyncio.run(scenario())


def test_expiry_told_in_the_stream_leads_to_a_new_list() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            await (await world.stream()).fail(410, "too old resource version")
            await until(lambda: world.informer.relists == 1)
            await world.server.put(PODS.path, make_pod_object("b"))
            await world.until_seen("a", "b")

    asyncio.run(scenario())


def test_expired_page_starts_the_list_anew() -> None:
    async def scenario() -> None:
        async with following("a", "b", "c") as world:
            await world.stream()
            await world.server.put(PODS.path, make_pod_object("d"))
            await world.until_seen("a", "b", "c", "d")
            world.server.refusals.append(world.server.page(PODS.path, {"limit": "2"}))
            world.server.refuse(410, "the continue token is too old")
            world.time.seconds += 301
            await (await world.stream()).bookmark(world.server.version)
            await until(lambda: world.informer.relists == 1)

            assert world.names == ["a", "b", "c", "d"]

    asyncio.run(scenario())


def test_other_error_in_the_stream_is_told_and_healed_by_a_new_watch() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            world.server.refuse(500, "etcd is slow")
            await (await world.stream()).fail(500, "etcd leader changed")
            await until(lambda: world.informer.last_error is not None)
            assert isinstance(world.informer.last_error, ConnectionFailedError)
            await world.server.put(PODS.path, make_pod_object("b"))
            await world.until_seen("a", "b")

            assert world.informer.lists == 1

    asyncio.run(scenario())


def test_silent_stream_is_given_up() -> None:
    async def scenario() -> None:
        impatient = InformerSettings(inactivity_s=0.05, backoff_s=0.001)
        async with following("a", settings=impatient) as world:
            await world.stream()
            await world.next_stream()

            assert world.informer.lists == 1
            assert "broke off" in str(world.informer.last_error)

    asyncio.run(scenario())


def test_line_that_is_no_json_breaks_the_stream_and_is_healed() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            stream = await world.stream()
            await stream.send_bytes(b'{"type": "ADDED", \n')
            await until(lambda: world.informer.last_error is not None)
            stream.end()
            await world.server.put(PODS.path, make_pod_object("b"))
            await world.until_seen("a", "b")

    asyncio.run(scenario())


def test_line_longer_than_any_buffer_is_one_event() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            await world.stream()
            big = make_pod_object("b", metadata={"annotations": {"a": "x" * 2_000_000}})
            await world.server.put(PODS.path, big)
            await world.until_seen("a", "b")

    asyncio.run(scenario())


def test_list_is_repeated_in_time_and_forgets_what_is_gone() -> None:
    async def scenario() -> None:
        async with following("a", "b") as world:
            stream = await world.stream()
            del world.server.objects[PODS.path]["default", "a"]  # a change that nobody was told
            world.time.seconds += 300
            await stream.bookmark(world.server.version)
            await world.until_seen("b")

            assert world.informer.relists == 1

    asyncio.run(scenario())


def test_unreadable_object_is_noted_until_it_is_corrected_or_gone() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            await world.stream()
            bad = make_pod_object("b")
            await world.server.put(PODS.path, {**bad, "spec": None})
            await until(lambda: world.store.snapshot(0.0).notes)
            assert world.store.snapshot(0.0).notes[0].subject == "default/Pod/b"
            await world.server.put(PODS.path, bad)
            await world.until_seen("a", "b")

            assert world.store.snapshot(0.0).notes == ()

    asyncio.run(scenario())


def test_age_counts_from_the_last_word_of_the_server() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            assert world.informer.age_s(world.time()) is None
            stream = await world.stream()
            world.time.seconds += 70
            assert world.informer.age_s(world.time()) == 70
            await stream.bookmark(150)
            await until(lambda: world.informer.events == 1)

            assert world.informer.age_s(world.time()) == 0

    asyncio.run(scenario())


def test_accepted_watch_of_a_kind_without_objects_keeps_the_view_fresh() -> None:
    """The API server sends no bookmarks for a kind of which it never saw an object."""

    async def scenario() -> None:
        async with following() as world:
            for _ in range(10):
                stream = await world.stream()
                world.time.seconds += 45
                stream.end()
                await world.next_stream()
                await until(lambda: world.informer.age_s(world.time()) == 0)

            assert world.informer._failures == 0
            assert world.informer.last_error is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (403, "grant this user the verbs list and watch on pods"),
        (401, "renew the credentials of this kubeconfig or service account"),
        (500, "see the API server's log"),
    ],
)
def test_refusal_says_what_to_do_and_is_retried(code: int, remedy: str) -> None:
    async def scenario() -> None:
        async with following("a", refuse=(code, "no way", 1)) as world:
            await until(lambda: world.informer.last_error)
            error = world.informer.last_error
            await world.stream()

            assert isinstance(error, ConnectionFailedError)
            assert f"answers {code} for pods: no way" in str(error)
            assert error.remedy == remedy

    asyncio.run(scenario())


def test_refusal_that_breaks_off_is_retried_too() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500, headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async def scenario() -> None:
        async with serving(answer) as connection, ApiReader(connection) as reader:
            with pytest.raises(ConnectionFailedError, match="does not answer"):
                await reader.get(PODS, {})

    asyncio.run(scenario())


def test_list_that_is_no_object_is_an_error_and_no_crash() -> None:
    async def scenario() -> None:
        async with following("a") as world:
            await world.stream()
            world.server.refusals.append(web.Response(body=b"<html>welcome</html>"))
            world.server.refusals.append(web.Response(body=b"[]"))
            world.time.seconds += 301
            await (await world.stream()).bookmark(150)
            await until(lambda: world.informer.relists == 1)

            assert not world.task.done()

    asyncio.run(scenario())


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], Any],
) -> AsyncIterator[Connection]:
    """A server that answers every request in one way."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", None, lambda: None)
    finally:
        await runner.cleanup()


def test_server_that_nobody_runs_is_named_with_its_address() -> None:
    async def scenario() -> None:
        async with api_server() as gone:
            connection = gone.connection
        async with ApiReader(connection) as reader:
            with pytest.raises(ConnectionFailedError, match=f"API server at {connection.url}: "):
                await reader.get(PODS, {})

    asyncio.run(scenario())


def test_pauses_double_up_to_a_cap_and_spread() -> None:
    paces = InformerSettings(backoff_s=0.25, backoff_cap_s=30.0)
    informer = Informer(PODS, SnapshotStore(), FakeClock(), make_rng(), paces)
    error = ConnectionFailedError("a", "b", "c")

    assert informer._pause_s() == 0.0
    for failures in range(1, 40):
        informer._failed(error)
        longest = min(30.0, 0.25 * 2 ** (failures - 1))
        assert longest / 2 <= informer._pause_s() <= longest


def test_watch_that_ends_at_once_does_not_become_a_storm() -> None:
    async def scenario() -> None:
        slow = InformerSettings(backoff_s=60.0)
        async with following("a", settings=slow) as world:
            (await world.stream()).end()
            await until(lambda: world.informer._failures == 1)

            assert len(world.server.queries(PODS.path, is_watch=True)) == 1

    asyncio.run(scenario())


def test_error_of_a_forgotten_version_is_told_as_such() -> None:
    async def scenario() -> None:
        slow = InformerSettings(backoff_s=60.0)
        async with following("a", settings=slow) as world:
            await (await world.stream()).fail(410, "too old")
            await until(lambda: world.informer.last_error)

            assert isinstance(world.informer.last_error, ExpiredVersionError)

    asyncio.run(scenario())


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    st.lists(st.integers(1, 9), min_size=1, max_size=10),
    st.binary(max_size=5).map(lambda b: b.replace(b"\n", b"")),
)
def test_lines_do_not_depend_on_how_the_network_cuts_them(
    lines: list[bytes], sizes: list[int], unfinished: bytes
) -> None:
    text = b"".join(line + b"\n" for line in lines) + unfinished

    async def chunks() -> AsyncGenerator[bytes]:
        start = 0
        while start < len(text):
            size = sizes[start % len(sizes)]
            yield text[start : start + size]
            start += size

    async def collect() -> list[bytes]:
        return [line async for batch in split_lines(chunks()) for line in batch]

    assert asyncio.run(collect()) == [line for line in lines if line]
