"""Any time soon is like the last days, whatever the hour; newer days weigh more.

This is what the Vertical Pod Autoscaler believes: it keeps a histogram of usage whose weights
halve every 24 hours, over eight days, and asks for a quantile of it. Source: kubernetes/autoscaler,
``vertical-pod-autoscaler/pkg/recommender/model/aggregations_config.go`` and the recommender's
``--history-length``.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.rows import to_forecast, to_rows
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

HALF_LIFE_S = 86_400.0
WINDOW_S = 8 * 86_400.0


@dataclass(frozen=True, slots=True)
class WindowQuantile:
    """The decayed distribution of the recent window, the same at every step ahead.

    Paths are stretches of the window itself, the same ones for every row, so that what came
    together stays together.

    Args:
        half_life_s: age at which a step counts half as much as the newest.
        window_s: older steps do not count.
    """

    half_life_s: float = HALF_LIFE_S
    window_s: float = WINDOW_S
    name: str = "window-quantile"

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        if history.steps == 0:
            raise HistoryError("demand history: it has no steps; ask for a longer lookback")
        window = to_rows(history)[:, -max(1, round(self.window_s / history.step_s)) :]
        age = np.arange(window.shape[1])[::-1]
        weight = np.exp2(-age * history.step_s / self.half_life_s)
        walked = walks(weight, horizon, rng)
        return to_forecast(history, np.take(window, walked, axis=1))


def walks(weight: FloatArray, horizon: Horizon, rng: np.random.Generator) -> IndexArray:
    """Joint walks through the window that visit each of its steps by ``weight`` at every step.

    A walk starts anywhere by weight and goes forward; after the newest step it goes on anywhere by
    what one step's weight exceeds its predecessor's. With ``weight`` as the distribution before,
    every step then receives ``weight`` again: its predecessor's share, and the rest from the jump.

    Args:
        weight: never falling, > 0, shape (steps of the window,).
        horizon: how many walks of how many steps.
        rng: source of randomness.

    Returns:
        Positions in the window, shape (draws, steps).
    """
    starts = weight / weight.sum()
    jumps = np.diff(weight, prepend=0.0) / weight[-1]
    walked = np.empty((horizon.draws, horizon.steps), dtype=np.int64)
    now = rng.choice(weight.size, size=horizon.draws, p=starts)
    for step in range(horizon.steps):
        walked[:, step] = now
        elsewhere = rng.choice(weight.size, size=horizon.draws, p=jumps)
        now = np.where(now + 1 < weight.size, now + 1, elsewhere)
    return walked
