"""What nodes cost when, and when the provider takes spot nodes back."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.optimizer.catalog.types import Catalog, Offer, PoolKey
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.risk.beliefs import pool_of
from nodemix.optimizer.risk.hazard import Hazard
from nodemix.optimizer.risk.hazard import PoolKey as SpotPool

BLOCK_S = 3 * 3600.0
"""A pool's rate is drawn anew around its own after so long: shocks come in bursts."""


@dataclass(frozen=True, slots=True)
class Reclaim:
    """The provider takes part of a pool back at once.

    Args:
        at_s: seconds since the epoch.
        share: of the pool's nodes, in (0, 1]; at least one node goes.
    """

    at_s: float
    pool: PoolKey
    share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ParameterError(f"reclaim of {self.pool}: share must be in (0, 1], {self.share}")

    def nodes_of(self, nodes: int) -> int:
        """How many of the pool's nodes go."""
        return min(nodes, max(1, round(self.share * nodes)))


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A new price of a pool's nodes."""

    at_s: float
    pool: PoolKey
    usd_per_hour: float


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Offers, their prices over time, and reclaims; the same for every policy.

    Args:
        catalog: prices before the first change.
        reclaims: ascending in time.
        changes: of prices, ascending in time.
    """

    catalog: Catalog
    reclaims: tuple[Reclaim, ...] = ()
    changes: tuple[PriceChange, ...] = ()
    _index: Mapping[PoolKey, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("reclaims", "changes"):
            times = [event.at_s for event in getattr(self, name)]
            if times != sorted(times):
                raise ParameterError(f"market.{name} must ascend in time; sort them")
        index = {offer.key: i for i, offer in enumerate(self.catalog.offers)}
        object.__setattr__(self, "_index", index)

    def prices_at(self, at_s: float) -> FloatArray:
        """Of one node of each offer, shape (offers,)."""
        prices = np.array([o.price_usd_per_hour for o in self.catalog.offers], dtype=np.float64)
        for change in self.changes[: bisect_right(self.changes, at_s, key=lambda c: c.at_s)]:
            if change.pool in self._index:
                prices[self._index[change.pool]] = change.usd_per_hour
        return prices

    def catalog_at(self, at_s: float) -> Catalog:
        """The offers at the prices of ``at_s``."""
        if not self.changes:
            return self.catalog
        priced = zip(self.catalog.offers, self.prices_at(at_s), strict=True)
        offers = tuple(replace(o, price_usd_per_hour=float(price)) for o, price in priced)
        return replace(self.catalog, offers=offers)

    def next_price_change_s(self, after_s: float) -> float:
        """Time of the first change after ``after_s``; inf where there is none."""
        at = bisect_right(self.changes, after_s, key=lambda c: c.at_s)
        return self.changes[at].at_s if at < len(self.changes) else float("inf")

    def reclaims_between(self, start_s: float, end_s: float) -> tuple[Reclaim, ...]:
        """Those at or after ``start_s`` and before ``end_s``."""
        first = bisect_left(self.reclaims, start_s, key=lambda r: r.at_s)
        last = bisect_left(self.reclaims, end_s, key=lambda r: r.at_s)
        return self.reclaims[first:last]

    def next_reclaim_s(self, after_s: float, before_s: float, held: Collection[PoolKey]) -> float:
        """Time of the first reclaim after ``after_s`` in one of ``held``, at most ``before_s``."""
        first = bisect_right(self.reclaims, after_s, key=lambda r: r.at_s)
        for reclaim in self.reclaims[first:]:
            if reclaim.at_s >= before_s:
                break
            if reclaim.pool in held:
                return reclaim.at_s
        return before_s


def drawn_reclaims(
    offers: Iterable[Offer],
    hazards: Mapping[SpotPool, Hazard],
    start_s: float,
    end_s: float,
    rng: np.random.Generator,
) -> tuple[Reclaim, ...]:
    """Reclaims of the spot pools among ``offers``, from what is believed of their hazards.

    Each pool has a rate of its own from its gamma law, which is drawn anew around itself every
    ``BLOCK_S``; each reclaim takes a share from the beta law of its severity.
    """
    reclaims: list[Reclaim] = []
    for offer in sorted((o for o in offers if o.is_spot), key=lambda o: o.key):
        hazard = hazards[pool_of(offer)]
        rate = rng.gamma(hazard.shape, 1.0 / hazard.hours)
        times = _times(rate, hazard.steadiness, start_s, end_s, rng)
        shares = np.clip(rng.beta(*hazard.severity, len(times)), 1e-9, 1.0)
        reclaims += [
            Reclaim(float(at_s), offer.key, float(share))
            for at_s, share in zip(times, shares, strict=True)
        ]
    return tuple(sorted(reclaims, key=lambda r: (r.at_s, r.pool)))


def _times(
    rate: float, steadiness: float, start_s: float, end_s: float, rng: np.random.Generator
) -> FloatArray:
    """When a pool with ``rate`` shocks an hour is hit, ascending, shape (shocks,)."""
    starts = np.arange(start_s, end_s, BLOCK_S)
    lengths = np.minimum(BLOCK_S, end_s - starts)
    mean = rate * lengths / 3600.0
    shocks = rng.poisson(mean * rng.gamma(steadiness, 1.0 / steadiness, len(starts)))
    begun, length = np.repeat(starts, shocks), np.repeat(lengths, shocks)
    return np.sort(begun + length * rng.random(len(begun)))
