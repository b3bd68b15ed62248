"""A fresh forecast, else the last one held and widened, else none; always with a reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.operator.publish import Standing, _last_fresh
from nodemix.operator.reconcile import Tick
from nodemix.operator.worker import DecisionRequest, Memories, _forecast

from tests.builders import make_catalog, make_policy, make_snapshot

STEP_S = 900.0
NOW_S = 1_800_000_000.0
STEPS = 4
HOUR_S = 3600.0


def make_history(age_s: float = 0.0) -> DemandHistory:
    """Ten hours of one workload, the newest sample ``age_s`` old."""
    values = 10 + np.random.default_rng(0).normal(size=(1, 1, 40))
    start_s = NOW_S - age_s - 39 * STEP_S
    return DemandHistory(("default/Deployment/web",), ("pods",), start_s, STEP_S, values)


def make_request(**fields: Any) -> DecisionRequest:
    defaults: dict[str, Any] = {
        "snapshot": make_snapshot(),
        "policy": make_policy(),
        "catalog": make_catalog(),
        "history": make_history(),
        "horizon": Horizon(STEPS, 50),
        "now_s": NOW_S,
    }
    return DecisionRequest(**{**defaults, **fields})


def forecast_of(request: DecisionRequest) -> tuple[DemandForecast | None, str]:
    forecast, failure, _ = _forecast(request, np.random.default_rng(request.seed))
    return forecast, failure


@pytest.fixture(scope="module")
def fresh() -> DemandForecast:
    forecast, _ = forecast_of(make_request())
    assert forecast is not None
    return forecast


def spread(forecast: DemandForecast) -> float:
    return float(forecast.samples.std(axis=0).mean())


def test_fresh_history_gives_a_fresh_forecast_and_no_failure(fresh: DemandForecast) -> None:
    forecast, failure = forecast_of(make_request(previous=fresh))

    assert failure == ""
    assert forecast is not None
    assert not forecast.is_held
    assert forecast.start_s == NOW_S + STEP_S


def test_stale_history_holds_the_previous_forecast_and_widens_it(fresh: DemandForecast) -> None:
    stale = make_history(age_s=HOUR_S)
    previous = replace(fresh, start_s=fresh.start_s - HOUR_S)

    forecast, failure = forecast_of(make_request(history=stale, previous=previous))

    assert forecast is not None
    assert forecast.is_held
    assert forecast.start_s == NOW_S + STEP_S
    assert spread(forecast) > 1.2 * spread(previous)
    assert "newest sample is 3600 s old" in failure
    assert "check that Prometheus still scrapes" in failure


def test_a_previous_forecast_older_than_its_horizon_gives_none_and_both_reasons(
    fresh: DemandForecast,
) -> None:
    age_s = STEPS * STEP_S + 1
    previous = replace(fresh, start_s=fresh.start_s - age_s)

    forecast, failure = forecast_of(
        make_request(history=make_history(age_s=age_s), previous=previous)
    )

    assert forecast is None
    assert "newest sample is 3601 s old" in failure
    assert "Nor can the last forecast be held" in failure


def test_stale_history_without_a_previous_forecast_gives_none_and_the_reason() -> None:
    forecast, failure = forecast_of(make_request(history=make_history(age_s=HOUR_S)))

    assert forecast is None
    assert "newest sample is 3600 s old" in failure


def test_a_history_that_was_never_observed_is_a_reason_too(fresh: DemandForecast) -> None:
    unseen = replace(make_history(), values=np.full((1, 1, 40), np.nan))

    forecast, failure = forecast_of(make_request(history=unseen, previous=fresh))

    assert forecast is not None
    assert forecast.is_held
    assert "none of 1 series has a sample" in failure


def test_without_history_the_requests_are_planned_and_nothing_failed() -> None:
    assert forecast_of(make_request(history=None)) == (None, "")


def test_what_is_remembered_is_the_last_fresh_forecast_not_a_held_one(
    fresh: DemandForecast,
) -> None:
    """Else each tick would hold what the one before had held, wider and never too old."""
    held = replace(fresh, is_held=True)
    standing = Standing(forecast=fresh)

    assert _last_fresh(Tick((), forecast=held), standing) is fresh
    assert _last_fresh(Tick(()), standing) is fresh
    newer = replace(fresh)
    assert _last_fresh(Tick((), forecast=newer), standing) is newer


def test_a_stale_history_leaves_what_is_remembered_of_the_policy_alone() -> None:
    memories, request = Memories(), make_request()
    rng = np.random.default_rng(0)
    _forecast(request, rng, memories)
    before = memories.of(request.policy.name)

    forecast, failure, calibration = _forecast(
        replace(request, now_s=NOW_S + HOUR_S), rng, memories
    )

    assert (forecast, calibration) == (None, None)
    assert "newest sample is 3600 s old" in failure
    assert memories.of(request.policy.name) is before
