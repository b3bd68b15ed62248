"""A cluster in simulated time: nodes boot, hold pods, drain and vanish; pods wait for room.

Pods are placed largest first, each on the fullest node with room for it, as a scheduler with
MostAllocated would; those that run are never moved but by a drain or a reclaim. A node that a plan
lets go drains once all that was bought with it is ready, and only if its pods have room elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray
from nodemix.optimizer.snapshot import Node, Pod
from nodemix.simulator.clock import TOLERANCE_S
from nodemix.simulator.ground import Ground
from nodemix.simulator.workload import Workloads


@dataclass(frozen=True, slots=True)
class Lease:
    """One node that was paid for, from its purchase until it was given back or vanished.

    Args:
        until_s: None while it runs.
    """

    name: str
    pool: PoolKey
    since_s: float
    until_s: float | None = None


@dataclass(slots=True, eq=False)
class Cluster:
    """Nodes and the pods on them; every array has the nodes first.

    Args:
        offers: index into the ground's offers, shape (nodes,).
        ready_s: when each node takes pods, shape (nodes,).
        is_leaving: whether a plan has let the node go, shape (nodes,).
        pods: shape (nodes, workloads).
        leases: of the nodes, then of those that are gone.
    """

    ground: Ground
    names: list[str] = field(default_factory=list)
    offers: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    ready_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    is_leaving: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    pods: IntArray = field(init=False)
    leases: list[Lease] = field(default_factory=list)
    ended: list[Lease] = field(default_factory=list)
    _named: int = 0

    def __post_init__(self) -> None:
        self.pods = np.zeros((0, len(self.ground.requests)), dtype=np.int64)

    def copy(self) -> "Cluster":
        """Another cluster in the same state, to try something on."""
        twin = Cluster(self.ground, list(self.names), self.offers.copy(), self.ready_s.copy())
        twin.is_leaving, twin.pods = self.is_leaving.copy(), self.pods.copy()
        twin.leases, twin.ended = list(self.leases), list(self.ended)
        twin._named = self._named
        return twin

    def counts(self) -> dict[PoolKey, int]:
        """Nodes of each pool that are paid for and stay."""
        staying = self.offers[~self.is_leaving]
        return dict(Counter(self.ground.offers[i].key for i in staying.tolist()))

    def pools(self) -> dict[PoolKey, int]:
        """Nodes of each pool that are paid for, leaving ones too."""
        return dict(Counter(self.ground.offers[i].key for i in self.offers.tolist()))

    def usd_per_hour(self, prices: FloatArray) -> float:
        """What all nodes cost; those that boot are paid for, too.

        Args:
            prices: of the ground's offers, shape (offers,).
        """
        return float(prices[self.offers].sum())

    def waiting(self, wanted: IntArray) -> IntArray:
        """Pods of each workload without a place, shape (workloads,)."""
        short: IntArray = np.maximum(wanted - self.pods.sum(axis=0), 0)
        return short

    def buy(self, offer: int, count: int, now_s: float, ready_s: float) -> None:
        """Order nodes of an offer, which take pods from ``ready_s`` on."""
        for _ in range(count):
            self._named += 1
            name = f"node-{self._named:05d}"
            self.names.append(name)
            self.leases.append(Lease(name, self.ground.offers[offer].key, now_s))
        self.offers = np.append(self.offers, np.full(count, offer, dtype=np.int64))
        self.ready_s = np.append(self.ready_s, np.full(count, ready_s))
        self.is_leaving = np.append(self.is_leaving, np.zeros(count, dtype=np.bool_))
        empty = np.zeros((count, self.pods.shape[1]), dtype=np.int64)
        self.pods = np.concatenate([self.pods, empty])

    def remove(self, gone: BoolArray, now_s: float) -> None:
        """Take nodes away, shape (nodes,); their pods wait."""
        stay = np.flatnonzero(~gone)
        ended = (replace(self.leases[i], until_s=now_s) for i in np.flatnonzero(gone))
        self.ended.extend(ended)
        self.names = [self.names[i] for i in stay]
        self.leases = [self.leases[i] for i in stay]
        self.offers, self.ready_s = self.offers[stay], self.ready_s[stay]
        self.is_leaving, self.pods = self.is_leaving[stay], self.pods[stay]

    def reclaim(self, pool: PoolKey, nodes: int, now_s: float) -> None:
        """Lose so many nodes of a pool, the oldest first."""
        ours = [i for i, offer in enumerate(self.offers) if self.ground.offers[offer].key == pool]
        gone = np.zeros(len(self.names), dtype=np.bool_)
        gone[ours[:nodes]] = True
        self.remove(gone, now_s)

    def settle(self, wanted: IntArray, now_s: float) -> None:
        """Let pods go that are no longer wanted, and place those that wait where there is room."""
        self._scale_down(wanted)
        open_ = self.ready_s <= now_s + TOLERANCE_S
        self.pods = self._placed(self.pods, self.waiting(wanted), open_)

    def lacking_once_ready(self, wanted: IntArray) -> IntArray:
        """Pods without a place even when all that was ordered is ready, shape (workloads,)."""
        everywhere = np.ones(len(self.names), dtype=np.bool_)
        placed = self._placed(self.pods, self.waiting(wanted), everywhere)
        short: IntArray = np.maximum(wanted - placed.sum(axis=0), 0)
        return short

    def follow(self, target: Mapping[PoolKey, int], now_s: float, lead_s: float) -> None:
        """Order what the target has more of, and let go what it has less of, emptiest first."""
        everyone = {offer.key: i for i, offer in enumerate(self.ground.offers)}
        for pool in sorted({*target, *self.pools()}):
            ours = np.flatnonzero(self.offers == everyone[pool])
            wanted = target.get(pool, 0)
            fullest = ours[np.argsort(-self._fill()[ours], kind="stable")]
            self.is_leaving[ours] = True
            self.is_leaving[fullest[:wanted]] = False
            self.buy(everyone[pool], max(0, wanted - len(ours)), now_s, now_s + lead_s)

    def next_ready_s(self, now_s: float) -> float:
        """When the next node takes pods; inf where none boots."""
        booting = self.ready_s[self.ready_s > now_s + TOLERANCE_S]
        return float(booting.min()) if booting.size else float("inf")

    def drain(self, now_s: float) -> int:
        """Give back the nodes that leave and whose pods have room elsewhere; how many.

        Nothing while a node boots: it may be meant for these pods.
        """
        if not self.is_leaving.any() or self.next_ready_s(now_s) < float("inf"):
            return 0
        leaving = np.flatnonzero(self.is_leaving)
        gone = np.zeros(len(self.names), dtype=np.bool_)
        for node in leaving[np.argsort(self._fill()[leaving], kind="stable")]:
            emptied = self.pods.copy()
            emptied[node] = 0
            placed = self._placed(emptied, self.pods[node], ~(self.is_leaving | gone))
            if placed.sum() == self.pods.sum():
                self.pods, gone[node] = placed, True
        self.remove(gone, now_s)
        return int(gone.sum())

    def seen(self, workloads: Workloads, wanted: IntArray) -> tuple[list[Node], list[Pod]]:
        """The nodes and pods as an API server would show them; ordered nodes count as ready."""
        nodes = [
            replace(self.ground.node(name, int(offer)), is_leaving=bool(leaving))
            for name, offer, leaving in zip(self.names, self.offers, self.is_leaving, strict=True)
        ]
        pods = [
            pod
            for name, counts in zip(self.names, self.pods, strict=True)
            for pod in pods_of(workloads, counts, name)
        ]
        return nodes, [*pods, *pods_of(workloads, self.waiting(wanted), None)]

    def _free(self, pods: IntArray) -> IntArray:
        free: IntArray = self.ground.room[self.offers] - pods @ self.ground.requests
        return free

    def _fill(self) -> FloatArray:
        """How full each node is, by its fullest dimension, shape (nodes,)."""
        room = np.maximum(self.ground.room[self.offers], 1)
        fill: FloatArray = (self.pods @ self.ground.requests / room).max(axis=1, initial=0.0)
        return fill

    def _scale_down(self, wanted: IntArray) -> None:
        """Pods too many go from nodes that leave, then from the emptiest."""
        surplus = np.maximum(self.pods.sum(axis=0) - wanted, 0)
        for row in np.flatnonzero(surplus):
            order = np.lexsort((self._fill(), ~self.is_leaving))
            self.pods[order, row] -= _taken(self.pods[order, row], int(surplus[row]))

    def _placed(self, pods: IntArray, waiting: IntArray, open_: BoolArray) -> IntArray:
        """The pods after those that wait were placed on open nodes as far as there is room."""
        pods = pods.copy()
        free = self._free(pods)
        for row in (row for row in self.ground.largest_first if waiting[row]):
            fits = self._fits(row, pods, free, open_)
            order = np.lexsort((self._spare(free), self.is_leaving))
            taken = np.zeros_like(fits)
            taken[order] = _taken(fits[order], int(waiting[row]))
            pods[:, row] += taken
            free -= taken[:, None] * self.ground.requests[row]
        return pods

    def _spare(self, free: IntArray) -> FloatArray:
        room = np.maximum(self.ground.room[self.offers], 1)
        spare: FloatArray = (free / room).min(axis=1, initial=1.0)
        return spare

    def _fits(self, row: int, pods: IntArray, free: IntArray, open_: BoolArray) -> IntArray:
        """Further pods of a row that each node has room for, shape (nodes,)."""
        asked = self.ground.requests[row]
        needed = asked > 0
        fits = (np.maximum(free[:, needed], 0) // asked[needed]).min(axis=1, initial=10**9)
        allowed = np.maximum(self.ground.most_per_node[row] - pods[:, row], 0)
        admitted = self.ground.admits[row, self.offers] & open_
        return np.where(admitted, np.minimum(fits, allowed), 0).astype(np.int64)


def _taken(available: IntArray, wanted: int) -> IntArray:
    """What is taken of each, in their order, until ``wanted`` is reached."""
    before = np.cumsum(available) - available
    taken: IntArray = np.clip(wanted - before, 0, available)
    return taken


def pods_of(workloads: Workloads, counts: Iterable[int], node_name: str | None) -> list[Pod]:
    """So many pods of each workload, on a node or waiting."""
    owners = zip(workloads.keys, workloads.templates, counts, strict=True)
    return [
        Pod(key.namespace, f"{key.kind}-{key.name}-{node_name}-{i}", key, template, node_name)
        for key, template, count in owners
        for i in range(int(count))
    ]
