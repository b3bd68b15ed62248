"""Forecasts of several models, or of several sets of series, as one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from nodemix.forecasting.types import DemandForecast, FloatArray, Samples

GOLDEN = (5**0.5 - 1) / 2


def joined(parts: Sequence[DemandForecast], series: Sequence[str]) -> DemandForecast:
    """Forecasts of disjoint series side by side, in the order of ``series``.

    Draws of different parts belong together only by their number: parts are independent.
    """
    names = [name for part in parts for name in part.series]
    order = [names.index(name) for name in series]
    samples = np.concatenate([part.samples for part in parts], axis=1)[:, order]
    return replace(
        parts[0],
        series=tuple(series),
        samples=np.ascontiguousarray(samples),
        verdicts=tuple(verdict for part in parts for verdict in part.verdicts),
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


def pooled(made: Mapping[str, DemandForecast], shares: Mapping[str, FloatArray]) -> DemandForecast:
    """A mixture: each model gives its share of the draws, row by row.

    Models draw their futures independently. So that one draw is still one future, the draws of
    every model are first put into the order of the leader's by total demand: its future of highest
    demand meets their futures of highest demand. Then each draw of a row is taken whole from one
    model, and rows of equal shares take the same one. The golden ratio spreads the draws of a
    model evenly over quiet and busy futures.

    Args:
        made: by model, at least one.
        shares: of each model of ``made``, shape (series, indicators); they add up to 1.
    """
    leader = max(made, key=lambda name: float(shares[name].sum()))
    if len(made) == 1:
        return made[leader]
    rank = np.argsort(np.argsort(busyness(made[leader].samples), kind="stable"), kind="stable")
    turn = ((rank + 0.5) * GOLDEN % 1.0)[:, None, None]
    samples, begin = made[leader].samples, shares[leader]
    for name in (name for name in made if name != leader):
        end = begin + shares[name]
        theirs = ((begin <= turn) & (turn < end))[:, :, None, :]
        ordered = np.argsort(busyness(made[name].samples), kind="stable")[rank]
        samples = np.where(theirs, made[name].samples[ordered], samples)
        begin = end
    return replace(made[leader], samples=samples)


def busyness(samples: Samples) -> FloatArray:
    """Highest demand of each draw summed over series, in shares of their mean; (draws,)."""
    highest = samples.max(axis=2).astype(np.float64)
    middle = highest.mean(axis=0)
    share: FloatArray = (highest / np.where(middle > 0, middle, 1.0)).sum(axis=(1, 2))
    return share
