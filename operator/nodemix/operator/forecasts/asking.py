"""Which models may speak, and where their weights come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodemix.forecasting.champion import COSTLY, SIMPLE, ForecastSettings, Make
from nodemix.forecasting.types import Horizon

if TYPE_CHECKING:
    from nodemix.forecasting.train import TrainSettings, Watch
    from nodemix.operator.forecasts.weights import Weights

PATIENCE_S = 600.0
"""A person who waits may have a slow machine; training that takes longer has gone wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What the command line says about models.

    Args:
        settings: which may speak.
        training: of the flow, where it is trained.
        weights: of the flow; None to train it.
    """

    settings: ForecastSettings
    training: "TrainSettings"
    weights: "Weights | None" = None

    @classmethod
    def of(
        cls, models: Sequence[str] | None, weights: str | None, training_steps: int | None
    ) -> "Asked":
        """From the options; None is what was not given.

        Raises:
            CheckpointError: the weights cannot be used.
            ForecastError: a model is unknown, or no simple one is among them.
        """
        from nodemix.operator.forecasts.training import settings_for  # noqa: PLC0415 - torch
        from nodemix.operator.forecasts.weights import read_weights  # noqa: PLC0415 - torch

        chosen = tuple(models or (*SIMPLE, *COSTLY))
        settings = ForecastSettings(models=chosen, budget_s=PATIENCE_S, train_s=PATIENCE_S)
        known = None if weights is None else read_weights(weights)
        return cls(settings, settings_for(None, None, training_steps), known)

    def make(self, watch: "Watch") -> Make:
        """How costly models are made; ``watch`` is told about training."""
        from nodemix.operator.forecasts.weights import maker  # noqa: PLC0415 - torch

        return maker(self.weights, self.training, watch)

    def warnings(self, begin_s: float, horizon: Horizon) -> tuple[str, ...]:
        """What is to be said of the weights, for forecasts of what comes after ``begin_s``."""
        if self.weights is None:
            return ()
        learnt = int(self.weights.about.get("horizon_steps", horizon.steps))
        told = []
        if self.weights.until_s > begin_s:
            told.append(
                "weights: they were fitted to part of what is compared here, which flatters"
            )
        if learnt < horizon.steps:
            told.append(f"weights: they learnt {learnt} steps ahead, asked for {horizon.steps}")
        return tuple(told)
