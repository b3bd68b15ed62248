"""How long a node is waited for: boot times seen, and the lead time they suggest."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from nodemix.optimizer.errors import ParameterError

MOST_REMEMBERED = 200
"""Boots that count; clouds and images change, and older ones say little."""
PRIOR_BOOTS = 5.0
"""Boots that the policy's lead time counts for."""
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
        """Time to wait for a node: a high quantile of the boots seen, leaning on the policy's.

        The policy's time counts as some boots, so that one quick boot proves nothing.

        Args:
            prior_s: what the policy says.
        """
        if not self.seconds:
            return prior_s
        ordered = sorted(self.seconds)
        high = ordered[min(len(ordered) - 1, math.ceil(LEVEL * len(ordered)) - 1)]
        seen = float(len(ordered))
        return max(LEAST_S, (seen * high + PRIOR_BOOTS * prior_s) / (seen + PRIOR_BOOTS))
