"""From counts of nodes, as genetic algorithms choose them, to nodes that hold every pod."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem

from benchmarks.baselines.equal_pods import pods_per_node
from benchmarks.baselines.fleet import Fleet, decreasing, empty_nodes, first_fit, join

AT_A_TIME = 1000
"""Nodes that are filled together, so that plans of a million nodes fit into memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Hosted:
    """What a plan buys.

    Args:
        idle: further nodes of each offer that stay empty, shape (offers,).
    """

    fleet: Fleet
    idle: IntArray

    def cost_usd_per_hour(self, problem: Problem) -> float:
        """Price of all nodes, empty ones included."""
        idle = float(self.idle @ problem.price_usd_per_hour)
        return self.fleet.cost_usd_per_hour(problem) + idle

    def to_packing(self, problem: Problem) -> Packing:
        """All nodes in terms of the problem."""
        idle = tuple(PackedNodes(int(o), (), int(self.idle[o])) for o in np.flatnonzero(self.idle))
        nodes = self.fleet.to_packing(problem).nodes + idle
        return Packing(nodes, self.cost_usd_per_hour(problem))


class Hosting:
    """Fills bought nodes first-fit; pods without a place get further nodes, row by row.

    Attributes:
        cheapest: the offer with the lowest price a pod, for each row.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._fit = np.array([pods_per_node(problem, i) for i in range(len(problem.rows))])
        share: FloatArray = problem.price_usd_per_hour / np.maximum(self._fit, 1e-9)
        self.cheapest: IntArray = share.argmin(axis=1)

    def host(self, counts: IntArray) -> Hosted:
        """All nodes bought, and what else the pods need.

        Args:
            counts: nodes of each offer, shape (offers,).
        """
        problem = self._problem
        bought = np.repeat(np.arange(len(counts)), counts)
        fleet, left = empty_nodes(problem, bought[:0]), problem.demand
        while bought.size and left.any():
            part, left = first_fit(problem, empty_nodes(problem, bought[:AT_A_TIME]), left)
            fleet, bought = join(fleet, part), bought[AT_A_TIME:]
        for row in decreasing(problem):
            if left[row]:
                further, left = first_fit(problem, self._further(int(row), int(left[row])), left)
                fleet = join(fleet, further)
        return Hosted(fleet, np.bincount(bought, minlength=len(counts)))

    def _further(self, row: int, pods: int) -> Fleet:
        offer = int(self.cheapest[row])
        nodes = -(-pods // int(self._fit[row, offer]))
        return empty_nodes(self._problem, np.full(nodes, offer, dtype=np.int64))
