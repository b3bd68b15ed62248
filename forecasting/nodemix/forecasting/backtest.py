"""How each model would have done at some recent origins of the same history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from nodemix.forecasting.clean import CleanHistory
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.guard import checked
from nodemix.forecasting.pool import Record, distances
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import (
    BoolArray,
    DemandForecast,
    DemandHistory,
    FloatArray,
    Forecaster,
    Horizon,
)

JUDGED_SHARE = 0.14
"""Newest share of a history that models are compared on; they learn from what comes before."""

WIDEST_DAYS, LEAST_HORIZONS = 0.7, 1 / 8
"""Between these origins are apart: never whole days, and never so close that they say the same."""

JUDGED_DRAWS = 64
JUDGED_STEPS = 12
"""Steps of the horizon that are compared, evenly spread; their neighbours say the same."""

STILL = 1e-3

MAXIMUM_WEIGHT = 0.3
"""Of the highest demand within the horizon, beside a mean over its steps that weighs 1."""


@runtime_checkable
class Trainable(Protocol):
    """A model whose costly part can be done once for several origins."""

    def trained(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> Forecaster:
        """The same model, trained on ``history``; raises :class:`ModelFailedError`."""
        ...


@runtime_checkable
class Calibratable(Protocol):
    """A model that learns from its newest misses without being trained again."""

    def calibrated(self, history: DemandHistory, horizon: Horizon) -> Forecaster:
        """The same model and weights, set right by the end of ``history``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What came of comparing models.

    Args:
        record: of the models that gave a forecast at every origin.
        failures: name and reason of the others.
    """

    record: Record
    failures: Mapping[str, str]


def backtest_origins(steps: int, horizon: int, season: int, count: int, shortest: int) -> list[int]:
    """Lengths of the histories known at up to ``count`` recent origins, newest last.

    Each leaves ``horizon`` steps to compare with and at least ``shortest`` to learn from.

    Args:
        steps: of the history.
        horizon: in steps.
        season: steps per day.
        count: of origins.
        shortest: in steps.
    """
    newest = steps - horizon
    apart = (newest - (1.0 - JUDGED_SHARE) * steps) / max(1, count - 1)
    apart = min(apart, WIDEST_DAYS * season)
    apart = max(apart, LEAST_HORIZONS * horizon, 1.0)
    lengths = [newest - round(i * apart) for i in range(count)]
    return [length for length in reversed(lengths) if length >= shortest]


def judged(
    models: Mapping[str, Forecaster],
    ready: CleanHistory,
    horizon: Horizon,
    origins: Sequence[int],
    rng: np.random.Generator,
    is_late: Callable[[str], bool] = lambda _: False,
) -> Trial:
    """Compare models, trained on nothing after the first of ``origins``, at each of these.

    Steps that were not observed count for nothing: where a gap was filled with another day, that
    day would be a perfect forecast.

    Args:
        models: by name, asked in this order.
        ready: what was observed.
        horizon: compared at this many steps.
        origins: lengths of the histories that models are shown.
        rng: source of randomness.
        is_late: whether there is no time left to ask the model of that name.
    """
    fewer = replace(horizon, draws=min(horizon.draws, JUDGED_DRAWS))
    said: dict[str, list[FloatArray]] = {}
    failures: dict[str, str] = {}
    for name, model in models.items():
        if is_late(name):
            failures[name] = "not compared, time was over"
            continue
        try:
            said[name] = [_said(model, ready, fewer, origin, rng) for origin in origins]
        except ModelFailedError as failed:
            failures[name] = failed.why
    record = nothing_known(tuple(said), ready.history)
    for at, origin in enumerate(origins if said else ()):
        draws = np.stack([cells[at] for cells in said.values()])
        record = record.plus(_compared(record.models, draws, ready, fewer, origin))
    return Trial(record, failures)


def nothing_known(models: tuple[str, ...], history: DemandHistory) -> Record:
    """A record of no origin."""
    rows, count = history.values.shape[:2], len(models)
    return Record(models, np.zeros((*rows, count)), np.zeros((*rows, count, count)), np.zeros(rows))


def _said(
    model: Forecaster,
    ready: CleanHistory,
    horizon: Horizon,
    origin: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws of some steps and, last, of the highest demand; (draws, series, cells, indicators)."""
    past = ready.history.until(origin)
    forecast = checked(model.name, model.forecast(past, horizon, rng), horizon, past)
    counts = _counts(ready, origin, horizon.steps)
    return _cells(forecast, counts)


def _cells(forecast: DemandForecast, counts: BoolArray) -> FloatArray:
    steps = _some_steps(forecast.steps)
    highest = (forecast.samples * counts).max(axis=2, keepdims=True)
    return np.concatenate([forecast.samples[:, :, steps], highest], axis=2).astype(np.float64)


def _some_steps(steps: int) -> list[int]:
    index = np.unique(np.linspace(0, steps - 1, min(steps, JUDGED_STEPS)).round().astype(np.int64))
    return [int(step) for step in index]


def _compared(
    models: tuple[str, ...],
    draws: FloatArray,
    ready: CleanHistory,
    horizon: Horizon,
    origin: int,
) -> Record:
    """What one origin says; ``draws`` has the shape (models, draws, series, cells, indicators)."""
    counts = _counts(ready, origin, horizon.steps)
    came = ready.history.values[:, :, origin : origin + horizon.steps].transpose(0, 2, 1)
    steps = _some_steps(horizon.steps)
    actual = np.concatenate([came[:, steps], (came * counts).max(axis=1, keepdims=True)], axis=1)
    shape = actual.shape
    miss, apart = distances(draws.reshape(*draws.shape[:2], -1), actual.reshape(-1))
    count = len(models)
    weight = _weights(counts, steps) / unit_of(ready.history.until(origin))[:, None, :]
    return Record(
        models,
        np.einsum("sck,sckm->skm", weight, miss.reshape(*shape, count)),
        np.einsum("sck,sckmn->skmn", weight, apart.reshape(*shape, count, count)),
        np.asarray(weight.any(axis=1), dtype=np.float64),
    )


def unit_of(known: DemandHistory) -> FloatArray:
    """Mean change from day to day, shape (series, indicators); infinite for rows that never move.

    Those that change by less than a thousandth of their level are among these.
    """
    values = known.values
    lag = max(1, min(steps_per_day(known.step_s), known.steps - 1))
    change = np.abs(values[:, :, lag:] - values[:, :, :-lag]).mean(axis=2)
    moves = change > STILL * values.mean(axis=2)
    unit: FloatArray = np.where(moves, change, np.inf)
    return unit


def _weights(counts: BoolArray, steps: list[int]) -> FloatArray:
    """Of each cell, shape (series, cells, indicators); zero for rows of which nothing is known."""
    some = counts[:, steps].astype(np.float64)
    total = some.sum(axis=1, keepdims=True)
    highest = MAXIMUM_WEIGHT * (total > 0)
    return np.concatenate([some / np.maximum(total, 1.0), highest], axis=1)


def _counts(ready: CleanHistory, origin: int, steps: int) -> BoolArray:
    """Which steps after an origin are compared, shape (series, steps, indicators).

    Those observed, of series that were there all the time or began a day before: what was filled
    in before a series began comes from its first day, and must not be known in advance.
    """
    first = ready.first_step
    began = (first == 0) | (first + steps_per_day(ready.history.step_s) <= origin)
    observed: BoolArray = ready.observed[:, :, origin : origin + steps] & began[:, None, None]
    return observed.transpose(0, 2, 1)
