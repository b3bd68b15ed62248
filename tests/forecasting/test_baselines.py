import numpy as np
import pytest
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive, stretch_starts
from nodemix.forecasting.baselines.window_quantile import WindowQuantile, walks
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.residuals import block_length, change_paths, error_paths
from nodemix.forecasting.types import Horizon

from tests.forecasting.histories import DAY, STEP_S, make_history, seasonal_rows


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_last_value_of_a_constant_is_that_constant() -> None:
    forecast = LastValue().forecast(make_history(np.full(50, 7.0)), Horizon(6, 20), rng())

    assert (forecast.samples == 7.0).all()


def test_last_value_starts_from_the_newest_value_with_the_changes_of_the_past() -> None:
    row = np.array([5.0, 6.0] * 50)

    forecast = LastValue().forecast(make_history(row), Horizon(1, 200), rng())

    assert set(forecast.samples.ravel().tolist()) == {5.0, 7.0}


def test_last_value_of_a_single_step_repeats_it() -> None:
    forecast = LastValue().forecast(make_history([4.0]), Horizon(3, 10), rng())

    assert (forecast.samples == 4.0).all()


def test_last_value_widened_for_a_short_history_assumes_a_spread() -> None:
    model = LastValue(widen=1.5, assumed_share=0.2)

    samples = model.forecast(make_history([10.0]), Horizon(4, 4000), rng()).samples[:, 0, :, 0]

    assert samples[:, -1].std() == pytest.approx(2.0, rel=0.1)
    assert samples[:, 0].std() == pytest.approx(1.0, rel=0.1)


def test_last_value_of_no_steps_says_what_to_do() -> None:
    with pytest.raises(HistoryError, match="longer lookback"):
        LastValue().forecast(make_history(np.ones(0)), Horizon(3), rng())


def test_seasonal_naive_repeats_a_perfect_day_exactly() -> None:
    day = np.arange(DAY, dtype=float)

    forecast = SeasonalNaive().forecast(make_history(np.tile(day, 4)), Horizon(120, 10), rng())

    assert (forecast.samples[:, 0, :DAY, 0] == day).all()
    assert (forecast.samples[:, 0, DAY:, 0] == day[:24]).all()


def test_seasonal_naive_errors_grow_with_the_square_root_of_the_days() -> None:
    history = make_history(*(100 + seasonal_rows(1, 20)))

    samples = SeasonalNaive().forecast(history, Horizon(2 * DAY, 2000), rng()).samples
    spread = samples[:, 0, :, 0].std(axis=0)

    assert spread[DAY:].mean() / spread[:DAY].mean() == pytest.approx(np.sqrt(2), rel=0.1)


def test_seasonal_naive_of_less_than_two_days_is_the_last_value() -> None:
    history = make_history(*seasonal_rows(2, 1.9))

    mine = SeasonalNaive().forecast(history, Horizon(8), rng())
    theirs = LastValue().forecast(history, Horizon(8), rng())

    assert (mine.samples == theirs.samples).all()


def test_the_window_quantile_of_a_constant_is_that_constant() -> None:
    forecast = WindowQuantile().forecast(make_history(np.full(50, 7.0)), Horizon(6, 20), rng())

    assert (forecast.samples == 7.0).all()


def test_the_window_quantile_counts_a_day_half_as_much_as_the_next() -> None:
    """Of 8 days with demand 0 to 7, day d has the share 2 ** d / 255, at every step ahead."""
    row = np.repeat(np.arange(8.0), DAY)

    samples = WindowQuantile().forecast(make_history(row), Horizon(48, 8000), rng()).samples

    seen = (samples[:, 0, :, 0] == np.arange(8.0)[:, None, None]).mean(axis=1)
    expected = np.repeat(2.0 ** np.arange(8)[:, None] / 255.0, 48, axis=1)
    # 8,000 draws: the standard error is 0.0056 at most, and 384 shares are compared.
    np.testing.assert_allclose(seen, expected, atol=0.025)


def test_the_window_quantile_forgets_what_is_older_than_eight_days() -> None:
    row = np.concatenate([np.full(5 * DAY, 1000.0), np.ones(8 * DAY)])

    samples = WindowQuantile().forecast(make_history(row), Horizon(48, 2000), rng()).samples

    assert (samples == 1.0).all()


def test_the_window_quantile_walks_along_the_past() -> None:
    walked = walks(0.5 ** np.arange(9.0)[::-1], Horizon(20, 500), rng())

    before, after = walked[:, :-1], walked[:, 1:]
    assert (after[before < 8] == before[before < 8] + 1).all()
    assert set(after[before == 8].tolist()) == set(range(9))


def test_the_window_quantile_of_a_single_step_repeats_it() -> None:
    forecast = WindowQuantile().forecast(make_history([4.0]), Horizon(3, 10), rng())

    assert (forecast.samples == 4.0).all()


def test_the_window_quantile_of_no_steps_says_what_to_do() -> None:
    with pytest.raises(HistoryError, match="longer lookback"):
        WindowQuantile().forecast(make_history(np.ones(0)), Horizon(3), rng())


def test_a_forecast_starts_one_step_after_the_history() -> None:
    history = make_history(*seasonal_rows(2, 3))

    for model in (LastValue(), SeasonalNaive(), WindowQuantile()):
        assert model.forecast(history, Horizon(8), rng()).start_s == history.end_s + STEP_S


def test_errors_that_came_together_stay_together() -> None:
    row = seasonal_rows(1, 6)[0]

    for model in (LastValue(), SeasonalNaive(), WindowQuantile()):
        samples = model.forecast(make_history(row, 2 * row), Horizon(8, 50), rng()).samples
        np.testing.assert_allclose(samples[:, 1], 2 * samples[:, 0], rtol=1e-5)


def test_stretches_begin_near_the_same_time_of_day() -> None:
    starts = stretch_starts(past=13 * DAY, length=24, season=DAY)

    distance = (starts - 13 * DAY + DAY // 2) % DAY - DAY // 2
    assert np.abs(distance).max() <= 6
    assert starts.size >= 60


def test_with_few_days_any_time_of_day_serves() -> None:
    assert stretch_starts(past=DAY, length=24, season=DAY).size == DAY - 24 + 1


def test_a_stretch_leaves_half_of_the_past_to_start_from() -> None:
    assert block_length(48, 1000) == 48
    assert block_length(48, 20) == 10
    assert block_length(48, 1) == 1


def test_paths_are_stretches_of_the_past_laid_end_to_end() -> None:
    errors = np.arange(20.0)[None]

    paths = error_paths(errors, np.array([0, 10]), 3, 7, 5, rng())

    assert paths.shape == (1, 5, 7)
    assert set(paths[0, :, 0]) <= {0.0, 10.0}
    np.testing.assert_array_equal(np.diff(paths[0, :, :3], axis=1), 1.0)


def test_changes_of_the_past_add_up() -> None:
    paths = change_paths(np.arange(0.0, 30.0, 2.0)[None], 5, 4, rng())

    assert (paths[0] == [2, 4, 6, 8, 10]).all()
