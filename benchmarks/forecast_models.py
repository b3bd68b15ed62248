"""The models the forecasting benchmark compares, each trained once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.backtest import Calibratable, Trainable
from nodemix.forecasting.champion import (
    SIMPLE,
    Champion,
    ForecastSettings,
    costly_model,
    elect,
    simple_model,
)
from nodemix.forecasting.clean import CleanHistory
from nodemix.forecasting.types import DemandForecast, Forecaster, Horizon

from benchmarks.lightgbm_quantile import LightGbm, is_installed

PATIENT = ForecastSettings(budget_s=3600.0, train_s=3600.0)
"""No model is left out because a machine is slow; how long each took is a figure of its own."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A model that speaks for every row."""

    model: Forecaster

    def forecast(
        self, ready: CleanHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        return self.model.forecast(ready.history, horizon, rng)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known before the first origin.

    Args:
        training: what weights may be fitted to.
        calibration: the same and what follows it, for everything else.
    """

    training: CleanHistory
    calibration: CleanHistory

    @classmethod
    def at_once(cls, ready: CleanHistory) -> "Known":
        """Where no window is set aside for calibration; models hold out an end of their own."""
        return cls(ready, ready)


Speaker = Champion | Alone
Trainer = Callable[[Known, Horizon, np.random.Generator], Speaker]


def _trained(model: Forecaster) -> Trainer:
    def train(known: Known, horizon: Horizon, rng: np.random.Generator) -> Speaker:
        ready = model
        if isinstance(ready, Trainable):
            ready = ready.trained(known.training.history, horizon, rng)
        if isinstance(ready, Calibratable):
            ready = ready.calibrated(known.calibration.history, horizon)
        return Alone(ready)

    return train


def _champion(known: Known, horizon: Horizon, rng: np.random.Generator) -> Speaker:
    """Elected on the calibration window, by models that were trained before it."""
    return elect(known.calibration, horizon, rng, PATIENT)


def trainer(name: str) -> Trainer:
    """How the model of that name is made ready."""
    if name == "nodemix":
        return _champion
    return _trained(_model(name))


def _model(name: str) -> Forecaster:
    if name == "lightgbm":
        return LightGbm()
    if name == "cold-start":
        return _cold_start()
    return simple_model(name) if name in SIMPLE else costly_model(name, PATIENT)


def _cold_start() -> Forecaster:
    """The flow with the weights of the package as they are, which no trace has touched."""
    from nodemix.forecasting.checkpoint import cold_start  # noqa: PLC0415  torch
    from nodemix.forecasting.flow import Flow  # noqa: PLC0415  likewise
    from nodemix.forecasting.train import FINE_TUNE  # noqa: PLC0415  likewise

    untouched = replace(FINE_TUNE, steps=0, targets=1000)
    return Flow(PATIENT.train_s, untouched, start=cold_start())


NAMES = (
    "nodemix",
    "flow",
    "cold-start",
    "last-value",
    "seasonal-naive",
    "window-quantile",
    "ets",
    "lightgbm",
)
"""``nodemix`` is what the operator would use: the champion of a backtest."""

MODELS = tuple(name for name in NAMES if name != "lightgbm" or is_installed())
"""Those that can be compared here; LightGBM comes with an optional extra."""
