"""The cluster-autoscaler with a node group for each offer, and two of its expanders.

Source: kubernetes/autoscaler, ``cluster-autoscaler/estimator/binpacking_estimator.go`` and
``decreasing_pod_orderer.go``, ``expander/waste`` and ``expander/price``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem
from nodemix.optimizer.resources import GPU_RESOURCE

from benchmarks.baselines.fleet import Fleet, empty_nodes, first_fit, join

MOST_NODES = 1000
"""Nodes of one scale-up (``--max-nodes-per-scaleup``)."""
DIGITS = 9
"""Of a score that count; less is rounding."""
USD_PER_CORE_HOUR = 0.033174
USD_PER_GIB_HOUR = 0.004446
USD_PER_GPU_HOUR = 0.7
"""What a pod is worth to the price expander; its only full price model has these figures."""


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """A scale-up of one node group.

    Args:
        nodes: of the group to add.
        held: pods of each row they take, shape (rows,).
    """

    offer: int
    nodes: int
    held: IntArray


Score = Callable[[Problem, Option], float]


def wasted_share(problem: Problem, option: Option) -> float:
    """Share of cpu plus share of memory that stays idle, of the capacity as the expander has it."""
    instance = problem.offers[option.offer].instance
    bought = option.nodes * np.array([1000 * instance.vcpus, instance.memory_mib])
    used = option.held @ problem.requests[:, :2]
    return float(((bought - used) / bought).sum())


def price_per_worth(problem: Problem, option: Option) -> float:
    """Price of the nodes over the worth of the pods they take."""
    worth = option.held @ _worth_usd_per_hour(problem)
    return float(option.nodes * problem.price_usd_per_hour[option.offer] / worth)


def _worth_usd_per_hour(problem: Problem) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    gpus = np.zeros(len(problem.rows))
    if GPU_RESOURCE in problem.dimensions:
        gpus = problem.requests[:, problem.dimensions.index(GPU_RESOURCE)].astype(np.float64)
    cores, gib = problem.requests[:, 0] / 1000, problem.requests[:, 1] / 1024
    return cores * USD_PER_CORE_HOUR + gib * USD_PER_GIB_HOUR + gpus * USD_PER_GPU_HOUR


def scale_up(problem: Problem, score: Score) -> Packing:
    """Node groups added one after another until nothing waits; lowest score first."""
    waiting = problem.demand
    fleet = empty_nodes(problem, np.zeros(0, dtype=np.int64))
    while waiting.any():
        fleet, waiting = first_fit(problem, fleet, waiting)
        if waiting.any():
            chosen = min(options(problem, waiting), key=lambda o: _rank(problem, score, o))
            new = empty_nodes(problem, np.full(chosen.nodes, chosen.offer, dtype=np.int64))
            filled, waiting = first_fit(problem, new, waiting)
            fleet = join(fleet, filled)
    return Fleet(fleet.offers, fleet.pods).to_packing(problem)


def _rank(problem: Problem, score: Score, option: Option) -> tuple[float, float]:
    """The score; the autoscaler draws among equal ones, here the cheaper nodes win."""
    price = option.nodes * problem.price_usd_per_hour[option.offer]
    return round(score(problem, option), DIGITS), float(price)


def options(problem: Problem, waiting: IntArray) -> Iterator[Option]:
    """For each offer that can hold a waiting pod, what its group would add."""
    size = problem.requests[:, :2]
    compatible = np.ascontiguousarray(problem.compatible.T)
    for offer in range(len(problem.offers)):
        held = np.zeros(len(problem.rows), dtype=np.int64)
        order = np.argsort(-(size / problem.room[offer, :2]).sum(axis=1), kind="stable")
        nodes = _estimate(
            order, waiting, problem.requests, problem.max_per_node, compatible[offer],
            problem.room[offer], min(MOST_NODES, int(waiting.sum())), held,
        )  # fmt: skip
        if nodes:
            yield Option(offer, int(nodes), held)


@compiled
def _estimate(
    order: IntArray,
    waiting: IntArray,
    requests: IntArray,
    most: IntArray,
    compatible: BoolArray,
    size: IntArray,
    most_nodes: int,
    held: IntArray,
) -> int:
    """Nodes of one size that first fit opens; ``held`` is written."""
    room = np.empty((most_nodes, len(size)), dtype=np.int64)
    opened = 0
    for i in order:
        left = waiting[i] if compatible[i] else 0
        n = 0
        while left > 0 and n < most_nodes:
            if n == opened:
                room[n] = size
                opened += 1
            taken = min(left, most[i])
            for d in range(len(size)):
                if requests[i, d] > 0:
                    taken = min(taken, room[n, d] // requests[i, d])
            for d in range(len(size)):
                room[n, d] -= taken * requests[i, d]
            left -= taken
            held[i] += taken
            n += 1
    return opened
