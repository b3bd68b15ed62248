"""The conditional flow: small networks trained in seconds on the pooled history itself.

Each step's distribution is a monotone map of normal noise: a gate over plain guesses and over the
error distributions of simple rules, moved by a spline that is conditioned on the recent past of
the series, of its other indicators and of the cluster. The Gaussian copula of past errors joins
steps and rows to paths, and sums of series are forecast like series, so that paths add up.
(Flows over whole paths explode on step-like demand, autoregressive ones sample far slower.)
Imports torch: import this module lazily.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from nodemix.forecasting.anchors import anchors
from nodemix.forecasting.copula import joint_ranks
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.features import evenly
from nodemix.forecasting.guard import guarded, uncrossed
from nodemix.forecasting.hierarchy import Tree, coherent
from nodemix.forecasting.margins import Margins, margins
from nodemix.forecasting.net import DemandNet
from nodemix.forecasting.rows import to_forecast
from nodemix.forecasting.sets import (
    NAME,
    Known,
    Material,
    is_enough,
    past_and_held_out,
    training_end,
)
from nodemix.forecasting.tables import Tables
from nodemix.forecasting.train import Progress, TrainSettings, one_thread, train
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon, Samples

ROUNDING = 1e-4
"""Of normalised demand in 32 bits."""

LEAST_JUDGED_STEPS = 8
PERSISTENCE = 0.9
"""Of noise that is assumed where fewer past origins than that can be judged."""

MIN_JUDGED_DAYS = 3
MIN_JUDGED_ORIGINS, JUDGED_ORIGINS = 30, 90
JUDGED_TARGETS = 400_000
"""Past noise of many rows and steps takes fewer origins, to bound time and memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What training leaves behind.

    Args:
        nets: the networks; their quantiles are averaged.
        series, indicators: what they were trained for.
        until_s: time of the newest step that a weight was fitted to.
        noise: what the noise would have been, shape (origins, rows of the tree, steps).
        margins: how that noise was really distributed.
    """

    nets: tuple[DemandNet, ...]
    series: tuple[str, ...]
    indicators: tuple[str, ...]
    until_s: float
    noise: FloatArray
    margins: Margins


@dataclass(frozen=True, slots=True)
class Flow:
    """A conditional spline flow.

    Args:
        train_s: seconds training may take; only a guard, the number of steps is bounded.
        settings: of the training.
        clock: seconds, monotonic.
        fitted: used instead of training; for the same series, indicators and steps.
        start: networks to go on from instead of new ones.
        watch: told about progress.
    """

    train_s: float = 60.0
    settings: TrainSettings = field(default_factory=TrainSettings)
    clock: Callable[[], float] = time.monotonic
    fitted: Fitted | None = None
    start: tuple[DemandNet, ...] = ()
    watch: Callable[[Progress], None] | None = None
    name: str = NAME

    def trained(self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator) -> "Flow":
        """The same model with its networks trained on ``history``, less its held-out end.

        Networks to start from are taken as they are where there is too little to learn from.
        """
        material = Material.of(history, horizon.steps)
        grid = material.grid
        nets, end = self.start, 0
        if not self.start or is_enough(grid, horizon.steps):
            end = training_end(grid, horizon.steps)
            nets = self._learnt(material, end, rng)
        until_s = grid.start_s + end * grid.step_s
        nothing = np.zeros((0, grid.values.shape[0], horizon.steps))
        fitted = Fitted(
            nets, history.series, history.indicators, until_s, nothing, margins(nothing)
        )
        return self._judged(fitted, material)

    def _learnt(
        self, material: Material, end: int, rng: np.random.Generator
    ) -> tuple[DemandNet, ...]:
        """Networks trained on what comes before ``end``."""
        seed = int(rng.integers(2**62))
        with one_thread():
            past, held_out = past_and_held_out(material, end, self.settings.targets, rng)
            return train(past, held_out, self.settings, seed, self._watch(), self.start)

    def calibrated(self, history: DemandHistory, horizon: Horizon) -> "Flow":
        """The same networks with their margins and their copula from the end of ``history``."""
        return self._judged(self._fit_for(history), Material.of(history, horizon.steps))

    def _judged(self, fitted: Fitted, material: Material) -> "Flow":
        """With the margins and the copula of what the networks missed."""
        with one_thread(), torch.no_grad():
            noise = _past_noise(fitted, material)
        return replace(self, fitted=replace(fitted, noise=noise, margins=margins(noise)))

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """See :class:`nodemix.forecasting.types.Forecaster`."""
        model = self if self.fitted else self.trained(history, horizon, rng)
        return next(model.paths_at(history, [history.steps - 1], horizon, rng))

    def paths_at(
        self,
        history: DemandHistory,
        origins: list[int],
        horizon: Horizon,
        rng: np.random.Generator,
    ) -> Iterator[DemandForecast]:
        """Forecasts from several past steps of one history, in one go and far faster.

        Args:
            history: without holes; where it was filled, it was so from the past alone.
            origins: last known step of each forecast.
            horizon: see there.
            rng: source of randomness.
        """
        for origin, paths in zip(origins, self._paths(history, origins, horizon, rng), strict=True):
            yield to_forecast(history.until(origin + 1), paths)

    def _paths(
        self,
        history: DemandHistory,
        origins: list[int],
        horizon: Horizon,
        rng: np.random.Generator,
    ) -> Iterator[Samples]:
        """Of every row, shape (rows, draws, steps), for each origin."""
        fitted = self._fit_for(history)
        material = Material.of(history, horizon.steps)
        grid = material.grid
        if fitted.noise.shape[1:] != (grid.values.shape[0], horizon.steps):
            raise ModelFailedError(NAME, "its networks were trained for other series or steps")
        skipped = history.steps - grid.values.shape[1]
        for origin in origins:
            at = np.array([origin - skipped])
            noise = fitted.margins.spread(horizon.draws, rng)
            with one_thread(), torch.no_grad():
                known = Known.of(material, at, anchors(grid, at, horizon.steps))
                z = _tables(fitted.nets, known).forward(noise).reshape(-1, horizon.draws)
            values = np.maximum(known.norm.backward(z, known.targets), 0.0)
            places = joint_ranks(fitted.noise, horizon.draws, rng)
            dealt = np.take_along_axis(values.reshape(places.shape), places, axis=2)
            paths = guarded(NAME, dealt.transpose(0, 2, 1), grid.values[:, : at[0] + 1])
            yield _added_up(paths, material.whole)

    def _fit_for(self, history: DemandHistory) -> Fitted:
        if self.fitted is None:
            raise ModelFailedError(NAME, "it was never trained")
        if (self.fitted.series, self.fitted.indicators) != (history.series, history.indicators):
            raise ModelFailedError(NAME, "its networks were trained for other series or steps")
        return self.fitted

    def _watch(self) -> Callable[[Progress], None]:
        started_s = self.clock()

        def check(progress: Progress) -> None:
            if not np.isfinite(progress.loss):
                raise ModelFailedError(NAME, "training diverged")
            if self.clock() - started_s > self.train_s:
                raise ModelFailedError(NAME, f"training took longer than {self.train_s:g} s")
            if self.watch is not None:
                self.watch(progress)

        return check


def _tables(nets: tuple[DemandNet, ...], known: Known) -> Tables:
    """Quantiles of each target, averaged over the networks."""
    found = torch.stack([net(known.seen) for net in nets]).mean(dim=0)
    quantiles = found.flatten(0, 2).numpy().astype(np.float64)
    return Tables(uncrossed(NAME, quantiles.T, ROUNDING).T)


def _past_noise(fitted: Fitted, material: Material) -> FloatArray:
    """What the noise would have been, shape (origins, rows, steps).

    From origins after the last step that a weight was fitted to, and a few days at least. Demand
    that stays where it is keeps its place among equals over all steps, so that a path of step-like
    demand is one.
    """
    grid, steps = material.grid, material.steps
    rows, have = grid.values.shape
    affordable = JUDGED_TARGETS // (rows * steps)
    most = min(JUDGED_ORIGINS, max(MIN_JUDGED_ORIGINS, affordable))
    unseen = round((fitted.until_s - grid.start_s) / grid.step_s)
    last = have - 1 - steps
    first = max(grid.season, min(unseen - 1, last - MIN_JUDGED_DAYS * grid.season))
    rng = np.random.default_rng(0)
    if last - first < LEAST_JUDGED_STEPS:
        return _assumed_noise(rows, steps, rng)
    origins = evenly(first, last, most)
    noise = np.empty((origins.size, rows, steps))
    errors = material.errors(origins)
    for i, origin in enumerate(origins):
        known = Known.of(material, np.array([origin]), errors)
        actual = grid.values[known.targets.row, origin + known.targets.lead]
        table = _tables(fitted.nets, known)
        ties = np.repeat(rng.random(rows), steps)
        found = table.inverse(known.norm.forward(actual, known.targets), ties)
        noise[i] = found.reshape(rows, steps)
    return noise


def _assumed_noise(rows: int, steps: int, rng: np.random.Generator) -> FloatArray:
    """Noise that stays much the same from step to step, where the past is too short to say."""
    shape = (MIN_JUDGED_ORIGINS, rows, steps)
    fresh = np.sqrt(1.0 - PERSISTENCE**2) * rng.standard_normal(shape)
    fresh[:, :, 0] = rng.standard_normal(shape[:2])
    noise: FloatArray = fresh
    for step in range(1, steps):
        noise[:, :, step] += PERSISTENCE * noise[:, :, step - 1]
    return noise


def _added_up(paths: FloatArray, whole: Tree) -> Samples:
    """Coherent paths of the workloads' rows."""
    indicators = len(whole.history.indicators)
    _, draws, steps = paths.shape
    shaped = paths.astype(np.float32).reshape(-1, indicators, draws, steps)
    return coherent(shaped, whole).reshape(-1, draws, steps)
