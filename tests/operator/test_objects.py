from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.cluster.session import USER_AGENT, open_session
from nodemix.operator.errors import ConnectionFailedError, NotLeadingError
from nodemix.operator.objects import ObjectWriter, always

pytestmark = pytest.mark.anyio


@dataclass
class World:
    """A server that answers every request with ``status``."""

    status: int = 200
    leads: bool = True
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    writer: ObjectWriter = field(init=False)

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        self.bodies.append(await request.json() if request.can_read_body else None)
        return web.json_response({"kind": "Any"}, status=self.status)

    def may_write(self) -> bool:
        return self.leads


@asynccontextmanager
async def serving(token: str | None = "secret") -> AsyncIterator[World]:  # noqa: S107 - opens nothing
    world = World()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", world.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with open_session(Connection(url, None, lambda: token)) as session:
        world.writer = ObjectWriter(session, url, world.may_write)
        yield world
    await runner.cleanup()


async def test_calls_carry_the_token_of_the_moment_and_our_name() -> None:
    async with serving() as world:
        await world.writer.get("/api/v1/nodes/a")

        (request,) = world.seen
        assert request.headers["Authorization"] == "Bearer secret"
        assert request.headers["User-Agent"] == USER_AGENT


async def test_connection_without_a_token_sends_none() -> None:
    async with serving(token=None) as world:
        await world.writer.get("/api/v1/nodes/a")

        assert "Authorization" not in world.seen[0].headers


async def test_status_is_merged_into_the_subresource() -> None:
    async with serving() as world:
        assert await world.writer.patch_status("nodemixpolicies", "shop", {"nodesNow": 3})

        (request,) = world.seen
        assert request.method == "PATCH"
        assert request.path == "/apis/nodemix.dev/v1alpha1/nodemixpolicies/shop/status"
        assert request.content_type == "application/merge-patch+json"
        assert world.bodies == [{"status": {"nodesNow": 3}}]


async def test_vanished_objects_are_no_error() -> None:
    async with serving() as world:
        world.status = 404

        assert await world.writer.get("/x") is None
        assert not await world.writer.patch_status("nodemixpolicies", "shop", {})
        await world.writer.delete("/x")


async def test_conflicts_of_create_and_replace_are_answers() -> None:
    async with serving() as world:
        world.status = 409

        assert await world.writer.create("/x", {}) is None
        assert await world.writer.replace("/x/a", {}) is None
        with pytest.raises(ConnectionFailedError, match="HTTP 409"):
            await world.writer.delete("/x/a")


async def test_refusal_names_the_call_and_the_remedy() -> None:
    async with serving() as world:
        world.status = 403

        with pytest.raises(ConnectionFailedError, match="POST /x: HTTP 403") as caught:
            await world.writer.create("/x", {})
        assert "check the operator's role" in str(caught.value)


async def test_who_does_not_lead_may_read_but_not_write() -> None:
    async with serving() as world:
        world.leads = False

        assert await world.writer.get("/x") == {"kind": "Any"}
        with pytest.raises(NotLeadingError, match="POST /x: is not sent: the lease is lost"):
            await world.writer.create("/x", {})
        assert [request.method for request in world.seen] == ["GET"]


async def test_server_that_does_not_answer_is_named() -> None:
    async with serving() as world:
        url = world.writer.url
    async with open_session(Connection(url, None, lambda: None)) as session:
        with pytest.raises(ConnectionFailedError, match=url):
            await ObjectWriter(session, url).get("/x")


def test_process_on_its_own_always_leads() -> None:
    assert always()
