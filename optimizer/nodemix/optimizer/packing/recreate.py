"""Kernels of ruin and recreate: free some nodes, buy others for their pods.

At an optimum of the relaxation every useful pattern is worth its price, so what a plan costs
beyond the relaxation is the sum over its nodes of price minus worth at the duals. Nodes that waste
most are freed more often, and the pods go to patterns that waste little.

Source: Schrimpf et al., Record breaking optimization results using the ruin and recreate
principle, Journal of Computational Physics 159 (2000).
"""

from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.fill import best_fill
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

ORDERS = 3
"""Random row orders that a recreate tries on each offer."""
CURBED = 0.5
"""Share of the recreates with curbed limits, and of the rows curbed in them."""
MOST_DRAWS = 24
"""Nodes looked at to find one that is related to the first freed."""


class Scene(NamedTuple):
    """A market as the kernels of the local search read it; never written.

    Args:
        duals: of one pod of each row, USD per hour, shape (rows,).
        charged: price of each offer with what the caps charge for it, positive, shape (offers,).
        bulk: what all the demand asks for, shape (dimensions,).
        cap_coefficients: offer-major, shape (offers, caps).
    """

    duals: FloatArray
    limits: IntArray
    requests: IntArray
    room: IntArray
    price: FloatArray
    charged: FloatArray
    compatible: BoolArray
    bulk: FloatArray
    cap_coefficients: FloatArray
    cap_limits: FloatArray


class Nodes(NamedTuple):
    """Single nodes; the arrays are longer than the plan and written in place.

    Args:
        pods: shape (capacity, rows).
        waste: price minus worth at the duals, shape (capacity,).
    """

    offers: IntArray
    pods: IntArray
    waste: FloatArray


@compiled
def waste_of(scene: Scene, offer: int, pods: IntArray) -> float:
    """What a node costs beyond the worth of its pods."""
    waste = scene.charged[offer]
    for i in range(len(pods)):
        waste -= pods[i] * scene.duals[i]
    return float(waste)


@compiled
def pick_nodes(
    rng: np.random.Generator, scene: Scene, nodes: Nodes, count: int, picked: IntArray
) -> int:
    """Choose distinct nodes: a wasteful one, then wasteful ones related to it; how many.

    Args:
        picked: written, its length is the number wished for.
    """
    picked[0] = _wasteful(rng, nodes, count, int(2.0 ** (6.0 * rng.random())))
    n = 1
    for _ in range(3 * len(picked)):
        if n == len(picked):
            break
        best = -1
        for _ in range(1 + int(MOST_DRAWS * rng.random() ** 2)):
            k = int(count * rng.random())
            wasteful = best < 0 or nodes.waste[k] > nodes.waste[best]
            if wasteful and not _holds(picked, n, k) and _related(scene, nodes, picked[0], k):
                best = k
        if best >= 0:
            picked[n] = best
            n += 1
    return n


@compiled
def _wasteful(rng: np.random.Generator, nodes: Nodes, count: int, draws: int) -> int:
    best = int(count * rng.random())
    for _ in range(draws - 1):
        k = int(count * rng.random())
        if nodes.waste[k] > nodes.waste[best]:
            best = k
    return best


@compiled
def _holds(picked: IntArray, n: int, k: int) -> bool:
    for j in range(n):  # noqa: SIM110 - any() over a generator does not compile
        if picked[j] == k:
            return True
    return False


@compiled
def _related(scene: Scene, nodes: Nodes, a: int, b: int) -> bool:
    """Whether some pod of one node could run on the other."""
    for i in range(nodes.pods.shape[1]):
        if nodes.pods[a, i] > 0 and scene.compatible[nodes.offers[b], i]:
            return True
        if nodes.pods[b, i] > 0 and scene.compatible[nodes.offers[a], i]:
            return True
    return False


@compiled
def draw_orders(
    rng: np.random.Generator, scene: Scene, rows: IntArray, values: FloatArray
) -> IntArray:
    """Orders of ``rows`` by value per use of room, the dimensions weighted at random."""
    orders = np.empty((ORDERS, len(rows)), dtype=np.int64)
    density = np.empty(len(rows))
    weights = np.empty(len(scene.bulk))
    for k in range(ORDERS):
        for d in range(len(weights)):
            weights[d] = rng.random() ** 2 / scene.bulk[d]
        for j in range(len(rows)):
            use = 1e-12
            for d in range(len(weights)):
                use += weights[d] * scene.requests[rows[j], d]
            density[j] = -values[rows[j]] / use
        orders[k] = rows[np.argsort(density)]
    return orders


@compiled
def draw_limits(
    rng: np.random.Generator, scene: Scene, demand: IntArray, rows: IntArray
) -> IntArray:
    """Most pods of each row on one new node; now and then fewer than fit.

    A greedy fill takes all it can of a row, and would never try a bit of several.
    """
    limits = scene.limits.copy()
    if rng.random() < CURBED:
        for i in rows:
            if rng.random() < CURBED:
                limits[i] = 1 + int(rng.random() * min(demand[i], limits[i]))
    return limits


@compiled
def first_ratios(
    rng: np.random.Generator,
    scene: Scene,
    orders: IntArray,
    limits: IntArray,
    values: FloatArray,
    skip_share: float,
) -> FloatArray:
    """Value for the price of each offer's best fill; 0 for the share left out at random."""
    ratios = np.zeros(len(scene.price))
    pods = np.zeros(len(limits), dtype=np.int64)
    trial = np.zeros(len(limits), dtype=np.int64)
    for o in range(len(ratios)):
        if rng.random() >= skip_share:
            value = best_fill(
                orders, limits, values, scene.requests, scene.room[o], scene.compatible[o],
                pods, trial,
            )  # fmt: skip
            ratios[o] = value / scene.charged[o]
    return ratios


@compiled
def recreate(
    rng: np.random.Generator,
    scene: Scene,
    demand: IntArray,
    values: FloatArray,
    skip_share: float,
    budget: float,
    fresh: Nodes,
) -> tuple[int, float]:
    """Buy nodes for ``demand`` while that can stay below ``budget``; (how many, their price).

    No node means that none were found. ``demand`` is used up.

    Args:
        values: what a pod counts for in the choice of a node, shape (rows,).
        fresh: written.
    """
    rows = np.flatnonzero(demand)
    orders = draw_orders(rng, scene, rows, values)
    caps = draw_limits(rng, scene, demand, rows)
    limits = np.minimum(demand, caps)
    trial = np.zeros(len(demand), dtype=np.int64)
    ratios = first_ratios(rng, scene, orders, limits, values, skip_share)
    open_cost = 0.0
    left = 0
    for i in rows:
        open_cost += demand[i] * scene.duals[i]
        left += demand[i]
    n = 0
    cost = 0.0
    while left > 0:
        o = int(np.argmax(ratios))
        if ratios[o] <= 0.0 or n == len(fresh.offers) or cost + open_cost >= budget:
            return 0, 0.0
        pods = fresh.pods[n]
        value = best_fill(
            orders, limits, values, scene.requests, scene.room[o], scene.compatible[o], pods, trial
        )
        if value < ratios[o] * scene.charged[o] * (1.0 - 1e-12):
            ratios[o] = value / scene.charged[o]
            continue
        for i in rows:
            demand[i] -= pods[i]
            left -= pods[i]
            limits[i] = min(demand[i], caps[i])
            open_cost -= pods[i] * scene.duals[i]
        cost += scene.price[o]
        fresh.offers[n] = o
        fresh.waste[n] = waste_of(scene, o, pods)
        n += 1
    return n, cost
