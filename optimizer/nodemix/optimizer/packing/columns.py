"""The patterns (one offer, the pods of one node) the search knows of."""

from collections.abc import Iterable

import numpy as np
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray, IntArray


class ColumnPool:
    """Distinct patterns, in the order they were found; only ever grows."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._offers = np.zeros(256, dtype=np.int64)
        self._pods = np.zeros((256, market.rows), dtype=np.int64)
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def offers(self) -> IntArray:
        """Offer of each pattern, shape (patterns,)."""
        return self._offers[: len(self)]

    @property
    def pods(self) -> IntArray:
        """Pods of each row on one node, shape (patterns, rows)."""
        return self._pods[: len(self)]

    @property
    def price(self) -> FloatArray:
        """USD per hour of each pattern, shape (patterns,)."""
        return self._market.price[self.offers]

    def add(self, offer: int, pods: IntArray) -> int:
        """The position of a pattern, which is added if it is new."""
        key = offer.to_bytes(4, "little") + pods.astype(np.int32).tobytes()
        position = self._known.setdefault(key, len(self._known))
        if position == len(self._offers):
            self._offers = np.concatenate([self._offers, np.zeros_like(self._offers)])
            self._pods = np.concatenate([self._pods, np.zeros_like(self._pods)])
        self._offers[position], self._pods[position] = offer, pods
        return position

    def add_all(self, offers: Iterable[int], pods: Iterable[IntArray]) -> None:
        """Add several patterns."""
        for offer, held in zip(offers, pods, strict=True):
            self.add(int(offer), held)

    def add_draft(self, draft: Draft) -> IntArray:
        """Positions of a draft's kinds, which are added if they are new, shape (kinds,)."""
        pairs = zip(draft.offers, draft.pods, strict=True)
        return np.array([self.add(int(offer), pods) for offer, pods in pairs], dtype=np.int64)
