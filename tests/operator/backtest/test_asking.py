import numpy as np
import pytest
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.backtest.asking import Times
from nodemix.simulator.errors import ReplayError

DAY_S = 86_400.0


def a_history(days: float) -> DemandHistory:
    steps = int(days * DAY_S / 900.0) + 1
    return DemandHistory(("a",), ("pods",), 0.0, 900.0, np.ones((1, 1, steps)))


def test_a_week_is_replayed_where_nobody_says_otherwise() -> None:
    span = Times().span(a_history(20.0))

    assert (span.start_s, span.end_s) == (13 * DAY_S, 20 * DAY_S)


def test_a_short_history_keeps_a_third_as_past() -> None:
    span = Times().span(a_history(6.0))

    assert (span.start_s, span.end_s) == (2 * DAY_S, 6 * DAY_S)


def test_what_is_asked_for_is_replayed() -> None:
    assert Times(days=2.0).span(a_history(6.0)).start_s == 4 * DAY_S
    asked = Times(start_s=DAY_S, end_s=3 * DAY_S, every_s=600.0).span(a_history(6.0))
    assert (asked.start_s, asked.end_s, asked.every_s) == (DAY_S, 3 * DAY_S, 600.0)


def test_the_start_is_moved_to_the_grid() -> None:
    assert Times(start_s=DAY_S + 1.0).span(a_history(6.0)).start_s == DAY_S + 900.0


def test_more_than_there_is_is_refused_with_what_lacks() -> None:
    with pytest.raises(ReplayError, match=r"2\.0 days before the history"):
        Times(days=8.0).span(a_history(6.0))
