"""The records of a cluster as last seen."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from nodemix.operator.cluster.assembly import assemble
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.records import (
    EVENT,
    HINTS,
    KINDS,
    NodeRecord,
    NoticeRecord,
    PodRecord,
    Record,
    RecordKey,
    key_of,
    record_of,
)
from nodemix.operator.cluster.refusals import CLAIM, REFUSAL, ClaimRecord, Refusal, refusals_of
from nodemix.operator.cluster.templates import PodShape
from nodemix.operator.errors import SnapshotFileError
from nodemix.optimizer.snapshot import Note, Snapshot

Json = dict[str, Any]
Records = dict[RecordKey, Record]
_DEPARTED_KEPT: Final = 1000
_WRONG_SHAPE: Final = (KeyError, TypeError, AttributeError, ValueError, OverflowError)


class SnapshotStore:
    """The cluster as last seen: trimmed records by kind and name.

    Pods of one rollout share one template object. An object that cannot be read is left out and
    noted. Not thread-safe: one writer, one loop.
    """

    def __init__(self) -> None:
        self._records: dict[str, Records] = {kind: {} for kind in (*KINDS, *HINTS)}
        self._shapes: dict[PodShape, PodShape] = {}
        self._unreadable: dict[tuple[str, RecordKey], Note] = {}
        self._departed: deque[NodeRecord] = deque(maxlen=_DEPARTED_KEPT)
        self._claims_gone: deque[ClaimRecord] = deque(maxlen=_DEPARTED_KEPT)

    def upsert(self, kind: str, obj: Json) -> None:
        """Take over the present state of one object."""
        record = self.trimmed(kind, obj)
        if record is None:
            self._records[kind].pop(key_of(obj), None)
        else:
            self._records[kind][key_of(obj)] = record

    def delete(self, kind: str, obj: Json) -> None:
        """Forget one object; an unknown one is no error.

        Of a node and of a claim for one the last state is kept.
        """
        last = self.trimmed(kind, obj) if kind in ("Node", CLAIM) else None
        if isinstance(last, NodeRecord):
            self._departed.append(last)
        if isinstance(last, ClaimRecord):
            self._claims_gone.append(last)
        self._records[kind].pop(key_of(obj), None)
        self._unreadable.pop((kind, key_of(obj)), None)

    def replace(self, kind: str, objs: Iterable[Json]) -> None:
        """Make ``objs`` all there is of one kind."""
        found = [(key_of(obj), self.trimmed(kind, obj)) for obj in objs]
        records = {key: record for key, record in found if record is not None}
        self.install(kind, records, {key for key, _ in found})

    def install(self, kind: str, records: Records, listed: set[RecordKey]) -> None:
        """Make ``records`` (of :meth:`trimmed`) all there is of one kind, in one step.

        Args:
            listed: the keys of all objects there are, readable or not.
        """
        self._records[kind] = records
        gone = [at for at in self._unreadable if at[0] == kind and at[1] not in listed]
        for at in gone:
            del self._unreadable[at]
        if kind == "Pod":
            self._forget_unused_shapes()

    def trimmed(self, kind: str, obj: Json) -> Record | None:
        """The record of an object, sharing its template with equal ones; None if there is none."""
        at = (kind, key_of(obj))
        try:
            record = self._shared(record_of(kind, obj))
        except _WRONG_SHAPE as err:
            self._unreadable[at] = _unreadable(kind, at[1], err)
            return None
        self._unreadable.pop(at, None)
        return record

    def _shared(self, record: Record | None) -> Record | None:
        """The record with a template that equal ones use already; what has no hash is no record."""
        if isinstance(record, PodRecord):
            return record.sharing(self._shapes.setdefault(record.shape, record.shape))
        hash(record)
        return record

    def count(self, kind: str) -> int:
        """How many objects of one kind are known."""
        return len(self._records[kind])

    def snapshot(self, now_s: float, notes: Iterable[Note] = ()) -> Snapshot:
        """One consistent view, sorted by name; costs about 10 microseconds a pod."""
        unreadable = (note for (kind, _), note in self._unreadable.items() if kind not in HINTS)
        return assemble(self._records, now_s, (*notes, *unreadable))

    def look(self, now_s: float) -> Look:
        """The nodes alone; cheap enough for every few seconds."""
        nodes = (r for r in self._records["Node"].values() if isinstance(r, NodeRecord))
        departed = self._with_notices(self._departed)
        return Look(now_s, self._with_notices(nodes), departed, self._refusals())

    def _with_notices(self, nodes: Iterable[NodeRecord]) -> tuple[NodeRecord, ...]:
        """Events tell of some notices that no mark on the node tells of."""
        events = (r for r in self._records[EVENT].values() if isinstance(r, NoticeRecord))
        said = {event.node_name: event for event in sorted(events, key=lambda e: e.at_s or 0.0)}
        pairs = ((node, said.get(node.node.name)) for node in nodes)
        return tuple(n.noticed() if told and told.is_about(n) else n for n, told in pairs)

    def _refusals(self) -> tuple[Refusal, ...]:
        told = (r for r in self._records[REFUSAL].values() if isinstance(r, Refusal))
        claims = (r for r in self._records[CLAIM].values() if isinstance(r, ClaimRecord))
        return refusals_of(told, claims, self._claims_gone)

    def _forget_unused_shapes(self) -> None:
        pods = self._records["Pod"].values()
        shapes = {id(r.shape): r.shape for r in pods if isinstance(r, PodRecord)}
        self._shapes = {shape: shape for shape in shapes.values()}


def snapshot_of(objects: Iterable[Json], now_s: float) -> Snapshot:
    """The snapshot of API objects of any kinds; kinds that no decision needs are noted.

    Raises:
        SnapshotFileError: an object lacks its kind or name.
    """
    store = SnapshotStore()
    unused: dict[str, int] = {}
    for number, obj in enumerate(objects, start=1):
        kind = _kind_of(number, obj)
        if kind in KINDS:
            store.upsert(kind, _in_its_namespace(kind, obj))
        else:
            unused[kind] = unused.get(kind, 0) + 1
    notes = (Note(kind, f"{n} objects are not used") for kind, n in sorted(unused.items()))
    return store.snapshot(now_s, notes)


def _kind_of(number: int, obj: Json) -> str:
    names: tuple[object, ...] = (None,)
    with suppress(*_WRONG_SHAPE):
        names = (obj["kind"], *key_of(obj))
    if not all(isinstance(name, str) for name in names):
        remedy = "give each object kind and metadata.name as text, as kubectl prints them"
        raise SnapshotFileError(f"object {number}", "has no kind or no name", remedy)
    return str(obj["kind"])


def _in_its_namespace(kind: str, obj: Json) -> Json:
    """The object with the namespace that kubectl would give it; a file may leave it out."""
    metadata = obj["metadata"]
    if kind == "Node" or metadata.get("namespace"):
        return obj
    return {**obj, "metadata": {**metadata, "namespace": "default"}}


def _unreadable(kind: str, key: RecordKey, err: Exception) -> Note:
    subject = f"{key[0]}/{kind}/{key[1]}" if key[0] else f"{kind}/{key[1]}"
    fact = f"cannot be read ({type(err).__name__}: {err}) and is left out"
    return Note(subject, fact, "compare it with what the API server holds", "error")
