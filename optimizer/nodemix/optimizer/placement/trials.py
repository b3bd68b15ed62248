"""Plans on trial: what kube-scheduler makes of them on draws that are the same for all plans.

Common draws of arrival order, node order and ties make a comparison of two plans sharper than
their costs are known, so a few draws tell which one is better.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.placement.hosting import Hosting
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import (
    OWNED,
    Profile,
    nodes_to_find,
    to_shapes,
    visiting_order,
    workloads_of,
    zones_of,
)
from nodemix.optimizer.placement.scheduler import PENDING, schedule
from nodemix.optimizer.placement.spread import Spread, schedule_spread
from nodemix.optimizer.placement.steering import decreasing_rows
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Kinds of nodes of a plan, no two equal.

    Args:
        offers: of the problem, shape (kinds,).
        pods: of each row on one node, shape (kinds, rows).
        counts: nodes of the kind, shape (kinds,).
    """

    offers: IntArray
    pods: IntArray
    counts: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One draw of one plan.

    Args:
        held: pods of each row on each node, nodes in the order of the kinds, shape (nodes, rows).
        pending: shape (rows,).
    """

    held: IntArray
    pending: IntArray


class Trials:
    """Any number of draws of one problem under one mode; draw ``k`` is the same for all plans."""

    def __init__(
        self,
        problem: Problem,
        mode: PlacementMode,
        seed: int,
        hosting: Hosting | None = None,
        profile: Profile = OWNED,
    ) -> None:
        self.mode = mode
        self.hosting = hosting or Hosting(problem)
        self._problem = problem
        self._seed = seed
        self._shapes = to_shapes(problem, profile)
        self._spread_weight = profile.spread_weight
        self._spread_workloads = workloads_of(problem)
        self._zones = zones_of(problem)
        self._pools = _numbered([offer.key for offer in problem.offers])
        self._demand = problem.demand
        self._workloads = _numbered([row.workload for row in problem.rows])
        self._release = np.array(decreasing_rows(problem), dtype=np.int64)

    def run(self, kinds: Kinds, draw: int) -> Outcome:
        """What becomes of the plan on one draw."""
        rng = np.random.default_rng((self._seed, draw))
        if self.mode is PlacementMode.COHORT:
            held = self._in_cohorts(kinds, rng)
        elif self.mode is PlacementMode.PINNED:
            held = np.repeat(kinds.pods, kinds.counts, axis=0)
        else:
            held = self._in_the_open(kinds, rng)
        return Outcome(held, self._demand - held.sum(axis=0))

    def hosting_usd_per_hour(self, kinds: Kinds, draw: int) -> float:
        """Of nodes for what is pending on one draw."""
        return self.hosting.cost_usd_per_hour(self.run(kinds, draw).pending)

    def _in_the_open(self, kinds: Kinds, rng: np.random.Generator) -> IntArray:
        """All pods in random order, all nodes that the mode allows them, shape (nodes, rows)."""
        order = rng.permutation(np.repeat(np.arange(len(self._demand)), self._demand))
        ties = rng.random(len(order))
        groups = np.repeat(np.arange(len(kinds.offers)), kinds.counts)
        visited = visiting_order(self._zones[kinds.offers[groups]], rng)
        limits = self.limits(kinds)[:, groups[visited]]
        return self._held(order, limits, kinds.offers[groups], visited, ties)

    def _in_cohorts(self, kinds: Kinds, rng: np.random.Generator) -> IntArray:
        """The pods of each kind on its own nodes, the largest first, shape (nodes, rows)."""
        held = np.repeat(kinds.pods, kinds.counts, axis=0)
        first = np.concatenate([[0], np.cumsum(kinds.counts)])
        is_open = (kinds.counts > 1) & (np.count_nonzero(kinds.pods, axis=1) > 1)
        for k in np.flatnonzero(is_open).tolist():  # a lone node, or a lone row, always works out
            nodes = int(kinds.counts[k])
            order = np.repeat(self._release, kinds.pods[k, self._release] * nodes)
            one = Kinds(kinds.offers[k : k + 1], kinds.pods[k : k + 1], kinds.counts[k : k + 1])
            limits = np.repeat(self.limits(one), nodes, axis=1)
            offers = np.repeat(one.offers, nodes)
            ties = rng.random(len(order))
            held[first[k] : first[k + 1]] = self._held(
                order, limits, offers, np.arange(nodes), ties
            )
        return held

    def _held(
        self,
        order: IntArray,
        limits: IntArray,
        offers: IntArray,
        visited: IntArray,
        ties: FloatArray,
    ) -> IntArray:
        """Pods of each row on each node, shape (nodes, rows).

        Args:
            limits: of the nodes in the order of ``visited``, shape (rows, nodes).
        """
        contest = (
            order,
            self._shapes,
            np.ascontiguousarray(limits),
            np.ascontiguousarray(self._problem.room[offers[visited]]),
            nodes_to_find(len(offers)),
            ties,
        )
        if self._spread_weight and len(offers):
            zones = self._zones[offers[visited]]
            spread = Spread(self._spread_workloads, zones, self._spread_weight)
            found = schedule_spread(*contest, spread)
        else:
            found = schedule(*contest)
        placed = found != PENDING
        rows = len(self._demand)
        cells = visited[found[placed]] * rows + order[placed]
        return np.bincount(cells, minlength=len(offers) * rows).reshape(len(offers), rows)

    def limits(self, kinds: Kinds) -> IntArray:
        """Most pods of each row on a node of each kind under the mode, shape (rows, kinds)."""
        allowed = self._problem.compatible[:, kinds.offers]
        if self.mode is PlacementMode.POOL:
            allowed &= self._in_pools(kinds)
        return np.where(allowed, self._problem.max_per_node[:, None], 0)

    def _in_pools(self, kinds: Kinds) -> BoolArray:
        """Whether some node of each kind's pool holds the row's workload, shape (rows, kinds)."""
        known, pools = np.unique(self._pools[kinds.offers], return_inverse=True)
        holds = np.zeros((int(self._workloads.max(initial=-1)) + 1, len(known)), dtype=np.bool_)
        of_kinds, rows = np.nonzero(kinds.pods)
        holds[self._workloads[rows], pools[of_kinds]] = True
        allowed: BoolArray = holds[self._workloads][:, pools]
        return allowed


def kinds_of(packing: Packing, rows: int) -> Kinds:
    """The kinds of nodes of a packing of a problem with so many rows."""
    pods = np.zeros((len(packing.nodes), rows), dtype=np.int64)
    for kind, group in enumerate(packing.nodes):
        for row, held in group.pods:
            pods[kind, row] = held
    offers = np.array([group.offer for group in packing.nodes], dtype=np.int64)
    return Kinds(offers, pods, np.array([group.count for group in packing.nodes], dtype=np.int64))


def _numbered(names: Sequence[Hashable]) -> IntArray:
    """A number for each distinct name, shape (names,)."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)
