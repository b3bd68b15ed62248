"""From fractions to whole nodes: keep the whole part, solve what is left again, round up a few."""

from dataclasses import dataclass, field

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft, join, make_draft
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.part import Part, complete_greedily, rest_of
from nodemix.optimizer.packing.restricted import MipParams, restricted_draft
from nodemix.optimizer.problem.types import FloatArray, IntArray

WHOLE = 1e-6
"""Fractions this close to a whole number are that number."""


@dataclass(frozen=True, slots=True)
class DiveParams:
    """Settings of the dive.

    Args:
        generation: of the column generation between two roundings.
        round_up: fractions from here on are rounded up together.
        step_share: of the nodes of a relaxation, at least bought in one step.
        mip_nodes: once the relaxation buys no more nodes than this, a mixed-integer program
            finishes.
        mip_s: most seconds of that program.
    """

    generation: GenerationParams = field(
        default_factory=lambda: GenerationParams(max_rounds=12, tree_nodes=(500,))
    )
    round_up: float = 0.75
    step_share: float = 0.2
    mip_nodes: int = 24
    mip_s: float = 1.0
    mip: MipParams = field(default_factory=MipParams)


def floor_draft(market: Market, pool: ColumnPool, x: FloatArray) -> Draft:
    """The whole part of a relaxation's nodes, as far as the demand needs them."""
    counts = np.floor(x + WHOLE).astype(np.int64)
    return make_draft(market, pool.offers[: len(x)], pool.pods[: len(x)], counts)


def round_greedily(market: Market, pool: ColumnPool, relaxation: Relaxation) -> Draft | None:
    """The whole part of the relaxation, the rest by the greedy at its duals."""
    return complete_greedily(market, floor_draft(market, pool, relaxation.x), relaxation.duals)


def dive(
    market: Market,
    pool: ColumnPool,
    relaxation: Relaxation,
    deadline: Deadline,
    params: DiveParams,
) -> Draft | None:
    """A whole draft near the relaxation, or None where caps or time stand in the way."""
    bought = floor_draft(market, pool, relaxation.x)
    seeds = _seeds(pool, relaxation)
    while True:
        part = rest_of(market, bought)
        if part.market.rows == 0:
            return bought
        small = ColumnPool(part.market)
        part.add_patterns(small, *seeds)
        generation = Generation(part.market, small, params.generation)
        generation.run(deadline)
        found = generation.relaxation
        if found is None or deadline.has_passed:
            return complete_greedily(market, bought, relaxation.duals)
        if found.x.sum() <= params.mip_nodes:
            within = deadline.within(params.mip_s)
            rest = restricted_draft(part.market, small, found, within, params.mip)
            last = complete_greedily(market, bought, part.lift_duals(found.duals))
            if rest is None:
                return last
            full = join(market, bought, part.lift(rest))
            return full if last is None else min(full, last, key=lambda one: one.cost_usd_per_hour)
        step = _round_step(part.market, small, found.x, params)
        bought = join(market, bought, part.lift(step))
        seeds = _lifted(part, small)


def _seeds(pool: ColumnPool, relaxation: Relaxation) -> tuple[IntArray, IntArray]:
    """Patterns worth their price at the duals, or nearly so."""
    reduced = pool.price - pool.pods @ relaxation.duals.rows
    used = np.zeros(len(pool), dtype=np.bool_)
    used[: len(relaxation.x)] = relaxation.x > WHOLE
    near = np.flatnonzero(used | (reduced < 0.02 * pool.price))
    return pool.offers[near], pool.pods[near]


def _lifted(part: Part, pool: ColumnPool) -> tuple[IntArray, IntArray]:
    pods = np.zeros((len(pool), part.whole.rows), dtype=np.int64)
    pods[:, part.rows] = pool.pods
    return part.offers[pool.offers], pods


def _round_step(market: Market, pool: ColumnPool, x: FloatArray, params: DiveParams) -> Draft:
    """The whole parts, and the largest fractions rounded up as long as all their pods count."""
    counts = np.floor(x + WHOLE).astype(np.int64)
    fractions = np.where(x - counts > WHOLE, x - counts, 0.0)
    offers, pods = pool.offers[: len(x)], pool.pods[: len(x)]
    left = market.demand - counts @ pods
    wished = max(1.0, params.step_share * float(x.sum()))
    for k in np.argsort(-fractions, kind="stable").tolist():
        is_enough = counts.sum() >= wished
        if fractions[k] <= 0.0 or (is_enough and fractions[k] < params.round_up):
            break
        if (pods[k] <= left).all() or not counts.any():
            counts[k] += 1
            left = left - pods[k]
    return make_draft(market, offers, pods, counts)
