"""Networks from a file, and a model that speaks with them as they are.

Imports torch: import this module lazily.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nodemix.forecasting.champion import ForecastSettings, Make, costly_model
from nodemix.forecasting.checkpoint import about, cold_start, digest, unpacked
from nodemix.forecasting.errors import CheckpointError
from nodemix.forecasting.flow import Fitted, Flow
from nodemix.forecasting.margins import margins
from nodemix.forecasting.net import DemandNet
from nodemix.forecasting.train import TrainSettings, Watch
from nodemix.forecasting.types import DemandForecast, DemandHistory, Forecaster, Horizon

COLD_START = "cold-start"
"""Names the networks that come with the package."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Networks and where they come from.

    Args:
        about: what their file says of them; empty for those of the package.
    """

    nets: tuple[DemandNet, ...]
    source: str
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def until_s(self) -> float:
        """Newest demand that a weight was fitted to, seconds since the epoch; 0 for none here."""
        return float(self.about.get("until_s", "0"))


def read_weights(name: str) -> Weights:
    """The networks in the file of that name, or those of the package for ``cold-start``.

    Raises:
        CheckpointError: the file cannot be used; the message names it.
    """
    if name == COLD_START:
        return Weights(cold_start(), COLD_START)
    try:
        data = Path(name).read_bytes()
        nets = unpacked(data)
    except OSError as err:
        fact = f"{name} cannot be read ({err.strerror})"
        raise CheckpointError(fact, f"check its name, or say {COLD_START}") from err
    except CheckpointError as refused:
        raise CheckpointError(f"{name}: {refused.fact}", refused.remedy) from refused
    return Weights(nets, f"{Path(name).name}, sha256 {digest(data)[:12]}", about(data))


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """The flow with networks that are not trained any more; the history sets its margins right."""

    weights: Weights
    name: str = "flow"

    def trained(self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator) -> Flow:
        """The flow for ``history``; its weights stay as they are."""
        del rng
        nothing = np.zeros((0, 0, horizon.steps))
        fitted = Fitted(
            self.weights.nets,
            history.series,
            history.indicators,
            self.weights.until_s,
            nothing,
            margins(nothing),
        )
        return Flow(fitted=fitted).calibrated(history, horizon)

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        return self.trained(history, horizon, rng).forecast(history, horizon, rng)


def maker(weights: Weights | None, training: TrainSettings, watch: Watch) -> Make:
    """How the champion's costly models are made: the flow with ``weights``, else trained anew.

    Args:
        weights: None to train.
        training: of the flow.
        watch: told about its progress.
    """

    def make(name: str, settings: ForecastSettings) -> Forecaster:
        if name != "flow":
            return costly_model(name, settings)
        if weights is not None:
            return Loaded(weights)
        return Flow(settings.train_s, training, settings.clock, watch=watch)

    return make
