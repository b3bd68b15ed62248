"""Tomorrow is like right now, give or take what the past changed in the same time."""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.residuals import change_paths
from nodemix.forecasting.rows import to_forecast, to_rows
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon


@dataclass(frozen=True, slots=True)
class LastValue:
    """The newest value plus joint paths of past changes.

    Args:
        widen: factor on the past changes.
        assumed_share: share of the level assumed as one more standard deviation at the end of
            the horizon, growing with the square root of time; for a history too short to know.
    """

    widen: float = 1.0
    assumed_share: float = 0.0
    name: str = "last-value"

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        if history.steps == 0:
            raise HistoryError("demand history: it has no steps; ask for a longer lookback")
        values = to_rows(history)
        level = values[:, -1][:, None, None]
        paths = change_paths(values, horizon.steps, horizon.draws, rng)
        assumed = self._assumed(level.shape[0], horizon, rng)
        return to_forecast(history, level * (1.0 + assumed) + self.widen * paths)

    def _assumed(self, rows: int, horizon: Horizon, rng: np.random.Generator) -> FloatArray:
        if self.assumed_share == 0.0:
            return np.zeros((1, 1, 1))
        growth = np.sqrt(np.arange(1, horizon.steps + 1) / horizon.steps)
        spread: FloatArray = rng.standard_normal((rows, horizon.draws, 1)) * growth
        return self.assumed_share * spread
