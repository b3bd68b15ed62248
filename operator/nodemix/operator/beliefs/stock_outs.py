"""Which spot pools had nothing to sell, by what Karpenter passed on of its provider's words.

The words differ by provider and version, and few of them name a pool: "There is no Spot capacity
available that matches your request" does not, so that the claim's own requirements have to tell. A
quota, a full subnet or an on-demand pool is no stock-out of a spot pool. What cannot be told is
counted, and teaches nothing.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from nodemix.operator.beliefs.watch import SECONDS_PER_HOUR
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.refusals import MOST_NAMES, ClaimRecord, Refusal
from nodemix.optimizer.risk.hazard import PoolKey, StockOut

SPOT: Final = "spot"

_FRAMES: Final = re.compile(
    r"^NodeClaim \S+ event: |insufficient capacity, |\(aws-\w.*$", re.DOTALL
)
"""What Karpenter puts around the provider's words; of its own it calls quotas a lack, too."""
_CUT: Final = re.compile(r"\S*\.\.\.$")
_SENTENCE_END: Final = re.compile(r"[.;]\s+")
_LACK: Final = re.compile(
    r"insufficient|not have (?:sufficient|enough)|no (?:\w+ ){1,4}available|unavailable"
    r"|not available|unable to (?:fulfill|allocate)|exhausted|out of (?:stock|capacity)",
    re.IGNORECASE,
)
_OTHER_CAUSE: Final = re.compile(
    r"quota|limit|exceeded|unsupported|not support|subnet|address|reservation|permission|not ready",
    re.IGNORECASE,
)
_HEARSAY: Final = re.compile(r"all requested instance types", re.IGNORECASE)
HEARSAY_S: Final = 180.0
"""So long providers' plugins remember what was refused, whatever the cause, and do not ask."""
_MARKET: Final = re.compile(r"\bspot\b|\bon-demand\b", re.IGNORECASE)
_WORD: Final = re.compile(r"\w(?:[\w.-]*\w)?")
_TYPE: Final = re.compile(
    r"[a-z][a-z0-9-]*\d[a-z0-9-]*\.(?:nano|micro|small|medium|\d*x?large|metal[a-z0-9-]*)"
    r"|Standard_\w+"
)
_ZONE: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d[a-z]|[a-z]+-[a-z]+\d-[a-z]")


@dataclass(frozen=True, slots=True)
class Told:
    """What refusals tell.

    Args:
        unattributed: refusals that may be of spot pools, of which nobody knows.
    """

    stock_outs: tuple[StockOut, ...] = ()
    unattributed: int = 0


@dataclass(frozen=True, slots=True)
class Names:
    """What pools are called here, beside what providers' names look like."""

    pools: Mapping[tuple[str, str], PoolKey]

    @classmethod
    def of(cls, pools: Iterable[PoolKey]) -> "Names":
        """The names of the pools that are on sale, or watched."""
        return cls({(pool.instance_type, pool.zone): pool for pool in pools})

    def pool(self, instance_type: str, zone: str) -> PoolKey:
        """The pool; one that is not known is in the family that its type's name begins with."""
        unknown = PoolKey(instance_type.partition(".")[0], zone, instance_type)
        return self.pools.get((instance_type, zone), unknown)

    def types_in(self, sentence: str) -> frozenset[str]:
        """The instance types that it names."""
        return _named(sentence, _TYPE, {instance_type for instance_type, _ in self.pools})

    def zones_in(self, sentence: str) -> frozenset[str]:
        """The zones that it names."""
        return _named(sentence, _ZONE, {zone for _, zone in self.pools})


@dataclass(frozen=True, slots=True)
class RefusalWatch:
    """What was told already.

    Args:
        since_s: up to when an earlier process told; None before the first look.
        told: keys of the refusals that were there at the last look.
    """

    since_s: float | None = None
    told: frozenset[str] = frozenset()

    def after(
        self, look: Look, told_until_s: float, pools: Iterable[PoolKey]
    ) -> "tuple[RefusalWatch, Told]":
        """The watch after another look, and what is new in it; each refusal counts once.

        Args:
            told_until_s: by an earlier process; matters at the first look.
            pools: whose names are known.
        """
        since_s = told_until_s if self.since_s is None else self.since_s
        after = RefusalWatch(since_s, frozenset(r.key for r in look.refusals))
        new = (r for r in look.refusals if r.key not in self.told and self._is_later(r, since_s))
        fresh = [r for r in new if not _repeats_another_cause(r, look.refusals)]
        return after, _told(fresh, look.at_s, Names.of(pools)) if fresh else Told()

    def _is_later(self, refusal: Refusal, since_s: float) -> bool:
        """Words without a time were told by an earlier process if they are there at first."""
        return self.since_s is not None if refusal.at_s is None else refusal.at_s > since_s


def pools_refused(refusal: Refusal, names: Names) -> frozenset[PoolKey] | None:
    """The spot pools that had nothing to sell; empty where it is about something else.

    Returns:
        None where it may be about spot pools, and it cannot be told which.
    """
    text = _words(refusal)
    sentences = _SENTENCE_END.split(_CUT.sub("", text))
    lacks = [s for s in sentences if _LACK.search(s) and not _OTHER_CAUSE.search(s)]
    is_spot = _is_spot(" ".join(lacks), refusal.claim)
    if not lacks or is_spot is False:
        return frozenset()
    is_whole = not _CUT.search(text) and not _OTHER_CAUSE.search(text)
    most = MOST_NAMES if is_whole and _were_all_tried(refusal) else 1
    found = frozenset(p for s in lacks for p in _pools(s, refusal.claim, most, names))
    return found if found and is_spot else None


def _words(refusal: Refusal) -> str:
    """The provider's own, as far as it can be told."""
    return _FRAMES.sub("", refusal.message)


def _repeats_another_cause(refusal: Refusal, others: Iterable[Refusal]) -> bool:
    """Whether a provider was not asked, because it had refused for want of a quota, say."""
    at_s = refusal.at_s
    if at_s is None or not _HEARSAY.search(refusal.message):
        return False
    before = (r for r in others if r.at_s is not None and 0.0 <= at_s - r.at_s <= HEARSAY_S)
    return any(_OTHER_CAUSE.search(_words(other)) for other in before)


def _were_all_tried(refusal: Refusal) -> bool:
    """Whether it is about each pool that its claim names; of a mixed claim dear ones are not."""
    claim = refusal.claim
    return refusal.is_final and claim is not None and claim.markets == (SPOT,)


def _told(refusals: Iterable[Refusal], now_s: float, names: Names) -> Told:
    stock_outs: list[StockOut] = []
    unattributed = 0
    for refusal in refusals:
        pools = pools_refused(refusal, names)
        at_s = now_s if refusal.at_s is None else min(refusal.at_s, now_s)  # clocks differ
        stock_outs += (StockOut(pool, at_s / SECONDS_PER_HOUR) for pool in sorted(pools or ()))
        unattributed += pools is None
    return Told(tuple(stock_outs), unattributed)


def _is_spot(text: str, claim: ClaimRecord | None) -> bool | None:
    """Whether it is about the spot market alone; None where that cannot be told."""
    claimed = set(claim.markets if claim else ())
    said = {word.lower() for word in _MARKET.findall(text)}
    if any(markets and SPOT not in markets for markets in (claimed, said)):
        return False
    return True if {SPOT} in (claimed, said) else None


def _pools(sentence: str, claim: ClaimRecord | None, most: int, names: Names) -> Iterator[PoolKey]:
    """The pools of a sentence; what it leaves out the claim fills in, where it is sure.

    Args:
        most: pools to believe of a sentence that names nothing; of one that does it is one.
    """
    types, zones = names.types_in(sentence), names.zones_in(sentence)
    most = 1 if types or zones else most
    claimed = (claim.instance_types, claim.zones) if claim else ((), ())
    pairs = tuple(product(types or claimed[0], zones or claimed[1]))
    if len(pairs) <= most:
        yield from (names.pool(*pair) for pair in pairs)


def _named(sentence: str, pattern: re.Pattern[str], known: Collection[str]) -> frozenset[str]:
    words = _WORD.findall(sentence)
    return frozenset(word for word in words if word in known or pattern.fullmatch(word))
