"""Forecasts of demand that was really measured."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nodemix.forecasting.champion import (
    SIMPLE,
    ForecastSettings,
    costly_model,
    forecast_demand,
    simple_model,
)
from nodemix.forecasting.clean import clean
from nodemix.forecasting.evaluate import day_to_day, fair_crps
from nodemix.forecasting.rows import to_rows
from nodemix.forecasting.types import (
    DemandForecast,
    DemandHistory,
    FloatArray,
    Forecaster,
    Horizon,
)

from tests.forecasting.traces import DAY_S, TRACES, read
from tests.laws.forecast_strategies import gappy

PATIENT = ForecastSettings(budget_s=600.0, train_s=600.0)
HORIZON = Horizon(steps=24, draws=100)
DAYS = 14

Speaker = Callable[[DemandHistory], DemandForecast]


def two_weeks(history: DemandHistory, end: int) -> DemandHistory:
    """The two weeks before step ``end``."""
    steps = round(DAYS * DAY_S / history.step_s)
    return replace(history, values=history.values[:, :, end - steps : end])


@pytest.mark.parametrize("name", TRACES)
def test_with_a_third_of_the_samples_missing_there_is_still_a_forecast(
    nodemix_data: Path, name: str
) -> None:
    history = read(nodemix_data, replace(TRACES[name], series=4))
    week = history.steps - round(7 * DAY_S / history.step_s)
    holes = replace(history, values=gappy(history.values[:, :, week:]))

    forecast = forecast_demand(holes, HORIZON, np.random.default_rng(0), holes.end_s, PATIENT)

    assert set(forecast.series) <= set(history.series)
    assert len(forecast.series) >= 3
    assert np.isfinite(forecast.samples).all()
    assert (forecast.samples >= 0).all()
    assert "flow" in {verdict.model for verdict in forecast.verdicts}


def scored(
    history: DemandHistory, speakers: Mapping[str, Speaker], origins: int = 3
) -> Mapping[str, float]:
    """Scaled CRPS of each speaker, a bit more than a day between origins."""
    scores: dict[str, list[float]] = {}
    apart = round(1.3 * DAY_S / history.step_s)
    for i in range(origins):
        end = history.steps - HORIZON.steps - i * apart
        past = two_weeks(history, end)
        actual = history.values[:, :, end : end + HORIZON.steps].transpose(0, 2, 1)
        for name, speaker in speakers.items():
            scores.setdefault(name, []).append(score(speaker(past), past, actual))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def score(forecast: DemandForecast, past: DemandHistory, actual: FloatArray) -> float:
    """Mean over what was observed, in shares of the mean change from day to day."""
    index = [past.series.index(series) for series in forecast.series]
    scale = day_to_day(to_rows(clean(past, past.end_s).history), round(DAY_S / past.step_s))
    crps = fair_crps(forecast.samples.astype(np.float64), actual[index]).transpose(0, 2, 1)
    rows = crps.reshape(scale.change.size, -1)[scale.counts]
    return float(np.nanmean(rows / scale.change[scale.counts, None]))


def alone(model: Forecaster) -> Speaker:
    """The model by itself, on the cleaned history."""

    def speak(past: DemandHistory) -> DemandForecast:
        ready = clean(past, past.end_s).history
        return model.forecast(ready, HORIZON, np.random.default_rng(0))

    return speak


def champion(past: DemandHistory) -> DemandForecast:
    return forecast_demand(past, HORIZON, np.random.default_rng(0), past.end_s, PATIENT)


@pytest.mark.parametrize("name", ["rise", "fisher"])
def test_the_champion_is_not_worse_than_the_best_simple_model(
    nodemix_data: Path, name: str
) -> None:
    """Than window quantiles it is, on rise: there the day broke off just before these origins."""
    rivals = [model for model in SIMPLE if (name, model) != ("rise", "window-quantile")]
    speakers = {model: alone(simple_model(model)) for model in rivals}

    scores = scored(read(nodemix_data, TRACES[name]), {**speakers, "champion": champion})

    assert scores["champion"] <= min(scores[model] for model in rivals), scores


def test_the_flow_alone_beats_the_best_simple_model_on_fisher(nodemix_data: Path) -> None:
    """By a twentieth when this was written; the last value by a quarter."""
    models = [*(simple_model(model) for model in SIMPLE), costly_model("flow", PATIENT)]

    scores = scored(read(nodemix_data, TRACES["fisher"]), {m.name: alone(m) for m in models})

    assert scores["flow"] <= min(scores[model] for model in SIMPLE), scores
    assert scores["flow"] <= 0.8 * scores["last-value"], scores
