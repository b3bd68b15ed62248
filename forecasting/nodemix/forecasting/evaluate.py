"""How good forecasts were, judged by their samples.

Of many origins, sums and counts of every score are kept row by row, so that steps that were not
observed count for nothing, and one pass over the origins is enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.errors import ShapeError
from nodemix.forecasting.types import BoolArray, FloatArray

CENTRAL = (0.50, 0.80, 0.95)
UPPER = (0.90, 0.95, 0.99)
EXCEEDED = (0.95, 0.99)
LEAST_SCALE = 1e-3
"""Share of a row's mean level; rows that change less from day to day are left out."""
LEAST_RATIO = 1e-3
"""Floor of a row's scaled score in the geometric mean, where a perfect forecast would give 0."""

Sums = Mapping[str, tuple[FloatArray, FloatArray]]
"""For each score the sum over what was observed and how much that was, shape (rows,) each."""


def fair_crps(samples: FloatArray, actual: FloatArray) -> FloatArray:
    """Fair continuous ranked probability score; lower is better, unbiased in the draw count.

    It can be slightly negative, which is the price of being unbiased.

    Args:
        samples: shape (draws, ...), at least two draws.
        actual: shape (...), unit of ``samples``.

    Returns:
        Shape of ``actual``, unit of ``samples``.

    Source: Ferro, Fair scores for ensemble forecasts, QJRMS 140 (2014).
    """
    _check(samples, actual)
    draws = samples.shape[0]
    ordered = np.sort(samples, axis=0)
    weights = 2.0 * np.arange(draws) - draws + 1.0
    spread = np.tensordot(weights, ordered, axes=(0, 0)) / (draws * (draws - 1))
    score: FloatArray = np.abs(samples - actual).mean(axis=0) - spread
    return score


def pinball(predicted: FloatArray, level: float, actual: FloatArray) -> FloatArray:
    """Pinball loss of one quantile level, element by element; lower is better."""
    error = actual - predicted
    loss: FloatArray = np.maximum(level * error, (level - 1.0) * error)
    return loss


def _check(samples: FloatArray, actual: FloatArray) -> None:
    if samples.shape[1:] != actual.shape or samples.shape[0] < 2:
        raise ShapeError("samples", (">= 2 draws", *actual.shape), samples.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What the scores of a row are divided by.

    Args:
        change: mean absolute change from day to day before the first origin, shape (rows,).
        counts: rows that change at all, shape (rows,).
    """

    change: FloatArray
    counts: BoolArray


def day_to_day(past: FloatArray, season: int) -> Scale:
    """The scale of each row; steps that were not observed are passed over.

    Args:
        past: before the first origin, NaN where nothing was observed, shape (rows, steps).
        season: steps per day.
    """
    changes = np.abs(past[:, season:] - past[:, :-season])
    seen = np.isfinite(changes).sum(axis=1)
    change = np.nansum(changes, axis=1) / np.maximum(seen, 1)
    level = np.nansum(np.abs(past), axis=1) / np.maximum(np.isfinite(past).sum(axis=1), 1)
    counts: BoolArray = (seen > 0) & (change > LEAST_SCALE * level)
    return Scale(np.where(counts, change, 1.0), counts)


def score_origin(samples: FloatArray, actual: FloatArray, rng: np.random.Generator) -> Sums:
    """All scores of one origin, in the unit of the rows.

    Args:
        samples: joint paths, shape (rows, draws, steps).
        actual: NaN where nothing was observed, shape (rows, steps).
        rng: tears the steps of the paths apart, to see what their belonging together is worth.
    """
    seen = np.isfinite(actual)
    filled = np.where(seen, actual, 0.0)
    by_draw = samples.transpose(1, 0, 2)
    torn = rng.permuted(by_draw, axis=0)
    steps: dict[str, FloatArray] = {"crps": fair_crps(by_draw, filled)}
    steps["absolute_error"] = np.abs(np.median(by_draw, axis=0) - filled)
    for level in CENTRAL:
        low = np.quantile(by_draw, 0.5 - level / 2, axis=0)
        high = np.quantile(by_draw, 0.5 + level / 2, axis=0)
        inside = np.logical_and(low <= filled, filled <= high)
        steps[f"coverage_{100 * level:.0f}"] = np.asarray(inside, dtype=np.float64)
    for level in UPPER:
        quantile: FloatArray = np.quantile(by_draw, level, axis=0)
        steps[f"pinball_{level:.2f}"] = pinball(quantile, level, filled)
        if level in EXCEEDED:
            steps[f"exceedance_{level:.2f}"] = (filled > quantile).astype(np.float64)
    sums = {name: _summed(values, seen) for name, values in steps.items()}
    some: BoolArray = np.asarray(seen.any(axis=1))
    sums["energy"] = _summed(_energy(by_draw, filled, seen)[:, None], some[:, None])
    for name, paths in (("maximum_crps", by_draw), ("maximum_crps_independent", torn)):
        sums[name] = _summed(_maximum_crps(paths, filled, seen)[:, None], some[:, None])
    return sums


def _summed(values: FloatArray, seen: BoolArray) -> tuple[FloatArray, FloatArray]:
    total: FloatArray = np.where(seen, values, 0.0).sum(axis=1)
    return total, seen.sum(axis=1).astype(np.float64)


def _energy(by_draw: FloatArray, actual: FloatArray, seen: BoolArray) -> FloatArray:
    """Energy score of each row's path over the horizon, per square root of a step."""
    half = by_draw.shape[0] // 2
    paths = np.where(seen, by_draw, 0.0)
    miss = np.linalg.norm(paths - actual, axis=2).mean(axis=0)
    spread = np.linalg.norm(paths[:half] - paths[half : 2 * half], axis=2).mean(axis=0)
    score: FloatArray = (miss - 0.5 * spread) / np.sqrt(np.maximum(seen.sum(axis=1), 1))
    return score


def _maximum_crps(by_draw: FloatArray, actual: FloatArray, seen: BoolArray) -> FloatArray:
    """CRPS of the highest demand over the steps that were observed."""
    highest = np.where(seen, by_draw, 0.0).max(axis=2)
    return fair_crps(highest, actual.max(axis=1))


def added(parts: Sequence[Sums]) -> Sums:
    """The sums over origins."""
    return {
        name: (
            np.sum([part[name][0] for part in parts], axis=0),
            np.sum([part[name][1] for part in parts], axis=0),
        )
        for name in parts[0]
    }


def summarise(sums: Sums, scale: Scale) -> dict[str, float]:
    """One figure a score: means over rows, scaled where the score has the unit of the row."""
    means = {name: _row_means(*of, scale.counts) for name, of in sums.items()}
    unit = scale.change[scale.counts]
    crps = means["crps"] / unit
    known = np.isfinite(crps)
    figures = {
        "scrps": float(np.nanmean(crps)),
        "scrps_geometric": float(np.exp(np.log(np.maximum(crps[known], LEAST_RATIO)).mean())),
        "mase": float(np.nanmean(means["absolute_error"] / unit)),
    }
    for name in sums:
        if name.startswith(("coverage", "exceedance")):
            total, count = (of[scale.counts].sum() for of in sums[name])
            figures[name] = float(total / count)
        elif name not in {"crps", "absolute_error"}:
            figures[name] = float(np.nanmean(means[name] / unit))
    return figures


def _row_means(total: FloatArray, count: FloatArray, counts: BoolArray) -> FloatArray:
    """Means of the rows that count; NaN where nothing was observed."""
    seen = np.where(count > 0, count, np.nan)[counts]
    means: FloatArray = total[counts] / seen
    return means
