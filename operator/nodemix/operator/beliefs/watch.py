"""What happened to the nodes between two looks.

A spot node was taken back where its provider gave notice, where it failed before anybody let it
go, and where it vanished without a word: a person who deletes a node without a cordon cannot be
told from the provider. It was let go where it was cordoned, or marked by an autoscaler, while it
still worked.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from nodemix.operator.cluster.departures import Departure
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.records import NodeRecord
from nodemix.optimizer.risk.hazard import Exposure, PoolKey, StockOut
from nodemix.optimizer.snapshot import CapacityType

MOST_APART_S = 60.0
"""Looks further apart say nothing: in between too much went unseen."""
OUTAGE_SHARE = 0.5
"""Share of the on-demand nodes that vanish together with spot nodes where the view is wrong."""
LONGEST_BOOT_S = 3600.0
SECONDS_PER_HOUR = 3600.0

MarketPool = tuple[str, str, str]
"""Instance type, zone and market, as a move names its pools."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened between two looks.

    Args:
        at_h: of the later one, Unix time / 3600.
        exposures: of the spot pools with a node.
        lost: spot nodes taken back by pool, each told once; no zeros.
        spot_nodes: nodes that each spot pool had before, without those lost earlier.
        entered: pools that nodes joined.
        left: pools that nodes left on purpose.
        boots_s: of nodes that became ready.
        stock_outs: of spot pools, no later than ``at_h``.
        unattributed: refusals to sell a machine that name no pool.
    """

    at_h: float
    exposures: tuple[Exposure, ...] = ()
    lost: Mapping[PoolKey, int] = field(default_factory=dict)
    spot_nodes: Mapping[PoolKey, int] = field(default_factory=dict)
    entered: frozenset[MarketPool] = frozenset()
    left: frozenset[MarketPool] = frozenset()
    boots_s: tuple[float, ...] = ()
    stock_outs: tuple[StockOut, ...] = ()
    unattributed: int = 0


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node, and what all looks at it told.

    Args:
        pool: its spot pool; None for other markets, and where labels do not tell it.
        joined: whether it was seen to join, so that its boot can be timed.
        worked: whether it ever was ready.
        failed_first: it worked, and stopped before anybody let it go.
        is_lost: it was taken back, and that was told.
    """

    record: NodeRecord
    pool: PoolKey | None
    joined: bool
    worked: bool
    failed_first: bool = False
    is_lost: bool = False

    def followed(self, record: NodeRecord) -> "KnownNode":
        """After another look at the same node; one that works again is forgiven."""
        if record is self.record:
            return self
        is_ready, is_unmarked = record.node.is_ready, record.departure is Departure.NONE
        fails = self.worked and not is_ready and is_unmarked
        return replace(
            self,
            record=record,
            worked=self.worked or is_ready,
            failed_first=(self.failed_first or fails) and not is_ready,
            is_lost=self.is_lost and not (is_ready and is_unmarked),
        )

    @property
    def was_let_go(self) -> bool:
        """Whether it leaves, or left, on purpose."""
        return self.record.departure is Departure.LET_GO and not self.failed_first

    @property
    def is_spot(self) -> bool:
        """Whether the provider may take it back."""
        return self.record.node.capacity_type is CapacityType.SPOT


@dataclass(frozen=True, slots=True)
class NodeWatch:
    """The nodes as the last look left them.

    Args:
        at_s: of the last look; None before the first one.
        known: by uid.
        spot_nodes: nodes of each spot pool, without those whose loss was told.
    """

    at_s: float | None = None
    known: Mapping[str, KnownNode] = field(default_factory=dict, repr=False)
    spot_nodes: Mapping[PoolKey, int] = field(default_factory=dict)

    @classmethod
    def of(cls, at_s: float, known: Mapping[str, KnownNode]) -> "NodeWatch":
        """The watch after a look."""
        return cls(at_s, known, _by_pool(k for k in known.values() if not k.is_lost))

    def after(self, look: Look) -> "tuple[NodeWatch, Seen]":
        """The watch after another look, and what it tells; nothing where too much went unseen."""
        at_h = look.at_s / SECONDS_PER_HOUR
        if self.at_s is None or not 0.0 <= look.at_s - self.at_s <= MOST_APART_S:
            return NodeWatch.of(look.at_s, _never_seen_before(look)), Seen(at_h)
        present = {r.uid: self._seen_again(r, self.at_s) for r in look.nodes}
        gone = self._gone(look, present)
        lost = [k for k in (*present.values(), *gone) if _is_taken(k, present)]
        after = NodeWatch.of(look.at_s, _told(present, {k.record.uid for k in lost}))
        return after, Seen(
            at_h=at_h,
            exposures=self._exposures(self.at_s / SECONDS_PER_HOUR, at_h),
            lost=_by_pool(lost),
            spot_nodes=self.spot_nodes,
            entered=_pools(k for uid, k in present.items() if k.joined and uid not in self.known),
            left=_pools(k for k in gone if k.was_let_go or not k.is_spot),
            boots_s=self._boots_s(present),
        )

    def _seen_again(self, record: NodeRecord, before_s: float) -> KnownNode:
        """A node that was there long before it was first seen did not join now."""
        known = self.known.get(record.uid)
        if known is not None:
            return known.followed(record)
        joined = (record.created_at_s or 0.0) >= before_s - MOST_APART_S
        return KnownNode(record, spot_pool_of(record), joined, worked=record.node.is_ready)

    def _gone(self, look: Look, present: Collection[str]) -> list[KnownNode]:
        """The nodes that are gone, with their last state; none where the view must be wrong."""
        last = {record.uid: record for record in look.departed}
        missing = ((uid, known) for uid, known in self.known.items() if uid not in present)
        gone = [known.followed(last.get(uid, known.record)) for uid, known in missing]
        return gone if present and not _looks_wrong(gone, self.known.values()) else []

    def _exposures(self, start_h: float, end_h: float) -> tuple[Exposure, ...]:
        return tuple(Exposure(pool, start_h, end_h) for pool in sorted(self.spot_nodes))

    def _boots_s(self, present: Mapping[str, KnownNode]) -> tuple[float, ...]:
        """Of the nodes that are ready for the first time since they joined."""
        worked_before = {uid for uid, known in self.known.items() if known.worked}
        fresh = (k for u, k in present.items() if k.joined and k.worked and u not in worked_before)
        found = (boot_s(known.record) for known in fresh)
        return tuple(seconds for seconds in found if seconds is not None)


def boot_s(record: NodeRecord) -> float | None:
    """From joining to being ready; None where the two clocks that tell contradict each other."""
    if record.created_at_s is None or record.ready_since_s is None:
        return None
    seconds = record.ready_since_s - record.created_at_s
    return seconds if 0.0 <= seconds <= LONGEST_BOOT_S else None


def spot_pool_of(record: NodeRecord) -> PoolKey | None:
    """The spot pool of a node; None for other markets, and where labels do not tell it."""
    node = record.node
    if node.capacity_type is not CapacityType.SPOT or not node.instance_type or not node.zone:
        return None
    return PoolKey(node.instance_type.partition(".")[0], node.zone, node.instance_type)


def _never_seen_before(look: Look) -> dict[str, KnownNode]:
    """A node that is marked already may have been told by an earlier process, or long ago."""
    return {
        r.uid: KnownNode(
            r,
            spot_pool_of(r),
            joined=False,
            worked=r.node.is_ready,
            is_lost=r.departure is Departure.RECLAIMED,
        )
        for r in look.nodes
    }


def _looks_wrong(gone: Iterable[KnownNode], before: Iterable[KnownNode]) -> bool:
    """Whether on-demand nodes vanished too, as no market makes them."""
    bought = sum(not known.is_spot for known in before)
    missing = sum(not known.is_spot and not known.was_let_go for known in gone)
    return missing > 0 and missing >= OUTAGE_SHARE * bought


def _is_taken(known: KnownNode, present: Collection[str]) -> bool:
    """Whether a spot node was, or is about to be, taken back, and nobody was told yet."""
    if not known.is_spot or known.is_lost:
        return False
    is_noticed = known.record.departure is Departure.RECLAIMED
    return is_noticed or (known.record.uid not in present and not known.was_let_go)


def _told(present: Mapping[str, KnownNode], lost: Collection[str]) -> dict[str, KnownNode]:
    told = {uid: replace(present[uid], is_lost=True) for uid in lost if uid in present}
    return {**present, **told}


def _by_pool(nodes: Iterable[KnownNode]) -> dict[PoolKey, int]:
    return dict(Counter(known.pool for known in nodes if known.pool is not None))


def _pools(nodes: Iterable[KnownNode]) -> frozenset[MarketPool]:
    return frozenset(pool for known in nodes for pool in _market_pool(known.record))


def _market_pool(record: NodeRecord) -> Iterator[MarketPool]:
    """The pool of a node in any market, where its labels tell it."""
    node = record.node
    if node.instance_type and node.zone:
        yield node.instance_type, node.zone, node.capacity_type.value
