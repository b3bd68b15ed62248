import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.champion import (
    COSTLY,
    SHORT,
    SIMPLE,
    Champion,
    ForecastSettings,
    elect,
    forecast_demand,
    groups_of,
    origins_of,
    simple_model,
)
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.errors import (
    CheckpointError,
    ForecastError,
    ModelFailedError,
    StaleHistoryError,
)
from nodemix.forecasting.pool import Record
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


def verdict(forecast: DemandForecast, model: str) -> ModelVerdict:
    return next(v for v in forecast.verdicts if v.model == model)


@dataclass(frozen=True)
class Untrained:
    """Gives what is no forecast from the start."""

    spoil: Callable[[DemandForecast], DemandForecast]
    name: str = "flow"

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        return self.spoil(LastValue().forecast(history, horizon, rng))


class Spoiled(Untrained):
    """Did well in the backtest, and now gives what is no forecast; forbids training."""

    def trained(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> Forecaster:
        raise AssertionError("trained when it should only have been asked")


@dataclass
class Asked:
    """A last value that counts how often it was asked."""

    name: str
    times: list[int] = field(default_factory=list)

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        self.times.append(history.steps)
        return LastValue().forecast(history, horizon, rng)


def raise_failure(_: DemandForecast) -> DemandForecast:
    raise ModelFailedError("flow", "its weights are gone")


def make_champion(ready: CleanHistory, *models: Forecaster, earned: tuple[float, ...]) -> Champion:
    """Elected for ``ready``; each model missed what came by 1 / earned, independently."""
    count, series = len(models), len(ready.history.series)
    miss = np.tile(1.0 / np.array(earned), (series, 1, 1))
    record = Record(
        tuple(m.name for m in models),
        100.0 * miss,
        np.zeros((series, 1, count, count)),
        np.full((series, 1), 100.0),
    )
    blank = Champion(ready.history.until(0), {}, {}, record, miss, HORIZON)
    return blank.judged_by(record, {m.name: m for m in models}, {})


def ready_of(rows: int = 1, days: float = 4) -> CleanHistory:
    history = make_history(*seasonal_rows(rows, days))
    return clean(history, history.end_s)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (raise_failure, "its weights are gone"),
        (lambda f: replace(f, samples=f.samples * np.float32(np.nan)), "not finite"),
        (lambda f: replace(f, samples=f.samples * np.float32(np.inf)), "not finite"),
        (lambda f: replace(f, samples=f.samples - np.float32(1e6)), "negative"),
        (lambda f: replace(f, samples=f.samples + np.float32(1e6)), "exceed 3 times"),
        (lambda f: replace(f, samples=f.samples[:, :, :3]), "of 3 steps"),
    ],
)
def test_a_model_that_fails_now_is_struck_off_and_another_speaks_in_the_same_call(
    spoil: Callable[[DemandForecast], DemandForecast], why: str
) -> None:
    ready = ready_of(rows=2)
    champion = make_champion(ready, Spoiled(spoil), simple_model("last-value"), earned=(9.0, 1.0))

    forecast = champion.forecast(ready, HORIZON, rng())

    assert verdict(forecast, "last-value").series == ready.history.series
    assert verdict(forecast, "flow").series == ()
    assert verdict(forecast, "flow").why.startswith("failed: ")
    assert why in verdict(forecast, "flow").why
    assert verdict(forecast, "flow").why.endswith("; last-value speaks")
    assert np.isfinite(forecast.samples).all()


def test_a_model_that_failed_is_asked_again_at_the_next_call() -> None:
    ready = ready_of()
    champion = make_champion(ready, Spoiled(raise_failure), LastValue(), earned=(9.0, 1.0))

    champion.forecast(ready, HORIZON, rng())

    assert champion.failures == {}


def test_the_second_best_model_takes_over_the_share_of_one_that_fails() -> None:
    ready = ready_of()
    ets = LastValue(name="ets")
    flow = Spoiled(raise_failure)
    champion = make_champion(ready, LastValue(), ets, flow, earned=(1.0, 5.0, 9.0))

    forecast = champion.forecast(ready, HORIZON, rng())

    assert verdict(forecast, "ets").series == ("shop/Deployment/0",)
    assert verdict(forecast, "last-value").why.startswith("not chosen")
    assert verdict(forecast, "flow").why == "failed: its weights are gone; ets speaks"


def test_when_every_model_fails_the_widened_last_value_speaks() -> None:
    ready = ready_of(rows=2)
    champion = make_champion(ready, Spoiled(raise_failure), earned=(1.0,))

    forecast = champion.forecast(ready, HORIZON, rng())

    assert forecast.verdicts[0].model == SHORT.name
    assert forecast.verdicts[0].series == ready.history.series
    assert "every model failed" in forecast.verdicts[0].why
    assert np.isfinite(forecast.samples).all()


def test_models_without_a_share_are_not_asked() -> None:
    ready = ready_of()
    silent, loud = Asked("ets"), Asked("last-value")
    champion = make_champion(ready, loud, silent, earned=(9.0, 1.0))

    champion.forecast(ready, HORIZON, rng())

    assert (len(loud.times), len(silent.times)) == (1, 0)


def test_a_champion_is_for_the_series_and_steps_of_its_election() -> None:
    champion = make_champion(ready_of(rows=2), LastValue(), earned=(1.0,))

    with pytest.raises(ForecastError, match="asked for 1 and 8; elect anew"):
        champion.forecast(ready_of(rows=1), HORIZON, rng())


def test_a_model_is_trained_once_on_what_came_before_the_origins() -> None:
    ready, lengths = ready_of(rows=2), list[int]()

    @dataclass(frozen=True)
    class Counted(Untrained):
        def trained(
            self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
        ) -> Forecaster:
            lengths.append(history.steps)
            return self

    settings = ForecastSettings(models=(*SIMPLE, "flow"))
    champion = elect(
        ready, HORIZON, rng(), settings, make=lambda *_: Counted(lambda forecast: forecast)
    )
    first, second = (champion.forecast(ready, HORIZON, rng()) for _ in range(2))

    assert lengths == [origins_of(ready.history, HORIZON, settings)[0]]
    assert champion.trained_at_s == {"flow": ready.history.end_s}
    np.testing.assert_array_equal(first.samples, second.samples)


def refused(name: str, _: ForecastSettings) -> Forecaster:
    raise CheckpointError(f"{name} is of schema 1, not 2", "train it anew")


def test_weights_of_another_schema_leave_the_word_to_the_others() -> None:
    ready = ready_of(rows=2)

    forecast = elect(ready, HORIZON, rng(), make=refused).forecast(ready, HORIZON, rng())

    why = verdict(forecast, "flow").why
    assert why.startswith("failed: checkpoint: flow is of schema 1, not 2; train it anew; ")
    assert why.endswith(" speaks")
    assert {v.model for v in forecast.verdicts if v.series} <= set(SIMPLE)


def test_a_model_that_fails_in_the_backtest_is_not_elected() -> None:
    ready = ready_of()
    settings = ForecastSettings(models=(*SIMPLE, "flow"))

    champion = elect(ready, HORIZON, rng(), settings, make=lambda *_: Untrained(raise_failure))

    assert champion.failures == {"flow": "its weights are gone"}
    assert "flow" not in champion.record.models


def test_series_of_one_parent_are_a_group() -> None:
    history = make_history([1.0], [1.0], [1.0])

    assert groups_of(history).tolist() == [0, 0, 0]
    assert groups_of(replace(history, parents=("b", "a", "b"))).tolist() == [1, 0, 1]


def test_seasonal_demand_is_spoken_for_by_the_seasonal_model() -> None:
    history = make_history(*seasonal_rows(3, 8, noise=0.01))

    forecast = forecast_demand(history, Horizon(48, 40), rng(), history.end_s, ONLY_SIMPLE)

    assert verdict(forecast, "seasonal-naive").series == history.series
    assert verdict(forecast, "seasonal-naive").score == 1.0
    assert verdict(forecast, "seasonal-naive").why == (
        "speaks in 100% of the futures, for 3 of 3 series, 1.00 of the best simple model's score"
    )
    assert verdict(forecast, "last-value").why.startswith("not chosen, ")


def test_demand_that_moves_in_steps_is_spoken_for_mostly_by_the_last_value() -> None:
    steps = np.repeat(np.random.default_rng(1).integers(1, 40, (3, 40)), 20, axis=1)
    history = make_history(*steps.astype(float))

    forecast = forecast_demand(history, HORIZON, rng(), history.end_s, ONLY_SIMPLE)

    assert verdict(forecast, "last-value").series == history.series
    assert verdict(forecast, "last-value").score == 1.0


def test_a_trained_model_earns_its_share_on_noisy_seasons() -> None:
    history = make_history(*seasonal_rows(6, 14, noise=0.15))
    settings = replace(PATIENT, models=(*SIMPLE, "ets"))

    forecast = forecast_demand(history, Horizon(24, 100), rng(), history.end_s, settings)

    ets = verdict(forecast, "ets")
    assert ets.score is not None
    assert ets.score < 0.95
    assert ets.series == history.series


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

    assert len(forecast.verdicts) == 1

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

    assert verdict(forecast, "flow").why.startswith("failed: not tried, 15 s were over; ")
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


@pytest.mark.parametrize("name", SIMPLE)
def test_the_simple_models_are_called_as_the_settings_call_them(name: str) -> None:
    assert simple_model(name).name == name
    assert name not in COSTLY


def test_another_model_speaks_for_a_hundred_series_within_a_second() -> None:
    """Of processor time, which does not depend on what else the machine does."""
    ready = ready_of(rows=100, days=14)
    broken = Spoiled(lambda f: replace(f, samples=f.samples * np.float32(np.nan)))
    champion = make_champion(ready, broken, *map(simple_model, SIMPLE), earned=(9.0, 1, 1, 1))
    started_s = time.process_time()

    forecast = champion.forecast(ready, Horizon(8, 200), rng())

    assert time.process_time() - started_s < 1.0
    assert "not finite" in verdict(forecast, "flow").why
