"""What holds for every forecaster, whatever it is shown."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nodemix.forecasting.baselines.ets import Ets
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive
from nodemix.forecasting.baselines.window_quantile import WindowQuantile
from nodemix.forecasting.champion import SHORT, SIMPLE, ForecastSettings, forecast_demand
from nodemix.forecasting.errors import HistoryError, ModelFailedError, StaleHistoryError
from nodemix.forecasting.types import DemandForecast, DemandHistory, Forecaster, Horizon

from tests.forecasting.tiny import TINY, bent_net, tiny_flow
from tests.laws.forecast_strategies import BROKEN, DAY, STEP_S, WHOLE, history_of, raw_histories

HORIZON = Horizon(steps=10, draws=30)

SCALE = 1024.0
"""A power of two changes only exponents, so every sum rounds alike and equality is nearly exact;
another factor sends training down another path of roundings."""

CLOSE = 0.02
"""In shares of the level: how far quantiles may be apart after another path of roundings."""

ROUNDING = 1e-5
"""Of samples in 32 bits, with room for a few operations."""

MODELS: dict[str, Callable[[], Forecaster]] = {
    "last-value": LastValue,
    "window-quantile": WindowQuantile,
    "short": lambda: SHORT,
    "seasonal-naive": SeasonalNaive,
    "ets": lambda: Ets(fit_s=600.0),
    "flow": tiny_flow,
}
EVERY_MODEL = pytest.mark.parametrize("model", [make() for make in MODELS.values()], ids=MODELS)
EVERY_KIND = pytest.mark.parametrize("kind", WHOLE)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_is_forecast(forecast: DemandForecast, history: DemandHistory) -> None:
    expected = (HORIZON.draws, len(history.series), HORIZON.steps, len(history.indicators))
    assert forecast.samples.shape == expected
    assert forecast.samples.dtype == np.float32
    assert np.isfinite(forecast.samples).all()
    assert (forecast.samples >= 0).all()
    assert forecast.series == history.series
    assert forecast.indicators == history.indicators
    assert forecast.start_s == history.end_s + STEP_S


NEEDS_MORE = {"ets": ("one step",), "flow": ("short", "one step")}
"""Kinds that a model refuses; it says why, and another one speaks."""


@EVERY_KIND
@EVERY_MODEL
def test_a_forecast_is_finite_and_not_negative(model: Forecaster, kind: str) -> None:
    history = history_of(WHOLE[kind])
    before = history.values.copy()

    if kind in NEEDS_MORE.get(model.name, ()):
        with pytest.raises(ModelFailedError, match="of history, needs"):
            model.forecast(history, HORIZON, rng())
    else:
        assert_is_forecast(model.forecast(history, HORIZON, rng()), history)
    np.testing.assert_array_equal(history.values, before)


@EVERY_MODEL
def test_a_constant_stays_what_it_is(model: Forecaster) -> None:
    samples = model.forecast(history_of(WHOLE["constant"]), HORIZON, rng()).samples

    level = 0.25 if model is SHORT else 0.05
    assert np.abs(np.median(samples, axis=0) / 7.0 - 1.0).max() <= level


@EVERY_MODEL
def test_what_was_always_zero_stays_zero(model: Forecaster) -> None:
    assert (model.forecast(history_of(WHOLE["all zero"]), HORIZON, rng()).samples == 0.0).all()


@EVERY_MODEL
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(model: Forecaster) -> None:
    history = history_of(WHOLE["busy"])

    first, again, other = (model.forecast(history, HORIZON, rng(s)).samples for s in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@EVERY_MODEL
def test_the_global_random_state_is_left_alone(model: Forecaster) -> None:
    before = np.random.get_state(legacy=False)  # noqa: NPY002  it is what must not move

    model.forecast(history_of(WHOLE["busy"]), HORIZON, rng())

    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert repr(before) == repr(after)


@EVERY_MODEL
def test_demand_in_another_unit_gives_the_same_forecast_in_that_unit(model: Forecaster) -> None:
    values = WHOLE["busy"]

    plain = model.forecast(history_of(values), HORIZON, rng()).samples
    scaled = model.forecast(history_of(SCALE * values), HORIZON, rng()).samples

    np.testing.assert_allclose(scaled / SCALE, plain, rtol=ROUNDING, atol=ROUNDING)


@EVERY_MODEL
def test_demand_in_any_other_unit_gives_nearly_the_same_quantiles(model: Forecaster) -> None:
    values = WHOLE["busy"]
    plain, scaled = (
        model.forecast(history_of(factor * values), HORIZON, rng()) for factor in (1.0, 1e-3)
    )

    apart = [np.abs(1e3 * scaled.quantile(q) - plain.quantile(q)) for q in (0.1, 0.5, 0.9)]

    assert np.max(apart / values.mean(axis=2)[:, None, :]) < CLOSE


@EVERY_KIND
def test_networks_to_start_from_speak_of_any_history(kind: str) -> None:
    """A cold start: the first forecast is due before there are days to learn from."""
    history = history_of(WHOLE[kind])
    flow = tiny_flow(settings=replace(TINY, steps=1), start=(bent_net(),))

    assert_is_forecast(flow.forecast(history, HORIZON, rng()), history)


@EVERY_MODEL
def test_a_corrupted_future_changes_nothing(model: Forecaster) -> None:
    values = WHOLE["busy"].copy()
    known = values.shape[2] - 40
    before = model.forecast(history_of(values).until(known), HORIZON, rng()).samples

    values[:, :, known:] = 1e9

    after = model.forecast(history_of(values).until(known), HORIZON, rng()).samples
    np.testing.assert_array_equal(before, after)


SPEAKERS = pytest.mark.parametrize(
    "settings_",
    [
        ForecastSettings(models=(*SIMPLE, *costly), budget_s=600.0, train_s=600.0)
        for costly in ((), ("ets",), ("flow",))
    ],
    ids=("simple", "ets", "flow"),
)


@SPEAKERS
@pytest.mark.parametrize("kind", [*BROKEN, "exploding", "short", "one step", "woken", "all zero"])
def test_the_champion_always_gives_a_forecast(settings_: ForecastSettings, kind: str) -> None:
    history = history_of({**WHOLE, **BROKEN}[kind])

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, settings_)

    assert_is_forecast(forecast, history)
    spoken_for = [series for verdict in forecast.verdicts for series in verdict.series]
    assert set(spoken_for) == set(history.series)
    assert all(verdict.why for verdict in forecast.verdicts)


@SPEAKERS
def test_the_champion_does_not_look_beyond_now(settings_: ForecastSettings) -> None:
    values = WHOLE["busy"].copy()
    now_s = history_of(values).end_s - 40 * STEP_S
    before = forecast_demand(history_of(values), HORIZON, rng(), now_s, settings_)

    values[:, :, -40:] = np.random.default_rng(5).choice([np.nan, -1.0, 1e9], (2, 2, 40))

    after = forecast_demand(history_of(values), HORIZON, rng(), now_s, settings_)
    np.testing.assert_array_equal(before.samples, after.samples)
    assert before.verdicts == after.verdicts
    assert before.warnings == after.warnings


@SPEAKERS
def test_the_champion_is_the_same_for_the_same_seed(settings_: ForecastSettings) -> None:
    history = history_of(BROKEN["gappy"])

    first, again = (
        forecast_demand(history, HORIZON, rng(), history.end_s, settings_) for _ in range(2)
    )

    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.verdicts == again.verdicts


def test_stale_input_is_never_forecast() -> None:
    history = history_of(WHOLE["busy"])

    with pytest.raises(StaleHistoryError):
        forecast_demand(history, HORIZON, rng(), history.end_s + DAY * STEP_S)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=raw_histories())
def test_any_samples_at_all_give_a_forecast_or_a_reason(history: DemandHistory) -> None:
    simple = ForecastSettings(models=SIMPLE)
    if not has_fresh_series(history):
        with pytest.raises(HistoryError, match="check"):
            forecast_demand(history, HORIZON, rng(), history.end_s, simple)
        return

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, simple)

    assert np.isfinite(forecast.samples).all()
    assert (forecast.samples >= 0).all()
    left_out = set(history.series) - set(forecast.series)
    assert all(any(w.startswith(series) for w in forecast.warnings) for series in left_out)


def has_fresh_series(history: DemandHistory) -> bool:
    """Whether a series has a possible sample of every indicator within the last three steps."""
    newest = history.values[:, :, -4:]
    seen = np.any((newest >= 0) & (newest < 1e30), axis=2)
    return bool(np.any(np.all(seen, axis=1)))
