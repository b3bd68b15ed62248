"""The operator's forecaster, asked about moments of the past."""

from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.forecasting.champion import COSTLY, SIMPLE, ForecastSettings
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.memory import ForecastMemory, forecast_and_remember
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.operator.worker import BUDGET_S, TRAIN_S


def settings_for(models: tuple[str, ...]) -> ForecastSettings:
    """As the operator's; models that may speak, all where none is named.

    Raises:
        ForecastError: one is unknown, or no simple one is among them.
    """
    return ForecastSettings(models or (*SIMPLE, *COSTLY), budget_s=BUDGET_S, train_s=TRAIN_S)


@dataclass(slots=True, eq=False)
class Remembering:
    """Forecasts tick by tick, as the operator's worker does.

    Args:
        lookback_s: seconds of history that it is shown.
        models: those that spoke, each once.
        failures: why nothing could be forecast, each once.
    """

    horizon: Horizon
    settings: ForecastSettings
    lookback_s: float
    seed: int = 0
    models: dict[str, None] = field(default_factory=dict)
    failures: dict[str, None] = field(default_factory=dict)
    _memory: ForecastMemory = field(default_factory=ForecastMemory, repr=False)

    def __call__(self, history: DemandHistory, now_s: float) -> DemandForecast | None:
        """What is believed to come; None where nothing can be said."""
        rng = np.random.default_rng((self.seed, history.steps))
        shown = recent(history, self.lookback_s)
        try:
            said, self._memory = forecast_and_remember(
                shown, self.horizon, rng, now_s, self._memory, self.settings
            )
        except ForecastError as err:
            self.failures[str(err)] = None
            return None
        self.models.update(dict.fromkeys(v.model for v in said.verdicts if v.series))
        return said


def recent(history: DemandHistory, seconds: float) -> DemandHistory:
    """The newest ``seconds`` of a history."""
    steps = max(1, int(seconds // history.step_s))
    dropped = max(0, history.steps - steps)
    observed = None if history.observed is None else history.observed[:, :, dropped:]
    return replace(
        history,
        start_s=history.start_s + dropped * history.step_s,
        values=history.values[:, :, dropped:],
        observed=observed,
    )
