"""An API server of plain data: versions, paged lists, watches, and failures that a test injects.

It keeps the API server's promises that an informer rests on: one version for all objects, a LIST
whose pages show one version, a WATCH that replays every change after the version it is given, and
410 for versions that it has forgotten.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from nodemix.operator.cluster.connection import Connection

Json = dict[str, Any]
Key = tuple[str, str]
TOKEN = "secret"  # noqa: S105 - opens nothing


def status_object(code: int, message: str) -> Json:
    return {"kind": "Status", "code": code, "message": message}


@dataclass(eq=False)
class Stream:
    """One open watch."""

    response: web.StreamResponse
    request: web.Request
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, *events: Json) -> None:
        await self.send_bytes(b"".join(orjson.dumps(event) + b"\n" for event in events))

    async def send_bytes(self, data: bytes) -> None:
        try:
            await self.response.write(data)
        except ConnectionResetError:  # nobody listens any more
            self.end()

    async def bookmark(self, version: int) -> None:
        metadata = {"resourceVersion": str(version)}
        await self.send({"type": "BOOKMARK", "object": {"kind": "Any", "metadata": metadata}})

    async def fail(self, code: int, message: str) -> None:
        await self.send({"type": "ERROR", "object": status_object(code, message)})
        self.end()

    def end(self) -> None:
        """As the server does when the time asked for is over."""
        self.ended.set()

    def abort(self) -> None:
        """As a network does."""
        assert self.request.transport is not None
        self.request.transport.abort()
        self.ended.set()


@dataclass
class FakeApiServer:
    """Objects by path; every change has a version of its own.

    Attributes:
        refusals: answered, first in first out, instead of the next requests.
        requests: (path, query, headers) of every request so far.
        forgotten: versions up to this one are gone.
    """

    version: int = 100
    forgotten: int = 0
    objects: dict[str, dict[Key, Json]] = field(default_factory=lambda: defaultdict(dict))
    changes: dict[str, list[tuple[int, Json]]] = field(default_factory=lambda: defaultdict(list))
    refusals: deque[web.Response] = field(default_factory=deque)
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    streams: dict[str, list[Stream]] = field(default_factory=lambda: defaultdict(list))
    url: str = ""

    @property
    def connection(self) -> Connection:
        return Connection(self.url, ssl_context=None, read_token=lambda: TOKEN)

    def refuse(self, code: int, message: str, times: int = 1) -> None:
        for _ in range(times):
            body = orjson.dumps(status_object(code, message))
            self.refusals.append(web.Response(status=code, body=body))

    def queries(self, path: str, *, is_watch: bool) -> list[dict[str, str]]:
        """The queries of the lists, or of the watches, of one path."""
        return [q for p, q, _ in self.requests if p == path and ("watch" in q) is is_watch]

    async def put(self, path: str, *objs: Json) -> None:
        """Create or change objects, and tell the watches."""
        for obj in objs:
            kind = "MODIFIED" if _key(obj) in self.objects[path] else "ADDED"
            await self._change(path, kind, obj)

    async def remove(self, path: str, obj: Json) -> None:
        await self._change(path, "DELETED", obj)

    async def _change(self, path: str, kind: str, obj: Json) -> None:
        self.version += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self.version)}
        stored = {**obj, "metadata": metadata}
        if kind == "DELETED":
            del self.objects[path][_key(obj)]
        else:
            self.objects[path][_key(obj)] = stored
        event = {"type": kind, "object": stored}
        self.changes[path].append((self.version, event))
        for stream in self.open_streams(path):
            await stream.send(event)

    def open_streams(self, path: str) -> list[Stream]:
        return [stream for stream in self.streams[path] if not stream.ended.is_set()]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.requests.append((request.path, query, dict(request.headers)))
        if self.refusals:
            return self.refusals.popleft()
        if "watch" in query:
            return await self._watch(request, int(query["resourceVersion"]))
        return self.page(request.path, query)

    def page(self, path: str, query: dict[str, str]) -> web.Response:
        """One page of a LIST."""
        version, start = self.version, 0
        if "continue" in query:
            version, start = (int(part) for part in query["continue"].split(":"))
        if version <= self.forgotten:
            return web.json_response(
                status_object(410, "the continue token is too old"), status=410
            )
        items = [self.objects[path][key] for key in sorted(self.objects[path])]
        end = start + int(query["limit"])
        metadata = {"resourceVersion": str(version)}
        if end < len(items):
            metadata["continue"] = f"{version}:{end}"
        return web.json_response({"metadata": metadata, "items": items[start:end]})

    async def _watch(self, request: web.Request, since: int) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        stream = Stream(response, request)
        if since <= self.forgotten:
            await stream.fail(410, f"too old resource version: {since} ({self.forgotten})")
            return response
        missed = [event for version, event in self.changes[request.path] if version > since]
        self.streams[request.path].append(stream)
        if missed:
            await stream.send(*missed)
        await stream.ended.wait()
        return response

    def close(self) -> None:
        for streams in self.streams.values():
            for stream in streams:
                stream.end()


def _key(obj: Json) -> Key:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


@asynccontextmanager
async def api_server() -> AsyncIterator[FakeApiServer]:
    """A fake API server on a free port."""
    fake = FakeApiServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        fake.close()
        await runner.cleanup()
