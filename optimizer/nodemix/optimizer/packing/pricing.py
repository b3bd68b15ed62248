"""Patterns worth more than they cost at the present duals, and how much they can be worth.

For an offer and multipliers w >= 0 of the dimensions, no pattern is worth more than
``w . room + sum_i max(0, value_i - w . request_i) * limit_i`` (Lagrangian relaxation of the
knapsack). The multipliers also order the rows for the greedy fill of that offer.
"""

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.fill import best_fill, fill
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray


@compiled
def relaxed_worth(
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    excess: FloatArray,
) -> float:
    """The Lagrangian bound at ``multipliers``; writes its subgradient to ``excess``."""
    bound = 0.0
    for d in range(len(room)):
        bound += multipliers[d] * room[d]
        excess[d] = room[d]
    for i in range(len(values)):
        if not compatible[i]:
            continue
        gain = values[i]
        most = limits[i]
        for d in range(len(room)):
            gain -= multipliers[d] * requests[i, d]
            if requests[i, d] > 0:
                most = min(most, room[d] // requests[i, d])
        if gain > 0.0:
            bound += gain * most
            for d in range(len(room)):
                excess[d] -= most * requests[i, d]
    return bound


@compiled
def tighten(
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    target: float,
    steps: int,
) -> float:
    """The best bound of some Polyak steps from ``multipliers``, which keep the best ones."""
    dims = len(room)
    excess = np.zeros(dims)
    trial = multipliers.copy()
    best = relaxed_worth(values, requests, limits, room, compatible, trial, excess)
    scale = 1.0
    for _ in range(steps):
        norm = 0.0
        for d in range(dims):
            norm += (excess[d] / max(room[d], 1)) ** 2
        if norm <= 0.0 or best <= target:
            break
        for d in range(dims):
            # Steps in units of a full node, so that millicores and GPUs move alike.
            move = scale * (best - 0.98 * target) * excess[d] / (norm * max(room[d], 1) ** 2)
            trial[d] = max(0.0, trial[d] - move)
        bound = relaxed_worth(values, requests, limits, room, compatible, trial, excess)
        if bound < best:
            best = bound
            multipliers[:] = trial
        else:
            scale *= 0.6
            trial[:] = multipliers
            relaxed_worth(values, requests, limits, room, compatible, trial, excess)
    return best


@compiled
def price_offers(  # noqa: PLR0917 - a kernel takes plain arrays
    values: FloatArray,
    orders: IntArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    worthwhile: BoolArray,
    pods: IntArray,
    worth: FloatArray,
) -> None:
    """The best pattern found for each worthwhile offer.

    Args:
        orders: row orders every offer tries besides its own, shape (orders, rows).
        multipliers: of each offer, shape (offers, dimensions).
        pods: written, shape (offers, rows).
        worth: written, shape (offers,).
    """
    rows = len(values)
    trial = np.zeros(rows, dtype=np.int64)
    density = np.zeros(rows)
    for o in np.flatnonzero(worthwhile):
        worth[o] = best_fill(
            orders, limits, values, requests, room[o], compatible[o], pods[o], trial
        )
        for i in range(rows):
            use = 1e-12
            for d in range(room.shape[1]):
                use += multipliers[o, d] * requests[i, d]
            density[i] = -values[i] / use
        own = np.argsort(density)
        value = fill(own, limits, values, requests, room[o], compatible[o], trial)
        if value > worth[o]:
            worth[o] = value
            pods[o] = trial


@compiled
def tighten_offers(  # noqa: PLR0917 - a kernel takes plain arrays
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    targets: FloatArray,
    steps: int,
    bounds: FloatArray,
) -> None:
    """The Lagrangian bound of each offer's best pattern, multipliers warm; writes ``bounds``.

    Args:
        requests: shape (offers or 1, rows, dimensions); one stands for all offers.
    """
    for o in range(len(room)):
        bounds[o] = tighten(
            values,
            requests[min(o, len(requests) - 1)],
            limits,
            room[o],
            compatible[o],
            multipliers[o],
            targets[o],
            steps,
        )
