"""The models the forecasting benchmark compares, each trained once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.backtest import Trainable
from nodemix.forecasting.champion import (
    Champion,
    ForecastSettings,
    costly_model,
    elect,
    simple_model,
)
from nodemix.forecasting.clean import CleanHistory
from nodemix.forecasting.types import DemandForecast, Forecaster, Horizon

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


Speaker = Champion | Alone
Trainer = Callable[[CleanHistory, Horizon, np.random.Generator], Speaker]


def _trained(model: Forecaster) -> Trainer:
    def train(ready: CleanHistory, horizon: Horizon, rng: np.random.Generator) -> Speaker:
        if isinstance(model, Trainable):
            return Alone(model.trained(ready.history, horizon, rng))
        return Alone(model)

    return train


def _champion(ready: CleanHistory, horizon: Horizon, rng: np.random.Generator) -> Speaker:
    return elect(ready, horizon, rng, PATIENT)


def trainer(name: str) -> Trainer:
    """How the model of that name is made ready."""
    if name == "nodemix":
        return _champion
    simple = name in {"last-value", "seasonal-naive"}
    return _trained(simple_model(name) if simple else costly_model(name, PATIENT))


MODELS = ("nodemix", "flow", "last-value", "seasonal-naive", "ets")
"""``nodemix`` is what the operator would use: the champion of a backtest."""
