import numpy as np
import pytest
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.guard import checked, guarded, uncrossed
from nodemix.forecasting.types import Horizon

from tests.forecasting.histories import make_forecast, make_history

PAST = np.array([[1.0, 2.0], [0.0, 0.0]])


def test_a_rare_path_is_cut_at_three_times_the_highest_demand_seen() -> None:
    paths = np.ones((2, 50, 4))
    paths[0, 0, 0] = 100.0

    assert guarded("x", paths, PAST)[0].max() == 6.0


def test_a_row_that_was_always_zero_stays_zero() -> None:
    assert guarded("x", np.ones((2, 50, 4)), PAST)[1].max() == 0.0


def test_paths_that_explode_are_no_forecast() -> None:
    with pytest.raises(ModelFailedError, match="x: paths exceed 3 times"):
        guarded("x", np.full((2, 50, 4), 7.0), PAST)


def test_paths_that_are_not_finite_are_no_forecast() -> None:
    paths = np.ones((2, 50, 4))
    paths[1, 3, 2] = np.nan

    with pytest.raises(ModelFailedError, match="not finite"):
        guarded("x", paths, PAST)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_forecast_with_a_bad_sample_is_refused(bad: float) -> None:
    samples = np.ones((5, 1, 3, 1))
    samples[2, 0, 1, 0] = bad

    with pytest.raises(ModelFailedError, match="negative or not finite"):
        checked("x", make_forecast(samples), Horizon(3, 5), make_history(PAST[0]))


def test_a_forecast_of_another_length_is_refused() -> None:
    with pytest.raises(ModelFailedError, match="5 draws of 3 steps"):
        checked("x", make_forecast(np.ones((5, 1, 3, 1))), Horizon(4, 5), make_history(PAST[0]))


def test_a_forecast_of_other_series_is_refused() -> None:
    asked = make_history(PAST[0], series=("other",))

    with pytest.raises(ModelFailedError, match="other series"):
        checked("x", make_forecast(np.ones((5, 1, 3, 1))), Horizon(3, 5), asked)


def test_a_forecast_that_explodes_is_refused() -> None:
    exploding = make_forecast(np.full((5, 1, 3, 1), 6.1))

    with pytest.raises(ModelFailedError, match="exceed 3 times"):
        checked("x", exploding, Horizon(3, 5), make_history(PAST[0]))


def test_quantiles_that_cross_are_no_forecast() -> None:
    with pytest.raises(ModelFailedError, match="x: quantiles cross at 1 places"):
        uncrossed("x", np.array([[1.0, 2.0], [2.0, 1.9], [3.0, 3.0]]))


def test_quantiles_that_are_not_numbers_are_no_forecast() -> None:
    with pytest.raises(ModelFailedError, match="cross"):
        uncrossed("x", np.array([[1.0], [np.nan]]))


def test_quantiles_that_rise_or_stay_are_left_as_they_are() -> None:
    rising = np.array([[1.0, 2.0], [1.0, 3.0]])

    np.testing.assert_array_equal(uncrossed("x", rising), rising)


def test_quantiles_that_fall_by_a_last_digit_are_put_in_order() -> None:
    falling = np.array([[1.0, 2.0], [1.0 - 1e-6, 3.0]])

    np.testing.assert_array_equal(uncrossed("x", falling, 1e-4), [[1.0, 2.0], [1.0, 3.0]])
