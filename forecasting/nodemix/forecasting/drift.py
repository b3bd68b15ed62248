"""Whether forecasts have stopped fitting: a sequential test that is seldom wrong.

Where forecasts fit, the probability integral transform of the next step is uniform whatever came
before. Four bets are placed on the ways in which it may not be; each pays 1 on average while
forecasts fit, whatever ties the observations of one moment together, for a mean of fair bets is
fair. The capital of a bet is multiplied by what it pays and never falls below 1 (a CUSUM). While
forecasts fit, the mean capital takes at least ``threshold`` steps on average to reach
``threshold``: that is the false alarm rate. It also holds for small misfits, which every model has:
a share of what each bet pays is taken off, so that all are fair up to that size.

Sources: Shin, Ramdas and Rinaldo, E-detectors: a nonparametric framework for sequential change
detection, NEJSDS 2 (2024), for the capital; Arnold, Henzi and Ziegel, Sequentially valid tests
for forecast calibration, Annals of Applied Statistics 17 (2023), for beta densities as bets.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.types import FloatArray

THRESHOLD = 10_000.0
"""On average at least so many steps pass between two false alarms: 35 days of 5-minute steps."""

TOLERATED = 0.15
"""Share by which bets may win on average without an alarm, for instance where the lowest tenth of
the forecast distribution holds 15 % of demand instead of 10 %. Without it the last value of a
trace that fits no worse than that (TCP connections of fisher) gave an alarm every day."""

REMEMBERED_S = 86_400.0
"""So long after an alarm forecasts count as drifting; while they do, alarms follow each other."""


@dataclass(frozen=True, slots=True)
class Bet:
    """Money on one way to misfit.

    Args:
        share: of the bet's money below a probability: the distribution of a beta variable.
        why: what is the matter where it wins.
    """

    share: Callable[[FloatArray], FloatArray]
    why: str


BETS = (
    Bet(lambda u: u**4, "demand lies above its forecasts"),
    Bet(lambda u: 1.0 - (1.0 - u) ** 4, "demand lies below its forecasts"),
    Bet(lambda u: 0.5 * (1.0 + u**4 - (1.0 - u) ** 4), "demand varies more than its forecasts"),
    Bet(
        lambda u: u**3 * (10.0 - 15.0 * u + 6.0 * u**2),
        "demand varies less than its forecasts",
    ),
)
"""Beta(4, 1), Beta(1, 4), half of each, and Beta(3, 3)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether the forecasts of an indicator have stopped fitting.

    Args:
        statistic: evidence against the forecasts, at least 1; an alarm where it reaches
            ``threshold``, after which it starts anew.
        steps: that were tested.
        why: a sentence; empty where nothing drifts.
    """

    statistic: float
    threshold: float
    steps: int
    is_drifting: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Detector:
    """The bets on one indicator.

    Args:
        capital: of each bet.
        alarm_s: time of the last alarm; None before the first.
        reason: of that alarm.
    """

    capital: tuple[float, ...] = (1.0,) * len(BETS)
    threshold: float = THRESHOLD
    steps: int = 0
    alarm_s: float | None = None
    reason: str = ""

    @property
    def statistic(self) -> float:
        """Mean capital."""
        return sum(self.capital) / len(self.capital)

    def tested(self, low: FloatArray, high: FloatArray, time_s: float) -> "Detector":
        """After one more step.

        Args:
            low, high: probabilities between which each observation of the step lies, of forecasts
                made before it; shape (observations,).
            time_s: of the step.
        """
        if low.size == 0:
            return self
        width = high - low
        fair = [float(((bet.share(high) - bet.share(low)) / width).mean()) for bet in BETS]
        pays = [pay / (1.0 + TOLERATED) for pay in fair]
        capital = tuple(max(c, 1.0) * pay for c, pay in zip(self.capital, pays, strict=True))
        after = replace(self, capital=capital, steps=self.steps + 1)
        if after.statistic < self.threshold:
            return after
        winner = BETS[int(np.argmax(capital))]
        fresh = (1.0,) * len(BETS)
        return replace(after, capital=fresh, alarm_s=time_s, reason=winner.why)

    def drift(self, indicator: str, now_s: float) -> Drift:
        """What to say at ``now_s``."""
        is_drifting = self.alarm_s is not None and now_s - self.alarm_s <= REMEMBERED_S
        why = f"{indicator}: {self.reason}" if is_drifting else ""
        statistic = max(1.0, self.statistic)
        return Drift(statistic, self.threshold, self.steps, is_drifting, why)
