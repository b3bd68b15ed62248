from dataclasses import dataclass, field

import numpy as np
import pytest
from nodemix.forecasting.backtest import backtest, backtest_origins
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon

from tests.forecasting.histories import DAY, make_history, seasonal_rows

HORIZON = Horizon(8, 50)


def ready(*rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> CleanHistory:
    history = make_history(*rows)
    return clean(history, history.end_s)


def rng() -> np.random.Generator:
    return np.random.default_rng(6)


@dataclass
class Recorder:
    """A last value that writes down how much it was shown."""

    trained_on: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    name: str = "recorder"

    def trained(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> "Recorder":
        self.trained_on.append(history.steps)
        return self

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        self.shown.append(history.steps)
        return LastValue().forecast(history, horizon, rng)


class Broken(LastValue):
    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        raise ModelFailedError("last-value", "it is broken")


class NotANumber(LastValue):
    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        forecast = super().forecast(history, horizon, rng)
        forecast.samples[0] = np.nan
        return forecast


def test_origins_leave_a_horizon_to_compare_with_and_differ_in_the_time_of_day() -> None:
    origins = backtest_origins(steps=1344, horizon=96, count=3, shortest=96)

    assert origins == (1114, 1181, 1248)


def test_a_short_history_has_fewer_origins_or_none() -> None:
    assert backtest_origins(steps=120, horizon=24, count=4, shortest=80) == (96,)
    assert backtest_origins(steps=20, horizon=24, count=4, shortest=2) == ()


def test_a_model_sees_only_what_was_known_and_is_trained_once_at_the_first_origin() -> None:
    recorder = Recorder()

    backtest(recorder, ready(*seasonal_rows(2, 4)), HORIZON, (300, 320, 340), rng())

    assert recorder.trained_on == [300]
    assert recorder.shown == [300, 320, 340]


def test_the_model_that_speaks_later_is_the_one_that_was_scored() -> None:
    recorder = Recorder()

    score = backtest(recorder, ready(*seasonal_rows(2, 4)), HORIZON, (300,), rng())

    assert score.speaker is recorder


def test_the_better_model_scores_lower() -> None:
    seasonal = ready(*seasonal_rows(3, 8, noise=0.02))
    horizon = Horizon(48, 50)

    naive = backtest(SeasonalNaive(), seasonal, horizon, (600, 650, 700), rng())
    last = backtest(LastValue(), seasonal, horizon, (600, 650, 700), rng())

    assert naive.total < 0.5 * last.total


def test_a_score_does_not_depend_on_the_unit() -> None:
    rows = seasonal_rows(1, 4)

    score = backtest(LastValue(), ready(rows[0], 1024 * rows[0]), HORIZON, (300,), rng()).per_series

    assert score is not None
    assert score[0] == pytest.approx(score[1], rel=1e-4)


@pytest.mark.parametrize(
    ("model", "why"), [(Broken(), "it is broken"), (NotANumber(), "negative or not finite")]
)
def test_a_model_that_fails_has_no_score_and_a_reason(model: LastValue, why: str) -> None:
    score = backtest(model, ready(*seasonal_rows(1, 4)), HORIZON, (300,), rng())

    assert score.per_series is None
    assert score.speaker is None
    assert score.total == float("inf")
    assert why in score.failure


def test_steps_that_were_filled_in_count_for_nothing() -> None:
    """A gap filled from yesterday would make the seasonal model perfect there."""
    rows = seasonal_rows(2, 6, noise=0.3)
    rows[1, 4 * DAY : 4 * DAY + 40] = np.nan

    score = backtest(SeasonalNaive(), ready(*rows), HORIZON, (4 * DAY,), rng()).per_series

    assert score is not None
    assert score[0] > 0.0
    assert score[1] == 0.0


def test_what_was_filled_in_before_a_series_began_is_no_evidence() -> None:
    rows = seasonal_rows(2, 6, noise=0.3)
    rows[1, : 3 * DAY] = np.nan

    early = backtest(LastValue(), ready(*rows), HORIZON, (3 * DAY + 10,), rng()).per_series
    later = backtest(LastValue(), ready(*rows), HORIZON, (4 * DAY + 10,), rng()).per_series

    assert early is not None
    assert later is not None
    assert early[1] == 0.0 < later[1]


def test_a_series_that_woke_up_does_not_drown_the_others() -> None:
    """Its mean before the origin is zero; scaled by that, its error would be all that counts."""
    woke = np.zeros(4 * DAY)
    woke[305:] = 5.0

    score = backtest(LastValue(), ready(*seasonal_rows(1, 4), woke), HORIZON, (300,), rng())

    assert score.total < 100.0
