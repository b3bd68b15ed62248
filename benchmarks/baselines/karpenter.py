"""Karpenter's way to new nodes, with one pool and with two pools tuned in hindsight.

Source: karpenter v1, ``pkg/controllers/provisioning/scheduling``: pods in decreasing order go
onto the first node in flight that still has a type for them; what is bought in the end is the
cheapest type left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.plan import Packing
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem

from benchmarks.baselines.consolidation import consolidate
from benchmarks.baselines.fleet import Fleet, decreasing

MOST_CPU_MILLI = (4_000, 8_000, 16_000, 24_000, 32_000, 48_000, 64_000, 96_000, 128_000, None)
"""Size caps of the pools among which hindsight chooses; None is no cap."""
MOST_TYPES = 60
"""Instance types, cheapest first, that Karpenter passes on to the provider (MaxInstanceTypes)."""


@dataclass(slots=True)
class _InFlight:
    """A node that is not bought yet.

    Args:
        candidates: offers that could still become it, shape (any,).
        used: by its pods, shape (dimensions,).
        largest: what is free in each dimension on the candidate that has most of it.
    """

    candidates: IntArray
    used: IntArray
    pods: IntArray
    largest: IntArray

    def take(self, problem: Problem, row: int, left: int) -> int:
        """How many of ``left`` pods it took; candidates too small for them are gone."""
        request = problem.requests[row]
        if (request > self.largest).any():
            return 0
        able = self.candidates[problem.compatible[row, self.candidates]]
        free = problem.room[able] - self.used
        asked = request > 0
        fit = (free[:, asked] // request[asked]).min(axis=1)
        most = min(left, int(problem.max_per_node[row] - self.pods[row]))
        taken = min(most, int(fit.max(initial=0)))
        if taken > 0:
            self.candidates = able[fit >= taken]
            self.used = self.used + taken * request
            self.pods[row] += taken
            self.largest = (problem.room[self.candidates] - self.used).max(axis=0)
        return taken

    def cheapest(self, problem: Problem) -> int:
        """The offer that is bought: the cheapest of the cheapest types."""
        by_price = self.candidates[np.argsort(problem.price_usd_per_hour[self.candidates])]
        names = list(dict.fromkeys(problem.offers[o].instance.name for o in by_price))
        passed_on = set(names[:MOST_TYPES])
        return next(int(o) for o in by_price if problem.offers[o].instance.name in passed_on)


def one_pool(problem: Problem) -> Packing:
    """One pool for all offers, nothing consolidated; knows no caps."""
    everything = np.ones(len(problem.offers), dtype=np.bool_)
    return provision(problem, [everything]).to_packing(problem)


def tuned(problem: Problem) -> Packing:
    """The cheapest of several sizes of a spot and an on-demand pool, each consolidated."""
    fleets = [
        consolidate(problem, provision(problem, pools), np.logical_or.reduce(pools))
        for pools in _pool_choices(problem)
    ]
    return min(fleets, key=lambda f: f.cost_usd_per_hour(problem)).to_packing(problem)


def _pool_choices(problem: Problem) -> Iterator[list[BoolArray]]:
    """Spot, on-demand, and last both without a cap for pods that need more."""
    is_spot = np.array([offer.is_spot for offer in problem.offers], dtype=np.bool_)
    vcpus = np.array([offer.instance.vcpus for offer in problem.offers], dtype=np.int64)
    for most in MOST_CPU_MILLI:
        small = np.ones(len(vcpus), dtype=np.bool_) if most is None else vcpus * 1000 <= most
        yield [is_spot & small, ~is_spot & small, *([is_spot, ~is_spot] if most else [])]


def provision(problem: Problem, pools: Sequence[BoolArray]) -> Fleet:
    """Nodes for all pods; a new node comes from the first pool that can hold the pod.

    Args:
        pools: offers of each pool, by falling weight; together they can hold every pod.
    """
    nodes: list[_InFlight] = []
    for row in decreasing(problem):
        left = problem.rows[row].pods
        for node in nodes:
            left -= node.take(problem, int(row), left) if left else 0
        while left:
            node = _open(problem, int(row), pools)
            left -= node.take(problem, int(row), left)
            nodes.append(node)
    offers = np.array([node.cheapest(problem) for node in nodes], dtype=np.int64)
    pods = np.array([node.pods for node in nodes], dtype=np.int64)
    return Fleet(offers, pods.reshape(len(nodes), len(problem.rows)))


def _open(problem: Problem, row: int, pools: Sequence[BoolArray]) -> _InFlight:
    able = next(
        candidates
        for pool in pools
        if (candidates := np.flatnonzero(pool & problem.compatible[row])).size
    )
    nothing = np.zeros(len(problem.dimensions), dtype=np.int64)
    no_pods = np.zeros(len(problem.rows), dtype=np.int64)
    return _InFlight(able, nothing, no_pods, problem.room[able].max(axis=0))
