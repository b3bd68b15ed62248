"""Which plans beside the best are worth showing."""

from collections.abc import Sequence

import numpy as np
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray

MOST = 4
"""Plans shown beside the best: a person compares three to five."""
UNLIKE = 0.1
"""Share of the price that must go to other offers for two plans to count as distinct."""
DEAREST = 0.05
"""Alternatives that cost more than the best by more than this share are no alternatives."""


def distinct_drafts(market: Market, best: Draft, drafts: Sequence[Draft]) -> list[Draft]:
    """The cheapest of ``drafts`` that differ from ``best`` and from each other."""
    limit = (1.0 + DEAREST) * best.cost_usd_per_hour
    chosen: list[Draft] = []
    seen = [_mix(market, best)]
    for draft in sorted(drafts, key=lambda one: one.cost_usd_per_hour):
        mix = _mix(market, draft)
        if draft.cost_usd_per_hour > limit or len(chosen) == MOST:
            break
        if all(np.abs(mix - other).sum() / 2.0 >= UNLIKE for other in seen):
            chosen.append(draft)
            seen.append(mix)
    return chosen


def _mix(market: Market, draft: Draft) -> FloatArray:
    """Share of the price spent on each offer, shape (offers,)."""
    spent = draft.offer_counts(market) * market.price
    mix: FloatArray = spent / max(float(spent.sum()), 1e-12)
    return mix
