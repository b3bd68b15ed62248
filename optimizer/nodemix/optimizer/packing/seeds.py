"""From a finished search to a warm start, and from a warm start to what still fits a market."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft, make_draft, trim
from nodemix.optimizer.packing.fill import fill
from nodemix.optimizer.packing.greedy import share_values
from nodemix.optimizer.packing.market import Market, dominators
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.part import Part
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem

MOST_PATTERNS = 2_000
"""Kept of a search: some ten times what a relaxation uses on most clusters; 576 rows use 800."""
NEAR = 0.002
"""Reduced cost, in shares of the price, up to which an unused pattern is worth keeping."""
_USED = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """What of a warm start fits a market.

    Args:
        offers, pods: of the patterns, each of which one node can hold.
        plans: the nodes of earlier plans that are still to be had; they may lack pods.
        duals: those of the warm start, crude ones for rows that it did not know.
    """

    offers: IntArray
    pods: IntArray
    plans: tuple[Draft, ...]
    duals: Duals


def useful_patterns(market: Market, pool: ColumnPool, relaxation: Relaxation) -> IntArray:
    """Positions of the patterns that a relaxation uses or nearly uses."""
    charged = np.maximum(relaxation.duals.charged(market)[pool.offers], 1e-9)
    reduced = (charged - pool.pods @ relaxation.duals.rows) / charged
    reduced[: len(relaxation.x)][relaxation.x > _USED] = -np.inf
    best = np.argsort(reduced, kind="stable")[:MOST_PATTERNS]
    return best[reduced[best] <= NEAR]


def freeze(
    problem: Problem, market: Market, useful: ColumnPool, plans: Sequence[Draft], duals: Duals
) -> WarmStart:
    """The warm start of a search over ``market``; ``useful`` takes in the plans' patterns.

    Args:
        plans: cheapest first.
    """
    positions = [useful.add_draft(plan) for plan in plans]
    counts = np.zeros((len(plans), len(useful)), dtype=np.int32)
    for row, plan, at in zip(counts, plans, positions, strict=True):
        np.add.at(row, at, plan.counts)
    used, offers = np.unique(useful.offers, return_inverse=True)
    return WarmStart(
        row_ids=tuple(row.row_id for row in problem.rows),
        offer_keys=tuple(problem.offers[int(market.offers[o])].variant for o in used),
        offers=offers,
        pods=useful.pods.astype(np.int32),
        plans=counts,
        row_duals=duals.rows,
        cap_names=tuple(cap.name for cap in problem.caps),
        cap_duals=duals.caps,
    )


def thaw(warm: WarmStart, problem: Problem, market: Market) -> Seeds:
    """All of the warm start that still has its place: pods that do not fit any more are left out.

    Patterns of an offer that is gone are left out, those of one that is dominated now move to the
    offer that dominates it.
    """
    pods = _in_rows(warm, problem, market)
    offers = _in_offers(warm, problem, market)[warm.offers]
    duals = _in_duals(warm, problem, market)
    _fit(market, offers, pods, duals.rows)
    fits = (offers >= 0) & pods.any(axis=1)
    plans = tuple(
        trim(market, make_draft(market, offers[fits], pods[fits], counts[fits]))
        for counts in warm.plans.astype(np.int64)
    )
    return Seeds(offers[fits], pods[fits], plans, duals)


def seeds_within(part: Part, useful: ColumnPool, plans: Sequence[Draft], duals: Duals) -> Seeds:
    """What is known of a whole market, for a part of it that has all its rows.

    Args:
        plans: that buy offers of the part only.
    """
    known = part.stand_ins[useful.offers]
    return Seeds(
        offers=known[known >= 0],
        pods=useful.pods[known >= 0],
        plans=tuple(replace(plan, offers=part.stand_ins[plan.offers]) for plan in plans),
        duals=duals,
    )


def _in_rows(warm: WarmStart, problem: Problem, market: Market) -> IntArray:
    """The pods of the patterns by the problem's rows, within their limits."""
    former = {row_id: i for i, row_id in enumerate(warm.row_ids)}
    source = np.array([former.get(row.row_id, -1) for row in problem.rows], dtype=np.int64)
    pods = np.zeros((len(warm.pods), market.rows), dtype=np.int64)
    known = source >= 0
    pods[:, known] = warm.pods[:, source[known]]
    return np.minimum(pods, market.limits)


def _in_offers(warm: WarmStart, problem: Problem, market: Market) -> IntArray:
    """The market's offer for each of the warm start's; -1 where it is gone."""
    index = {offer.variant: i for i, offer in enumerate(problem.offers)}
    found = np.array([index.get(key, -1) for key in warm.offer_keys], dtype=np.int64)
    place = np.full(len(problem.offers), -1, dtype=np.int64)
    place[market.offers] = np.arange(len(market.offers))
    if (place[found[found >= 0]] < 0).any():
        place = place[_stand_ins(problem)]
    return np.where(found >= 0, place[found], -1)


def _stand_ins(problem: Problem) -> IntArray:
    coefficients = np.array([cap.coefficients for cap in problem.caps], dtype=np.float64)
    coefficients = coefficients.reshape(len(problem.caps), len(problem.offers))
    price = np.ascontiguousarray(problem.price_usd_per_hour, dtype=np.float64)
    return dominators(price, problem.room, problem.compatible.T, coefficients)


def _in_duals(warm: WarmStart, problem: Problem, market: Market) -> Duals:
    rows = share_values(market)
    former = dict(zip(warm.row_ids, warm.row_duals.tolist(), strict=True))
    for i, row in enumerate(problem.rows):
        rows[i] = former.get(row.row_id, rows[i])
    caps = dict(zip(warm.cap_names, warm.cap_duals.tolist(), strict=True))
    return Duals(rows, np.array([caps.get(cap.name, 0.0) for cap in problem.caps]))


def _fit(market: Market, offers: IntArray, pods: IntArray, values: FloatArray) -> None:
    """Take out of the patterns, in place, what their offer cannot hold, the least worth first."""
    at = np.maximum(offers, 0)
    overfull = (pods @ market.requests > market.room[at]).any(axis=1)
    overfull |= ((pods > 0) & ~market.compatible[at]).any(axis=1)
    order = np.argsort(-values, kind="stable")
    held = np.zeros(market.rows, dtype=np.int64)
    for k in np.flatnonzero(overfull & (offers >= 0)).tolist():
        offer = int(offers[k])
        fill(
            order, pods[k], values, market.requests, market.room[offer],
            market.compatible[offer], held,
        )  # fmt: skip
        pods[k] = held
