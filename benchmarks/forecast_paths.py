"""Joint paths of one trained model at many origins, as the benchmarks of value need them."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

from benchmarks.forecast_models import Alone, Speaker
from benchmarks.forecasting import joint_paths, paths_of, ready_at


@runtime_checkable
class ManyOrigins(Protocol):
    """A model that forecasts from many steps of one history in one go."""

    def paths_at(
        self,
        history: DemandHistory,
        origins: list[int],
        horizon: Horizon,
        rng: np.random.Generator,
    ) -> Iterator[DemandForecast]:
        """A forecast for each of ``origins``, the last steps known, in their order."""
        ...


def samples_at(
    speaker: Speaker,
    history: DemandHistory,
    origins: Sequence[int],
    horizon: Horizon,
    rng: np.random.Generator,
) -> Iterator[FloatArray]:
    """Joint paths after each origin, shape (series x indicators, draws, steps).

    Nothing after an origin is seen, and nothing is trained anew: gaps are filled as in the
    operator, from what was known then. Only where there are none may a model take all at once.

    Args:
        speaker: trained for the series of ``history`` and for ``horizon``.
        history: as observed, NaN where nothing was.
        origins: lengths of what is known, in steps.
        horizon: of each forecast.
        rng: source of randomness.
    """
    model = speaker.model if isinstance(speaker, Alone) else speaker
    known = history.until(max(origins))
    if isinstance(model, ManyOrigins) and np.isfinite(known.values).all():
        ready = ready_at(known, known.steps).history
        last_steps = [origin - 1 for origin in origins]
        yield from map(paths_of, model.paths_at(ready, last_steps, horizon, rng))
        return
    for origin in origins:
        yield joint_paths(speaker, ready_at(history, origin), horizon, rng)
