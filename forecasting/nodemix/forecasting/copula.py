"""Which futures belong together: the empirical copula of past noise over every row and step.

A draw follows the noise of one past origin, for all rows at once, so that what came together
(a burst that lasts, cpu with memory, a rush that hits every service) stays together, extremes
included. A little of a Gaussian mix of all origins keeps two draws of the same origin apart. What
remains of it are ranks: the quantiles of each step are dealt out to the draws in their order.
(A Gaussian copula alone tears bursts apart: the CRPS of the highest demand was 9 % higher.)

Source: the Schaake shuffle of Clark et al., Journal of Hydrometeorology 5 (2004).
"""

import numpy as np
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray, Samples
from scipy.special import ndtri

SHARED = 0.8
"""Share of the draws in which a row follows the others; the rest shrinks chance correlations."""

MIX = 0.05
"""Share of the variance that comes from the Gaussian mix."""


def normal_scores(past: FloatArray) -> FloatArray:
    """Ranks over the last axis as normal scores with mean 0 and variance 1."""
    count = past.shape[-1]
    middle = (np.arange(count) + 0.5) / count
    scaled: FloatArray = (ndtri(middle) / max(float(ndtri(middle).std()), 1e-9))[ranks(past)]
    return scaled


def ranks(values: FloatArray | Samples) -> IndexArray:
    """Place of each value among those of its last axis, from 0."""
    order = np.argsort(values, axis=-1)
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.arange(values.shape[-1]), axis=-1)
    return found


def joint_ranks(past: FloatArray, draws: int, rng: np.random.Generator) -> IndexArray:
    """Which of the draws is how high, so that they belong together as ``past`` did.

    Args:
        past: what the noise would have been, shape (origins, rows, steps), at least two origins.
        draws: number of joint paths.
        rng: source of randomness.

    Returns:
        Shape (rows, steps, draws), each step a permutation of the draws.
    """
    scores = normal_scores(past.transpose(1, 2, 0))
    rows, steps, origins = scores.shape
    together = rng.integers(origins, size=draws)
    mixed = rng.standard_normal((origins, draws)) / np.sqrt(origins)
    found = np.empty((rows, steps, draws), dtype=np.int64)
    for row in range(rows):
        follows = rng.random(draws) < SHARED
        stray = scores[rng.integers(rows, size=draws), :, rng.integers(origins, size=draws)].T
        curve = np.where(follows, scores[row][:, together], stray)
        curve = np.sqrt(1.0 - MIX) * curve + np.sqrt(MIX) * (scores[row] @ mixed)
        found[row] = ranks(curve.astype(np.float32))
    return found
