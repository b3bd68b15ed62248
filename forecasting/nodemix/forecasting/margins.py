"""How past noise was really distributed, row by row."""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.anchors import LEVELS, NOISE
from nodemix.forecasting.types import FloatArray
from scipy.special import ndtri

OWN_WEIGHT_ORIGINS = 60.0
"""With this many past origins a row's own noise and that of all rows count the same."""

FURTHEST = 0.5
"""How far a quantile of the noise may be moved: a single event is no distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Quantiles of past noise.

    Args:
        values: at ``LEVELS``, shape (rows, LEVELS).
    """

    values: FloatArray

    def spread(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """Ascending noise that covers each row's own margin evenly, shape (rows, draws)."""
        level = (np.arange(draws) + rng.random(draws)) / draws
        noise = ndtri(np.clip(level, 1e-6, 1.0 - 1e-6))
        return np.stack([np.interp(noise, NOISE, own) for own in self.values])


def margins(past: FloatArray) -> Margins:
    """Of past noise, shape (origins, rows, steps); those of a standard normal without any."""
    origins, rows, _ = past.shape
    if origins == 0:
        return Margins(np.tile(NOISE, (rows, 1)))
    own = np.quantile(past.transpose(1, 0, 2).reshape(rows, -1), LEVELS, axis=1).T
    everyone = np.quantile(past, LEVELS)
    share = origins / (origins + OWN_WEIGHT_ORIGINS)
    moved = share * own + (1.0 - share) * everyone - NOISE
    return Margins(NOISE + np.clip(moved, -FURTHEST, FURTHEST))
