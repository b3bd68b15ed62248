"""Stretching the upper half of forecasts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.forecasting.conformal import NARROWEST, WIDEST, Stretch, adjusted, scores
from nodemix.forecasting.pit import KNOTS
from nodemix.forecasting.types import DemandForecast, FloatArray

from tests.forecasting.histories import make_forecast

FACTORS = st.lists(st.floats(NARROWEST, WIDEST), min_size=3, max_size=3)
ONE_UNIT = 1e-5
"""Samples have 24 bits."""


def gamma_forecast(seed: int = 0, draws: int = 101) -> DemandForecast:
    rng = np.random.default_rng(seed)
    return make_forecast(rng.gamma(2.0, 10.0, (draws, 3, 5, 2)))


def columns(factors: list[float]) -> FloatArray:
    """The same factors for both indicators."""
    return np.array([factors, factors]).T


@given(factors=FACTORS, draws=st.sampled_from([20, 101, 200]))
def test_draws_keep_their_order_their_sign_and_what_lies_below_the_median(
    factors: list[float], draws: int
) -> None:
    forecast = gamma_forecast(draws=draws)

    changed = adjusted(forecast, columns(factors)).samples

    order = np.argsort(forecast.samples, axis=0, kind="stable")
    assert (np.diff(np.take_along_axis(changed, order, axis=0), axis=0) >= 0).all()
    assert (changed >= 0).all()
    assert np.isfinite(changed).all()
    low = forecast.samples <= np.median(forecast.samples, axis=0)
    np.testing.assert_allclose(changed[low], forecast.samples[low], rtol=ONE_UNIT)


@given(factors=FACTORS, draws=st.sampled_from([20, 101, 200]))
def test_medians_stay(factors: list[float], draws: int) -> None:
    forecast = gamma_forecast(draws=draws)

    changed = adjusted(forecast, columns(factors))

    np.testing.assert_allclose(changed.quantile(0.5), forecast.quantile(0.5), rtol=ONE_UNIT)


@given(factors=FACTORS.map(sorted))
def test_every_knot_moves_by_its_own_factor(factors: list[float]) -> None:
    forecast = gamma_forecast()

    changed = adjusted(forecast, columns(factors))

    pivot = np.quantile(forecast.samples, 0.5, axis=0, method="higher")
    for level, factor in zip(KNOTS, factors, strict=True):
        expected = pivot + factor * (forecast.quantile(level) - pivot)
        np.testing.assert_allclose(changed.quantile(level), expected, rtol=0.02)


@given(factors=FACTORS, scale=st.sampled_from([1e-6, 0.5, 8.0, 1e6]))
def test_the_unit_of_demand_does_not_matter(factors: list[float], scale: float) -> None:
    forecast = gamma_forecast()
    larger = make_forecast(scale * forecast.samples.astype(np.float64))

    changed = adjusted(forecast, columns(factors)).samples.astype(np.float64)

    np.testing.assert_allclose(
        adjusted(larger, columns(factors)).samples, scale * changed, rtol=ONE_UNIT
    )


def test_factors_of_one_leave_the_forecast_itself() -> None:
    forecast = gamma_forecast()

    assert adjusted(forecast, columns([1.0, 1.0, 1.0])) is forecast


def test_indicators_have_factors_of_their_own() -> None:
    forecast = gamma_forecast()

    changed = adjusted(forecast, np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]]))

    np.testing.assert_allclose(changed.samples[..., 1], forecast.samples[..., 1], rtol=ONE_UNIT)
    assert (changed.quantile(0.95) > forecast.quantile(0.95))[..., 0].all()


@pytest.mark.parametrize("level", [0.0, 3.0, 1e12])
def test_a_forecast_without_spread_stays(level: float) -> None:
    forecast = make_forecast(np.full((50, 2, 3, 2), level))

    changed = adjusted(forecast, columns([2.0, 3.0, 4.0]))

    np.testing.assert_array_equal(changed.samples, forecast.samples)


def learnt(spread: float, steps: int = 400, rows: int = 10, seed: int = 0) -> Stretch:
    """After normal demand of ``spread`` times what was forecast."""
    rng = np.random.default_rng(seed)
    knots = np.array([1.2816, 1.6449, 2.3263])[:, None] * np.ones(rows)
    stretch = Stretch()
    for _ in range(steps):
        actual = spread * rng.standard_normal(rows)
        stretch = stretch.learnt(scores(actual, np.zeros(rows), knots))
    return stretch


@pytest.mark.parametrize("spread", [0.7, 1.0, 1.5, 2.5])
def test_factors_find_the_true_spread(spread: float) -> None:
    np.testing.assert_allclose(learnt(spread).factors, spread, rtol=0.2)


def test_factors_stay_within_their_limits() -> None:
    assert learnt(100.0).factors == (WIDEST,) * 3
    assert learnt(0.0, steps=1000).factors == (NARROWEST,) * 3


def test_a_forecast_without_spread_teaches_nothing() -> None:
    flat = np.zeros((3, 4))

    found = scores(np.ones(4), np.zeros(4), flat)

    assert np.isnan(found).all()
    assert Stretch().learnt(found) == Stretch()


def test_one_missing_observation_does_not_silence_the_others() -> None:
    knots = np.ones((3, 2)) * np.array([[1.0], [1.5], [2.0]])
    found = scores(np.array([np.nan, 9.0]), np.zeros(2), knots)

    assert all(factor > 1.0 for factor in Stretch().learnt(found).factors)
