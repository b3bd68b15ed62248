"""Forecasts of several models, or of several sets of series, as one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from nodemix.forecasting.types import DemandForecast, FloatArray, Samples


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


def mixed(made: Mapping[str, DemandForecast], choice: Sequence[str]) -> DemandForecast:
    """For each series the samples of the model chosen for it.

    Models draw their futures independently. So that one draw is still one future, the draws of
    every model are put into the order of the most frequent model's by total demand: its future
    of highest demand is joined with their futures of highest demand.
    """
    leader = made[max(set(choice), key=list(choice).count)]
    order = np.argsort(np.argsort(busyness(leader.samples), kind="stable"), kind="stable")
    samples = leader.samples.copy()
    for i, name in enumerate(choice):
        if made[name] is not leader:
            ranked = np.argsort(busyness(made[name].samples), kind="stable")
            samples[:, i] = made[name].samples[ranked[order], i]
    return replace(leader, samples=samples)


def busyness(samples: Samples) -> FloatArray:
    """Highest demand of each draw summed over series, in shares of their mean; (draws,)."""
    highest = samples.max(axis=2).astype(np.float64)
    middle = highest.mean(axis=0)
    share: FloatArray = (highest / np.where(middle > 0, middle, 1.0)).sum(axis=(1, 2))
    return share
