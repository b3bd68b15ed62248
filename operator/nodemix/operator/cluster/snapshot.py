"""The records of a cluster, and snapshots of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from nodemix.operator.cluster.assembly import assemble
from nodemix.operator.cluster.records import (
    KINDS,
    PodRecord,
    Record,
    RecordKey,
    key_of,
    record_of,
)
from nodemix.operator.cluster.templates import PodShape
from nodemix.optimizer.snapshot import Note, Snapshot

Json = dict[str, Any]
Records = dict[RecordKey, Record]


class SnapshotStore:
    """The cluster as last seen: trimmed records by kind and name.

    Pods of one rollout share one template object. Not thread-safe: one writer, one loop.
    """

    def __init__(self) -> None:
        self._records: dict[str, Records] = {kind: {} for kind in KINDS}
        self._shapes: dict[PodShape, PodShape] = {}

    def upsert(self, kind: str, obj: Json) -> None:
        """Take over the present state of one object."""
        record = self.trimmed(kind, obj)
        if record is None:
            self.delete(kind, obj)
        else:
            self._records[kind][key_of(obj)] = record

    def delete(self, kind: str, obj: Json) -> None:
        """Forget one object; an unknown one is no error."""
        self._records[kind].pop(key_of(obj), None)

    def replace(self, kind: str, objs: Iterable[Json]) -> None:
        """Make ``objs`` all there is of one kind."""
        found = ((key_of(obj), self.trimmed(kind, obj)) for obj in objs)
        self.install(kind, {key: record for key, record in found if record is not None})

    def install(self, kind: str, records: Records) -> None:
        """Make ``records`` (of :meth:`trimmed`) all there is of one kind, in one step."""
        self._records[kind] = records
        if kind == "Pod":
            self._forget_unused_shapes()

    def trimmed(self, kind: str, obj: Json) -> Record | None:
        """The record of an object, sharing its template with equal ones."""
        record = record_of(kind, obj)
        if isinstance(record, PodRecord):
            return record.sharing(self._shapes.setdefault(record.shape, record.shape))
        return record

    def count(self, kind: str) -> int:
        """How many objects of one kind are known."""
        return len(self._records[kind])

    def snapshot(self, now_s: float, notes: Iterable[Note] = ()) -> Snapshot:
        """One consistent view, sorted by name; costs about 10 microseconds a pod."""
        return assemble(self._records, now_s, notes)

    def _forget_unused_shapes(self) -> None:
        pods = self._records["Pod"].values()
        shapes = {record.shape for record in pods if isinstance(record, PodRecord)}
        self._shapes = {shape: shape for shape in shapes}


def snapshot_of(objects: Iterable[Mapping[str, Any]], now_s: float) -> Snapshot:
    """The snapshot of API objects of any kinds; those no decision needs are counted in a note.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: an object lacks its shape.
    """
    store = SnapshotStore()
    unused: dict[str, int] = {}
    for obj in objects:
        kind = obj["kind"]
        if kind in KINDS:
            store.upsert(kind, dict(obj))
        else:
            unused[kind] = unused.get(kind, 0) + 1
    facts = (f"{count} of kind {kind} are not used" for kind, count in sorted(unused.items()))
    return store.snapshot(now_s, [Note("objects", fact) for fact in facts])
