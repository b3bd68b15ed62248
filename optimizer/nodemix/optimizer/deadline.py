"""Time as an argument."""

from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]
"""Seconds, monotonic; ``time.monotonic`` outside of tests."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time that every loop of the search checks."""

    clock: Clock
    at_s: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """The deadline ``seconds`` from now."""
        return cls(clock, clock() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at_s - self.clock()

    @property
    def has_passed(self) -> bool:
        """Whether no time is left."""
        return self.left_s <= 0

    def within(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and ``seconds`` from now."""
        return Deadline(self.clock, min(self.at_s, self.clock() + seconds))
