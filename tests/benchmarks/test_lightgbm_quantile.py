"""The gradient-boosting baseline; most of it needs the optional extra ``bench``."""

from dataclasses import replace

import numpy as np
import pytest
from nodemix.forecasting import anchors as rules
from nodemix.forecasting.backtest import Trainable
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon

from benchmarks import forecast_models, lightgbm_quantile
from benchmarks.lightgbm_quantile import Boosting, LightGbm, is_installed
from tests.forecasting.histories import DAY, STEP_S, make_history, seasonal_rows

HORIZON = Horizon(steps=12, draws=60)
MODEL = LightGbm(Boosting(leaves=7, rate=0.2, rounds=10, min_child=50))

needs_lightgbm = pytest.mark.skipif(
    not is_installed(), reason="lightgbm is not installed; it comes with requirements/bench.txt"
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def forecast(history: DemandHistory, seed: int = 0) -> DemandForecast:
    return MODEL.forecast(history, HORIZON, rng(seed))


@pytest.fixture(scope="module", autouse=True)
def few_targets() -> object:
    """Enough for small histories, and five times faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightgbm_quantile, "MAX_TARGETS", 3_000)
        patch.setattr(lightgbm_quantile, "MAX_ORIGINS", 60)
        patch.setattr(lightgbm_quantile, "JUDGED_ORIGINS", 30)
        yield


def test_without_the_extra_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lightgbm_quantile, "is_installed", lambda: False)

    with pytest.raises(ModelFailedError, match=r"pip install .* requirements/bench\.txt"):
        forecast(make_history(*seasonal_rows(1, 5)))


def test_it_is_compared_by_default_only_where_it_is_installed() -> None:
    assert ("lightgbm" in forecast_models.MODELS) == is_installed()
    assert "lightgbm" in forecast_models.NAMES


@needs_lightgbm
def test_it_is_trained_once_and_asked_often() -> None:
    assert isinstance(MODEL, Trainable)
    history = make_history(*seasonal_rows(2, 6))

    trained = MODEL.trained(history.until(5 * DAY), HORIZON, rng())
    said = trained.forecast(history, HORIZON, rng())

    assert said.start_s == history.end_s + STEP_S
    assert said.samples.shape == (60, 2, 12, 1)


@needs_lightgbm
def test_the_median_follows_the_daily_wave() -> None:
    """Half a day ahead it misses by less than half of what the last value does."""
    rows = seasonal_rows(4, 8, noise=0.05)
    past, actual = make_history(*rows[:, :-48]), rows[:, -48:]

    median = MODEL.forecast(past, Horizon(48, 60), rng()).quantile(0.5)[..., 0]

    assert np.abs(median - actual).mean() < 0.5 * np.abs(rows[:, -49:-48] - actual).mean()


@needs_lightgbm
def test_samples_are_finite_and_not_negative_whatever_the_row() -> None:
    steps = 6 * DAY
    stepwise = np.repeat(rng().integers(0, 5, steps // 24), 24).astype(float)
    bursts = np.where(rng(1).random(steps) < 0.02, 1000.0, 0.0)
    history = make_history(
        seasonal_rows(1, 6)[0], stepwise, bursts, np.zeros(steps), np.ones(steps)
    )

    samples = forecast(history).samples

    assert np.isfinite(samples).all()
    assert (samples >= 0).all()
    assert (samples[:, 3] == 0).all()
    np.testing.assert_allclose(samples[:, 4], 1.0, atol=0.02)


@needs_lightgbm
def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    history = make_history(*seasonal_rows(2, 6))

    first, again, other = (forecast(history, seed).samples for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@needs_lightgbm
def test_demand_in_another_unit_gives_the_same_forecast_in_that_unit() -> None:
    history = make_history(*seasonal_rows(2, 6))

    plain = forecast(history).samples
    scaled = forecast(replace(history, values=1024.0 * history.values)).samples

    np.testing.assert_allclose(scaled / 1024.0, plain, rtol=1e-5)


def test_only_what_was_observed_teaches_and_not_on_the_first_day_of_a_row() -> None:
    observed = np.ones((2, 1, 8 * DAY), dtype=np.bool_)
    observed[0, 0, : 2 * DAY] = False
    observed[1, 0, 5 * DAY : 6 * DAY] = False
    grid = lightgbm_quantile._grid(make_history(*seasonal_rows(2, 8), observed=observed))

    targets = lightgbm_quantile._sampled(grid, 8 * DAY - 13, 12, rng())

    assert grid.observed[targets.row, targets.origin + targets.lead].all()
    assert targets.origin[targets.row == 0].min() >= 3 * DAY
    assert targets.origin[targets.row == 1].min() >= DAY


@needs_lightgbm
def test_rows_keep_moving_together() -> None:
    row = seasonal_rows(1, 8)[0]
    samples = MODEL.forecast(make_history(row, 2 * row), Horizon(12, 1000), rng()).samples

    together = np.asarray(np.corrcoef(samples[:, :, 6, 0].T))
    assert together[0, 1] > 0.6


@needs_lightgbm
def test_too_short_a_history_and_other_series_are_refused() -> None:
    with pytest.raises(ModelFailedError, match=r"2\.5 days of history, needs 3\.1"):
        forecast(make_history(*seasonal_rows(1, 2.5)))
    trained = MODEL.trained(make_history(*seasonal_rows(3, 5)), HORIZON, rng())
    with pytest.raises(ModelFailedError, match="trained for other series"):
        trained.forecast(make_history(*seasonal_rows(2, 5)), HORIZON, rng())


def test_between_two_boosters_a_quantile_lies_on_a_straight_line_over_the_noise() -> None:
    known = rules.NOISE[lightgbm_quantile.RULE_LEVELS]

    found = (3.0 + 2.0 * known) @ lightgbm_quantile._between()

    np.testing.assert_allclose(found, 3.0 + 2.0 * rules.NOISE)
    assert rules.LEVELS[lightgbm_quantile.RULE_LEVELS] == pytest.approx(lightgbm_quantile.LEVELS)


def test_two_extreme_levels_that_lie_far_apart_do_not_draw_the_tail_out() -> None:
    quantiles = np.array([0.0] * 9 + [0.1, 2.0])

    found = quantiles @ lightgbm_quantile._between()

    assert found[-1] < 4.0  # the slope of the last two levels leads to 6
    assert (np.diff(found) >= 0).all()
