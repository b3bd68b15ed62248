"""Cost against CVaR over pools, before any pod is packed: how far safety could be bought."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.genetic.fleet import FleetProblem
from nodemix.optimizer.genetic.fleet_search import FleetSearchParams
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.plan_risk import FrontPoint
from nodemix.optimizer.problem.caps import spot_mask
from nodemix.optimizer.problem.churn import LEAST_USD_PER_HOUR
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, OfferCap, Problem
from nodemix.optimizer.risk.beliefs import pool_of
from nodemix.optimizer.risk.fleet_nodes import is_amount
from nodemix.optimizer.risk.front import search_front
from nodemix.optimizer.risk.outlook import Outlook
from nodemix.optimizer.risk.score import ALPHA
from nodemix.optimizer.snapshot import WorkloadKey

MOST_POOLS, MOST_POINTS, MOST_NEEDS = 60, 40, 8
SPOT_OF_NEED, OTHERS_OF_NEED = 12, 3
SCENARIOS = 1_000
LONGEST_S = 2.0
MOST_SHORT = 0.3
"""CVaR above which no mix is worth showing."""


def cost_cvar_front(
    problem: Problem,
    packing: Packing,
    outlook: Outlook,
    nodes_now: IntArray,
    kept: Mapping[WorkloadKey, int],
    deadline: Deadline,
    rng: np.random.Generator,
) -> tuple[FrontPoint, ...]:
    """Mixes of which none is better than another in cost and CVaR, by ascending cost.

    Capacity counts in sum: pods are not packed, so that a point is what a perfect packing could
    do. Caps of the problem hold where buying nothing keeps them.

    Args:
        packing: its offers are among the pools.
        nodes_now: of each offer, shape (offers,).
        kept: pods of each workload outside of the problem.
    """
    if not problem.rows or deadline.has_passed:
        return ()
    needs = _needs(problem)
    offers = _pools(problem, packing, needs)
    fleet = _fleet(problem, offers, needs, outlook, nodes_now, kept)
    front = search_front(fleet, deadline.within(LONGEST_S), rng, FleetSearchParams())
    order = np.lexsort((front.cvar, front.cost_usd_per_hour))
    lowest = np.minimum.accumulate(np.concatenate([[np.inf], front.cvar[order]]))[:-1]
    best = order[front.cvar[order] < lowest]
    best = best[front.cvar[best] < MOST_SHORT]
    picks = np.unique(np.linspace(0, len(best) - 1, min(MOST_POINTS, len(best))).round())
    elsewhere = int(nodes_now.sum() - fleet.nodes_now.sum())  # of offers that no mix has
    changed = elsewhere + np.abs(front.counts - fleet.nodes_now).sum(axis=1)
    return tuple(
        FrontPoint(float(front.cost_usd_per_hour[i]), float(front.cvar[i]), int(changed[i]))
        for i in best[picks.astype(np.int64)].tolist()
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Need:
    """Rows that the same offers can serve, and one resource that they ask for.

    Enough of each need is necessary, not sufficient: offers that serve several count for each.

    Args:
        rows: which rows, shape (rows,).
        able: which offers, shape (offers,).
        dimension: index of the resource.
    """

    rows: BoolArray
    able: BoolArray
    dimension: int


def _needs(problem: Problem) -> list[_Need]:
    """All rows together, then those that few offers serve, the largest first."""
    counted = np.flatnonzero(is_amount(problem)).tolist()
    everyone = np.ones(len(problem.rows), dtype=np.bool_)
    groups = [everyone]
    signatures, of_row = np.unique(problem.compatible, axis=0, return_inverse=True)
    scarcest = np.argsort(signatures.sum(axis=1), kind="stable").tolist()
    groups += [np.asarray(of_row == i) for i in scarcest if not signatures[i].all()]
    asked = problem.demand[:, None] * problem.requests
    needs = [
        _Need(rows, np.asarray(problem.compatible[rows].any(axis=0)), dimension)
        for rows in groups
        for dimension in counted
        if asked[rows, dimension].sum() > 0
    ]
    shares = [asked[n.rows, n.dimension].sum() / asked[:, n.dimension].sum() for n in needs]
    largest = np.argsort(-np.array(shares), kind="stable")[:MOST_NEEDS]
    return [needs[i] for i in sorted(largest.tolist())]


def _pools(problem: Problem, packing: Packing, needs: list[_Need]) -> IntArray:
    """Offers of the packing, and those that serve each need for the least money."""
    used = np.unique([group.offer for group in packing.nodes]).astype(np.int64)
    is_spot = spot_mask(problem)
    best = []
    for need in needs:
        room = np.where(need.able, problem.room[:, need.dimension], 0).astype(np.float64)
        able = np.flatnonzero(room > 0.0)
        order = able[np.argsort(problem.price_usd_per_hour[able] / room[able], kind="stable")]
        best += [order[is_spot[order]][:SPOT_OF_NEED], order[~is_spot[order]][:OTHERS_OF_NEED]]
    ordered = np.concatenate([used, *best]).astype(np.int64)
    first = np.sort(np.unique(ordered, return_index=True)[1])
    chosen: IntArray = ordered[first][:MOST_POOLS]
    return chosen


def _fleet(
    problem: Problem,
    offers: IntArray,
    needs: list[_Need],
    outlook: Outlook,
    nodes_now: IntArray,
    kept: Mapping[WorkloadKey, int],
) -> FleetProblem:
    needed = outlook.needed(problem, kept)
    paths = np.arange(SCENARIOS) % len(needed)
    demand = [needed[:, n.rows] @ problem.requests[n.rows, n.dimension] for n in needs]
    capacity = [np.where(n.able, problem.room[:, n.dimension], 0)[offers] for n in needs]
    return FleetProblem(
        price_usd_per_hour=problem.money_usd_per_hour[offers] + LEAST_USD_PER_HOUR,
        interruption_usd_per_hour=np.array(
            [problem.offers[i].interruption_usd_per_hour for i in offers.tolist()]
        ),
        capacity=np.column_stack(capacity).astype(np.float64),
        surviving=_surviving(problem, offers, outlook),
        demand=np.column_stack(demand)[paths].astype(np.float64),
        nodes_now=nodes_now[offers],
        most_nodes=np.full(len(offers), int(problem.demand.sum()), dtype=np.int64),
        caps=tuple(
            OfferCap(cap.name, cap.coefficients[offers], cap.limit)
            for cap in problem.caps
            if cap.limit >= 0.0 and cap.coefficients[offers].any()
        ),
        alpha=ALPHA,
    )


def _surviving(problem: Problem, offers: IntArray, outlook: Outlook) -> FloatArray:
    """Share of the nodes of each offer that is left, shape (scenarios, offers)."""
    surviving = np.ones((SCENARIOS, len(offers)))
    spot = [i for i, offer in enumerate(offers.tolist()) if problem.offers[offer].is_spot]
    pools = tuple(pool_of(problem.offers[int(offers[i])]) for i in spot)
    distinct = tuple(sorted(set(pools)))
    drawn = outlook.surviving(distinct, SCENARIOS)
    for column, pool in zip(spot, pools, strict=True):
        surviving[:, column] = drawn[:, distinct.index(pool)]
    return surviving
