"""``nodemix forecast train``: networks fitted to a history, as a file.

Imports torch: import this module lazily.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.checkpoint import digest, packed
from nodemix.forecasting.errors import HistoryError, ModelFailedError
from nodemix.forecasting.flow import Flow
from nodemix.forecasting.train import Progress, TrainSettings, Watch
from nodemix.forecasting.types import DemandHistory, Horizon
from nodemix.operator.forecasts.inputs import ready_of
from nodemix.operator.forecasts.weights import Weights

MADE_BY = "nodemix forecast train"
NO_LIMIT_S = float("inf")

FINE_TUNING = TrainSettings(steps=100, rate=1e-3, check_every=20)
"""Enough to move known networks to a new cluster, and too little to forget what they know."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A file of weights, and how it came about.

    Args:
        data: its bytes.
        loss: of what was held out, mean over the networks; pinball, in normalised demand.
        start_loss: the same before the first step.
        warnings: what was repaired or left out of the history.
    """

    data: bytes
    networks: int
    loss: float
    start_loss: float
    seconds: float
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """What a person wants to know of it."""
        return {
            "sha256": digest(self.data),
            "networks": str(self.networks),
            "held-out loss": f"{self.loss:.4f}, before training {self.start_loss:.4f}",
            "seconds": f"{self.seconds:.1f}",
        }


@dataclass(slots=True)
class Losses:
    """Listens to training: the first and the lowest held-out loss of each network."""

    first: dict[int, float]
    best: dict[int, float]

    def note(self, progress: Progress) -> None:
        """Take down what was said."""
        self.first.setdefault(progress.network, progress.loss)
        known = self.best.get(progress.network, progress.loss)
        self.best[progress.network] = min(known, progress.loss)


def settings_for(
    start: Weights | None, networks: int | None = None, steps: int | None = None
) -> TrainSettings:
    """How to train, or to go on from ``start``; None leaves a setting as it is."""
    found = TrainSettings() if start is None else FINE_TUNING
    if start is not None:
        found = replace(found, networks=len(start.nets))
    if networks is not None:
        found = replace(found, networks=networks)
    return found if steps is None else replace(found, steps=steps)


def train_on(
    history: DemandHistory,
    horizon: Horizon,
    settings: TrainSettings,
    seed: int,
    watch: Watch,
    start: Weights | None = None,
) -> Trained:
    """Networks trained on ``history``, less its held-out end.

    Args:
        history: as observed, holes and all.
        horizon: the furthest that is learnt.
        settings: see there.
        seed: of every random draw.
        watch: told about progress.
        start: to go on from; None to begin anew.

    Raises:
        HistoryError: there is too little to learn from, or nothing to be learnt.
    """
    ready = ready_of(history)
    losses = Losses({}, {})

    def listen(progress: Progress) -> None:
        losses.note(progress)
        watch(progress)

    nets = () if start is None else start.nets
    flow = Flow(NO_LIMIT_S, settings, start=nets, watch=listen)
    began_s = time.monotonic()
    try:
        fitted = flow.trained(ready.history, horizon, np.random.default_rng(seed)).fitted
    except ModelFailedError as failed:
        remedy = "give a longer history, or use the weights of the package (--weights cold-start)"
        raise HistoryError(f"demand history: {failed.why}; {remedy}") from failed
    assert fitted is not None, "training leaves something behind"  # noqa: S101 - for the types
    seconds = time.monotonic() - began_s
    loss, first = (float(np.mean(list(of.values()))) for of in (losses.best, losses.first))
    said = {
        "made_by": MADE_BY,
        "series": str(len(ready.history.series)),
        "indicators": ", ".join(ready.history.indicators),
        "days": f"{history.steps * history.step_s / 86_400:.2f}",
        "step_seconds": f"{history.step_s:g}",
        "horizon_steps": str(horizon.steps),
        "until_s": f"{fitted.until_s:.0f}",
        "seed": str(seed),
        "start": "nothing" if start is None else start.source,
        "held_out_loss": f"{loss:.6f}",
    }
    data = packed(fitted.nets, said)
    return Trained(data, len(fitted.nets), loss, first, seconds, ready.warnings)
