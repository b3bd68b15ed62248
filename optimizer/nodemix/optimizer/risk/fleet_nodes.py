"""A plan unfolded into single nodes, with what is lost when some of them go."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.catalog.types import InstanceType
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
from nodemix.optimizer.risk.hazard import PoolKey
from nodemix.optimizer.risk.shortfall import NodeRoom, homeless_pods, node_limits, node_room
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey


@dataclass(frozen=True, slots=True, eq=False)
class FleetNodes:
    """The nodes of a plan with their pods, kept ones included.

    A kept node with pods holds one that stands for all of them and fits nowhere else: where they
    could go is not known to the problem.

    Args:
        room: as in `NodeRoom`, with a row more for each group of kept nodes.
        demand: pods of each row that the plan holds, shape (rows,).
        requests: shape (rows, dimensions).
        limits: pods of each row on a node, shape (rows,).
        kept_pods: pods of each workload on kept nodes.
        pools: spot pools with a node, sorted.
        pool_of_node: index into ``pools``, -1 for nodes on demand, shape (nodes,).
        counted: dimensions in which something can be short; slots for pods are none of them,
            shape (dimensions,).
    """

    room: NodeRoom
    demand: IntArray
    requests: IntArray
    limits: IntArray
    kept_pods: Mapping[WorkloadKey, int]
    pools: tuple[PoolKey, ...]
    pool_of_node: IntArray
    counted: BoolArray

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.pool_of_node)

    def counts(self) -> IntArray:
        """Nodes of each pool, shape (pools,)."""
        of_pools = self.pool_of_node[self.pool_of_node >= 0]
        return np.bincount(of_pools, minlength=len(self.pools)).astype(np.int64)

    def with_kept_rows(self, needed: IntArray) -> IntArray:
        """Pods of the problem's rows, and of those that stand for kept nodes.

        Args:
            needed: shape (paths, rows of the problem).
        """
        kept = self.demand[needed.shape[1] :]
        return np.hstack([needed, np.tile(kept, (len(needed), 1))])

    def homeless(self, needed: IntArray) -> IntArray:
        """Pods of the problem's rows without a place while every node stays.

        Args:
            needed: shape (paths, rows of the problem), and so is what is returned.
        """
        alive = np.ones((len(needed), self.nodes), dtype=np.bool_)
        needed_of_all = self.with_kept_rows(needed)
        lost = homeless_pods(self.room, needed_of_all, alive, self.requests, self.limits)
        return lost[:, : needed.shape[1]]

    def losses(self, needed: IntArray, alive: BoolArray) -> tuple[FloatArray, IntArray]:
        """Share of all that is needed, and pods, without a place; each of shape (scenarios,).

        The share is that of the scarcest of the counted dimensions.

        Args:
            needed: pods of all rows, shape (scenarios, rows).
            alive: shape (scenarios, nodes).
        """
        homeless = homeless_pods(self.room, needed, alive, self.requests, self.limits)
        lost = homeless @ self.requests
        wanted = (needed @ self.requests).astype(np.float64)
        share = np.divide(lost, wanted, out=np.zeros(wanted.shape), where=wanted > 0.0)
        return share[:, self.counted].max(axis=1, initial=0.0), homeless.sum(axis=1)

    def pool_losses(self) -> FloatArray:
        """Share lost of what the plan holds when each pool goes whole, shape (pools,)."""
        alive = self.pool_of_node[None, :] != np.arange(len(self.pools))[:, None]
        return self.losses(np.tile(self.demand, (len(self.pools), 1)), alive)[0]


SLOTS = "pods"
"""The dimension that counts pods, not what they use."""


def is_amount(problem: Problem) -> BoolArray:
    """Dimensions that are used up, slots for pods aside, shape (dimensions,)."""
    return np.array([dimension != SLOTS for dimension in problem.dimensions], dtype=np.bool_)


def fleet_nodes(
    problem: Problem,
    packing: Packing,
    kept: Iterable[PlannedNodes],
    requests: Mapping[WorkloadKey, IntArray],
) -> FleetNodes:
    """Unfold a packing and the kept nodes.

    Args:
        requests: of a pod of each workload on kept nodes, in the problem's dimensions.
    """
    groups = tuple(kept)
    counts = np.array([group.count for group in groups], dtype=np.int64)
    standing = np.array([1 if group.pods else 0 for group in groups], dtype=np.int64)
    none = np.zeros(len(problem.dimensions), dtype=np.int64)
    loads = [sum((n * requests.get(key, none) for key, n in g.pods), start=none) for g in groups]
    bought = [problem.offers[g.offer] for g in packing.nodes for _ in range(g.count)]
    keys = [_spot_pool(o.instance.name, o.zone, o.capacity_type, o.instance) for o in bought]
    keys += [
        _spot_pool(g.instance_type, g.zone, g.capacity_type) for g in groups for _ in range(g.count)
    ]
    pools = tuple(sorted({key for key in keys if key is not None}))
    index = {pool: i for i, pool in enumerate(pools)}
    return FleetNodes(
        room=_with_kept(node_room(problem, packing), counts, standing),
        demand=np.concatenate([problem.demand, counts * standing]),
        requests=np.vstack([problem.requests, *loads]).astype(np.int64),
        limits=np.concatenate([node_limits(problem), np.ones_like(counts)]),
        kept_pods=kept_pods(groups),
        pools=pools,
        pool_of_node=np.array([-1 if k is None else index[k] for k in keys], dtype=np.int64),
        counted=is_amount(problem),
    )


def kept_pods(kept: Iterable[PlannedNodes]) -> dict[WorkloadKey, int]:
    """Pods of each workload on kept nodes."""
    totals: Counter[WorkloadKey] = Counter()
    for group in kept:
        totals.update({key: pods * group.count for key, pods in group.pods})
    return dict(totals)


def _spot_pool(
    name: str, zone: str, capacity_type: CapacityType, instance: InstanceType | None = None
) -> PoolKey | None:
    if capacity_type is not CapacityType.SPOT:
        return None
    return PoolKey(instance.family if instance else name.partition(".")[0], zone, name)


def _with_kept(room: NodeRoom, counts: IntArray, standing: IntArray) -> NodeRoom:
    """Nodes without free room that each hold ``standing`` pods of a row of their group's own."""
    groups, nodes = len(counts), int(counts.sum())
    own = np.repeat(np.diag(standing), counts, axis=0)
    beside = np.zeros((len(room.held), groups), dtype=np.int64)
    below = np.zeros((nodes, room.held.shape[1]), dtype=np.int64)
    full = np.zeros((nodes, room.free.shape[1]), dtype=np.int64)
    free = np.ascontiguousarray(np.vstack([room.free, full]))
    compatible = np.zeros((len(room.compatible) + groups, len(free)), dtype=np.bool_)
    compatible[: len(room.compatible), : len(room.free)] = room.compatible
    held = np.vstack([np.hstack([room.held, beside]), np.hstack([below, own])])
    return NodeRoom(free, np.ascontiguousarray(held), compatible)
