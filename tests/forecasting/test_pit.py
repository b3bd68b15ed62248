"""Where observed demand fell in its forecast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.forecasting.pit import (
    BINS,
    Calibration,
    Outlook,
    calibration,
    observed_at,
    outlook,
    pit_interval,
    some_leads,
)
from nodemix.forecasting.types import DemandHistory

from tests.forecasting.histories import START_S, STEP_S, make_forecast, make_history
from tests.forecasting.worlds import DRAWS, forecast_at, normal_demand

MANY = 4000
NOISE = 0.02
"""Four standard errors of a share of 4000 observations, the largest being .008."""


def one_step_ahead(actual: float | None = None, draws: int = 200, seed: int = 0) -> Calibration:
    """Of 4000 series, each an own draw of its forecast unless all are ``actual``."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(100.0, 10.0, (draws, MANY, 1, 1))
    came = rng.normal(100.0, 10.0, MANY) if actual is None else np.full(MANY, actual)
    (found,) = calibration(make_forecast(samples), make_history(*came[:, None]))
    return found


@pytest.mark.parametrize("draws", [20, 200])
def test_demand_like_the_draws_fills_every_tenth_equally(draws: int) -> None:
    found = one_step_ahead(draws=draws)

    assert found.observations == MANY
    assert sum(found.pit) == pytest.approx(MANY)
    shares = np.array(found.pit) / MANY
    np.testing.assert_allclose(shares, 1.0 / BINS, atol=NOISE)


def test_demand_like_the_draws_is_covered_and_exceeds_as_it_should() -> None:
    found = one_step_ahead()

    for share in (*found.coverage, *found.exceedance):
        assert share.observed == pytest.approx(share.expected, abs=NOISE)
    assert [share.level for share in found.coverage] == [0.5, 0.8, 0.95]
    assert [share.expected for share in found.exceedance] == [0.05, 0.01]


def test_demand_above_every_draw_lies_in_the_last_tenth_and_exceeds() -> None:
    found = one_step_ahead(1000.0)

    assert found.pit[-1] == MANY
    assert [share.observed for share in found.exceedance] == [1.0, 1.0]
    assert [share.observed for share in found.coverage] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("level", [0.0, 7.3, 1e-9, 1e12])
def test_a_certain_forecast_that_comes_true_says_nothing_bad(level: float) -> None:
    forecast = make_forecast(np.full((50, 3, 4, 1), level))

    (found,) = calibration(forecast, make_history(*np.full((3, 4), level)))

    np.testing.assert_allclose(found.pit, 1.2)
    assert [share.observed for share in found.coverage] == [1.0, 1.0, 1.0]
    assert [share.observed for share in found.exceedance] == [0.0, 0.0]


def test_what_was_not_observed_counts_for_nothing() -> None:
    forecast = forecast_at(0, np.random.default_rng(0), series=2, steps=3)
    holes = np.array([[95.0, np.nan, 105.0], [np.nan, np.nan, np.nan]])

    (found,) = calibration(forecast, make_history(*holes))

    assert found.observations == 2.0
    assert sum(found.pit) == pytest.approx(2.0)


def test_nothing_observed_gives_no_shares() -> None:
    forecast = forecast_at(5, np.random.default_rng(0))

    (found,) = calibration(forecast, make_history(*normal_demand(5)))

    assert found.observations == 0.0
    assert {share.observed for share in (*found.coverage, *found.exceedance)} == {None}


def seen(series: tuple[str, ...], times_s: list[float]) -> Outlook:
    forecast = make_forecast(np.ones((9, len(series), 1, 1)), series=series)
    found = outlook(forecast, [0] * len(times_s))
    return Outlook(
        *(series, ("pods",), np.array(times_s)),
        *(found.levels, found.grid, found.named, found.pivot),
    )


def test_series_are_found_by_name_wherever_they_stand() -> None:
    history = make_history([1.0, 2.0], [3.0, 4.0], series=("a", "b"))

    actual = observed_at(history, seen(("b", "gone", "a"), [START_S + STEP_S]))

    np.testing.assert_array_equal(actual[:, 0, 0], [4.0, np.nan, 2.0])


def test_indicators_are_found_by_name() -> None:
    history = make_history([1.0], indicators=("cpu_milli",))

    actual = observed_at(history, seen(("shop/Deployment/0",), [START_S]))

    assert np.isnan(actual).all()


@pytest.mark.parametrize("off_steps", [-1.0, 0.5, 3.0])
def test_a_time_off_the_grid_or_outside_the_history_is_not_observed(off_steps: float) -> None:
    history: DemandHistory = make_history([1.0, 2.0, 3.0], series=("a",))

    actual = observed_at(history, seen(("a",), [START_S + off_steps * STEP_S]))

    assert np.isnan(actual).all()


@given(
    value=st.floats(0.0, 1e6),
    draws=st.lists(st.floats(0.0, 1e6), min_size=2, max_size=30),
)
def test_the_interval_of_probability_is_never_empty_nor_outside_one(
    value: float, draws: list[float]
) -> None:
    found = outlook(make_forecast(np.array(draws)[:, None, None, None]), [0])

    low, high = pit_interval(found.levels, found.grid[:, :, 0, 0], np.array([value]))

    assert 0.0 <= low[0] < high[0] <= 1.0


def test_few_steps_are_all_kept_and_many_are_thinned_out() -> None:
    assert some_leads(1) == (0,)
    assert some_leads(4) == (0, 1, 2, 3)
    thinned = some_leads(48)
    assert (thinned[0], thinned[-1], len(thinned)) == (0, 47, 8)


def test_quantiles_kept_are_those_that_the_forecast_gives() -> None:
    forecast = forecast_at(0, np.random.default_rng(0))

    kept = outlook(forecast, range(forecast.steps))

    for level in (0.025, 0.9, 0.99):
        np.testing.assert_array_equal(kept.at(level), forecast.quantile(level))
    assert forecast.draws == DRAWS
