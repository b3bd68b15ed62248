"""Paths of one model at many origins."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

from benchmarks.forecast_models import Alone
from benchmarks.forecast_paths import samples_at

STEPS, ORIGINS = 40, (20, 30, 35)


def history(*, gap: slice | None = None) -> DemandHistory:
    values = np.arange(2 * STEPS, dtype=np.float64).reshape(1, 2, STEPS)
    if gap:
        values[0, 0, gap] = np.nan
    return DemandHistory(("a",), ("cpu", "memory"), 0.0, 600.0, values)


@dataclass(frozen=True, slots=True)
class Batching:
    """Last value, at many origins at once; writes down what it was asked."""

    asked: list[list[int]] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    name: str = "batching"

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        return LastValue().forecast(history, horizon, rng)

    def paths_at(
        self,
        history: DemandHistory,
        origins: list[int],
        horizon: Horizon,
        rng: np.random.Generator,
    ) -> Iterator[DemandForecast]:
        self.asked.append(origins)
        self.shown.append(history.steps)
        for origin in origins:
            yield LastValue().forecast(history.until(origin + 1), horizon, rng)


def spoken(speaker: Alone, shown: DemandHistory) -> list[FloatArray]:
    rng = np.random.default_rng(0)
    return list(samples_at(speaker, shown, ORIGINS, Horizon(3, 7), rng))


def test_paths_begin_where_what_is_known_ends() -> None:
    paths = spoken(Alone(LastValue()), history())

    assert [of.shape for of in paths] == [(2, 7, 3)] * 3
    # demand rises by one a step, and so did it in the past
    assert [of[0, 0].tolist() for of in paths] == [[20, 21, 22], [30, 31, 32], [35, 36, 37]]
    assert paths[0][1, 0].tolist() == [60, 61, 62]


def test_a_model_that_can_is_asked_for_all_origins_at_once_and_says_the_same() -> None:
    batching = Batching()

    paths = spoken(Alone(batching), history())

    assert batching.asked == [[19, 29, 34]]
    assert batching.shown == [35]
    assert np.array_equal(paths, spoken(Alone(LastValue()), history()))


def test_with_gaps_each_origin_is_asked_for_with_what_was_known_then() -> None:
    batching = Batching()
    holey = history(gap=slice(28, 31))

    paths = spoken(Alone(batching), holey)

    assert batching.asked == []
    # the gap was open at the second origin, and no value after it is known there
    assert paths[1][0].max() < 32
