"""Nodes that hold nothing, bought because a cap asks for them."""

import numpy as np
from nodemix.optimizer.packing.draft import Draft, join, make_draft
from nodemix.optimizer.packing.market import CAP_TOLERANCE, Market
from nodemix.optimizer.problem.types import FloatArray


def meet_caps(market: Market, draft: Draft) -> Draft:
    """The draft with the cheapest empty nodes that bring broken caps back within their limits.

    Caps with negative weights (a least number of nodes, shares of the mix) can be met that way;
    where none helps the draft comes back as far as it got.
    """
    counts = draft.offer_counts(market)
    for _ in range(2 * len(market.cap_limits)):
        step = _relief(market, counts)
        if step is None:
            break
        offer, copies = step
        counts[offer] += copies
        nothing = np.zeros((1, market.rows), dtype=np.int64)
        added = make_draft(market, np.array([offer]), nothing, np.array([copies]))
        draft = join(market, draft, added)
    return draft


LEAST_GAIN = 1e-6
"""Share of the largest weight on a cap, below which more nodes are no relief but rounding."""


def _relief(market: Market, counts: FloatArray) -> tuple[int, int] | None:
    """Offer and number of nodes that bring the first broken cap back at the least price."""
    for cap in np.flatnonzero(market.breaks(counts)):
        lacking = market.cap_use(counts)[cap] - market.cap_limits[cap]
        gain = -market.cap_coefficients[cap]
        copies = np.ceil(lacking / np.maximum(gain, 1e-12) - CAP_TOLERANCE)
        is_relief = gain > LEAST_GAIN * np.abs(gain).max(initial=0.0)
        price = np.where(is_relief, market.price * copies, np.inf)
        offer = int(price.argmin()) if len(price) else -1
        if offer >= 0 and np.isfinite(price[offer]):
            return offer, int(copies[offer])
    return None
