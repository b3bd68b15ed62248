"""The API server's single objects as plain data, behind the operator's own writer."""

from collections.abc import Callable
from typing import Any

from nodemix.operator.errors import ConnectionFailedError
from nodemix.operator.objects import MERGE_PATCH, ObjectWriter, always

Json = dict[str, Any]


class FakeObjects(ObjectWriter):
    """Objects by path.

    Attributes:
        calls: (method, path) of every request that was sent, in order.
        refused: paths whose requests fail, by how they begin.
    """

    def __init__(self, may_write: Callable[[], bool] = always) -> None:
        super().__init__(None, "https://fake", may_write)  # type: ignore[arg-type]  # never used
        self.objects: dict[str, Json] = {}
        self.calls: list[tuple[str, str]] = []
        self.refused: tuple[str, ...] = ()

    def put(self, path: str, body: Json) -> None:
        self.objects[path] = body

    def below(self, path: str) -> list[Json]:
        """The objects of a collection, oldest first."""
        return [body for at, body in self.objects.items() if at.rsplit("/", 1)[0] == path]

    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]

    async def _request(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> Json | None:
        self.calls.append((method, path))
        if self.refused and path.startswith(self.refused):
            raise ConnectionFailedError(path, "HTTP 403", "check the operator's role")
        match method:
            case "GET":
                return self._read(path)
            case "POST":
                return self._create(path, body)
            case "PATCH":
                assert content_type == MERGE_PATCH
                return self._merge(path.removesuffix("/status"), body)
            case "DELETE":
                return self.objects.pop(path, None)
        raise AssertionError(method)

    def _read(self, path: str) -> Json | None:
        if "?labelSelector=" not in path:
            return self.objects.get(path)
        collection, _, selector = path.partition("?labelSelector=")
        name, _, value = selector.partition("=")
        found = self.below(collection)
        return {"items": [o for o in found if o["metadata"].get("labels", {}).get(name) == value]}

    def _create(self, path: str, body: Json) -> Json | None:
        metadata = dict(body["metadata"])
        metadata.setdefault("name", f"{metadata.get('generateName')}{len(self.objects)}")
        metadata.setdefault("creationTimestamp", f"2026-01-01T00:00:{len(self.objects):02}Z")
        at = f"{path}/{metadata['name']}"
        if at in self.objects:
            return None
        self.objects[at] = {**body, "metadata": metadata}
        return self.objects[at]

    def _merge(self, path: str, patch: Json) -> Json | None:
        if path not in self.objects:
            return None
        former = self.objects[path]
        status = {**former.get("status", {}), **patch["status"]}
        kept = {key: value for key, value in status.items() if value is not None}
        self.objects[path] = {**former, "status": kept}
        return self.objects[path]
