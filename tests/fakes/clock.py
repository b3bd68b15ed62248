"""A clock that a test moves."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Seconds, as any clock of the operator gives them."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds
