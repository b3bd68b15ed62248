import math

import pytest
from nodemix.simulator.clock import CountingClock, Span
from nodemix.simulator.errors import ReplayError


def test_decisions_are_due_at_the_start_and_then_regularly() -> None:
    span = Span(100.0, 400.0, 100.0)

    assert span.decisions == 3
    assert [span.next_decision_s(at_s) for at_s in (100.0, 150.0, 200.0)] == [200.0, 200.0, 300.0]
    assert span.next_decision_s(300.0) == math.inf
    assert [span.is_decision(at_s) for at_s in (100.0, 150.0, 300.0)] == [True, False, True]


def test_a_span_that_is_no_multiple_has_a_last_short_part() -> None:
    span = Span(0.0, 250.0, 100.0)

    assert span.decisions == 3
    assert span.next_decision_s(100.0) == 200.0


def test_halves_meet_at_a_decision() -> None:
    first, second = Span(0.0, 500.0, 100.0).halves()

    assert (first.start_s, first.end_s) == (0.0, 200.0)
    assert (second.start_s, second.end_s) == (200.0, 500.0)


def test_one_decision_has_no_halves() -> None:
    with pytest.raises(ReplayError, match="decide more often"):
        Span(0.0, 100.0, 100.0).halves()


@pytest.mark.parametrize("times", [(5.0, 5.0, 1.0), (6.0, 5.0, 1.0), (0.0, 1.0, 0.0)])
def test_a_span_without_time_is_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ReplayError):
        Span(*times)


def test_a_counting_clock_passes_by_being_asked() -> None:
    clock = CountingClock(0.5)

    assert [clock(), clock(), clock()] == [0.5, 1.0, 1.5]
