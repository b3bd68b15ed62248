"""One policy through one history: the closed loop.

Between two moments at which anything happens, nothing changes; so time jumps from one to the next
and every interval is exact. At each moment: the provider takes nodes back, nodes become ready,
demand changes, pods are placed, a decision is made if one is due, what lacks room gets recourse,
and nodes that were let go drain.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.risk.beliefs import (
    SECONDS_PER_HOUR,
    Beliefs,
    Move,
    advised_per_hour,
    pool_of,
)
from nodemix.optimizer.risk.hazard import Exposure, HazardBook, Shock
from nodemix.optimizer.risk.hazard import PoolKey as SpotPool
from nodemix.optimizer.snapshot import CapacityType, DaemonSet, DisruptionBudget, Snapshot
from nodemix.simulator.clock import TOLERANCE_S, Span
from nodemix.simulator.cluster import Cluster, Lease
from nodemix.simulator.ground import Ground, ground_of
from nodemix.simulator.market import Market
from nodemix.simulator.policies import Observation, ReplayPolicy
from nodemix.simulator.recourse import recourse
from nodemix.simulator.workload import Workloads


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is the same for every policy.

    Args:
        boot_s: from the order of a node until it takes pods.
        beliefs: what is known at the start.
    """

    workloads: Workloads
    market: Market
    boot_s: float = 600.0
    daemon_sets: tuple[DaemonSet, ...] = ()
    disruption_budgets: tuple[DisruptionBudget, ...] = ()
    beliefs: Beliefs = field(default_factory=Beliefs)

    def ground(self) -> Ground:
        """Requests and room as arrays."""
        return ground_of(self.market.catalog.offers, self.workloads, self.daemon_sets)


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in which nothing changed.

    Args:
        wanted, short: pods, and those of them without a place.
        share_short: share of the requests without a place, by the scarcer of cores and memory.
    """

    start_s: float
    end_s: float
    usd_per_hour: float
    wanted: int
    short: int
    share_short: float
    nodes: int
    spot_nodes: int

    @property
    def hours(self) -> float:
        """Length."""
        return (self.end_s - self.start_s) / SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Change:
    """Nodes ordered, let go or lost at one moment.

    Args:
        kind: ``plan``, ``recourse`` or ``reclaim``.
        nodes: (pool, nodes more or fewer), sorted, no zeros.
    """

    at_s: float
    kind: str
    nodes: tuple[tuple[PoolKey, int], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What a policy did and what came of it.

    Args:
        intervals: without a gap, ascending.
        changes: ascending.
        moves: pools that took the place of others, ascending.
        leases: every node that was paid for.
        decisions: how many were made.
        beliefs: at the end.
    """

    policy: str
    intervals: tuple[Interval, ...]
    changes: tuple[Change, ...]
    moves: tuple[Move, ...]
    leases: tuple[Lease, ...]
    decisions: int
    beliefs: Beliefs = field(default_factory=Beliefs)

    def between(self, span: Span) -> "Run":
        """The part of it in ``span``; leases and beliefs stay whole."""
        kept = tuple(
            Interval(
                max(i.start_s, span.start_s),
                min(i.end_s, span.end_s),
                i.usd_per_hour, i.wanted, i.short, i.share_short, i.nodes, i.spot_nodes,
            )
            for i in self.intervals
            if i.end_s > span.start_s and i.start_s < span.end_s
        )  # fmt: skip
        changes = tuple(c for c in self.changes if span.start_s <= c.at_s < span.end_s)
        begin_h, end_h = span.start_s / SECONDS_PER_HOUR, span.end_s / SECONDS_PER_HOUR
        moves = tuple(m for m in self.moves if begin_h <= m.at_h < end_h)
        return Run(self.policy, kept, changes, moves, self.leases, self.decisions, self.beliefs)


Watch = Callable[[int, int], None]
"""Told how many decisions have been made, and of how many."""


def replay(scene: Scene, policy: ReplayPolicy, span: Span, watch: Watch | None = None) -> Run:
    """Let ``policy`` choose nodes from the start of ``span`` to its end.

    It begins with the nodes of its first decision, ready at the start.
    """
    return _Loop(scene, policy, span, watch).run()


@dataclass(slots=True, eq=False)
class _Loop:
    """A replay under way."""

    scene: Scene
    policy: ReplayPolicy
    span: Span
    watch: Watch | None
    ground: Ground = field(init=False)
    cluster: Cluster = field(init=False)
    spot_pools: Mapping[PoolKey, SpotPool] = field(init=False)
    beliefs: Beliefs = field(init=False)
    prices: FloatArray = field(init=False)
    wanted: IntArray = field(init=False)
    intervals: list[Interval] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    shocks: list[Shock] = field(default_factory=list)
    boots_s: list[float] = field(default_factory=list)
    decisions: int = 0

    def __post_init__(self) -> None:
        self.ground = self.scene.ground()
        self.cluster = Cluster(self.ground)
        self.spot_pools = {o.key: pool_of(o) for o in self.ground.offers if o.is_spot}
        self.beliefs = opened(self.scene, self.span.start_s)
        self.prices = self.scene.market.prices_at(self.span.start_s)
        self.wanted = self.scene.workloads.wanted_at(self.span.start_s)

    def run(self) -> Run:
        now_s = self.span.start_s
        self._decide(now_s, lead_s=0.0)
        self.cluster.settle(self.wanted, now_s)
        while now_s < self.span.end_s - TOLERANCE_S:
            until_s = self._next_s(now_s)
            self._record(now_s, until_s)
            now_s = until_s
            self._happen(now_s)
        return self._outcome()

    def _next_s(self, now_s: float) -> float:
        """When something happens next."""
        market = self.scene.market
        until_s = min(
            self.span.end_s,
            self.span.next_decision_s(now_s),
            self.scene.workloads.next_change_s(now_s),
            self.cluster.next_ready_s(now_s),
            market.next_price_change_s(now_s),
        )
        return market.next_reclaim_s(now_s, until_s, self.cluster.pools().keys())

    def _record(self, start_s: float, end_s: float) -> None:
        waiting = self.cluster.waiting(self.wanted)
        held = self.cluster.pools()
        spot = {pool: nodes for pool, nodes in held.items() if pool[2] is CapacityType.SPOT}
        self.intervals.append(
            Interval(
                start_s,
                end_s,
                self.cluster.usd_per_hour(self.prices),
                int(self.wanted.sum()),
                int(waiting.sum()),
                self.ground.share_short(self.wanted, waiting),
                sum(held.values()),
                sum(spot.values()),
            )
        )
        start_h, end_h = start_s / SECONDS_PER_HOUR, end_s / SECONDS_PER_HOUR
        self.exposures += [Exposure(self.spot_pools[pool], start_h, end_h) for pool in sorted(spot)]

    def _happen(self, now_s: float) -> None:
        """All that happens at one moment."""
        if now_s >= self.span.end_s - TOLERANCE_S:
            return
        self._reclaim(now_s)
        self.prices = self.scene.market.prices_at(now_s)
        self.wanted = self.scene.workloads.wanted_at(now_s)
        self.cluster.settle(self.wanted, now_s)
        if self.span.is_decision(now_s):
            self._decide(now_s, self.scene.boot_s)
        if self.policy.has_recourse:
            self._take_recourse(now_s)
        self.cluster.settle(self.wanted, now_s)
        self.cluster.drain(now_s)

    def _reclaim(self, now_s: float) -> None:
        market = self.scene.market
        for reclaim in market.reclaims_between(now_s, np.nextafter(now_s, np.inf)):
            nodes = self.cluster.pools().get(reclaim.pool, 0)
            if nodes == 0:
                continue
            lost = reclaim.nodes_of(nodes)
            self.cluster.reclaim(reclaim.pool, lost, now_s)
            self.changes.append(Change(now_s, "reclaim", ((reclaim.pool, -lost),)))
            pool = self.spot_pools[reclaim.pool]
            self.shocks.append(Shock(pool, now_s / SECONDS_PER_HOUR, nodes, lost))

    def _decide(self, now_s: float, lead_s: float) -> None:
        self._learn(now_s)
        nodes, pods = self.cluster.seen(self.scene.workloads, self.wanted)
        seen = Observation(
            now_s=now_s,
            snapshot=Snapshot(
                now_s,
                tuple(nodes),
                tuple(pods),
                self.scene.daemon_sets,
                disruption_budgets=self.scene.disruption_budgets,
            ),
            history=self.scene.workloads.known_at(now_s),
            catalog=self.scene.market.catalog_at(now_s),
            beliefs=self.beliefs,
            number=self.decisions,
        )
        target = self.policy.step(seen)
        self.decisions += 1
        if self.watch is not None:
            self.watch(self.decisions, self.span.decisions)
        if target is not None:
            self._follow(target, now_s, lead_s)

    def _follow(self, target: Mapping[PoolKey, int], now_s: float, lead_s: float) -> None:
        before = self.cluster.counts()
        self.cluster.follow(target, now_s, lead_s)
        nodes = _difference(before, self.cluster.counts())
        if nodes:
            self.changes.append(Change(now_s, "plan", nodes))
        entered = tuple(_name(pool) for pool, count in nodes if count > 0)
        left = tuple(_name(pool) for pool, count in nodes if count < 0)
        if entered and left:
            move = Move(now_s / SECONDS_PER_HOUR, left, entered)
            self.moves.append(move)
            self.beliefs = self.beliefs.moved(move)
        if entered:
            # Counted from the decision before the one that buys: that is how long a need that
            # arises just after a decision waits for its node.
            self.boots_s.append(self.scene.boot_s + self.span.every_s)

    def _learn(self, now_s: float) -> None:
        """Bring the beliefs up to date with what was seen since the last decision."""
        book = self.beliefs.hazards
        assert book is not None  # noqa: S101 - it was opened at the start
        book = book.observed(now_s / SECONDS_PER_HOUR, self.exposures, self.shocks)
        boots = self.beliefs.boots.observed(self.boots_s)
        self.beliefs = replace(self.beliefs, hazards=book, boots=boots).struck(self.shocks)
        self.exposures, self.shocks, self.boots_s = [], [], []

    def _take_recourse(self, now_s: float) -> None:
        lacking = self.cluster.lacking_once_ready(self.wanted)
        bought = recourse(self.ground, lacking, self.prices) if lacking.any() else {}
        for offer, count in bought.items():
            self.cluster.buy(offer, count, now_s, now_s + self.scene.boot_s)
        if bought:
            nodes = ((self.ground.offers[offer].key, count) for offer, count in bought.items())
            self.changes.append(Change(now_s, "recourse", tuple(sorted(nodes))))

    def _outcome(self) -> Run:
        self.cluster.remove(np.ones(len(self.cluster.names), dtype=np.bool_), self.span.end_s)
        return Run(
            policy=self.policy.name,
            intervals=tuple(self.intervals),
            changes=tuple(self.changes),
            moves=tuple(self.moves),
            leases=tuple(self.cluster.ended),
            decisions=self.decisions,
            beliefs=self.beliefs,
        )


def opened(scene: Scene, now_s: float) -> Beliefs:
    """The beliefs at the start, with a book in which every spot pool on sale stands."""
    advised = advised_per_hour(scene.market.catalog)
    book = scene.beliefs.hazards or HazardBook.opened(now_s / SECONDS_PER_HOUR, advised)
    return replace(scene.beliefs, hazards=book.with_pools(advised))


def _difference(
    before: Mapping[PoolKey, int], after: Mapping[PoolKey, int]
) -> tuple[tuple[PoolKey, int], ...]:
    changed = {p: after.get(p, 0) - before.get(p, 0) for p in {*before, *after}}
    return tuple(sorted((pool, count) for pool, count in changed.items() if count))


def _name(pool: PoolKey) -> tuple[str, str, str]:
    return pool[0], pool[1], str(pool[2])
