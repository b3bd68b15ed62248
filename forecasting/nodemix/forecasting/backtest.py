"""How each model would have done at a few recent origins of the same history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from nodemix.forecasting.clean import BoolArray, CleanHistory
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.evaluate import fair_crps, maximum_crps, tail_pinball
from nodemix.forecasting.guard import checked
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import DemandHistory, FloatArray, Forecaster, Horizon

STRIDE = 0.7
"""Distance of origins in horizons; not a whole day, so that they differ in the time of day."""


@runtime_checkable
class Trainable(Protocol):
    """A model whose costly part can be done once for several origins."""

    def trained(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> Forecaster:
        """The same model, trained on ``history``; raises :class:`ModelFailedError`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What a model scored, or why it gave none.

    Args:
        model: its name.
        per_series: shape (series,), lower is better, in shares of the series' mean demand; None
            when the model failed.
        failure: why; empty when it did not.
        speaker: the model, trained; None when it failed.
    """

    model: str
    per_series: FloatArray | None
    failure: str = ""
    speaker: Forecaster | None = None

    @property
    def total(self) -> float:
        """Mean over the series; infinite when the model failed."""
        return float("inf") if self.per_series is None else float(self.per_series.mean())


def backtest_origins(steps: int, horizon: int, count: int, shortest: int) -> tuple[int, ...]:
    """Lengths of the histories known at up to ``count`` recent origins, newest last.

    Each leaves ``horizon`` steps to compare with and at least ``shortest`` to learn from.
    """
    stride = max(1, round(STRIDE * horizon))
    newest = steps - horizon
    lengths = [newest - i * stride for i in range(count)]
    return tuple(length for length in reversed(lengths) if length >= shortest)


def backtest(
    model: Forecaster,
    ready: CleanHistory,
    horizon: Horizon,
    origins: Sequence[int],
    rng: np.random.Generator,
) -> Score:
    """Score of ``model``, trained once on what was known at the first of ``origins``.

    Steps that were not observed count for nothing: where a gap was filled with another day, that
    day would be a perfect forecast.
    """
    history = ready.history
    try:
        if isinstance(model, Trainable):
            model = model.trained(history.until(origins[0]), horizon, rng)
        scores = [_score(model, ready, horizon, origin, rng) for origin in origins]
    except ModelFailedError as failed:
        return Score(model.name, None, failed.why)
    return Score(model.name, np.mean(scores, axis=0), speaker=model)


def _score(
    model: Forecaster,
    ready: CleanHistory,
    horizon: Horizon,
    origin: int,
    rng: np.random.Generator,
) -> FloatArray:
    """CRPS of the steps and of the highest demand, plus tail pinball loss; shape (series,).

    Capacity needs the last two; the first steadies the choice, for it rests on more numbers.
    """
    history = ready.history
    forecast = checked(model.name, model.forecast(history.until(origin), horizon, rng), horizon)
    counts = _counts(ready, origin, horizon.steps)
    samples = forecast.samples.astype(np.float64) * counts
    actual = history.values[:, :, origin : origin + horizon.steps].transpose(0, 2, 1) * counts
    level = history.values.mean(axis=2)
    level = np.where(level > 0, level, 1.0)
    highest = maximum_crps(samples, actual) / level
    each = fair_crps(samples, actual).mean(axis=1) / level
    tail = tail_pinball(samples, actual).mean(axis=1) / level
    score: FloatArray = (highest + each + tail).mean(axis=1)
    return score


def _counts(ready: CleanHistory, origin: int, steps: int) -> BoolArray:
    """Which steps after an origin are compared, shape (series, steps, indicators).

    Those observed, of series that were there all the time or began a day before: what was filled
    in before a series began comes from its first day, and must not be known in advance.
    """
    first = ready.first_step
    began = (first == 0) | (first + steps_per_day(ready.history.step_s) <= origin)
    observed: BoolArray = ready.observed[:, :, origin : origin + steps] & began[:, None, None]
    return observed.transpose(0, 2, 1)
