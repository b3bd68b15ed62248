import numpy as np
import pytest
from nodemix.forecasting.clean import clean, fill_gaps, hold
from nodemix.forecasting.errors import ForecastError, HistoryError, ShapeError, StaleHistoryError
from nodemix.forecasting.types import FloatArray

from tests.forecasting.histories import DAY, START_S, STEP_S, make_forecast, make_history

NAN = float("nan")


def test_a_gap_of_three_steps_is_interpolated() -> None:
    filled, long_steps = fill_gaps(np.array([1, NAN, NAN, NAN, 5.0]), season=2)

    assert filled.tolist() == [1, 2, 3, 4, 5]
    assert long_steps == 0


def test_a_longer_gap_takes_the_same_time_of_the_day_before() -> None:
    day = np.arange(8.0)
    row = np.concatenate([day, day + 10])
    row[9:14] = NAN

    filled, long_steps = fill_gaps(row, season=8)

    assert filled[9:14].tolist() == [1, 2, 3, 4, 5]
    assert long_steps == 5


def test_a_gap_of_days_repeats_the_last_day_seen() -> None:
    row = np.concatenate([np.arange(8.0), np.full(16, NAN)])

    filled, _ = fill_gaps(row, season=8)

    assert filled[8:].tolist() == [*range(8), *range(8)]


def test_a_long_gap_on_the_first_day_takes_the_last_value() -> None:
    filled, long_steps = fill_gaps(np.array([4, NAN, NAN, NAN, NAN, 9.0]), season=96)

    assert filled[1:5].tolist() == [4, 4, 4, 4]
    assert long_steps == 4


def test_what_was_not_seen_before_the_first_sample_takes_the_day_after() -> None:
    row = np.concatenate([np.full(8, NAN), np.arange(8.0)])

    filled, long_steps = fill_gaps(row, season=8)

    assert filled[:8].tolist() == list(range(8))
    assert long_steps == 8


def test_a_short_gap_at_the_end_takes_the_last_value() -> None:
    filled, long_steps = fill_gaps(np.array([1, 2, NAN, NAN]), season=2)

    assert filled.tolist() == [1, 2, 2, 2]
    assert long_steps == 0


def test_negative_infinite_and_absurd_samples_become_missing_and_are_named() -> None:
    history = make_history([1, -2, 3, np.inf, 5, 1e300, 7])

    cleaned = clean(history, history.end_s)

    assert cleaned.history.values[0, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert cleaned.observed[0, 0].tolist() == [True, False, True, False, True, False, True]
    assert cleaned.warnings[0].startswith("shop/Deployment/0: 3 ")


def test_samples_after_now_are_not_looked_at() -> None:
    history = make_history(np.arange(10.0))

    cleaned = clean(history, history.start_s + 4 * STEP_S + 1)

    assert cleaned.history.values[0, 0].tolist() == [0, 1, 2, 3, 4]


def test_input_that_is_too_old_gives_no_forecast() -> None:
    history = make_history(np.ones(10))

    clean(history, history.end_s + 2700)
    with pytest.raises(StaleHistoryError, match=r"2701 s old.*check that Prometheus"):
        clean(history, history.end_s + 2701)


def test_one_series_that_is_too_old_is_left_out_and_named() -> None:
    history = make_history(np.ones(10), [*np.ones(5), *[NAN] * 5])

    cleaned = clean(history, history.end_s)

    assert cleaned.history.series == ("shop/Deployment/0",)
    assert "shop/Deployment/1: left out, newest sample is 4500 s old" in cleaned.warnings[0]


def test_a_series_that_was_never_observed_is_left_out_and_named() -> None:
    history = make_history(np.ones(10), np.full(10, NAN), parents=("a", "b"))

    cleaned = clean(history, history.end_s)

    assert cleaned.history.parents == ("a",)
    assert "shop/Deployment/1: left out, an indicator was never observed" in cleaned.warnings[0]


@pytest.mark.parametrize(
    ("row", "now_s", "why"),
    [
        (np.full(10, NAN), START_S + 10 * STEP_S, "none of 1 series"),
        (np.ones(10), START_S - 60, "begins 60 s after now"),
        (np.ones(0), START_S, "is empty"),
    ],
)
def test_a_history_without_any_sample_says_what_to_check(
    row: FloatArray, now_s: float, why: str
) -> None:
    with pytest.raises(HistoryError, match=rf"{why}.*check"):
        clean(make_history(row), now_s)


def test_the_first_step_of_a_series_is_when_every_indicator_was_seen() -> None:
    values = np.ones((1, 2, 10))
    values[0, 0, :3] = values[0, 1, :6] = NAN
    history = make_history(np.ones(10), indicators=("pods", "cpu_milli"), values=values)

    assert clean(history, history.end_s).first_step.tolist() == [6]


def test_arrays_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ShapeError, match="values"):
        make_history([1, 2], series=("a", "b"))
    with pytest.raises(ShapeError, match="samples"):
        make_forecast(np.ones((2, 1, 3, 1)), series=("a", "b"))


def test_a_held_forecast_moves_to_now_and_repeats_its_last_step() -> None:
    previous = make_forecast(np.tile(np.arange(4.0)[:, None], (3, 1, 1, 1)))

    held = hold(previous, previous.start_s + STEP_S + 60)

    assert held.start_s == previous.start_s + 2 * STEP_S
    assert held.samples[0, 0, :, 0].tolist() == [2, 3, 3, 3]
    assert "held and widened" in held.warnings[-1]


def test_a_held_forecast_widens_by_a_quarter_an_hour_around_its_median() -> None:
    previous = make_forecast(np.array([8.0, 10.0, 12.0]).repeat(8).reshape(3, 1, 8, 1))

    held = hold(previous, previous.start_s - STEP_S + 3600)

    assert held.samples[:, 0, 0, 0].tolist() == [7.5, 10.0, 12.5]


def test_a_held_forecast_never_becomes_negative() -> None:
    previous = make_forecast(np.array([0.0, 10.0, 20.0]).repeat(8).reshape(3, 1, 8, 1))

    assert hold(previous, previous.start_s + 3600).samples.min() == 0.0


def test_a_forecast_older_than_its_horizon_cannot_be_held() -> None:
    previous = make_forecast(np.ones((2, 1, 4, 1)))

    hold(previous, previous.start_s + 3 * STEP_S)
    with pytest.raises(StaleHistoryError):
        hold(previous, previous.start_s + 3 * STEP_S + 1)


def test_a_held_forecast_is_not_held_again() -> None:
    held = hold(make_forecast(np.ones((2, 1, 4, 1))), START_S)

    with pytest.raises(ForecastError, match="held already"):
        hold(held, START_S)


def test_day_is_what_the_histories_of_these_tests_say() -> None:
    assert DAY * STEP_S == 86_400
