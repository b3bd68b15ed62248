"""What share of each spot pool outlives a horizon, drawn for all pools together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.risk.hazard import Hazard, PoolKey

MOST_SHOCKS = 64
"""After so many, each of a tenth, a thousandth is left: memory stays in bounds for any horizon."""


@dataclass(frozen=True, slots=True)
class SharedFactors:
    """Gamma shapes of the factors that pools of a zone, and of a family, have in common.

    The defaults are the most that real traces do not refute: upper 95 % limits of how much oftener
    pools are hit in the same hour than alone. The estimates themselves are near zero
    (``benchmarks/hazard.py --shared``, the first half in time).

    Args:
        zone_shape, family_shape: the larger, the less is shared; infinite for nothing.
    """

    zone_shape: float = 4.0
    family_shape: float = 14.0

    def __post_init__(self) -> None:
        if not (self.zone_shape > 0.0 and self.family_shape > 0.0):
            raise ParameterError(f"shapes of shared factors must be positive, got {self}")

    @property
    def spread(self) -> float:
        """Mean of the square of both factors' product; its mean is 1."""
        return (1.0 + 1.0 / self.zone_shape) * (1.0 + 1.0 / self.family_shape)


DEFAULT_FACTORS = SharedFactors()


def draw_surviving(
    hazards: Sequence[Hazard],
    pools: Sequence[PoolKey],
    horizon_h: float,
    draws: int,
    rng: np.random.Generator,
    factors: SharedFactors = DEFAULT_FACTORS,
) -> FloatArray:
    """Shares of the pools' nodes that are left after the horizon, none of them replaced.

    Args:
        hazards: of ``pools``, in their order.

    Returns:
        In [0, 1], shape (draws, pools).

    Raises:
        ParameterError: hazards and pools do not match, or the horizon is no time.
    """
    if len(hazards) != len(pools):
        raise ParameterError(f"each pool needs a hazard, got {len(hazards)} for {len(pools)}")
    if not 0.0 <= horizon_h < math.inf:
        raise ParameterError(f"horizon_h must not be negative, got {horizon_h}")
    expected = _own_shocks(hazards, horizon_h, draws, rng, factors)
    expected *= _shared([pool.zone for pool in pools], factors.zone_shape, draws, rng)
    expected *= _shared([pool.family for pool in pools], factors.family_shape, draws, rng)
    shocks = np.minimum(rng.poisson(expected), MOST_SHOCKS).astype(np.int64)
    return _left(shocks, hazards, rng)


def _own_shocks(
    hazards: Sequence[Hazard],
    horizon_h: float,
    draws: int,
    rng: np.random.Generator,
    factors: SharedFactors,
) -> FloatArray:
    """Shocks to expect before the shared factors; with them they spread as the hazards say.

    A pool that is steadier than the shared factors gets a rate of its own that does not vary.
    """
    expected = np.empty((draws, len(hazards)))
    for column, hazard in enumerate(hazards):
        shape, mean = hazard.within(horizon_h)
        own = (1.0 + 1.0 / shape) / factors.spread - 1.0
        own_shape = 1.0 / own if own > 0.0 else math.inf
        expected[:, column] = mean * _of_mean_one(own_shape, draws, rng)
    return expected


def _shared(
    groups: Sequence[str], shape: float, draws: int, rng: np.random.Generator
) -> FloatArray:
    """One factor for each group and draw, dealt to its members; shape (draws, members)."""
    names = sorted(set(groups))
    factor = np.column_stack([_of_mean_one(shape, draws, rng) for _ in names] or [np.ones(draws)])
    dealt: FloatArray = factor[:, [names.index(group) for group in groups]]
    return dealt


def _of_mean_one(shape: float, draws: int, rng: np.random.Generator) -> FloatArray:
    return np.ones(draws) if math.isinf(shape) else rng.gamma(shape, 1.0 / shape, draws)


def _left(shocks: IntArray, hazards: Sequence[Hazard], rng: np.random.Generator) -> FloatArray:
    """What is left after so many shocks, each of which takes a share of what it finds.

    Args:
        shocks: shape (draws, pools).
    """
    flat = shocks.ravel()
    hit = np.flatnonzero(flat)
    severity = np.array([hazard.severity for hazard in hazards]).reshape(-1, 2)
    pool = np.repeat(hit % max(1, len(hazards)), flat[hit])
    left = np.ones(flat.size)
    if hit.size:
        kept = 1.0 - rng.beta(*severity[pool].T)
        first = np.concatenate([[0], np.cumsum(flat[hit])[:-1]])
        left[hit] = np.multiply.reduceat(kept, first)
    return left.reshape(shocks.shape)
