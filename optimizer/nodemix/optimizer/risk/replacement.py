"""How long a node is waited for: boot times seen, and the lead time they suggest.

The next boot is believed to be like one of those seen, or like what the policy expects, which
counts for a few boots: a Dirichlet process. So quick boots shorten the lead time only once there
are many, and slow ones lengthen it as soon as they are more than one in twenty.

Source: Ferguson, A Bayesian analysis of some nonparametric problems, Annals of Statistics 1 (1973).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from nodemix.optimizer.errors import ParameterError
from scipy.special import ndtri

MOST_REMEMBERED = 200
"""Boots that count; clouds and images change, and older ones say little."""
PRIOR_BOOTS = 5.0
"""Boots that the policy's lead time counts for."""
PRIOR_SPREAD = 0.3
"""Of the logarithm of the boot times that the policy expects: they differ by about a third."""
LEVEL = 0.95
"""Quantile of the boots that a plan waits for; later ones are late in one case of twenty."""
LEAST_S = 30.0
"""No cloud is faster from the request to a pod that runs; less is a clock that went wrong."""


@dataclass(frozen=True, slots=True)
class BootTimes:
    """Seconds from the creation of a node's object until it was ready, latest last."""

    seconds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(0.0 <= s < math.inf for s in self.seconds):
            raise ParameterError("boot times must be finite and not negative")

    def observed(self, seconds: Iterable[float]) -> Self:
        """With further boots; of many the latest stay."""
        return type(self)((*self.seconds, *seconds)[-MOST_REMEMBERED:])

    def lead_time_s(self, prior_s: float) -> float:
        """Time to wait for a node: that in which 95 % of the next boots are believed to end.

        It lies between the policy's and the same quantile of the boots seen.

        Args:
            prior_s: what the policy says; taken for that quantile of the boots it expects.

        Raises:
            ParameterError: ``prior_s`` is no time.
        """
        _require_time(prior_s)
        if not self.seconds:
            return prior_s
        boots = (0.0, *sorted(self._believable))
        asked = LEVEL * (PRIOR_BOOTS + len(self.seconds))
        return min(
            max(slowest, _expected_s((asked - seen) / PRIOR_BOOTS, prior_s))
            for seen, slowest in enumerate(boots)
        )

    @property
    def _believable(self) -> tuple[float, ...]:
        return tuple(max(LEAST_S, seconds) for seconds in self.seconds)


def _expected_s(share: float, prior_s: float) -> float:
    """Time in which a share of the boots that the policy expects end; log-normal."""
    if share >= 1.0:
        return math.inf
    deviations = float(ndtri(max(0.0, share)) - ndtri(LEVEL))
    return prior_s * math.exp(PRIOR_SPREAD * deviations)


def _require_time(prior_s: float) -> None:
    if not 0.0 <= prior_s < math.inf:
        raise ParameterError(f"prior_s must be a time in seconds, got {prior_s}")
