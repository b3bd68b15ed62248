"""How the rate of a pool now compares with its rate of days, and how the difference calms down."""

import math
from dataclasses import dataclass

CALMING_H = 2.0 / math.log(2.0)
"""Of a book with the usual short half-life of two hours."""
SHORT = 1e-3
"""Of calming times; below it the difference of what is nearly equal would be noise."""


@dataclass(frozen=True, slots=True)
class Unrest:
    """The rate of a pool now, in units of its rate of days, to which it returns.

    The rate goes its way as a process of Ornstein and Uhlenbeck does; a horizon meets its average.

    Args:
        ratio: of the rate now to the rate of days, mean.
        shape: of the gamma law of that ratio.
        calming_h: after which a departure is smaller by a factor e.

    Source: Uhlenbeck and Ornstein, On the theory of Brownian motion, Physical Review 36 (1930).
    """

    ratio: float = 1.0
    shape: float = math.inf
    calming_h: float = CALMING_H

    def mean(self, horizon_h: float) -> float:
        """Of the average over the horizon."""
        return 1.0 + (self.ratio - 1.0) * self._remembered(horizon_h)

    def variance(self, horizon_h: float, wild: float) -> float:
        """Of the average over the horizon.

        Args:
            wild: variance of the rate at a moment about which nothing is known.
        """
        remembered = self._remembered(horizon_h)
        return self.ratio**2 / self.shape * remembered**2 + wild * self._grown(horizon_h)

    def _remembered(self, horizon_h: float) -> float:
        """Share of today's departure in the average: 1 at once, 0 in the end."""
        times = horizon_h / self.calming_h
        return -math.expm1(-times) / times if times > 0.0 else 1.0

    def _grown(self, horizon_h: float) -> float:
        """Variance of the average of a process that starts at a known place, of its own 1."""
        times = horizon_h / self.calming_h
        if times < SHORT:
            return 2.0 / 3.0 * times
        gone = 2.0 * times - 3.0 + 4.0 * math.exp(-times) - math.exp(-2.0 * times)
        return gone / times**2


CALM = Unrest()
"""A pool as restless as it is on average."""
