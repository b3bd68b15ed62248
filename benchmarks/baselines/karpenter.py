"""Karpenter's way to new nodes, with one pool and with two pools tuned in hindsight.

Source: karpenter v1, ``pkg/controllers/provisioning/scheduling``: pods in decreasing order, each
onto the node in flight with the fewest pods that still has a type for it, else onto a new node of
the first pool that can hold it; what is bought in the end is the cheapest type left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem

from benchmarks.baselines.consolidation import ORDERS, consolidate
from benchmarks.baselines.fleet import Fleet, decreasing

MOST_CPU_MILLI = (None, 128_000, 96_000, 64_000, 48_000, 32_000, 24_000, 16_000, 8_000, 4_000)
"""Size caps of the pools among which hindsight chooses; None is no cap."""
HOPELESS = 1.25
"""Set-ups whose nodes cost so many times the best so far are not consolidated."""
FIRST_NODES, GROWTH = 256, 4
"""Nodes there is memory for at first, and the factor it grows by when they do not do."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """Two pools, spot before on-demand, as somebody could write them down.

    Args:
        spot_milli: largest type of the spot pool; None is no cap.
        on_demand_milli: the same for the other pool.
        tainted: the on-demand pool takes no pods that may run on spot.
    """

    spot_milli: int | None
    on_demand_milli: int | None
    tainted: bool


def one_pool(problem: Problem) -> Packing:
    """One pool for all offers, nothing consolidated; knows no caps."""
    everything = np.ones(len(problem.offers), dtype=np.bool_)
    return provision(problem, [everything]).to_packing(problem)


def tuned(problem: Problem) -> Packing:
    """The cheapest set-up, consolidated, found knowing what each of them costs.

    First the same cap for both pools, then the best one for each pool in turn.
    """
    trials = _Trials(problem)
    for most in MOST_CPU_MILLI:
        trials.attempt(SetUp(most, most, tainted=False))
        trials.attempt(SetUp(most, most, tainted=True))
    for most in MOST_CPU_MILLI:
        trials.attempt(replace(trials.best, spot_milli=most))
    for most in MOST_CPU_MILLI:
        trials.attempt(replace(trials.best, on_demand_milli=most))
    return trials.fleet.to_packing(problem)


class _Trials:
    """Tries set-ups and keeps the cheapest."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._tried: set[SetUp] = set()
        self.best = SetUp(None, None, tainted=False)
        self.fleet = provision(problem, _pools(problem, self.best))

    def attempt(self, set_up: SetUp) -> None:
        """Provision and consolidate, unless that is hopeless or done."""
        if set_up in self._tried:
            return
        self._tried.add(set_up)
        problem = _tainted(self._problem) if set_up.tainted else self._problem
        nodes = provision(problem, _pools(problem, set_up))
        if nodes.cost_usd_per_hour(problem) > HOPELESS * self.fleet.cost_usd_per_hour(problem):
            return
        for order in ORDERS:
            fleet = consolidate(problem, nodes, order)
            if fleet.cost_usd_per_hour(problem) < self.fleet.cost_usd_per_hour(problem):
                self.best, self.fleet = set_up, fleet


def _is_spot(problem: Problem) -> BoolArray:
    return np.array([offer.is_spot for offer in problem.offers], dtype=np.bool_)


def _tainted(problem: Problem) -> Problem:
    """The problem with pods that may run on spot kept off on-demand nodes."""
    is_spot = _is_spot(problem)
    bold: BoolArray = np.logical_or.reduce(problem.compatible & is_spot, axis=1)
    return replace(problem, compatible=problem.compatible & (is_spot | ~bold[:, None]))


def _pools(problem: Problem, set_up: SetUp) -> list[BoolArray]:
    """Spot, on-demand, and both without caps for pods that need more."""
    is_spot = _is_spot(problem)
    cpu_milli = np.array([1000 * offer.instance.vcpus for offer in problem.offers])
    small_spot = is_spot & (cpu_milli <= (set_up.spot_milli or np.inf))
    small_on_demand = ~is_spot & (cpu_milli <= (set_up.on_demand_milli or np.inf))
    return [small_spot, small_on_demand, is_spot, ~is_spot]


def provision(problem: Problem, pools: Sequence[BoolArray]) -> Fleet:
    """Nodes for all pods; a new node comes from the first pool that can hold the pod.

    Args:
        pools: offers of each pool, by falling weight; together they can hold every pod.
    """
    order, room_for = decreasing(problem), FIRST_NODES
    while True:
        nodes = _no_nodes(problem, room_for)
        opened = _schedule(
            order, problem.demand, problem.requests, problem.max_per_node,
            np.ascontiguousarray(problem.compatible), problem.room, np.array(pools), nodes,
        )  # fmt: skip
        if opened >= 0:
            offers = _cheapest(problem.price_usd_per_hour, nodes, opened)
            return Fleet(offers, nodes.pods[:opened])
        room_for *= GROWTH


class _InFlight(NamedTuple):
    """Nodes that are not bought yet; the first axis of each array counts them.

    Args:
        candidates: offers that could still become the node, the first ``choices`` of each line.
        used: by its pods, shape (nodes, dimensions).
        pods: of each row, shape (nodes, rows).
        total: pods in all.
        largest: what is free in each dimension on the candidate that has most of it.
        queue: the nodes by rising number of pods.
    """

    candidates: IntArray
    choices: IntArray
    used: IntArray
    pods: IntArray
    total: IntArray
    largest: IntArray
    queue: IntArray


def _no_nodes(problem: Problem, room_for: int) -> _InFlight:
    def zeros(*shape: int) -> IntArray:
        return np.zeros((room_for, *shape), dtype=np.int64)

    dimensions, rows = len(problem.dimensions), len(problem.rows)
    return _InFlight(
        candidates=zeros(len(problem.offers)), choices=zeros(), used=zeros(dimensions),
        pods=zeros(rows), total=zeros(), largest=zeros(dimensions), queue=zeros(),
    )  # fmt: skip


def _cheapest(price_usd_per_hour: FloatArray, nodes: _InFlight, opened: int) -> IntArray:
    """The offer that is bought for each node.

    Karpenter passes on up to 60 types, cheapest first, and the cloud may take any of them.
    """
    left = [nodes.candidates[n, : nodes.choices[n]] for n in range(opened)]
    bought = [candidates[price_usd_per_hour[candidates].argmin()] for candidates in left]
    return np.array(bought, dtype=np.int64)


@compiled
def _schedule(
    order: IntArray,
    demand: IntArray,
    requests: IntArray,
    most: IntArray,
    compatible: BoolArray,
    room: IntArray,
    pools: BoolArray,
    nodes: _InFlight,
) -> int:
    """Put every pod on a node; how many nodes there are, -1 where the memory does not do."""
    opened = 0
    for i in order:
        refused = np.zeros(len(nodes.total), dtype=np.bool_)  # a node that refused does so again
        for _ in range(demand[i]):
            place = 0
            while place < opened:
                n = nodes.queue[place]
                if not refused[n]:
                    if nodes.pods[n, i] < most[i] and _add(n, i, requests, compatible, room, nodes):
                        break
                    refused[n] = True
                place += 1
            if place == opened:
                if opened == len(nodes.total):
                    return -1
                _open(opened, i, pools, compatible, nodes)
                _add(opened, i, requests, compatible, room, nodes)
                opened += 1
            _requeue(place, opened, nodes)
    return opened


@compiled
def _open(n: int, row: int, pools: BoolArray, compatible: BoolArray, nodes: _InFlight) -> None:
    """A new node, last in the queue; what it can become is of the first pool that has something."""
    nodes.queue[n] = n
    nodes.largest[n] = np.iinfo(np.int64).max
    for pool in pools:
        for offer in range(len(pool)):
            if pool[offer] and compatible[row, offer]:
                nodes.candidates[n, nodes.choices[n]] = offer
                nodes.choices[n] += 1
        if nodes.choices[n] > 0:
            break


@compiled
def _add(
    n: int, row: int, requests: IntArray, compatible: BoolArray, room: IntArray, nodes: _InFlight
) -> bool:
    """Whether node ``n`` took a pod of the row; candidates too small for it are gone then."""
    request = requests[row]
    for d in range(len(request)):
        if request[d] > nodes.largest[n, d]:
            return False
    kept = 0
    able = np.empty(nodes.choices[n], dtype=np.int64)
    for c in range(nodes.choices[n]):
        offer = nodes.candidates[n, c]
        fits = compatible[row, offer]
        for d in range(len(request)):
            fits = fits and nodes.used[n, d] + request[d] <= room[offer, d]
        if fits:
            able[kept] = offer
            kept += 1
    if kept == 0:
        return False
    nodes.candidates[n, :kept] = able[:kept]
    nodes.choices[n] = kept
    nodes.pods[n, row] += 1
    nodes.total[n] += 1
    for d in range(len(request)):
        nodes.used[n, d] += request[d]
        largest = room[able[0], d]
        for c in range(1, kept):
            largest = max(largest, room[able[c], d])
        nodes.largest[n, d] = largest - nodes.used[n, d]
    return True


@compiled
def _requeue(place: int, opened: int, nodes: _InFlight) -> None:
    """Sort the queue again after the node at ``place`` took a pod; equal ones keep their order."""
    queue, total = nodes.queue, nodes.total
    while place + 1 < opened and total[queue[place + 1]] < total[queue[place]]:
        queue[place], queue[place + 1] = queue[place + 1], queue[place]
        place += 1
    while place > 0 and total[queue[place - 1]] > total[queue[place]]:
        queue[place], queue[place - 1] = queue[place - 1], queue[place]
        place -= 1
