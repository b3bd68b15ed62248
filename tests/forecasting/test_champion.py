from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from nodemix.forecasting.backtest import Score
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive
from nodemix.forecasting.champion import (
    SIMPLE,
    ForecastSettings,
    best_speaks,
    choose,
    forecast_demand,
)
from nodemix.forecasting.errors import ForecastError, ModelFailedError, StaleHistoryError
from nodemix.forecasting.types import (
    DemandForecast,
    DemandHistory,
    Forecaster,
    Horizon,
    ModelVerdict,
)

from tests.forecasting.histories import DAY, STEP_S, make_history, seasonal_rows

HORIZON = Horizon(8, 40)
ONLY_SIMPLE = ForecastSettings(models=SIMPLE)
PATIENT = ForecastSettings(budget_s=600.0, train_s=600.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def score(model: str, *per_series: float, speaker: Forecaster | None = None) -> Score:
    return Score(model, np.array(per_series), speaker=speaker or LastValue(name=model))


def verdict(forecast: DemandForecast, model: str) -> ModelVerdict:
    return next(v for v in forecast.verdicts if v.model == model)


@dataclass(frozen=True)
class Spoiled:
    """Did well in the backtest, and now gives what is no forecast."""

    spoil: Callable[[DemandForecast], DemandForecast]
    name: str = "flow"

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        return self.spoil(LastValue().forecast(history, horizon, rng))


def raise_failure(_: DemandForecast) -> DemandForecast:
    raise ModelFailedError("flow", "its weights are gone")


def test_a_costly_model_speaks_only_where_it_wins_by_the_margin() -> None:
    simple = score("last-value", 1.0, 1.0)

    just = choose((simple, score("flow", 0.98, 0.98)), 2, ForecastSettings(margin=0.03))
    clearly = choose((simple, score("flow", 0.96, 0.96)), 2, ForecastSettings(margin=0.03))

    assert just == ("last-value", "last-value")
    assert clearly == ("flow", "flow")


def test_one_series_is_given_to_another_model_only_on_strong_evidence() -> None:
    scores = (score("last-value", 1.0, 1.0, 1.0), score("ets", 0.8, 0.7, 9.0))

    assert choose(scores, 3, ForecastSettings()) == ("last-value", "ets", "last-value")


def test_margins_hold_below_zero_where_a_fair_score_may_lie() -> None:
    scores = (score("last-value", -1.0), score("flow", -1.01))

    assert choose(scores, 1, ForecastSettings(margin=0.03)) == ("last-value",)


def test_a_model_that_failed_is_never_chosen() -> None:
    scores = (score("last-value", 1.0), Score("flow", None, "it diverged"))

    assert choose(scores, 1, ForecastSettings()) == ("last-value",)


def test_without_a_simple_model_that_stands_there_is_no_choice() -> None:
    with pytest.raises(ModelFailedError, match="it diverged"):
        choose((Score("last-value", None, "it diverged"),), 1, ForecastSettings())


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (raise_failure, "its weights are gone"),
        (lambda f: replace(f, samples=f.samples * np.float32(np.nan)), "not finite"),
        (lambda f: replace(f, samples=f.samples - 1e6), "negative"),
        (lambda f: replace(f, samples=f.samples[:, :, :3]), "of 3 steps"),
    ],
)
def test_a_model_that_fails_now_is_struck_off_and_another_speaks(
    spoil: Callable[[DemandForecast], DemandForecast], why: str
) -> None:
    history = make_history(*seasonal_rows(2, 4))
    scores = (
        score("last-value", 1.0, 1.0, speaker=LastValue()),
        score("flow", 0.1, 0.1, speaker=Spoiled(spoil)),
    )

    forecast = best_speaks(scores, history, HORIZON, rng())

    assert verdict(forecast, "last-value").series == history.series
    assert verdict(forecast, "flow").series == ()
    assert why in verdict(forecast, "flow").why
    assert np.isfinite(forecast.samples).all()


def test_the_second_best_costly_model_speaks_when_the_best_fails() -> None:
    scores = (
        score("last-value", 1.0, speaker=LastValue()),
        score("ets", 0.5, speaker=LastValue(name="ets")),
        score("flow", 0.1, speaker=Spoiled(raise_failure)),
    )

    forecast = best_speaks(scores, make_history(*seasonal_rows(1, 4)), HORIZON, rng())

    assert verdict(forecast, "ets").series == ("shop/Deployment/0",)


def test_seasonal_demand_is_spoken_for_by_the_seasonal_model() -> None:
    history = make_history(*seasonal_rows(3, 8, noise=0.01))

    forecast = forecast_demand(history, Horizon(48, 40), rng(), history.end_s, ONLY_SIMPLE)

    assert verdict(forecast, "seasonal-naive").series == history.series
    assert verdict(forecast, "seasonal-naive").score == 1.0
    assert "speaks for 3 of 3 series" in verdict(forecast, "seasonal-naive").why
    assert verdict(forecast, "last-value").why.startswith("not chosen, ")


def test_demand_that_moves_in_steps_is_spoken_for_by_the_last_value() -> None:
    steps = np.repeat(np.random.default_rng(1).integers(1, 40, (3, 40)), 20, axis=1)
    history = make_history(*steps.astype(float))

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, ONLY_SIMPLE)

    assert verdict(forecast, "last-value").series == history.series


def test_the_flow_and_ets_beat_the_simple_models_on_noisy_seasons() -> None:
    history = make_history(*seasonal_rows(6, 14, noise=0.15))

    forecast = forecast_demand(history, Horizon(24, 100), rng(), history.end_s, PATIENT)

    flow, ets = verdict(forecast, "flow"), verdict(forecast, "ets")
    assert flow.score is not None
    assert flow.score < 0.9
    assert len(flow.series) + len(ets.series) == 6


def test_a_young_series_speaks_through_the_widened_last_value_beside_the_others() -> None:
    rows = seasonal_rows(3, 6)
    rows[1, : 6 * DAY - 40] = np.nan
    history = make_history(*rows)

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, ONLY_SIMPLE)

    assert forecast.series == history.series
    young = next(v for v in forecast.verdicts if v.series == ("shop/Deployment/1",))
    assert young.why == "only 40 steps observed; last value with widened residuals"


def test_a_single_sample_is_enough_for_a_forecast() -> None:
    history = make_history([5.0])

    samples = forecast_demand(history, Horizon(4, 400), rng(), history.end_s).samples

    assert samples.mean() == pytest.approx(5.0, rel=0.05)
    assert samples[:, 0, -1, 0].std() > 0.5


def test_a_history_too_short_for_a_backtest_says_so() -> None:
    history = make_history(*seasonal_rows(1, 1.5))

    forecast = forecast_demand(history, Horizon(100, 40), rng(), history.end_s)

    assert forecast.verdicts[0].model == "last-value"
    assert "too few for a backtest" in forecast.verdicts[0].why


def test_stale_input_gives_no_forecast() -> None:
    history = make_history(*seasonal_rows(1, 3))

    with pytest.raises(StaleHistoryError):
        forecast_demand(history, HORIZON, rng(), history.end_s + 2 * 3600)


def test_a_forecast_begins_after_the_newest_step_before_now() -> None:
    history = make_history(*seasonal_rows(1, 3))
    now_s = history.start_s + 200 * STEP_S + 10

    forecast = forecast_demand(history, HORIZON, rng(), now_s, ONLY_SIMPLE)

    assert forecast.start_s == history.start_s + 201 * STEP_S


def test_warnings_of_the_input_reach_the_forecast() -> None:
    rows = seasonal_rows(2, 4)
    rows[0, 50] = -1.0
    history = make_history(*rows)

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, ONLY_SIMPLE)

    assert "shop/Deployment/0: 1 negative" in forecast.warnings[0]


def test_a_costly_model_is_not_tried_when_time_is_over() -> None:
    ticks = iter(range(0, 1000, 20))
    settings = ForecastSettings(clock=lambda: float(next(ticks)), budget_s=15)
    history = make_history(*seasonal_rows(2, 4))

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, settings)

    assert verdict(forecast, "flow").why == "failed: not tried, 15 s were over"
    assert verdict(forecast, "flow").score is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"models": ("oracle",)}, "oracle"),
        ({"models": ("flow",)}, "enable at least one"),
        ({"origins": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ForecastError, match=why):
        ForecastSettings(**fields)  # type: ignore[arg-type]


def test_the_simple_models_are_called_as_the_settings_call_them() -> None:
    assert (LastValue().name, SeasonalNaive().name) == SIMPLE
