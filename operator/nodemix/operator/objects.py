"""The few writes the operator makes: its own objects, events and its lease.

Every write asks the leadership first: a process that lost its lease must not speak.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from nodemix.operator.errors import ConnectionFailedError, NotLeadingError

GROUP = "nodemix.dev"
VERSION = "v1alpha1"
NODEMIX_API = f"/apis/{GROUP}/{VERSION}"

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"
NOT_FOUND = 404
CONFLICT = 409

Manifest = dict[str, Any]


def always() -> bool:
    """The leadership of a process that shares its cluster with no other."""
    return True


@dataclass(slots=True)
class ObjectWriter:
    """Reads and writes single objects.

    Every call raises ConnectionFailedError where the server cannot be reached or refuses, every
    write NotLeadingError where this process may not write.

    Args:
        session: carries credentials and TLS.
        url: of the API server.
        may_write: whether this process is the leader right now.
    """

    session: aiohttp.ClientSession
    url: str
    may_write: Callable[[], bool] = always

    async def get(self, path: str) -> Manifest | None:
        """The object at ``path``; None where there is none."""
        return await self._request("GET", path)

    async def patch_status(self, plural: str, name: str, status: Mapping[str, object]) -> bool:
        """Merge ``status`` into the object's status; whether the object is still there."""
        path = f"{NODEMIX_API}/{plural}/{name}/status"
        return await self._write("PATCH", path, {"status": status}, MERGE_PATCH) is not None

    async def create(self, path: str, body: Manifest) -> Manifest | None:
        """Create an object; None where one of that name is there already."""
        return await self._write("POST", path, body)

    async def replace(self, path: str, body: Manifest) -> Manifest | None:
        """Replace an object; None where another write came first, or it is gone."""
        return await self._write("PUT", path, body)

    async def delete(self, path: str) -> None:
        """Delete an object; a vanished one is no error."""
        await self._write("DELETE", path, None)

    async def _write(
        self, method: str, path: str, body: object, content_type: str = JSON
    ) -> Manifest | None:
        if not self.may_write():
            raise NotLeadingError(
                f"{method} {path}", "is not sent: the lease is lost", "the new leader goes on"
            )
        return await self._request(method, path, body, content_type)

    async def _request(
        self, method: str, path: str, body: object = None, content_type: str = JSON
    ) -> Manifest | None:
        """One call.

        Raises:
            ConnectionFailedError: the server cannot be reached or refuses.
        """
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type}
        try:
            async with self.session.request(
                method, self.url + path, data=data, headers=headers
            ) as response:
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError) as err:
            raise ConnectionFailedError(self.url, str(err), "check the network") from err
        return _answer(method, path, response.status, text)


def _answer(method: str, path: str, status: int, text: bytes) -> Manifest | None:
    """The body of a good answer, None for one that says the object is gone or there already."""
    if status == NOT_FOUND or (status == CONFLICT and method in ("POST", "PUT")):
        return None
    if status >= 400:
        raise ConnectionFailedError(
            f"{method} {path}",
            f"HTTP {status}: {text[:300].decode(errors='replace')}",
            "check the operator's role and that its CRDs are up to date",
        )
    try:
        body: Manifest = orjson.loads(text)
    except orjson.JSONDecodeError as err:
        fact = f"the answer is no JSON: {text[:100].decode(errors='replace')}"
        remedy = "check that the address is that of an API server"
        raise ConnectionFailedError(f"{method} {path}", fact, remedy) from err
    return body
