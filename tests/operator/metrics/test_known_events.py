"""What a policy says is known to happen reaches the forecaster."""

import numpy as np
from nodemix.forecasting.types import Event
from nodemix.operator.api.policy import ForecastSpec
from nodemix.operator.metrics.known_events import with_events

from tests.forecasting.histories import make_history

SALE = {
    "name": "sale",
    "start": "2026-07-03T08:00:00Z",
    "end": "2026-07-03T20:00:00Z",
    "workloads": ["shop/Deployment/cart"],
}


def test_events_of_the_policy_are_laid_beside_the_history() -> None:
    history = with_events(make_history(np.ones(4)), ForecastSpec.model_validate({"events": [SALE]}))

    assert history is not None
    (event,) = history.events
    assert event == Event("sale", 1_783_065_600.0, 1_783_108_800.0, ("shop/Deployment/cart",))


def test_without_events_the_history_stays_what_it_is() -> None:
    history = make_history(np.ones(4))

    assert with_events(history, ForecastSpec()) is history


def test_where_there_is_no_history_events_make_none() -> None:
    assert with_events(None, ForecastSpec.model_validate({"events": [SALE]})) is None
