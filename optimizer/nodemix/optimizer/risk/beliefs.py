"""What was learned from a cluster's own past; the operator keeps it, decisions read it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from nodemix.optimizer.catalog.types import Catalog, Offer
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.risk.hazard import Hazard, HazardBook, PoolKey, Shock
from nodemix.optimizer.risk.replacement import BootTimes

SCHEMA = 1
SECONDS_PER_HOUR = 3600.0
UNADVISED_PER_HOUR = 0.05 / 730.0
"""Advisor's rate of an offer that has none: the lowest band, 5 % a month."""
PLAIN_SHARE = 0.1
"""Of the ratio between true and advised rates, for pools without GPUs. The ratio of 1,000 was seen
on GPU pools, which are scarce. Of types with 64 vCPUs and more, three pools of one cloud show 1,760
and four of another 59 (``benchmarks/hazard.py``, first half); of smaller types nothing is known."""
REMEMBERED_H = 7 * 24.0
"""Moves older than this matter to no rule."""


@dataclass(frozen=True, slots=True)
class Move:
    """Nodes of some pools that took the place of nodes of others, as a plan proposed.

    Args:
        at_h: Unix time / 3600.
        left, entered: (instance type, zone, market as in ``CapacityType``), sorted.
    """

    at_h: float
    left: tuple[tuple[str, str, str], ...]
    entered: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Hazards of spot pools, boot times, and the moves that plans led to.

    Args:
        hazards: None before anything was watched; the catalog's rates are then all that is known.
        moves: ascending in time.
        hits: (spot pool, when it last lost nodes), sorted; times as in `Move`.
    """

    hazards: HazardBook | None = None
    boots: BootTimes = field(default_factory=BootTimes)
    moves: tuple[Move, ...] = ()
    hits: tuple[tuple[PoolKey, float], ...] = ()

    def hazards_of(self, catalog: Catalog, now_h: float) -> dict[PoolKey, Hazard]:
        """What is believed at ``now_h`` of every spot pool that is on sale or was watched."""
        advised = advised_per_hour(catalog)
        book = self.hazards or HazardBook.opened(now_h, advised)
        return book.with_pools(advised).observed(max(now_h, book.at_h), (), ()).hazards()

    def moved(self, move: Move) -> Self:
        """With one more move; very old ones are forgotten."""
        kept = (m for m in self.moves if move.at_h - m.at_h <= REMEMBERED_H)
        return replace(self, moves=(*kept, move))

    def struck(self, shocks: Iterable[Shock]) -> Self:
        """With the times of further shocks; very old ones are forgotten."""
        last = dict(self.hits)
        for shock in shocks:
            last[shock.pool] = max(shock.at_h, last.get(shock.pool, -math.inf))
        now_h = max(last.values(), default=0.0)
        kept = {pool: at_h for pool, at_h in last.items() if now_h - at_h <= REMEMBERED_H}
        return replace(self, hits=tuple(sorted(kept.items())))

    def hit_within(self, hours: float, now_h: float) -> frozenset[PoolKey]:
        """Spot pools that lost nodes in the last ``hours``."""
        return frozenset(pool for pool, at_h in self.hits if 0.0 <= now_h - at_h <= hours)

    def left_within(self, hours: float, now_h: float) -> frozenset[tuple[str, str, str]]:
        """Pools that moves of the last ``hours`` went away from."""
        recent = (m for m in self.moves if 0.0 <= now_h - m.at_h <= hours)
        return frozenset(pool for move in recent for pool in move.left)

    def to_numbers(self) -> dict[str, Any]:
        """Numbers and strings that JSON can hold."""
        return {
            "schema": SCHEMA,
            "hazards": None if self.hazards is None else self.hazards.to_numbers(),
            "boots_s": list(self.boots.seconds),
            "moves": [[m.at_h, _lists(m.left), _lists(m.entered)] for m in self.moves],
            "hits": [[p.family, p.zone, p.instance_type, at_h] for p, at_h in self.hits],
        }

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, Any]) -> Self:
        """What ``to_numbers`` wrote.

        Raises:
            ParameterError: another version wrote it.
        """
        if numbers.get("schema") != SCHEMA:
            raise ParameterError(
                f"beliefs have schema {numbers.get('schema')}, this version reads {SCHEMA}; "
                "delete them to start afresh"
            )
        book = numbers["hazards"]
        return cls(
            hazards=None if book is None else HazardBook.from_numbers(book),
            boots=BootTimes(tuple(numbers["boots_s"])),
            moves=tuple(Move(at_h, _pools(a), _pools(b)) for at_h, a, b in numbers["moves"]),
            hits=tuple((PoolKey(*names), at_h) for *names, at_h in numbers["hits"]),
        )


def advised_per_hour(catalog: Catalog) -> dict[PoolKey, float]:
    """The rate that a book opens each spot pool on sale with."""
    return {pool_of(offer): _advised(offer) for offer in catalog.offers if offer.is_spot}


def _advised(offer: Offer) -> float:
    rate = offer.interruptions_per_hour or UNADVISED_PER_HOUR
    return rate if offer.instance.gpu_name else PLAIN_SHARE * rate


def pool_of(offer: Offer) -> PoolKey:
    """The spot pool of an offer."""
    return PoolKey(offer.instance.family, offer.zone, offer.instance.name)


def _lists(pools: Iterable[tuple[str, str, str]]) -> list[list[str]]:
    return [list(pool) for pool in pools]


def _pools(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((a, b, c) for a, b, c in rows)
