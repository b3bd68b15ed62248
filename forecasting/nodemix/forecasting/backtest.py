"""How each model would have done at a few recent origins of the same history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.evaluate import maximum_crps, tail_pinball
from nodemix.forecasting.types import DemandHistory, FloatArray, Forecaster, Horizon

STRIDE = 0.7
"""Distance of origins in horizons; not a whole day, so that they differ in the time of day."""

LEVEL_FLOOR = 1e-9


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
    """

    model: str
    per_series: FloatArray | None
    failure: str = ""

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
    history: DemandHistory,
    horizon: Horizon,
    origins: Sequence[int],
    rng: np.random.Generator,
) -> Score:
    """Score of ``model``, trained once on what was known at the first of ``origins``."""
    try:
        ready = model
        if isinstance(model, Trainable):
            ready = model.trained(history.until(origins[0]), horizon, rng)
        scores = [_score(ready, history, horizon, origin, rng) for origin in origins]
    except ModelFailedError as failed:
        return Score(model.name, None, failed.why)
    return Score(model.name, np.mean(scores, axis=0))


def _score(
    model: Forecaster,
    history: DemandHistory,
    horizon: Horizon,
    origin: int,
    rng: np.random.Generator,
) -> FloatArray:
    """CRPS of the highest demand plus tail pinball loss, shape (series,)."""
    samples = model.forecast(history.until(origin), horizon, rng).samples.astype(np.float64)
    actual = history.values[:, :, origin : origin + horizon.steps].transpose(0, 2, 1)
    level = np.maximum(history.values[:, :, :origin].mean(axis=2), LEVEL_FLOOR)
    highest = maximum_crps(samples, actual) / level
    tail = tail_pinball(samples, actual).mean(axis=1) / level
    score: FloatArray = (highest + tail).mean(axis=1)
    return score
