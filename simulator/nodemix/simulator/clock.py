"""Simulated time: what is replayed, when decisions are due, and clocks for the search."""

import math
from dataclasses import dataclass, field

from nodemix.simulator.errors import ReplayError

TOLERANCE_S = 1e-6
"""Times this close are one."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is replayed, and how often a policy decides in it.

    Args:
        start_s, end_s: seconds since the epoch.
        every_s: seconds between two decisions; the first is at the start.
    """

    start_s: float
    end_s: float
    every_s: float = 1800.0

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ReplayError(
                f"replay: it would end at {self.end_s:.0f} s, not after its start at "
                f"{self.start_s:.0f} s; give a longer history or other times"
            )
        if not 0.0 < self.every_s < math.inf:
            raise ReplayError(f"replay: decisions every {self.every_s} s; give a positive number")

    @property
    def hours(self) -> float:
        """Length."""
        return (self.end_s - self.start_s) / 3600.0

    @property
    def decisions(self) -> int:
        """How often a policy decides."""
        return math.ceil((self.end_s - self.start_s - TOLERANCE_S) / self.every_s)

    def next_decision_s(self, now_s: float) -> float:
        """Time of the first decision after ``now_s``; inf where none is left."""
        passed = math.floor((now_s - self.start_s + TOLERANCE_S) / self.every_s)
        due_s = self.start_s + (passed + 1) * self.every_s
        return due_s if due_s < self.end_s - TOLERANCE_S else math.inf

    def is_decision(self, now_s: float) -> bool:
        """Whether a decision is due at ``now_s``."""
        past = (now_s - self.start_s) / self.every_s
        return abs(past - round(past)) * self.every_s <= TOLERANCE_S

    def halves(self) -> tuple["Span", "Span"]:
        """The first half, for tuning, and the second; cut at a decision.

        Raises:
            ReplayError: there are fewer than two decisions.
        """
        if self.decisions < 2:
            raise ReplayError(
                f"replay: {self.hours:.1f} h hold {self.decisions} decision; two halves need two: "
                "give a longer time, or decide more often"
            )
        middle_s = self.start_s + (self.decisions // 2) * self.every_s
        return (
            Span(self.start_s, middle_s, self.every_s),
            Span(middle_s, self.end_s, self.every_s),
        )


@dataclass(slots=True)
class CountingClock:
    """Seconds that pass by being asked for: what is bounded by it ends the same way everywhere."""

    tick_s: float = 0.001
    _now_s: float = field(default=0.0, repr=False)

    def __call__(self) -> float:
        """A little later than the last time."""
        self._now_s += self.tick_s
        return self._now_s
