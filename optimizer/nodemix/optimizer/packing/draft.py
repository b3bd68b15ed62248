"""A packing while the search works on it."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Kinds of nodes bought for a market.

    Args:
        offers: of the market, shape (kinds,).
        pods: of each row on one node of the kind, shape (kinds, rows).
        counts: nodes of the kind, at least 1, shape (kinds,).
    """

    offers: IntArray
    pods: IntArray
    counts: IntArray
    cost_usd_per_hour: float

    @property
    def held(self) -> IntArray:
        """Pods of each row that have a place, shape (rows,)."""
        held: IntArray = self.counts @ self.pods
        return held

    def offer_counts(self, market: Market) -> FloatArray:
        """Nodes of each offer of the market."""
        bought = np.zeros(len(market.price))
        np.add.at(bought, self.offers, self.counts)
        return bought

    def largest_pool_share(self, market: Market) -> float:
        """Share of the price spent on one offer; 0 without nodes."""
        spent = self.offer_counts(market) * market.price
        return float(spent.max(initial=0.0) / max(float(spent.sum()), 1e-12))

    def is_allowed(self, market: Market) -> bool:
        """Whether no cap is broken."""
        return not market.breaks(self.offer_counts(market)).any()


def make_draft(market: Market, offers: IntArray, pods: IntArray, counts: IntArray) -> Draft:
    """A draft with its cost; kinds with no node are left out."""
    bought = counts > 0
    offers, pods, counts = offers[bought], pods[bought], counts[bought]
    return Draft(offers, pods, counts, float(market.price[offers] @ counts))


def join(market: Market, *parts: Draft) -> Draft:
    """The nodes of several drafts together."""
    return make_draft(
        market,
        np.concatenate([part.offers for part in parts]),
        np.concatenate([part.pods for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )


def fold(market: Market, offers: IntArray, pods: IntArray) -> Draft:
    """Single nodes as a draft, equal ones as one kind; np.unique is 30 times as slow.

    Args:
        offers: of the market, shape (nodes,).
        pods: of each row on each node, shape (nodes, rows).
    """
    kinds: dict[bytes, list[int]] = {}
    for node, offer in enumerate(offers.tolist()):
        kinds.setdefault(offer.to_bytes(4, "little") + pods[node].tobytes(), []).append(node)
    first = np.array([members[0] for members in kinds.values()], dtype=np.int64)
    counts = np.array([len(members) for members in kinds.values()], dtype=np.int64)
    return make_draft(market, offers[first], pods[first], counts)


def trim(market: Market, draft: Draft) -> Draft:
    """The same nodes without the pods beyond the demand, and without nodes left empty.

    Empty nodes stay where a cap asks for them (a least number of nodes).
    """
    offers, pods, counts = _without_surplus(market, draft)
    trimmed = make_draft(market, offers, pods, counts)
    slim = make_draft(market, offers, pods, np.where(pods.any(axis=1), counts, 0))
    return slim if slim.is_allowed(market) or not trimmed.is_allowed(market) else trimmed


def _without_surplus(market: Market, draft: Draft) -> tuple[IntArray, IntArray, IntArray]:
    if draft.offers.size == 0:
        return draft.offers, draft.pods, draft.counts
    surplus = draft.held - market.demand
    offers, pods, counts = list(draft.offers), list(draft.pods), list(draft.counts)
    by_worth = np.argsort(-market.price[draft.offers], kind="stable")
    for k in [*by_worth[::-1]]:
        while (np.minimum(surplus, pods[k]) > 0).any():
            less = np.minimum(np.maximum(surplus, 0), pods[k])
            copies = min(int(counts[k]), int((surplus[less > 0] // less[less > 0]).min()))
            offers.append(offers[k])
            pods.append(pods[k] - less)
            counts.append(copies)
            counts[k] -= copies
            surplus = surplus - copies * less
            if counts[k] == 0:
                break
    return np.array(offers), np.array(pods), np.array(counts)


def to_packing(market: Market, draft: Draft) -> Packing:
    """The draft in terms of the problem; equal kinds are merged, cheapest detail first."""
    merged: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    for offer, pods, count in zip(draft.offers, draft.pods, draft.counts, strict=True):
        held = tuple((int(i), int(pods[i])) for i in np.flatnonzero(pods))
        key = (int(market.offers[offer]), held)
        merged[key] = merged.get(key, 0) + int(count)
    nodes = tuple(PackedNodes(offer, pods, n) for (offer, pods), n in sorted(merged.items()))
    return Packing(nodes, draft.cost_usd_per_hour)
