"""The nodes of a packing one by one, empty, in the order of its groups."""

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import IntArray, Problem


def node_groups(packing: Packing) -> IntArray:
    """Position in ``packing.nodes`` of each node, shape (nodes,)."""
    counts = np.array([group.count for group in packing.nodes], dtype=np.int64)
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def node_offers(packing: Packing) -> IntArray:
    """Offer of each node, shape (nodes,)."""
    offers = np.array([group.offer for group in packing.nodes], dtype=np.int64)
    return offers[node_groups(packing)]


def node_limits(problem: Problem, packing: Packing) -> IntArray:
    """Most pods of each row on each node by the problem's own rules, shape (rows, nodes)."""
    compatible = problem.compatible[:, node_offers(packing)]
    return np.where(compatible, problem.max_per_node[:, None], 0)
