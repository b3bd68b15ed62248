"""The conditional flow: one small network trained in seconds on the pooled history itself.

Each step's distribution comes from a spline conditioned on the recent past, the same time on
other days and the calendar; the Gaussian copula of past errors joins steps and rows to paths.
(Flows over whole paths explode on step-like demand, autoregressive ones sample far slower.)
Imports torch through :mod:`nodemix.forecasting.spline`: import this module lazily.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from nodemix.forecasting.copula import joint_noise, recalibrated
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.features import Grid, Norms, Targets, describe, norms
from nodemix.forecasting.guard import guarded
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.rows import to_forecast, to_rows
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.spline import (
    BOUND,
    SplineNet,
    TrainingSet,
    TrainSettings,
    one_thread,
    train,
)
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon
from torch import Tensor

NAME = "flow"
MAX_DAYS = 28
MIN_SEASONS = 3.0
MAX_ORIGINS = 400
MAX_TARGETS = 60_000
MIN_JUDGED_ORIGINS, JUDGED_ORIGINS = 30, 120
JUDGED_TARGETS = 300_000
"""Past noise of many rows and steps takes fewer origins, to bound time and memory."""

NOISE_LIMIT = BOUND
"""Beyond its knots the spline is a straight line that nothing has taught."""

CHUNK = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What training leaves behind.

    Args:
        net: the network.
        noise: what the noise would have been, shape (origins, rows, steps).
    """

    net: SplineNet
    noise: FloatArray


@dataclass(frozen=True, slots=True)
class Flow:
    """A conditional spline flow.

    Args:
        train_s: seconds training may take; only a guard, the number of steps is fixed.
        settings: of the training.
        clock: seconds, monotonic.
        fitted: used instead of training; for the same rows and steps.
    """

    train_s: float = 10.0
    settings: TrainSettings = field(default_factory=TrainSettings)
    clock: Callable[[], float] = time.monotonic
    fitted: Fitted | None = None
    name: str = NAME

    def trained(self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator) -> "Flow":
        """The same model with its network trained on ``history``."""
        grid = _grid(history)
        origins = past_origins(grid, horizon.steps, MAX_ORIGINS)
        seed = int(rng.integers(2**62))
        with one_thread():
            past = _training_set(grid, origins, horizon.steps, rng)
            net = train(past, self.settings, seed, self._watch())
            with torch.no_grad():
                noise = _past_noise(net, grid, horizon.steps)
        return replace(self, fitted=Fitted(net, noise))

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        fitted = self.fitted or self.trained(history, horizon, rng).fitted
        grid = _grid(history)
        if fitted is None or fitted.noise.shape[1:] != (grid.values.shape[0], horizon.steps):
            raise ModelFailedError(NAME, "its network was trained for other series or steps")
        noise = recalibrated(joint_noise(fitted.noise, horizon.draws, rng), fitted.noise)
        with one_thread(), torch.no_grad():
            paths = _paths(fitted.net, grid, np.clip(noise, -NOISE_LIMIT, NOISE_LIMIT))
        return to_forecast(history, guarded(NAME, paths, grid.values))

    def _watch(self) -> Callable[[Tensor], None]:
        started_s = self.clock()

        def check(loss: Tensor) -> None:
            if not bool(torch.isfinite(loss)):
                raise ModelFailedError(NAME, "training diverged")
            if self.clock() - started_s > self.train_s:
                raise ModelFailedError(NAME, f"training took longer than {self.train_s:g} s")

        return check


def past_origins(grid: Grid, steps: int, most: int) -> IndexArray:
    """Up to ``most`` origins, evenly spread, with a day before and ``steps`` after each."""
    first, last = grid.season, grid.values.shape[1] - 1 - steps
    if grid.values.shape[1] < MIN_SEASONS * grid.season + steps:
        have = grid.values.shape[1] / grid.season
        need = MIN_SEASONS + steps / grid.season
        raise ModelFailedError(NAME, f"{have:.1f} days of history, needs {need:.1f}")
    return np.unique(np.linspace(first, last, most).round().astype(np.int64))


def _grid(history: DemandHistory) -> Grid:
    season = steps_per_day(history.step_s)
    values = to_rows(history)[:, -MAX_DAYS * season :]
    start_s = history.end_s - (values.shape[1] - 1) * history.step_s
    return Grid(values, start_s, history.step_s, season)


def _tensors(grid: Grid, norm: Norms, targets: Targets) -> tuple[Tensor, Tensor]:
    features, anchors = describe(grid, norm, targets)
    return (
        torch.from_numpy(features.astype(np.float32)),
        torch.from_numpy(anchors.astype(np.float32)),
    )


def _actual(grid: Grid, norm: Norms, targets: Targets) -> Tensor:
    values = grid.values[targets.row, targets.origin + targets.lead]
    return torch.from_numpy(norm.forward(values, targets).astype(np.float32))


def _training_set(
    grid: Grid, origins: IndexArray, steps: int, rng: np.random.Generator
) -> TrainingSet:
    rows = grid.values.shape[0]
    count = min(MAX_TARGETS, origins.size * rows * steps)
    targets = Targets(
        row=rng.integers(rows, size=count),
        origin=rng.choice(origins, size=count),
        lead=rng.integers(1, steps + 1, size=count),
    )
    norm = norms(grid, origins)
    return TrainingSet(*_tensors(grid, norm, targets), _actual(grid, norm, targets))


def _past_noise(net: SplineNet, grid: Grid, steps: int) -> FloatArray:
    """What the noise would have been, shape (origins, rows, steps)."""
    affordable = JUDGED_TARGETS // (grid.values.shape[0] * steps)
    origins = past_origins(grid, steps, min(JUDGED_ORIGINS, max(MIN_JUDGED_ORIGINS, affordable)))
    norm = norms(grid, origins)
    targets = Targets.at(origins, grid.values.shape[0], steps)
    features, anchors = _tensors(grid, norm, targets)
    actual = _actual(grid, norm, targets)[:, None]
    noise = np.concatenate(
        [
            net.maps(features[part], anchors[part]).inverse(actual[part]).numpy()
            for part in _chunks(len(actual))
        ]
    )
    return noise.astype(np.float64).reshape(origins.size, -1, steps)


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]


def _paths(net: SplineNet, grid: Grid, noise: FloatArray) -> FloatArray:
    """Demand of each row, draw and step from correlated normal noise of the same shape."""
    rows, draws, steps = noise.shape
    now = np.array([grid.values.shape[1] - 1])
    norm = norms(grid, now)
    targets = Targets.at(now, rows, steps)
    maps = net.maps(*_tensors(grid, norm, targets))
    flat = noise.transpose(0, 2, 1).reshape(rows * steps, draws)
    z = maps.forward(torch.from_numpy(flat.astype(np.float32))).numpy().astype(np.float64)
    values = norm.backward(np.clip(z, -20.0, 20.0), targets)
    return values.reshape(rows, steps, draws).transpose(0, 2, 1)
