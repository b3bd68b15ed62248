"""Single nodes with the pods on them, as the baselines fill them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Nodes bought, one by one.

    Args:
        offers: index of each node's offer, shape (nodes,).
        pods: of each row on each node, shape (nodes, rows).
    """

    offers: IntArray
    pods: IntArray

    def cost_usd_per_hour(self, problem: Problem) -> float:
        """Price of all nodes, empty ones included."""
        return float(problem.price_usd_per_hour[self.offers].sum())

    def to_packing(self, problem: Problem) -> Packing:
        """The fleet in terms of the problem, equal nodes merged."""
        kinds = Counter(
            (int(offer), tuple((int(i), int(held[i])) for i in np.flatnonzero(held)))
            for offer, held in zip(self.offers, self.pods, strict=True)
        )
        nodes = tuple(PackedNodes(offer, pods, n) for (offer, pods), n in sorted(kinds.items()))
        return Packing(nodes, self.cost_usd_per_hour(problem))


def empty_nodes(problem: Problem, offers: IntArray) -> Fleet:
    """Nodes of ``offers`` without pods."""
    return Fleet(offers, np.zeros((len(offers), len(problem.rows)), dtype=np.int64))


def join(first: Fleet, second: Fleet) -> Fleet:
    """The nodes of both."""
    return Fleet(
        np.concatenate([first.offers, second.offers]), np.concatenate([first.pods, second.pods])
    )


def decreasing(problem: Problem) -> IntArray:
    """Rows by decreasing cpu, then memory, as Karpenter's and autoscaler's queues are ordered."""
    return np.lexsort((-problem.requests[:, 1], -problem.requests[:, 0]))


def first_fit(problem: Problem, fleet: Fleet, waiting: IntArray) -> tuple[Fleet, IntArray]:
    """The fleet with waiting pods on the first nodes that fit, and the pods left, (rows,)."""
    pods, left = fleet.pods.copy(), waiting.copy()
    _place(
        decreasing(problem), left, problem.requests, problem.max_per_node,
        np.ascontiguousarray(problem.compatible), fleet.offers,
        problem.room[fleet.offers] - pods @ problem.requests, pods,
    )  # fmt: skip
    return Fleet(fleet.offers, pods), left


@compiled
def _place(
    order: IntArray,
    left: IntArray,
    requests: IntArray,
    most: IntArray,
    compatible: BoolArray,
    offers: IntArray,
    room: IntArray,
    pods: IntArray,
) -> None:
    """Put pods on nodes; ``left``, ``room`` and ``pods`` are written."""
    for i in order:
        for n in range(len(offers)):
            if left[i] == 0:
                break
            if compatible[i, offers[n]]:
                taken = min(left[i], most[i] - pods[n, i])
                for d in range(room.shape[1]):
                    if requests[i, d] > 0:
                        taken = min(taken, max(room[n, d], 0) // requests[i, d])
                pods[n, i] += taken
                left[i] -= taken
                for d in range(room.shape[1]):
                    room[n, d] -= taken * requests[i, d]
