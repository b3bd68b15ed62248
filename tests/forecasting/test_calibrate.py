"""The monitor of forecasts: scored once, adjusted where it pays, honest about the past."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from nodemix.forecasting.calibrate import (
    CalibrationReport,
    IndicatorReport,
    Monitor,
    MonitorSettings,
)
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.types import DemandForecast, DemandHistory

from tests.forecasting.histories import START_S, STEP_S, make_forecast, make_history
from tests.forecasting.worlds import LEVEL, forecast_at, forecasts_of, replayed, world

LONG = 240
"""Steps; with 4 series and 4 leads 3,800 observations, about 2,000 of them not faded."""

EVER = MonitorSettings(half_life_s=1e9)


def watched(history: DemandHistory, settings: MonitorSettings | None = None) -> Monitor:
    return replayed(forecasts_of(history), history, Monitor(settings or MonitorSettings()))


@cache
def watched_for_long(spread: float, *, may_adjust: bool = True) -> Monitor:
    """After demand that spreads so many times as far as forecast; shared, for it never changes."""
    return watched(world(LONG, spread=spread), MonitorSettings(may_adjust=may_adjust))


def only(report: CalibrationReport) -> IndicatorReport:
    (entry,) = report.indicators
    return entry


def exceedance_of_95(monitor: Monitor) -> float:
    share = only(monitor.report()).calibration.exceedance[0].observed
    assert share is not None
    return share


def test_forecasts_that_fit_are_left_alone() -> None:
    entry = only(watched_for_long(1.0).report())

    assert not entry.is_adjusted
    assert [factor for _, factor in entry.stretch] == [1.0, 1.0, 1.0]
    assert not entry.drift.is_drifting
    assert entry.calibration.exceedance[0].observed == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("spread", [1.5, 2.0])
def test_forecasts_that_are_too_narrow_are_widened_until_they_exceed_as_they_should(
    spread: float,
) -> None:
    left_alone = watched_for_long(spread, may_adjust=False)

    monitor = watched_for_long(spread)

    assert exceedance_of_95(left_alone) > 0.10
    assert exceedance_of_95(monitor) == pytest.approx(0.05, abs=0.02)
    entry = only(monitor.report())
    assert entry.is_adjusted
    assert [factor for _, factor in entry.stretch] == pytest.approx([spread] * 3, rel=0.25)
    assert entry.gain is not None
    assert entry.gain > 0.05


def test_forecasts_that_are_too_wide_are_narrowed() -> None:
    entry = only(watched_for_long(0.6).report())

    assert entry.is_adjusted
    assert all(factor < 0.85 for _, factor in entry.stretch)


def test_a_new_forecast_is_adjusted_by_what_was_learnt() -> None:
    monitor = watched_for_long(2.0)
    made = forecast_at(LONG, np.random.default_rng(9))

    planned = monitor.adjust(made)

    widened = (planned.quantile(0.95) - LEVEL) / (made.quantile(0.95) - LEVEL)
    np.testing.assert_allclose(widened, 2.0, rtol=0.25)
    np.testing.assert_allclose(planned.quantile(0.5), made.quantile(0.5), rtol=1e-5)


def test_an_unknown_indicator_is_not_adjusted() -> None:
    monitor = watched_for_long(2.0)
    made = replace(forecast_at(LONG, np.random.default_rng(9)), indicators=("memory_mib",))

    assert monitor.adjust(made) is made


def test_a_forecast_that_would_know_its_own_future_is_not_adjusted() -> None:
    monitor = watched_for_long(2.0)
    made = forecast_at(LONG - 1, np.random.default_rng(9))

    assert monitor.adjust(made) is made


def test_adjusting_is_worth_it_only_where_forecasts_misfit() -> None:
    fits, narrow = watched(world(LONG)), watched(world(LONG, spread=2.0))

    assert not only(fits.report()).is_adjusted
    assert only(narrow.report()).is_adjusted


def test_few_observations_are_not_enough_to_adjust() -> None:
    assert not only(watched(world(30, spread=3.0)).report()).is_adjusted


def test_what_comes_after_an_origin_changes_nothing_there() -> None:
    """Up to step 100 the two pasts agree; later one of them is a thousand times higher."""
    honest = world(LONG, spread=2.0)
    values = honest.values.copy()
    values[:, :, 100:] *= 1000.0
    corrupted = replace(honest, values=values)
    made = forecasts_of(honest)[:100]

    monitors = [
        replayed(made[:-1], history.until(100), Monitor()) for history in (honest, corrupted)
    ]

    assert monitors[0].report() == monitors[1].report()
    assert only(monitors[0].report()).is_adjusted
    planned, otherwise = (monitor.adjust(made[-1]).samples for monitor in monitors)
    np.testing.assert_array_equal(planned, otherwise)


def test_a_replay_gives_each_forecast_only_its_past() -> None:
    """Of the last one only the future is corrupted: what it was issued with does not see it."""
    honest = world(LONG, spread=2.0)
    values = honest.values.copy()
    values[:, :, 60:] = 0.0
    made = forecasts_of(honest)
    before = [forecast for forecast in made if forecast.start_s <= START_S + 60 * STEP_S]

    histories = [honest, replace(honest, values=values)]
    after = [replayed(before, history, Monitor()).groups["pods"] for history in histories]
    issued = [replayed(before, h.until(60), Monitor()).pending[-1] for h in histories]

    assert after[0].stretch != after[1].stretch
    np.testing.assert_array_equal(issued[0].factors, issued[1].factors)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_demand_does_not_matter(scale: float) -> None:
    history = world(60, spread=2.0)
    larger = replace(history, values=scale * history.values)
    made = forecasts_of(history)
    scaled = [replace(f, samples=(scale * f.samples).astype(np.float32)) for f in made]

    reports = [
        only(replayed(f, h, Monitor()).report()) for f, h in ((made, history), (scaled, larger))
    ]

    assert [factor for _, factor in reports[1].stretch] == pytest.approx(
        [factor for _, factor in reports[0].stretch]
    )
    assert reports[1].calibration == reports[0].calibration
    assert reports[1].drift.statistic == pytest.approx(reports[0].drift.statistic)


def test_the_same_forecasts_and_history_give_the_same_report() -> None:
    history = world(60)

    assert watched(history).report() == watched(history).report()


def test_each_step_is_scored_once_however_often_history_comes() -> None:
    history = world(6)
    monitor = Monitor(EVER).issued(forecast_at(1, np.random.default_rng(0)))

    for steps in (2, 3, 3, 6, 6):
        monitor = monitor.observed(history.until(steps))

    assert only(monitor.report()).calibration.observations == pytest.approx(16.0)
    assert monitor.pending == ()


def test_a_forecast_of_the_same_first_step_takes_the_place_of_the_earlier() -> None:
    rng = np.random.default_rng(0)

    monitor = Monitor().issued(forecast_at(1, rng)).issued(forecast_at(1, rng))

    assert len(monitor.pending) == 1


def test_no_more_forecasts_are_remembered_than_allowed() -> None:
    rng = np.random.default_rng(0)
    monitor = Monitor(MonitorSettings(kept=3))

    for step in range(10):
        monitor = monitor.issued(forecast_at(step, rng))

    starts = [kept.start_s for kept in monitor.pending]
    assert starts == [START_S + step * STEP_S for step in (7, 8, 9)]


def test_a_held_forecast_is_not_remembered() -> None:
    held = replace(forecast_at(1, np.random.default_rng(0)), is_held=True)

    assert Monitor().issued(held).pending == ()


def test_steps_that_were_observed_before_it_was_issued_are_not_scored() -> None:
    history = world(6)
    monitor = Monitor(EVER).observed(history.until(3))

    monitor = monitor.issued(forecast_at(1, np.random.default_rng(0))).observed(history)

    assert only(monitor.report()).calibration.observations == pytest.approx(8.0)


def test_old_observations_fade() -> None:
    bad, good = world(40, shift=9.0), world(160, seed=1)
    history = replace(bad, values=np.concatenate([bad.values, good.values], axis=2))
    soon = MonitorSettings(half_life_s=10 * STEP_S, may_adjust=False)

    assert exceedance_of_95(watched(history, soon)) == pytest.approx(0.05, abs=0.05)
    assert exceedance_of_95(watched(history, replace(soon, half_life_s=1e9))) > 0.2


def test_demand_that_leaves_its_forecasts_is_said_to_drift_and_why() -> None:
    report = watched(world(100, shift=2.0)).report()

    assert report.is_drifting
    assert report.why == "pods: demand lies above its forecasts"


def test_nothing_was_found_before_anything_came() -> None:
    report = Monitor().report()

    assert report == CalibrationReport()
    assert not report.is_drifting
    assert report.why == ""


def flat(value: float) -> DemandForecast:
    return make_forecast(np.full((20, 2, 3, 1), value), start_s=START_S + STEP_S)


@pytest.mark.parametrize("level", [0.0, 7.3, 1e12])
def test_constant_demand_is_survived(level: float) -> None:
    history = make_history(*np.full((2, 4), level))

    monitor = Monitor(MonitorSettings(enough=1.0)).issued(flat(level)).observed(history)

    entry = only(monitor.report())
    assert entry.calibration.observations == pytest.approx(6.0, rel=0.05)
    assert not entry.is_adjusted
    assert not entry.drift.is_drifting


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_demand_that_is_no_number_is_no_observation(value: float) -> None:
    history = make_history(*np.full((2, 4), value))
    monitor = Monitor().issued(flat(5.0))

    assert monitor.observed(history) is monitor


def test_one_series_without_samples_does_not_silence_the_others() -> None:
    history = make_history([5.0, 5.0, 5.0, 5.0], [np.nan] * 4)

    monitor = Monitor(EVER).issued(flat(5.0)).observed(history)

    assert only(monitor.report()).calibration.observations == pytest.approx(3.0)


def test_gaps_bias_nothing() -> None:
    whole = world(LONG)
    holes = np.random.default_rng(5).random(whole.values.shape) < 0.3
    gappy = replace(whole, values=np.where(holes, np.nan, whole.values))

    entry = only(replayed(forecasts_of(whole), gappy, Monitor(EVER)).report())

    everything = 4 * 4 * (LONG - 5)
    assert entry.calibration.observations == pytest.approx(0.7 * everything, rel=0.05)
    assert entry.calibration.exceedance[0].observed == pytest.approx(0.05, abs=0.02)
    assert not entry.is_adjusted
    assert not entry.drift.is_drifting


def test_indicators_are_reported_apart() -> None:
    rng = np.random.default_rng(0)
    made = make_forecast(rng.normal(100.0, 10.0, (50, 1, 2, 2)), start_s=START_S)
    history = replace(
        make_history([100.0, 100.0]),
        indicators=("pods", "cpu_milli"),
        values=np.array([[[100.0, 100.0], [900.0, 900.0]]]),
    )

    report = Monitor(EVER).issued(made).observed(history).report()

    exceeded = {e.indicator: e.calibration.exceedance[0].observed for e in report.indicators}
    assert exceeded == {"pods": 0.0, "cpu_milli": 1.0}


def test_a_report_crosses_a_process_border() -> None:
    report = watched(world(30)).report()

    assert pickle.loads(pickle.dumps(report)) == report  # noqa: S301 - our own bytes


@pytest.mark.parametrize("bad", [{"half_life_s": 0.0}, {"kept": 0}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ForecastError, match=next(iter(bad))):
        MonitorSettings(**bad)  # type: ignore[arg-type]  # one int among floats
