"""Keeps one kind of object up to date: LIST, then WATCH from that version on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Any, Final

import aiohttp
import orjson
from nodemix.operator.cluster.listing import ApiReader, Resource
from nodemix.operator.cluster.records import RecordKey, key_of
from nodemix.operator.cluster.store import Records, SnapshotStore
from nodemix.operator.errors import ClusterError, ConnectionFailedError, ExpiredVersionError

Json = dict[str, Any]
Clock = Callable[[], float]
_CHUNK_BYTES: Final = 2**18
_SHORT_STREAM_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class InformerSettings:
    """Pace of an informer.

    Args:
        relist_after_s: a LIST at least this often, in case the stream lost something.
        stream_s: a WATCH is asked to end after this long and begun anew. The API server sends
            bookmarks about once a minute, but none for a kind that it never saw an object of, and
            an accepted WATCH tells that it is there.
        inactivity_s: a stream silent for this long is dead; longer than ``stream_s``.
        backoff_s: first pause after a failure; each further one doubles it, up to the cap.
    """

    page_size: int = 500
    relist_after_s: float = 300.0
    stream_s: float = 45.0
    inactivity_s: float = 60.0
    backoff_s: float = 0.25
    backoff_cap_s: float = 30.0


class Informer:
    """Keeps one kind of object in a store up to date.

    Attributes:
        lists: LISTs finished so far; the first one is the initial one.
        events: watch events applied so far.
        last_error: what went wrong last, None once the stream has delivered again.
    """

    def __init__(
        self,
        resource: Resource,
        store: SnapshotStore,
        clock: Clock,
        rng: Random,
        settings: InformerSettings = InformerSettings(),
    ) -> None:
        self.resource = resource
        self.lists = 0
        self.events = 0
        self.last_error: ClusterError | None = None
        self._store = store
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._resource_version: str | None = None
        self._relist_at_s = 0.0
        self._heard_at_s: float | None = None
        self._failures = 0

    @property
    def synced(self) -> bool:
        """Whether a first LIST has been taken over."""
        return self.lists > 0

    @property
    def relists(self) -> int:
        """LISTs after the first one."""
        return max(0, self.lists - 1)

    @property
    def objects(self) -> int:
        """Objects known."""
        return self._store.count(self.resource.kind)

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the API server was last heard of; None before the first LIST."""
        return None if self._heard_at_s is None else max(0.0, now_s - self._heard_at_s)

    async def run(self, reader: ApiReader) -> None:
        """Keep the store up to date until cancelled; failures are retried with a backoff."""
        while True:
            try:
                await self._step(reader)
            except ExpiredVersionError as err:
                self._failed(err)
                self._resource_version = None
            except ConnectionFailedError as err:
                self._failed(err)
            await asyncio.sleep(self._pause_s())

    async def _step(self, reader: ApiReader) -> None:
        if self._resource_version is None or self._clock() >= self._relist_at_s:
            await self._list(reader)
        await self._watch(reader)

    async def _list(self, reader: ApiReader) -> None:
        """Take over a whole LIST in one step, so that no reader sees half of it."""
        records: Records = {}
        listed: set[RecordKey] = set()
        version = ""
        async for page in reader.pages(self.resource, self._settings.page_size):
            version = page.resource_version
            for obj in page.items:
                listed.add(key_of(obj))
                record = self._store.trimmed(self.resource.kind, obj)
                if record is not None:
                    records[key_of(obj)] = record
        self._store.install(self.resource.kind, records, listed)
        self._resource_version = version
        self.lists += 1
        # Spread, so that the informers of one process do not list all at once.
        spread = self._rng.uniform(0.8, 1.0)
        self._heard_at_s = self._clock()
        self._relist_at_s = self._heard_at_s + spread * self._settings.relist_after_s

    async def _watch(self, reader: ApiReader) -> None:
        heard = self.events
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._resource_version or "",
            "timeoutSeconds": str(max(1, round(self._stream_s()))),
        }
        async with await reader.get(self.resource, query, self._settings.inactivity_s) as stream:
            began_s = self._heard_at_s = self._clock()
            try:
                await self._follow(stream)
            except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as err:
                raise _broken(self.resource, err) from err
        if self.events == heard and self._clock() - began_s < _SHORT_STREAM_S:
            self._failures += 1
        else:
            self._failures = 0

    def _stream_s(self) -> float:
        """How long the next WATCH may last: not longer than until the next LIST."""
        return min(self._settings.stream_s, self._relist_at_s - self._clock())

    async def _follow(self, stream: aiohttp.ClientResponse) -> None:
        async with aclosing(split_lines(stream.content.iter_chunked(_CHUNK_BYTES))) as batches:
            async for lines in batches:
                for line in lines:
                    self._apply(orjson.loads(line))
                self._heard_at_s = self._clock()
                if self._heard_at_s >= self._relist_at_s:
                    return
                await asyncio.sleep(0)  # a burst must not starve the rest of the loop

    def _apply(self, event: Json) -> None:
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            raise _stream_error(self.resource, obj)
        if kind in ("ADDED", "MODIFIED"):
            self._store.upsert(self.resource.kind, obj)
        elif kind == "DELETED":
            self._store.delete(self.resource.kind, obj)
        self._resource_version = obj["metadata"]["resourceVersion"]
        self.events += 1
        self._failures = 0
        self.last_error = None

    def _failed(self, err: ClusterError) -> None:
        self._failures += 1
        self.last_error = err

    def _pause_s(self) -> float:
        """Exponential backoff with full jitter; none while things go well."""
        if self._failures == 0:
            return 0.0
        longest = self._settings.backoff_s * 2.0 ** min(self._failures - 1, 16)
        return self._rng.uniform(0.5, 1.0) * min(longest, self._settings.backoff_cap_s)


async def split_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes]]:
    """The complete lines that end in each chunk; a line may be longer than any buffer.

    What follows the last newline is lost on purpose: a stream that breaks inside a line never
    delivers the rest.
    """
    pending: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        pending.append(first)
        if others:
            lines = [b"".join(pending), *others[:-1]]
            pending = [others[-1]]
            yield [line for line in lines if line]


def _stream_error(resource: Resource, status: Json) -> ClusterError:
    message = str(status.get("message"))
    if status.get("code") == HTTPStatus.GONE:
        return ExpiredVersionError(resource.plural, message, "list them anew")
    return ConnectionFailedError(f"watch of {resource.plural}", message, "it is started anew")


def _broken(resource: Resource, err: Exception) -> ConnectionFailedError:
    fact = f"broke off ({type(err).__name__}: {err})"
    return ConnectionFailedError(f"watch of {resource.plural}", fact, "it is started anew")
