"""Kernel that puts pods into what room a plan's nodes have left."""

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.fill import goes_in
from nodemix.optimizer.packing.recreate import Scene
from nodemix.optimizer.problem.types import IntArray


@compiled
def squeeze_in(
    scene: Scene, demand: IntArray, rows: IntArray, offers: IntArray, pods: IntArray
) -> None:
    """Put pods of ``demand`` onto the first nodes with room for them.

    Args:
        demand: pods of each row, shape (rows,); what found a place is taken off.
        rows: in the order they are tried, shape (any,).
        offers: of each node, shape (nodes,).
        pods: of each row on each node, shape (nodes, rows); written.
    """
    for node in range(len(offers)):
        free = scene.room[offers[node]].copy()
        for i in np.flatnonzero(pods[node]):
            free -= pods[node, i] * scene.requests[i]
        for i in rows:
            while (
                demand[i] > 0
                and pods[node, i] < scene.limits[i]
                and scene.compatible[offers[node], i]
                and goes_in(scene.requests[i], free)
            ):
                pods[node, i] += 1
                demand[i] -= 1
                free -= scene.requests[i]
