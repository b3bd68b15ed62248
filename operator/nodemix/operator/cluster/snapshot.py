"""Snapshots of a cluster: from API objects, and from what ``kubectl get ... -o yaml`` prints."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from nodemix.operator.cluster.store import SnapshotStore, snapshot_of
from nodemix.operator.errors import SnapshotFileError
from nodemix.optimizer.snapshot import Snapshot

__all__ = ["SnapshotStore", "read_snapshot_file", "snapshot_of"]

Json = dict[str, Any]

REMEDY: Final = (
    "write it with `kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,"
    "jobs,poddisruptionbudgets -A -o yaml > cluster.yaml`"
)
_GZIP_MAGIC: Final = b"\x1f\x8b"


def read_snapshot_file(path: Path, now_s: float) -> Snapshot:
    """The snapshot in a file of API objects: YAML or JSON, a list or a stream, plain or gzipped.

    Raises:
        SnapshotFileError: the file cannot be read or holds neither nodes nor pods.
    """
    objects = [obj for document in _documents(path) for obj in _objects(path, document)]
    try:
        snapshot = snapshot_of(objects, now_s)
    except SnapshotFileError as err:
        raise SnapshotFileError(str(path), f"{err.subject} {err.fact}", err.remedy) from err
    if not any(obj.get("kind") in ("Node", "Pod") for obj in objects):
        raise SnapshotFileError(str(path), "holds neither nodes nor pods", REMEDY)
    return snapshot


def _documents(path: Path) -> list[object]:
    content = _content(path)
    if content.lstrip()[:1] == b"{":
        try:
            return [orjson.loads(content)]
        except orjson.JSONDecodeError:
            pass  # a YAML flow mapping, or a stream: the YAML reader knows both
    try:
        return list(yaml.load_all(content, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as err:
        where = " ".join(str(err).split())
        raise SnapshotFileError(str(path), f"is neither YAML nor JSON ({where})", REMEDY) from err


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as err:
        raise SnapshotFileError(str(path), f"cannot be read ({err})", REMEDY) from err


def _objects(path: Path, document: object) -> Iterator[Json]:
    """The objects of one document; the items of a typed list (PodList) may lack their kind."""
    if document is None:
        return
    if not isinstance(document, dict):
        raise SnapshotFileError(str(path), "holds something that is no object", REMEDY)
    kind = str(document.get("kind") or "")
    if not kind.endswith("List"):
        yield document
        return
    for item in document.get("items") or ():
        if not isinstance(item, dict):
            raise SnapshotFileError(str(path), "lists something that is no object", REMEDY)
        yield item if "kind" in item else {**item, "kind": kind.removesuffix("List")}
