"""Quantile functions known at a few levels: from noise to demand and back."""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.anchors import NOISE
from nodemix.forecasting.types import FloatArray
from scipy.special import ndtr, ndtri

SAME = 1e-3
"""Demand this close, in ``z``, is the same: step-like demand has the same value again and again."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Increasing piecewise linear maps.

    Args:
        values: at ``LEVELS``, shape (targets, LEVELS), not decreasing; beyond the outermost
            level demand stays what it is there.
    """

    values: FloatArray

    def forward(self, noise: FloatArray) -> FloatArray:
        """Demand at the same noise for groups of targets.

        Args:
            noise: shape (groups, points); targets are ordered by group, equally many in each.

        Returns:
            Shape (groups, targets of a group, points).
        """
        groups, points = noise.shape
        flat = np.clip(noise, NOISE[0], NOISE[-1])
        upper = np.clip(np.searchsorted(NOISE, flat), 1, NOISE.size - 1)
        share = (flat - NOISE[upper - 1]) / (NOISE[upper] - NOISE[upper - 1])
        weights = np.zeros((groups, NOISE.size, points))
        np.put_along_axis(weights, (upper - 1)[:, None], (1.0 - share)[:, None], axis=1)
        np.put_along_axis(weights, upper[:, None], share[:, None], axis=1)
        found: FloatArray = self.values.reshape(groups, -1, NOISE.size) @ weights
        return found

    def inverse(self, values: FloatArray, ties: FloatArray) -> FloatArray:
        """Noise of one value of each target.

        Args:
            values: shape (targets,).
            ties: where between the levels that give the same demand, from 0 to 1; (targets,).
        """
        low, high = (ndtr(self._inverse(values + shift)) for shift in (-SAME, SAME))
        found: FloatArray = ndtri(low + ties * (high - low))
        return np.clip(found, NOISE[0], NOISE[-1])

    def _inverse(self, values: FloatArray) -> FloatArray:
        upper = np.clip((self.values < values[:, None]).sum(axis=1), 1, NOISE.size - 1)[:, None]
        low, high = (np.take_along_axis(self.values, at, axis=1)[:, 0] for at in (upper - 1, upper))
        left, right = NOISE[upper[:, 0] - 1], NOISE[upper[:, 0]]
        share = np.clip((values - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        found: FloatArray = left + share * (right - left)
        return found
