"""All that is learned of a cluster, brought up to date look by look, and kept as JSON."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Self

import orjson
from nodemix.operator.beliefs.reclaims import OpenShock, grouped
from nodemix.operator.beliefs.report import HOURS_OF_A_DAY, BeliefsReport
from nodemix.operator.beliefs.watch import Seen
from nodemix.operator.errors import BeliefsUnreadableError
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.risk.beliefs import UNADVISED_PER_HOUR, Beliefs, Move
from nodemix.optimizer.risk.hazard import Evidence, HazardBook, PoolKey, Shock

SCHEMA = 1
LEAST_HOURS, LEAST_SHOCKS = 0.05, 0.01
"""Faded evidence below both says nothing any more."""
MOST_POOLS = 500
MOST_MOVES, MOST_LAST_SHOCKS = 100, 1000

Rates = Mapping[PoolKey, float]
"""Interruptions per hour, as a catalog advises."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The evidence.

    Args:
        beliefs: without the shocks that may still grow.
        open_shocks: those.
        hours_watched, shocks, interruptions: of all time, not discounted; hours by pool, summed.
        last_shocks: (pool, hour) of those of the last day, ascending in time.
        stock_outs, unattributed: likewise of all time; by pool, and of unknown pools.
    """

    beliefs: Beliefs = field(default_factory=Beliefs)
    open_shocks: tuple[OpenShock, ...] = ()
    hours_watched: float = 0.0
    shocks: int = 0
    interruptions: int = 0
    last_shocks: tuple[tuple[PoolKey, float], ...] = ()
    stock_outs: int = 0
    unattributed: int = 0

    def after(self, seen: Seen, advised: Rates, move: Move | None = None) -> "Ledger":
        """The evidence after a look.

        Args:
            advised: pools that are missing count with the lowest band.
            move: that the look completed.
        """
        now_h = max(seen.at_h, self._book_h(seen.at_h))  # a clock may be set back
        open_shocks, over = grouped(self.open_shocks, now_h, seen.lost, seen.spot_nodes)
        new = [s for s in open_shocks if s.at_h == now_h and s.pool in seen.lost]
        last = ((pool, at_h) for pool, at_h in self.last_shocks if now_h - at_h < HOURS_OF_A_DAY)
        return Ledger(
            beliefs=self._beliefs(seen, now_h, over, advised, move),
            open_shocks=open_shocks,
            hours_watched=self.hours_watched + sum(e.end_h - e.start_h for e in seen.exposures),
            shocks=self.shocks + len(new),
            interruptions=self.interruptions + sum(seen.lost.values()),
            last_shocks=(*last, *((s.pool, s.at_h) for s in new))[-MOST_LAST_SHOCKS:],
            stock_outs=self.stock_outs + len(seen.stock_outs),
            unattributed=self.unattributed + seen.unattributed,
        )

    @property
    def looked_h(self) -> float:
        """When something was last looked at; minus infinity before that."""
        return self._book_h(-math.inf)

    def _book_h(self, now_h: float) -> float:
        return now_h if self.beliefs.hazards is None else self.beliefs.hazards.at_h

    def _beliefs(
        self,
        seen: Seen,
        now_h: float,
        over: tuple[OpenShock, ...],
        advised: Rates,
        move: Move | None,
    ) -> Beliefs:
        open_pools = (shock.pool for shock in self.open_shocks)
        sold_out = (stock_out.pool for stock_out in seen.stock_outs)
        exposed = (exposure.pool for exposure in seen.exposures)
        pools = {*exposed, *seen.lost, *open_pools, *sold_out}
        book = self.beliefs.hazards or HazardBook.opened(now_h, {})
        book = advised_anew(book, advised)
        book = book.with_pools({p: advised.get(p, UNADVISED_PER_HOUR) for p in pools})
        shocks = [shock.shock() for shock in over]
        book = book.observed(now_h, seen.exposures, shocks, seen.stock_outs)
        boots = self.beliefs.boots.observed(seen.boots_s)
        beliefs = replace(self.beliefs, hazards=_worth_keeping(book, pools), boots=boots)
        return beliefs if move is None else beliefs.moved(move)

    def believed(self) -> Beliefs:
        """The beliefs, with the shocks that may still grow as far as they went."""
        lately = (
            Shock(pool, at_h, 1, 1) for pool, at_h in self.last_shocks
        )  # only the time counts
        beliefs = self.beliefs.struck(lately)
        book = self.beliefs.hazards
        if book is None or not self.open_shocks:
            return beliefs
        rates = {shock.pool: UNADVISED_PER_HOUR for shock in self.open_shocks}
        shocks = [shock.shock() for shock in self.open_shocks]
        return replace(beliefs, hazards=book.with_pools(rates).observed(book.at_h, (), shocks))

    @property
    def news(self) -> tuple[object, ...]:
        """What is worth writing at once; time alone is not."""
        book = self.beliefs.hazards
        pools = frozenset(book.pools) if book else frozenset()
        refusals = self.stock_outs, self.unattributed
        return pools, self.interruptions, self.beliefs.boots, self.beliefs.moves, refusals

    def report(self, pools_watched: int, now_h: float, problem: str = "") -> BeliefsReport:
        """The evidence in figures."""
        recent = (pool for pool, at_h in self.last_shocks if now_h - at_h < HOURS_OF_A_DAY)
        boots_s = self.beliefs.boots.seconds
        return BeliefsReport(
            pools_watched=pools_watched,
            hours_watched=self.hours_watched,
            shocks=self.shocks,
            interruptions=self.interruptions,
            shocks_last_day=tuple(sorted(Counter(recent).items())),
            boots=len(boots_s),
            boot_median_s=median(boots_s) if boots_s else None,
            stock_outs=self.stock_outs,
            unattributed=self.unattributed,
            problem=problem,
        )

    def to_json(self) -> str:
        """The evidence as text; ``from_json`` reads it."""
        moves = self.beliefs.moves[-MOST_MOVES:]
        numbers = {
            "schema": SCHEMA,
            "beliefs": replace(self.beliefs, moves=moves).to_numbers(),
            "open": [
                [*_names(s.pool), s.at_h, s.nodes_before, s.nodes_lost] for s in self.open_shocks
            ],
            "hours_watched": self.hours_watched,
            "shocks": self.shocks,
            "interruptions": self.interruptions,
            "last_shocks": [[*_names(pool), at_h] for pool, at_h in self.last_shocks],
            "stock_outs": self.stock_outs,
            "unattributed": self.unattributed,
        }
        return orjson.dumps(numbers).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote.

        Raises:
            BeliefsUnreadableError: another version wrote it, or it is damaged.
        """
        try:
            return cls._read(orjson.loads(text))
        except (ParameterError, LookupError, TypeError, ValueError, AttributeError) as err:
            raise BeliefsUnreadableError(
                "SpotRiskBook", f"cannot be read ({err})", "delete it to start afresh"
            ) from err

    @classmethod
    def _read(cls, numbers: Mapping[str, Any]) -> Self:
        if numbers["schema"] != SCHEMA:
            raise ParameterError(f"it has schema {numbers['schema']}, this version reads {SCHEMA}")
        ledger = cls(
            beliefs=Beliefs.from_numbers(numbers["beliefs"]),
            open_shocks=tuple(OpenShock(PoolKey(*r[:3]), *r[3:]) for r in numbers["open"]),
            hours_watched=float(numbers["hours_watched"]),
            shocks=int(numbers["shocks"]),
            interruptions=int(numbers["interruptions"]),
            last_shocks=tuple((PoolKey(*r[:3]), r[3]) for r in numbers["last_shocks"]),
            stock_outs=int(numbers.get("stock_outs", 0)),  # none in books of before
            unattributed=int(numbers.get("unattributed", 0)),
        )
        ledger.after(Seen(ledger._book_h(0.0)), {})  # a bad number shows here
        return ledger


def advised_anew(book: HazardBook, advised: Rates) -> HazardBook:
    """The book with the advisor's rates of today; nodes may be seen before any price is read."""
    stale = [
        p for p, e in book.pools.items() if advised.get(p, e.advised_per_hour) != e.advised_per_hour
    ]
    if not stale:
        return book
    fresh = {p: replace(book.pools[p], advised_per_hour=advised[p]) for p in stale}
    return replace(book, pools={**book.pools, **fresh})


def _worth_keeping(book: HazardBook, present: set[PoolKey]) -> HazardBook:
    """Without pools whose evidence has faded away; of too many, those with the most stay."""
    kept = {p: e for p, e in book.pools.items() if p in present or _says_something(e)}
    if len(kept) > MOST_POOLS:
        ranked = sorted(kept, key=lambda pool: _weight(kept[pool]), reverse=True)
        kept = {pool: kept[pool] for pool in sorted(ranked[:MOST_POOLS])}
    return book if len(kept) == len(book.pools) else replace(book, pools=kept)


def _says_something(evidence: Evidence) -> bool:
    shocks, hours = _weight(evidence)
    return hours >= LEAST_HOURS or shocks >= LEAST_SHOCKS


def _weight(evidence: Evidence) -> tuple[float, float]:
    """Shocks, and hours; a stock-out counts like a shock as long as it is remembered."""
    return evidence.shocks + evidence.scarcity, evidence.hours


def _names(pool: PoolKey) -> tuple[str, str, str]:
    return pool.family, pool.zone, pool.instance_type
