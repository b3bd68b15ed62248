from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

import numpy as np
import pytest
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.champion import SHORT, SIMPLE, Champion, ForecastSettings
from nodemix.forecasting.clean import clean
from nodemix.forecasting.errors import ModelFailedError, StaleHistoryError
from nodemix.forecasting.memory import (
    ForecastMemory,
    forecast_and_remember,
    why_elect,
)
from nodemix.forecasting.types import (
    DemandForecast,
    DemandHistory,
    FloatArray,
    Forecaster,
    Horizon,
    ModelVerdict,
)

from tests.forecasting.histories import DAY, STEP_S, make_history, seasonal_rows

HORIZON = Horizon(8, 40)
SETTINGS = ForecastSettings(models=SIMPLE)
DAYS = 6
HOUR = 4
"""Steps of an hour."""


def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def known(values: FloatArray, steps: int, **fields: object) -> DemandHistory:
    return make_history(*values[:, :steps], **fields)


def tick(
    history: DemandHistory,
    memory: ForecastMemory,
    settings: ForecastSettings = SETTINGS,
    horizon: Horizon = HORIZON,
) -> tuple[DemandForecast, ForecastMemory]:
    return forecast_and_remember(history, horizon, rng(), history.end_s, memory, settings)


def champion_of(memory: ForecastMemory) -> Champion:
    assert memory.champion is not None
    return memory.champion


def verdict(forecast: DemandForecast, model: str) -> ModelVerdict:
    return next(v for v in forecast.verdicts if v.model == model)


def ticked(
    values: FloatArray, ends: Sequence[int], settings: ForecastSettings = SETTINGS
) -> list[ForecastMemory]:
    memories = [ForecastMemory()]
    for end in ends:
        memories.append(tick(known(values, end), memories[-1], settings)[1])
    return memories[1:]


@dataclass(frozen=True)
class Turncoat:
    """A trained model that can be broken after the election."""

    name: str = "flow"
    broken: list[bool] = field(default_factory=lambda: [False])

    def forecast(
        self, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        if self.broken[0]:
            raise ModelFailedError(self.name, "its weights are gone")
        return LastValue().forecast(history, horizon, rng)


def with_model(memory: ForecastMemory, model: Forecaster) -> ForecastMemory:
    """The champion speaks through ``model`` alone; it takes the place of ``last-value``."""
    champion = champion_of(memory)
    names = tuple(model.name if m == "last-value" else m for m in champion.record.models)
    models = {n: model if n == model.name else champion.models[n] for n in names}
    shares = np.zeros_like(champion.shares)
    shares[:, :, names.index(model.name)] = 1.0
    record = replace(champion.record, models=names)
    at_s = {model.name: champion.elected_at_s}
    return replace(
        memory,
        champion=replace(champion, models=models, record=record, shares=shares, trained_at_s=at_s),
    )


def test_the_first_tick_elects_and_the_next_only_asks() -> None:
    values = seasonal_rows(3, DAYS)
    first, second = ticked(values, [500, 501])

    assert champion_of(first).elected_at_s == known(values, 500).end_s
    assert champion_of(second) is champion_of(first)


def test_the_same_tick_gives_the_same_forecast_whether_it_elects_or_remembers() -> None:
    history = known(seasonal_rows(2, DAYS), 500)

    first, memory = tick(history, ForecastMemory())
    second, _ = tick(history, memory)

    np.testing.assert_array_equal(first.samples, second.samples)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda h: replace(h, indicators=("cpu_milli",)), "indicators are others"),
        (lambda h: replace(h, step_s=h.step_s / 2), "grid"),
        (lambda h: replace(h, start_s=h.start_s + 7 * 3600), "7 h old"),
        (lambda h: replace(h, start_s=h.start_s - 3600), "old"),
        (lambda h: replace(h, start_s=h.start_s + 7200, series=("a", "b")), "2 series are new"),
        (lambda h: replace(h, start_s=h.start_s + 7200), ""),
        (lambda h: replace(h, series=("a", "b")), ""),
    ],
)
def test_an_election_is_due_when_the_question_changes_or_the_last_one_is_old(
    change: Callable[[DemandHistory], DemandHistory], why: str
) -> None:
    history = known(seasonal_rows(2, DAYS), 500)
    memory = tick(history, ForecastMemory())[1]
    later = change(history)

    said = why_elect(memory, clean(later, later.end_s), HORIZON, SETTINGS)

    assert why in said
    assert bool(why) == bool(said)


def test_another_horizon_calls_an_election() -> None:
    history = known(seasonal_rows(2, DAYS), 500)
    memory = tick(history, ForecastMemory())[1]

    longer, memory = tick(history, memory, horizon=Horizon(12, 40))

    assert longer.steps == 12
    assert champion_of(memory).horizon.steps == 12


def test_a_history_that_has_become_long_enough_calls_an_election() -> None:
    values = seasonal_rows(1, DAYS)
    short, same, long_enough = ticked(values, [DAY + 2, DAY + 3, DAY + 12])

    assert "too few for a backtest" in champion_of(short).remark
    assert "too few for a backtest" in champion_of(same).remark
    assert champion_of(long_enough).remark == ""


def test_every_new_origin_is_judged_once_its_horizon_has_passed() -> None:
    first, soon, later, again = ticked(seasonal_rows(2, DAYS), [500, 501, 502, 502])

    seen = [champion_of(memory).record.origins[0, 0] for memory in (first, soon, later, again)]
    assert seen[0] == seen[1] == SETTINGS.origins
    assert seen[2] == pytest.approx(seen[0] + 1, abs=0.1)
    assert seen[3] == seen[2]


def test_one_win_of_new_shares_changes_nothing_and_two_in_a_row_do() -> None:
    """Seasonal demand turns into steps, where the day before is no guide."""
    values = seasonal_rows(2, DAYS, noise=0.01)
    rest = np.random.default_rng(3).integers(30, 90, (2, values.shape[1])).astype(float)
    values[:, 500:] = np.repeat(rest, 20, axis=1)[:, : values.shape[1] - 500]
    settings = replace(SETTINGS, half_life_s=6 * 3600.0, renew_after_s=1e9)

    memories = ticked(values, range(500, 576, 2), settings)

    shares = [champion_of(memory).shares for memory in memories]
    wins = [memory.wins.get((0, 0), 0) for memory in memories]
    changed = [i for i in range(1, len(shares)) if not np.array_equal(shares[i], shares[i - 1])]
    assert 1 in wins
    assert changed
    assert all(wins[i - 1] == 1 for i in changed)
    assert all(wins[i] == 0 for i in changed)


def test_shares_that_win_by_less_than_the_margin_never_change() -> None:
    settings = replace(SETTINGS, margin=1e9, renew_after_s=1e9)

    memories = ticked(seasonal_rows(2, DAYS), range(400, 500, 10), settings)

    for memory in memories:
        np.testing.assert_array_equal(champion_of(memory).shares, champion_of(memories[0]).shares)


def test_a_series_that_appears_speaks_through_the_widened_last_value_until_elected() -> None:
    values = seasonal_rows(3, DAYS)
    memory = tick(known(values[:2], 500), ForecastMemory())[1]
    values[2, : 501 - HOUR] = np.nan

    forecast, after = tick(known(values, 501), memory)

    assert champion_of(after) is champion_of(memory)
    assert forecast.series == ("shop/Deployment/0", "shop/Deployment/1", "shop/Deployment/2")
    assert verdict(forecast, SHORT.name).why.startswith(f"only {HOUR} steps observed")


def test_a_known_series_that_was_not_elected_for_waits_for_the_next_election() -> None:
    values = seasonal_rows(3, DAYS)
    memory = tick(known(values[:2], 500), ForecastMemory())[1]

    forecast, after = tick(known(values, 501), memory)
    later = tick(known(values, 500 + HOUR + 1), after)[1]

    assert "501 steps observed, but not at the last election" in forecast.verdicts[0].why
    assert champion_of(after) is champion_of(memory)
    assert len(champion_of(later).series) == 3


def test_a_series_that_is_gone_is_dropped_and_the_others_speak_on() -> None:
    values = seasonal_rows(3, DAYS)
    memory = tick(known(values, 500), ForecastMemory())[1]
    left = known(values[[2, 0]], 501, series=("shop/Deployment/2", "shop/Deployment/0"))

    forecast, after = tick(left, memory)

    assert champion_of(after) is champion_of(memory)
    assert forecast.series == left.series
    newest = left.values[:, 0, -DAY:]
    assert (forecast.samples.mean(axis=(0, 2, 3)) > 0.3 * newest.mean(axis=1)).all()


def test_a_model_that_breaks_between_elections_is_replaced_without_an_election() -> None:
    values = seasonal_rows(2, DAYS)
    flow = Turncoat()
    memory = with_model(tick(known(values, 500), ForecastMemory())[1], flow)
    before, memory = tick(known(values, 501), memory)
    flow.broken[0] = True

    after, memory = tick(known(values, 502), memory)

    assert verdict(before, "flow").series == before.series
    assert verdict(after, "flow").why.startswith("failed: its weights are gone; ")
    assert np.isfinite(after.samples).all()
    assert champion_of(memory).elected_at_s == known(values, 500).end_s


def test_stale_weights_are_silent_and_simple_models_speak() -> None:
    values = seasonal_rows(2, DAYS)
    settings = replace(SETTINGS, renew_after_s=1e9, stale_weights_s=3600.0)
    memory = with_model(tick(known(values, 500), ForecastMemory(), settings)[1], Turncoat())

    forecast, _ = tick(known(values, 500 + HOUR + 1), memory, settings)

    assert verdict(forecast, "flow").why.startswith(
        "failed: its weights are 1 h old, more than 1 h"
    )
    assert verdict(forecast, "seasonal-naive").series == forecast.series


def hurried() -> ForecastSettings:
    """One election in which the time for training is over at once."""
    return ForecastSettings(
        models=(*SIMPLE, "flow"),
        renew_after_s=3600.0,
        stale_weights_s=7200.0,
        clock=chain((0.0,), repeat(100.0)).__next__,
    )


def test_weights_are_kept_where_a_model_cannot_be_trained_anew_until_they_are_stale() -> None:
    values = seasonal_rows(2, DAYS)
    memory = with_model(tick(known(values, 500), ForecastMemory(), hurried())[1], Turncoat())

    _, kept = tick(known(values, 500 + HOUR + 1), memory, hurried())
    forecast, stale = tick(known(values, 500 + 2 * (HOUR + 1)), kept, hurried())

    assert champion_of(kept).elected_at_s > champion_of(memory).elected_at_s
    assert "flow" in champion_of(kept).models
    assert champion_of(stale).trained_at_s == {"flow": known(values, 500).end_s}
    assert "its weights are 2 h old, more than 2 h" in verdict(forecast, "flow").why


def test_stale_input_gives_no_forecast_and_leaves_the_memory_alone() -> None:
    history = known(seasonal_rows(1, DAYS), 500)
    memory = tick(history, ForecastMemory())[1]

    with pytest.raises(StaleHistoryError):
        forecast_and_remember(history, HORIZON, rng(), history.end_s + 7200, memory, SETTINGS)


def test_forecasts_are_watched_and_their_calibration_is_told() -> None:
    memories = ticked(seasonal_rows(2, DAYS), range(500, 520))

    assert memories[0].report().indicators == ()
    calibration = memories[-1].report().indicators[0].calibration
    assert calibration.indicator == "pods"


def test_drift_calls_an_election_but_not_at_every_tick() -> None:
    values = seasonal_rows(4, DAYS, noise=0.02)
    values[:, 500:] *= np.random.default_rng(0).uniform(0.2, 5.0, values[:, 500:].shape)
    settings = replace(SETTINGS, renew_after_s=1e9)

    memories = ticked(values, range(500, 560), settings)

    elected = sorted({champion_of(memory).elected_at_s for memory in memories})
    assert any(memory.report().is_drifting for memory in memories)
    assert len(elected) > 1
    assert min(np.diff(elected)) >= settings.soonest_s
    assert settings.soonest_s > STEP_S
