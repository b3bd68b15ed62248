"""Which futures belong together: a Gaussian copula over every row and step at once.

Past ranks become normal scores; a draw is a random mix of the scores of all past origins, which
has standard normal margins and exactly their rank correlation, without ever forming the matrix.
"""

import numpy as np
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray
from scipy.special import ndtr, ndtri

SHARED = 0.8
"""Share of a row's variance that moves with the other rows; shrinks chance correlations."""


def normal_scores(past: FloatArray) -> FloatArray:
    """Ranks over the first axis as normal scores with mean 0 and variance 1; ties by order."""
    count = past.shape[0]
    ranks: IndexArray = np.argsort(np.argsort(past, axis=0, kind="stable"), axis=0, kind="stable")
    scores = ndtri((ranks + 0.5) / count)
    scaled: FloatArray = scores / max(float(ndtri((np.arange(count) + 0.5) / count).std()), 1e-9)
    return scaled


def joint_noise(past: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Standard normal noise, correlated over rows and steps as ``past`` was.

    Args:
        past: what the noise would have been, shape (origins, rows, steps), at least two origins.
        draws: number of joint paths.
        rng: source of randomness.

    Returns:
        Shape (rows, draws, steps). Steps of one row keep their full correlation, two rows
        ``SHARED`` times theirs.
    """
    scores = normal_scores(past)
    origins, rows, _ = scores.shape
    together = rng.standard_normal((draws, origins))
    noise = np.empty((rows, draws, scores.shape[2]))
    for row in range(rows):
        alone = rng.standard_normal((draws, origins))
        weights = np.sqrt(SHARED) * together + np.sqrt(1.0 - SHARED) * alone
        noise[row] = weights @ scores[:, row] / np.sqrt(origins)
    return noise


def recalibrated(noise: FloatArray, past: FloatArray) -> FloatArray:
    """Standard normal ``noise`` with each row's own past margins, heavier tails included.

    Args:
        noise: shape (rows, draws, steps).
        past: what the noise would have been, shape (origins, rows, steps).
    """
    levels = ndtr(noise)
    rows = [np.quantile(past[:, row], levels[row]) for row in range(noise.shape[0])]
    return np.stack(rows)
