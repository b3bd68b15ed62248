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
def scale_rows(  # noqa: PLR0917 - a kernel takes plain arrays
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    multipliers: FloatArray,
    charged: FloatArray,
    worth: FloatArray,
    weights: FloatArray,
    scales: FloatArray,
) -> None:
    """Lower ``scales`` until no offer's best pattern is worth more than its charged price.

    With ``s = charged / bound`` of an offer whose Lagrangian bound at multipliers w is too high,
    values of at most ``s * max(value_i, w . request_i)`` bring it down to the price: at ``s * w``
    each term of it is at most s times what it was. So rows that do not pay on an offer keep their
    values. Where ``worth`` is proved otherwise, by a search, all rows of the offer are scaled
    alike; whichever loses less is taken.

    Args:
        requests: shape (offers, rows, dimensions).
        worth: of each offer's best pattern, at least, shape (offers,).
        weights: what is lost with a row's whole value, shape (rows,).
        scales: of each row's value, shape (rows,).
    """
    excess = np.zeros(room.shape[1])
    some = np.empty(len(values))
    for o in range(len(room)):
        if worth[o] <= charged[o]:
            continue
        own = requests[o]
        bound = relaxed_worth(values, own, limits, room[o], compatible[o], multipliers[o], excess)
        if bound <= charged[o]:
            continue
        share, share_all = charged[o] / bound, charged[o] / worth[o]
        loss, loss_all = 0.0, 0.0
        for i in range(len(values)):
            some[i] = 1.0
            if compatible[o, i] and values[i] > 0.0:
                use = 0.0
                for d in range(room.shape[1]):
                    use += multipliers[o, d] * own[i, d]
                some[i] = share * max(1.0, use / values[i])
                loss += weights[i] * max(0.0, scales[i] - some[i])
                loss_all += weights[i] * max(0.0, scales[i] - share_all)
        for i in range(len(values)):
            if compatible[o, i]:
                scales[i] = min(scales[i], some[i] if loss < loss_all else share_all)
