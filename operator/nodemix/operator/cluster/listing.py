"""Paged LISTs against the API server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp
import orjson
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.cluster.records import EVENT
from nodemix.operator.cluster.refusals import CLAIM, REFUSAL, REFUSAL_REASON
from nodemix.operator.cluster.session import open_session
from nodemix.operator.cluster.store import SnapshotStore
from nodemix.operator.errors import ConnectionFailedError, ExpiredVersionError
from nodemix.optimizer.snapshot import Snapshot

Json = dict[str, Any]

PAGE_SIZE: Final = 500
_CONNECT_TIMEOUT_S: Final = 10.0
_READ_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object and where the API server lists it.

    Args:
        fields: selector of those to list; empty for all.
    """

    kind: str
    path: str
    fields: str = ""

    @property
    def plural(self) -> str:
        """The name RBAC knows it by."""
        return self.path.rsplit("/", 1)[-1]


RESOURCES: Final = (
    Resource("Node", "/api/v1/nodes"),
    Resource("Pod", "/api/v1/pods"),
    Resource("ReplicaSet", "/apis/apps/v1/replicasets"),
    Resource("Deployment", "/apis/apps/v1/deployments"),
    Resource("StatefulSet", "/apis/apps/v1/statefulsets"),
    Resource("DaemonSet", "/apis/apps/v1/daemonsets"),
    Resource("Job", "/apis/batch/v1/jobs"),
    Resource("PodDisruptionBudget", "/apis/policy/v1/poddisruptionbudgets"),
)

HINT_RESOURCES: Final = (
    Resource(EVENT, "/api/v1/events", "involvedObject.kind=Node"),
    Resource(REFUSAL, "/api/v1/events", f"reason={REFUSAL_REASON}"),
    Resource(CLAIM, "/apis/karpenter.sh/v1/nodeclaims"),
)
"""No decision rests on these: where they may not be read, or there is no Karpenter, only some
notices and stock-outs go unheard."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a LIST; all pages of one LIST show the same version."""

    items: list[Json]
    resource_version: str


class ApiReader:
    """Reads from the API server over one pool of connections; an async context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session = open_session(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def get(
        self, resource: Resource, query: dict[str, str], read_timeout_s: float = _READ_TIMEOUT_S
    ) -> aiohttp.ClientResponse:
        """An answer whose body is still to be read; release it with ``async with``.

        Raises:
            ExpiredVersionError: the version asked for is gone.
            ConnectionFailedError: the API server refuses or cannot be reached.
        """
        url = f"{self._connection.url}{resource.path}"
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=read_timeout_s
        )
        fields = {"fieldSelector": resource.fields} if resource.fields else {}
        try:
            response = await self._session.get(url, params={**query, **fields}, timeout=timeout)
        except (aiohttp.ClientError, TimeoutError) as err:
            raise _unreachable(self._connection.url, err) from err
        if response.status != HTTPStatus.OK:
            raise await _refusal(resource, response)
        return response

    async def pages(self, resource: Resource, page_size: int = PAGE_SIZE) -> AsyncIterator[Page]:
        """The pages of one consistent LIST.

        Raises:
            ExpiredVersionError: the LIST took so long that its later pages are gone.
            ConnectionFailedError: the API server refuses or cannot be reached.
        """
        query = {"limit": str(page_size)}
        while True:
            document = await self._document(resource, query)
            metadata = document.get("metadata") or {}
            yield Page(document.get("items") or [], str(metadata.get("resourceVersion") or ""))
            if not metadata.get("continue"):
                return
            query = {"limit": str(page_size), "continue": metadata["continue"]}

    async def _document(self, resource: Resource, query: dict[str, str]) -> Json:
        async with await self.get(resource, query) as response:
            try:
                document = orjson.loads(await response.read())
            except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as err:
                raise _unreachable(self._connection.url, err) from err
        if not isinstance(document, dict):
            raise ConnectionFailedError(
                f"API server at {self._connection.url}",
                f"answers something that is no list of {resource.plural}",
                "check that the address is that of an API server",
            )
        return document


async def fetch_snapshot(connection: Connection, now_s: float) -> Snapshot:
    """The cluster as it is now, by reading each kind once; it writes nothing.

    Raises:
        ConnectionFailedError: the API server refuses or cannot be reached.
    """
    store = SnapshotStore()
    async with ApiReader(connection) as reader:
        for resource in RESOURCES:
            items = [obj async for page in reader.pages(resource) for obj in page.items]
            store.replace(resource.kind, items)
    return store.snapshot(now_s)


async def _refusal(
    resource: Resource, response: aiohttp.ClientResponse
) -> ConnectionFailedError | ExpiredVersionError:
    try:
        async with response:
            message = _message(await response.read())
    except (aiohttp.ClientError, TimeoutError) as err:
        return _unreachable(str(response.url.origin()), err)
    if response.status == HTTPStatus.GONE:
        return ExpiredVersionError(resource.plural, message, "list them anew")
    return ConnectionFailedError(
        f"API server at {response.url.origin()}",
        f"answers {response.status} for {resource.plural}: {message}",
        _remedy(resource, response.status),
    )


def _remedy(resource: Resource, status: int) -> str:
    if status == HTTPStatus.FORBIDDEN:
        return f"grant this user the verbs list and watch on {resource.plural}"
    if status == HTTPStatus.UNAUTHORIZED:
        return "renew the credentials of this kubeconfig or service account"
    return "see the API server's log"


def _message(body: bytes) -> str:
    """The message of a Status object, or the text as it is."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:200].decode(errors="replace").strip()
    return str(status.get("message")) if isinstance(status, dict) else str(status)


def _unreachable(url: str, err: Exception) -> ConnectionFailedError:
    fact = f"does not answer ({type(err).__name__}: {err})"
    return ConnectionFailedError(f"API server at {url}", fact, "check that it runs at this address")
