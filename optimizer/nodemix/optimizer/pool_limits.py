"""How many nodes a spot pool may have, so that losing it leaves most pods their places."""

import numpy as np
from nodemix.optimizer.packed import Result
from nodemix.optimizer.problem.caps import spot_mask
from nodemix.optimizer.problem.safety import Pool
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
from nodemix.optimizer.risk.fleet_nodes import is_amount
from scipy.optimize import nnls

MOST_NODES = 1_000_000
"""More than any plan has."""

NEXT_POOLS = 160
"""Limited along with a pool that is too large; limits on all of hundreds would slow the search."""


def pool_limits_of(problem: Problem, result: Result, share: float) -> dict[Pool, int]:
    """Most nodes of each likely pool, so that none has more than a share of the packing's room."""
    nothing = np.zeros(len(problem.dimensions), dtype=np.int64)
    bought = result.packing.nodes
    total: IntArray = sum((g.count * problem.room[g.offer] for g in bought), start=nothing)
    worth = _worth_of_resources(problem, result)
    offers = np.array([group.offer for group in bought], dtype=np.int64)
    return _most_nodes(problem, share * total.astype(np.float64), _likely(problem, worth, offers))


def limits_of_all_pools(problem: Problem, share: float) -> dict[Pool, int]:
    """Most nodes of every spot pool, so that none has room for more than a share of the demand."""
    total = (problem.demand @ problem.requests).astype(np.float64)
    return _most_nodes(problem, share * total, np.flatnonzero(spot_mask(problem)))


def first_pool_limits(problem: Problem, share: float) -> dict[Pool, int]:
    """Likewise of the likely pools, before there is a plan.

    Which pools are likely depends on what is scarce; those that are good at one thing are taken in.
    """
    total = (problem.demand @ problem.requests).astype(np.float64)
    worth = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    none = np.array([], dtype=np.int64)
    blends = [worth, *(worth * one for one in np.eye(len(worth)))]
    offers = [_likely(problem, blend, none) for blend in blends]
    return _most_nodes(problem, share * total, np.unique(np.concatenate(offers)))


def _likely(problem: Problem, worth: FloatArray, bought: IntArray) -> IntArray:
    """Spot offers that are bought, and those that give most for their price.

    The latter would be bought next, lest pools only trade places.

    Args:
        worth: of a unit of each dimension, shape (dimensions,).
    """
    value = problem.room @ np.where(_counted(problem), worth, 0.0)
    is_spot = spot_mask(problem)
    spot = np.flatnonzero(is_spot & (value > 0.0))
    rate = problem.price_usd_per_hour[spot] / value[spot]
    best = spot[np.argsort(rate, kind="stable")[:NEXT_POOLS]]
    return np.union1d(bought[is_spot[bought]], best).astype(np.int64)


def _most_nodes(problem: Problem, room: FloatArray, offers: IntArray) -> dict[Pool, int]:
    """Nodes of each offer's pool that fit into ``room`` in every dimension that can be short."""
    counted = _counted(problem)
    limits = {}
    for i in offers.tolist():
        own = most_held(problem, i)[counted]
        nodes = room[counted][own > 0] / own[own > 0]
        offer = problem.offers[i]
        limits[offer.instance.name, offer.zone] = int(nodes.min(initial=float(MOST_NODES)))
    return limits


def most_held(problem: Problem, offer: int) -> FloatArray:
    """The most that pods on a node of an offer can ask for in each dimension, shape (dimensions,).

    Often less than its room: where one dimension is full, the others hold no more than what the
    pods that want most of them bring along.
    """
    asked = problem.requests[problem.compatible[:, offer]].astype(np.float64)
    room = problem.room[offer].astype(np.float64)
    per, brought = asked[:, :, None], asked[:, None, :]
    unlimited = np.where(brought > 0.0, np.inf, np.zeros_like(per))
    ratio = np.divide(brought, per, out=unlimited, where=per > 0.0).max(axis=0, initial=0.0)
    brings = np.full(ratio.shape, np.inf)
    np.multiply(room[:, None], ratio, out=brings, where=np.isfinite(ratio))
    most: FloatArray = np.minimum(brings.min(axis=0), room)
    return most


def _counted(problem: Problem) -> BoolArray:
    """Dimensions in which something can be short, shape (dimensions,)."""
    counted: BoolArray = (problem.requests.sum(axis=0) > 0) & is_amount(problem)
    return counted


def _worth_of_resources(problem: Problem, result: Result) -> FloatArray:
    """Price of a unit of each dimension, fitted to the rows' duals, shape (dimensions,)."""
    weights = np.sqrt(problem.demand)
    asked = problem.requests * weights[:, None]
    scale = np.maximum(asked.max(axis=0, initial=0.0), 1.0)
    fitted, _ = nnls(asked / scale, result.row_duals * weights)
    worth: FloatArray = fitted / scale
    return worth
