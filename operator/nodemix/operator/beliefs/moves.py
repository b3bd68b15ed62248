"""Whether nodes went the way that a plan proposed, in whoever's hands the cluster is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from nodemix.operator.beliefs.watch import MarketPool, Seen
from nodemix.optimizer.plan import PoolChange, Recommendation
from nodemix.optimizer.risk.beliefs import Move

REMEMBERED_H = 2.0
"""Nodes that go later than this after a proposal, or after one another, are no part of one move."""

Times = Mapping[MarketPool, float]


@dataclass(frozen=True, slots=True)
class MoveWatch:
    """What plans proposed lately, and what of it came true; times in hours by pool.

    Args:
        to_leave, to_enter: proposed.
        left, entered: seen to be done.
    """

    to_leave: Times = field(default_factory=dict)
    to_enter: Times = field(default_factory=dict)
    left: Times = field(default_factory=dict)
    entered: Times = field(default_factory=dict)

    def proposed(self, recommendation: Recommendation, at_h: float) -> "MoveWatch":
        """After another plan; what an earlier one proposed stays a while, half done as it may be.

        A plan that only adds nodes, or only lets some go, moves nothing.
        """
        fewer = dict.fromkeys(_pools(p for p in recommendation.pools if p.delta_nodes < 0), at_h)
        more = dict.fromkeys(_pools(p for p in recommendation.pools if p.delta_nodes > 0), at_h)
        if not fewer or not more:
            return self
        return replace(
            self, to_leave={**self.to_leave, **fewer}, to_enter={**self.to_enter, **more}
        )

    def after(self, seen: Seen) -> "tuple[MoveWatch, Move | None]":
        """The watch after a look, and the move that it shows; None where it shows nothing new.

        Nodes go one by one; further ones of the same pools are the same move.
        """
        now_h = seen.at_h
        to_leave, to_enter = _recent(self.to_leave, now_h), _recent(self.to_enter, now_h)
        left_before, entered_before = _recent(self.left, now_h), _recent(self.entered, now_h)
        left = {**left_before, **dict.fromkeys(seen.left & to_leave.keys(), now_h)}
        entered = {**entered_before, **dict.fromkeys(seen.entered & to_enter.keys(), now_h)}
        after = MoveWatch(to_leave, to_enter, left, entered)
        is_new = len(left) > len(left_before) or len(entered) > len(entered_before)
        if not (left and entered and is_new):
            return after, None
        return after, Move(now_h, tuple(sorted(left)), tuple(sorted(entered)))


def _pools(changes: Iterable[PoolChange]) -> frozenset[MarketPool]:
    return frozenset((p.instance_type, p.zone, p.capacity_type.value) for p in changes)


def _recent(times: Times, now_h: float) -> dict[MarketPool, float]:
    return {pool: at_h for pool, at_h in times.items() if now_h - at_h <= REMEMBERED_H}
