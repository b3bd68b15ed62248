"""The last look at a plan: each node's pods on the cheapest offer that holds them."""

import numpy as np
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.market import CAP_TOLERANCE, Market
from nodemix.optimizer.problem.types import FloatArray, IntArray


def on_cheapest_offers(market: Market, draft: Draft) -> Draft:
    """The draft with nodes exchanged for cheaper ones that hold the same pods within the caps.

    Under caps the search looks at some of the offers only, and a cap that kept an offer out may
    have become slack since.
    """
    left = market.cap_limits - market.cap_use(draft.offer_counts(market))
    left += CAP_TOLERANCE * (1.0 + np.abs(market.cap_limits))
    offers, pods, counts = list(draft.offers), list(draft.pods), list(draft.counts)
    for k in range(len(draft.offers)):
        for offer in _cheaper_hosts(market, int(offers[k]), pods[k]):
            change = market.cap_coefficients[:, offer] - market.cap_coefficients[:, offers[k]]
            copies = min(int(counts[k]), _copies_within(left, change))
            if copies > 0:
                offers.append(offer)
                pods.append(pods[k])
                counts.append(copies)
                counts[k] -= copies
                left = left - copies * change
    return make_draft(market, np.array(offers), np.array(pods), np.array(counts))


def _cheaper_hosts(market: Market, offer: int, pods: IntArray) -> list[int]:
    """Offers that hold ``pods`` at a lower price, cheapest first."""
    holds = (market.compatible | (pods == 0)).all(axis=1)
    holds &= (market.room >= pods @ market.requests).all(axis=1)
    found = np.flatnonzero(holds & (market.price < market.price[offer]))
    by_price: list[int] = found[np.argsort(market.price[found], kind="stable")].tolist()
    return by_price


def _copies_within(left: FloatArray, change: FloatArray) -> int:
    """How often a change of every cap's use fits into what is left of them."""
    uses = change > 0.0
    fit = np.floor(np.maximum(left[uses], 0.0) / change[uses])
    return int(fit.min(initial=float(np.iinfo(np.int32).max)))
