"""Demand as it was and as it may become."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from nodemix.forecasting.errors import ShapeError
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Samples = NDArray[np.float32]
"""Joint sample paths, shape (draws, series, steps, indicators)."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something known in advance that moves demand: a sale, a nightly batch, a load test.

    Args:
        name: of the kind; earlier events of the same name are what is learnt from.
        start_s, end_s: seconds since the epoch, the end not included.
        series: ids that it moves; empty for all.
    """

    name: str
    start_s: float
    end_s: float
    series: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DemandHistory:
    """Demand of several series on one regular grid.

    Args:
        series: ids, e.g. ``shop/Deployment/cart``.
        indicators: what is measured, unit in the name: ``pods``, ``cpu_milli``, ``memory_mib``.
        start_s: time of the first step, seconds since the epoch.
        step_s: seconds between steps.
        values: shape (series, indicators, steps); NaN where nothing was observed.
        parents: id of each series' parent in the hierarchy; empty string at the top.
        observed: where ``values`` were observed, not filled in; same shape; None for everywhere.
        events: what is known to happen, in the past and in the future.
    """

    series: tuple[str, ...]
    indicators: tuple[str, ...]
    start_s: float
    step_s: float
    values: FloatArray
    parents: tuple[str, ...] = ()
    observed: BoolArray | None = None
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        expected = (len(self.series), len(self.indicators))
        if self.values.ndim != 3 or self.values.shape[:2] != expected:
            raise ShapeError("values", (*expected, "steps"), self.values.shape)
        if self.observed is not None and self.observed.shape != self.values.shape:
            raise ShapeError("observed", self.values.shape, self.observed.shape)

    @property
    def steps(self) -> int:
        """Length of the grid."""
        return int(self.values.shape[2])

    @property
    def end_s(self) -> float:
        """Time of the newest step, seconds since the epoch."""
        return self.start_s + (self.steps - 1) * self.step_s

    def until(self, steps: int) -> "DemandHistory":
        """The first ``steps`` steps: what was known then. Events stay: they were known."""
        observed = None if self.observed is None else self.observed[:, :, :steps]
        return replace(self, values=self.values[:, :, :steps], observed=observed)

    def only(self, index: Sequence[int]) -> "DemandHistory":
        """The series at these positions, in this order."""
        picked = list(index)
        return replace(
            self,
            series=tuple(self.series[i] for i in picked),
            parents=tuple(self.parents[i] for i in picked) if self.parents else (),
            values=self.values[picked],
            observed=None if self.observed is None else self.observed[picked],
        )


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """Which model speaks for which series, and why.

    Args:
        score: of the rolling backtest, lower is better, scaled by the best simple model; None
            where no backtest was possible.
    """

    model: str
    series: tuple[str, ...]
    why: str
    score: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DemandForecast:
    """Joint sample paths of future demand.

    Args:
        start_s: time of the first forecast step.
        samples: shape (draws, series, steps, indicators), finite, >= 0; one draw is one joint
            future of every series, step and indicator.
        verdicts: which model speaks and why.
        warnings: what was repaired or degraded in the input, naming the series.
        is_held: whether it is an older forecast that was moved and widened.
    """

    series: tuple[str, ...]
    indicators: tuple[str, ...]
    start_s: float
    step_s: float
    samples: Samples
    verdicts: tuple[ModelVerdict, ...] = ()
    warnings: tuple[str, ...] = ()
    is_held: bool = False

    def __post_init__(self) -> None:
        expected = ("draws", len(self.series), "steps", len(self.indicators))
        shape = self.samples.shape
        if len(shape) != 4 or (shape[1], shape[3]) != (expected[1], expected[3]):
            raise ShapeError("samples", expected, shape)

    @property
    def draws(self) -> int:
        """Number of joint paths."""
        return int(self.samples.shape[0])

    @property
    def steps(self) -> int:
        """Length of the horizon in steps."""
        return int(self.samples.shape[2])

    def quantile(self, level: float) -> FloatArray:
        """The ``level`` quantile of each step, shape (series, steps, indicators)."""
        return np.quantile(self.samples.astype(np.float64), level, axis=0)

    def maximum_within(self, seconds: float) -> FloatArray:
        """Highest demand of each path within ``seconds``, shape (draws, series, indicators)."""
        steps = max(1, min(self.steps, int(np.ceil(seconds / self.step_s))))
        highest: FloatArray = self.samples[:, :, :steps, :].max(axis=2).astype(np.float64)
        return highest


@dataclass(frozen=True, slots=True)
class Horizon:
    """What is asked of a forecaster."""

    steps: int
    draws: int = 200


class Forecaster(Protocol):
    """A model of demand.

    ``forecast`` must return finite, non-negative joint paths for every series of ``history``,
    which has no holes (:func:`nodemix.forecasting.clean.clean` fills them), and the same ones for
    the same ``rng`` state. It must not look at anything but ``history``. A model that cannot
    raises :class:`ModelFailedError` and changes nothing.
    """

    @property
    def name(self) -> str:
        """Short, stable, shown to people: ``seasonal-naive``, ``ets``, ``flow``."""
        ...

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """Joint sample paths for the ``horizon.steps`` steps after the end of ``history``."""
        ...
