"""Feasible duals at once: enough room in sum, the caps kept, nodes and pods cut at will.

A plan must have room for all pods together, and for the pods that only some offers can hold on
those offers. That is a linear program over counts of nodes, with few rows however many offers and
caps there are. A pod's dual is what its requests are worth in the rows it belongs to: the pods on a
node take no more than its room in any of them, so no pattern is worth more than its node's price
and what the caps charge.
"""

from dataclasses import dataclass

import highspy
import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.bound import Duals, affordable_caps
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import cap_scales, quiet_solver
from nodemix.optimizer.problem.types import BoolArray, FloatArray

LEAST_S = 1.0
"""By the solver's own clock, of which a busy machine takes more than a tenth of a second's work."""

MOST_GROUPS = 40
"""Sets of rows that the same offers can hold; further ones count with all rows alone."""


@dataclass(frozen=True, slots=True, eq=False)
class _Needs:
    """Sums that a plan must reach.

    Args:
        room: what a node adds to each sum, in shares of it, shape (needs, offers).
        asked: what a pod of each row takes of each sum, in shares, shape (needs, rows).
    """

    room: FloatArray
    asked: FloatArray


def aggregate_duals(market: Market, deadline: Deadline) -> Duals | None:
    """Duals that are feasible for the whole problem; None where the program was not solved."""
    needs = _needs(market)
    scales = cap_scales(market)
    solver = quiet_solver()
    lower = np.concatenate([np.ones(len(needs.room)), np.full(len(scales), -highspy.kHighsInf)])
    upper = np.concatenate(
        [np.full(len(needs.room), highspy.kHighsInf), market.cap_limits / scales]
    )
    none = np.zeros(0, dtype=np.int32)
    for low, high in zip(lower, upper, strict=True):
        solver.addRow(float(low), float(high), 0, none, np.zeros(0))
    matrix = np.vstack([needs.room, market.cap_coefficients / scales[:, None]])
    for price, column in zip(market.price, matrix.T, strict=True):
        used = np.flatnonzero(column).astype(np.int32)
        solver.addCol(float(price), 0.0, highspy.kHighsInf, len(used), used, column[used])
    solver.setOptionValue("time_limit", max(deadline.left_s, LEAST_S))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    duals = np.array(solver.getSolution().row_dual)
    sums = np.maximum(duals[: len(needs.room)], 0.0)
    caps = np.maximum(-duals[len(needs.room) :], 0.0) / scales
    return _feasible(market, needs, sums, caps)


def _feasible(market: Market, needs: _Needs, sums: FloatArray, caps: FloatArray) -> Duals:
    """The duals of pods, scaled down by what the solver's tolerance left too high."""
    priced = affordable_caps(market, Duals(np.zeros(market.rows), caps))
    charged = np.maximum(priced.charged(market), 0.0)
    worth = sums @ needs.room
    too_high = worth > charged
    scale = (charged[too_high] / worth[too_high]).min(initial=1.0)
    return Duals(scale * (sums @ needs.asked), priced.caps)


def _needs(market: Market) -> _Needs:
    asked = market.demand[:, None] * market.requests
    room, shares = [], []
    for rows in _groups(market):
        able = market.compatible[:, rows].any(axis=1)
        for dimension in np.flatnonzero(asked[rows].sum(axis=0)).tolist():
            total = float(asked[rows, dimension].sum())
            room.append(np.where(able, market.room[:, dimension], 0) / total)
            shares.append(np.where(rows, market.requests[:, dimension], 0) / total)
    return _Needs(np.array(room), np.array(shares))


def _groups(market: Market) -> list[BoolArray]:
    """All rows; then those that the same offers can hold, of few offers first."""
    signatures, of_row = np.unique(market.compatible.T, axis=0, return_inverse=True)
    everyone = np.ones(market.rows, dtype=np.bool_)
    if len(signatures) == 1:
        return [everyone]
    scarcest = np.argsort(signatures.sum(axis=1), kind="stable")[:MOST_GROUPS]
    return [everyone, *(np.asarray(of_row == i) for i in scarcest.tolist())]
