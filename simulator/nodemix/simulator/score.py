"""What a run cost and what it missed, with intervals that say how sure that is.

An interval comes from drawing whole blocks of time (days, where there are enough of them) again
with replacement: what happens within a block hangs together. Runs of the same time are drawn by
the same blocks, so that what both suffered does not blur their difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.risk.beliefs import SECONDS_PER_HOUR, Move
from nodemix.simulator.clock import TOLERANCE_S, Span
from nodemix.simulator.errors import ReplayError
from nodemix.simulator.replay import Interval, Run

DAY_S = 86_400.0
FEWEST_BLOCKS = 6
"""Where there are fewer days, blocks are shorter."""
DRAWS = 2_000
LEVEL = 0.95
RETURN_H = 24.0
DEEP = 0.2
"""Share of the requests without a place from which a minute counts as deeply short."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """What came of one policy.

    Args:
        usd: paid.
        pod_minutes, pod_minutes_short: wanted, and those of them without a place.
        share_short: of the pod-minutes.
        minutes_short_share: of the time, with any pod without a place.
        minutes_deep: with more than ``DEEP`` of the requests without a place.
        worst_share_short: largest share of the requests without a place at any time.
        nodes_ordered, nodes_let_go, nodes_recourse, nodes_reclaimed: how many.
        returns: moves to a pool that another move went away from within ``RETURN_H``.
        spot_share: of the node-hours.
    """

    policy: str
    hours: float
    usd: float
    usd_per_hour: Amount
    pod_minutes: float
    pod_minutes_short: float
    share_short: Amount
    minutes_short_share: float
    minutes_deep: float
    worst_share_short: float
    nodes_ordered: int
    nodes_let_go: int
    nodes_recourse: int
    nodes_reclaimed: int
    returns: int
    spot_share: float


def usd_of(run: Run) -> float:
    """What was paid."""
    return float(sum(i.usd_per_hour * i.hours for i in run.intervals))


def share_short_of(run: Run) -> float:
    """Share of the pod-minutes without a place."""
    wanted = sum(i.wanted * i.hours for i in run.intervals)
    return sum(i.short * i.hours for i in run.intervals) / wanted if wanted else 0.0


def returns_of(moves: Sequence[Move], within_h: float = RETURN_H) -> int:
    """Moves that enter a pool which an earlier one left not longer ago than ``within_h``."""
    count = 0
    for k, move in enumerate(moves):
        recent = (m for m in moves[:k] if move.at_h - m.at_h <= within_h)
        count += bool(set(move.entered) & {pool for m in recent for pool in m.left})
    return count


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Times that are drawn as a whole, and the draws.

    Args:
        edges_s: of the blocks, shape (blocks + 1,).
        picked: blocks of each draw, shape (draws, blocks).
    """

    edges_s: FloatArray
    picked: np.ndarray[tuple[int, ...], np.dtype[np.int64]]

    @classmethod
    def of(cls, span: Span, rng: np.random.Generator) -> "Blocks":
        """Days, or shorter equal parts where there are fewer than ``FEWEST_BLOCKS`` of them."""
        days = int((span.end_s - span.start_s + TOLERANCE_S) // DAY_S)
        count = max(days, FEWEST_BLOCKS)
        edges = np.linspace(span.start_s, span.end_s, count + 1)
        return cls(edges, rng.integers(0, count, (DRAWS, count)))

    def sums(self, run: Run, rate: Callable[[Interval], float]) -> FloatArray:
        """Integral of a rate per hour over each block, shape (blocks,)."""
        starts = np.array([i.start_s for i in run.intervals])
        ends = np.array([i.end_s for i in run.intervals])
        rates = np.array([rate(i) for i in run.intervals], dtype=np.float64)
        total = np.concatenate([[0.0], np.cumsum(rates * (ends - starts))])
        reached = np.interp(self.edges_s, np.append(starts[:1], ends), total)
        amounts: FloatArray = np.diff(reached) / SECONDS_PER_HOUR
        return amounts

    def ratio(self, above: FloatArray, below: FloatArray) -> Amount:
        """Of two sums over all blocks, shape (blocks,) each."""
        drawn_above, drawn_below = (part[self.picked].sum(axis=1) for part in (above, below))
        if not below.sum() > 0.0:
            return Amount(0.0, 0.0, 0.0)
        shares = drawn_above / np.where(drawn_below > 0.0, drawn_below, np.inf)
        tail = (1.0 - LEVEL) / 2.0
        low, high = np.quantile(shares, [tail, 1.0 - tail])
        return Amount(float(above.sum() / below.sum()), float(low), float(high))


def usd_rate(interval: Interval) -> float:
    """What is paid an hour."""
    return interval.usd_per_hour


def saving_against(ours: Run, other: Run, blocks: Blocks) -> Amount:
    """Share of what ``other`` paid that ``ours`` did not pay; negative where it paid more."""
    cost = blocks.ratio(blocks.sums(ours, usd_rate), blocks.sums(other, usd_rate))
    return Amount(1.0 - cost.value, 1.0 - cost.high, 1.0 - cost.low)


def scored(run: Run, blocks: Blocks) -> Score:
    """All figures of a run.

    Raises:
        ReplayError: it is empty.
    """
    if not run.intervals:
        raise ReplayError(f"{run.policy}: nothing was replayed in this time")
    hours = sum(i.hours for i in run.intervals)
    wanted = blocks.sums(run, lambda i: i.wanted)
    short = blocks.sums(run, lambda i: i.short)
    node_hours = sum(i.nodes * i.hours for i in run.intervals)
    return Score(
        policy=run.policy,
        hours=hours,
        usd=usd_of(run),
        usd_per_hour=blocks.ratio(blocks.sums(run, usd_rate), blocks.sums(run, lambda _: 1.0)),
        pod_minutes=60.0 * sum(i.wanted * i.hours for i in run.intervals),
        pod_minutes_short=60.0 * sum(i.short * i.hours for i in run.intervals),
        share_short=blocks.ratio(short, wanted),
        minutes_short_share=sum(i.hours for i in run.intervals if i.short) / hours,
        minutes_deep=60.0 * sum(i.hours for i in run.intervals if i.share_short > DEEP),
        worst_share_short=max(i.share_short for i in run.intervals),
        nodes_ordered=_nodes(run, "plan", 1),
        nodes_let_go=_nodes(run, "plan", -1),
        nodes_recourse=_nodes(run, "recourse", 1),
        nodes_reclaimed=_nodes(run, "reclaim", -1),
        returns=returns_of(run.moves),
        spot_share=sum(i.spot_nodes * i.hours for i in run.intervals) / max(node_hours, 1e-9),
    )


def _nodes(run: Run, kind: str, sign: int) -> int:
    changes = (count for c in run.changes if c.kind == kind for _, count in c.nodes)
    return sum(abs(count) for count in changes if count * sign > 0)
