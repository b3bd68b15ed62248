from dataclasses import dataclass, field

import numpy as np
import pytest
from nodemix.forecasting.backtest import backtest_origins, judged, unit_of
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.pool import scores
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Forecaster, Horizon

from tests.forecasting.histories import DAY, make_history, seasonal_rows

HORIZON = Horizon(8, 50)


def ready(*rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> CleanHistory:
    history = make_history(*rows)
    return clean(history, history.end_s)


def rng() -> np.random.Generator:
    return np.random.default_rng(6)


def score(
    model: Forecaster, ready: CleanHistory, origins: tuple[int, ...], horizon: Horizon = HORIZON
) -> FloatArray:
    """Of one model alone, mean over origins, shape (series,); NaN where nothing counts."""
    record = judged({model.name: model}, ready, horizon, origins, rng()).record
    total = scores(record, np.ones_like(record.miss))[:, 0]
    counted = np.where(record.origins[:, 0] > 0, record.origins[:, 0], np.nan)
    means: FloatArray = total / counted
    return means


@dataclass
class Recorder:
    """A last value that writes down how much it was shown."""

    shown: list[int] = field(default_factory=list)
    name: str = "recorder"

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


def test_origins_lie_in_the_newest_part_and_leave_a_horizon_to_compare_with() -> None:
    origins = backtest_origins(steps=1344, horizon=96, season=96, count=3, shortest=96)

    assert origins == [1156, 1202, 1248]


def test_origins_of_a_long_history_are_apart_by_less_than_a_day() -> None:
    """By a whole day they would all be at the same time of it."""
    origins = backtest_origins(steps=9000, horizon=48, season=96, count=12, shortest=96)

    assert set(np.diff(origins)) <= {67, 68}


def test_origins_of_a_short_history_are_never_too_close() -> None:
    origins = backtest_origins(steps=200, horizon=48, season=96, count=4, shortest=96)

    assert origins == [134, 140, 146, 152]


def test_a_short_history_has_fewer_origins_or_none() -> None:
    assert backtest_origins(120, 24, season=96, count=4, shortest=91) == [93, 96]
    assert backtest_origins(20, 24, season=96, count=4, shortest=2) == []


def test_a_model_sees_only_what_was_known() -> None:
    recorder = Recorder()

    judged({"x": recorder}, ready(*seasonal_rows(2, 4)), HORIZON, (300, 320, 340), rng())

    assert recorder.shown == [300, 320, 340]


def test_the_better_model_scores_lower() -> None:
    seasonal = ready(*seasonal_rows(3, 8, noise=0.02))
    horizon = Horizon(48, 50)

    naive = score(SeasonalNaive(), seasonal, (600, 650, 700), horizon)
    last = score(LastValue(), seasonal, (600, 650, 700), horizon)

    assert (naive < 0.5 * last).all()


def test_a_score_does_not_depend_on_the_unit() -> None:
    rows = seasonal_rows(1, 4)

    first, second = score(LastValue(), ready(rows[0], 1024 * rows[0]), (300,))

    assert first == pytest.approx(second, rel=1e-4)


@pytest.mark.parametrize(
    ("model", "why"), [(Broken(), "it is broken"), (NotANumber(), "negative or not finite")]
)
def test_a_model_that_fails_is_left_out_with_a_reason_and_the_others_are_compared(
    model: LastValue, why: str
) -> None:
    models: dict[str, Forecaster] = {"broken": model, "seasonal-naive": SeasonalNaive()}

    trial = judged(models, ready(*seasonal_rows(1, 4)), HORIZON, (300,), rng())

    assert trial.record.models == ("seasonal-naive",)
    assert why in trial.failures["broken"]


def test_steps_that_were_filled_in_count_for_nothing() -> None:
    """A gap filled from yesterday would make the seasonal model perfect there."""
    rows = seasonal_rows(2, 6, noise=0.3)
    rows[1, 4 * DAY : 4 * DAY + 40] = np.nan

    first, second = score(SeasonalNaive(), ready(*rows), (4 * DAY,))

    assert first > 0.0
    assert np.isnan(second)


def test_what_was_filled_in_before_a_series_began_is_no_evidence() -> None:
    rows = seasonal_rows(2, 6, noise=0.3)
    rows[1, : 3 * DAY] = np.nan

    assert np.isnan(score(LastValue(), ready(*rows), (3 * DAY + 10,))[1])
    assert score(LastValue(), ready(*rows), (4 * DAY + 10,))[1] > 0.0


def test_a_series_that_never_moves_is_no_evidence() -> None:
    flat, zero = np.full(4 * DAY, 5.0), np.zeros(4 * DAY)

    history = make_history(flat, zero, seasonal_rows(1, 4)[0])

    assert np.isinf(unit_of(history)[:2]).all()
    assert np.isnan(score(LastValue(), ready(flat, zero), (300,))).all()


def test_a_model_for_which_no_time_is_left_is_not_asked() -> None:
    slow = Recorder()
    models: dict[str, Forecaster] = {"last-value": LastValue(), "slow": slow}

    trial = judged(
        models, ready(*seasonal_rows(1, 4)), HORIZON, (300,), rng(), lambda name: name == "slow"
    )

    assert slow.shown == []
    assert trial.failures == {"slow": "not compared, time was over"}
    assert trial.record.models == ("last-value",)
