from pathlib import Path

import pytest
from nodemix.forecasting.errors import HistoryError
from nodemix.operator.forecasts.inputs import event_of, horizon_of, known_indicator, read_demand

from tests.operator.small_files import WEB, write_history

START_S = 1_783_065_600.0
"""2026-07-03T08:00Z."""


def test_an_event_is_a_name_a_time_and_maybe_a_series() -> None:
    event = event_of(f"sale=2026-07-03T08:00Z/2026-07-03T20:00Z@{WEB}")

    assert (event.name, event.series) == ("sale", (WEB,))
    assert (event.start_s, event.end_s) == (START_S, START_S + 12 * 3600.0)


def test_an_event_without_a_series_moves_all() -> None:
    assert event_of("sale=2026-07-03T08:00/2026-07-03T20:00").series == ()


@pytest.mark.parametrize(
    "text",
    [
        "sale",
        "=2026-07-03/2026-07-04",
        "sale=2026-07-03",
        "sale=2026-07-04/2026-07-03",
        "sale=nan/nan",
        "sale=soon/later",
    ],
)
def test_an_event_that_makes_no_sense_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(HistoryError, match="write NAME=START/END"):
        event_of(text)


def test_the_history_carries_its_events(tmp_path: Path) -> None:
    path = write_history(tmp_path / "demand.csv", pods=3, end_s=START_S)

    history = read_demand(path, 900.0, ["sale=2026-07-03/2026-07-04", f"batch=1/2@{WEB}"])

    assert [event.name for event in history.events] == ["sale", "batch"]


def test_an_event_of_an_unknown_series_is_refused(tmp_path: Path) -> None:
    path = write_history(tmp_path / "demand.csv", pods=3, end_s=START_S)

    with pytest.raises(HistoryError, match=f"no series a/Deployment/b; it has {WEB}"):
        read_demand(path, 900.0, ["sale=2026-07-03/2026-07-04@a/Deployment/b"])


def test_an_unknown_indicator_is_refused_and_the_first_is_the_default(tmp_path: Path) -> None:
    history = read_demand(write_history(tmp_path / "demand.csv", pods=3, end_s=START_S), 900.0)

    assert known_indicator(history, None) == "pods"
    with pytest.raises(HistoryError, match="no indicator cpu_milli; it has pods"):
        known_indicator(history, "cpu_milli")


@pytest.mark.parametrize(("hours", "steps"), [(12.0, 48), (0.01, 1), (0.3, 2)])
def test_a_horizon_is_whole_steps_and_one_at_least(hours: float, steps: int) -> None:
    assert horizon_of(hours, 900.0).steps == steps
