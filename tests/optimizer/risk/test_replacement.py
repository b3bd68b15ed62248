import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.risk.replacement import LEAST_S, MOST_REMEMBERED, BootTimes

PRIOR_S = 120.0
ROUNDING = 1e-9
boots = st.lists(st.floats(LEAST_S, 900.0), min_size=1, max_size=60)


def test_without_boots_the_policy_speaks() -> None:
    assert BootTimes().lead_time_s(PRIOR_S) == PRIOR_S


def test_one_quick_boot_proves_little_and_one_slow_boot_is_waited_for() -> None:
    quick = BootTimes((40.0,)).lead_time_s(PRIOR_S)

    assert 0.97 * PRIOR_S < quick < PRIOR_S
    assert BootTimes((600.0,)).lead_time_s(PRIOR_S) == 600.0


def test_twenty_quick_boots_leave_a_quarter_of_the_prior_to_wait_for_as_by_hand() -> None:
    # 5 % of 25 boots is 1.25 of the 5 that the policy counts for: its upper quartile.
    upper_quartile = PRIOR_S * math.exp(0.3 * (0.674490 - 1.644854))

    assert BootTimes((40.0,) * 20).lead_time_s(PRIOR_S) == pytest.approx(upper_quartile, rel=1e-6)


def test_many_boots_speak_for_themselves() -> None:
    seen = BootTimes(tuple(float(s) for s in range(41, 241)))

    assert seen.lead_time_s(PRIOR_S) == pytest.approx(230.0, abs=2.0)


def test_rare_slow_boots_are_not_waited_for() -> None:
    assert BootTimes((*(60.0,) * 195, *(900.0,) * 5)).lead_time_s(PRIOR_S) < PRIOR_S


def test_a_clock_that_went_wrong_is_not_believed() -> None:
    assert BootTimes((0.0,) * 150).lead_time_s(PRIOR_S) == LEAST_S


def test_of_many_boots_the_latest_stay() -> None:
    seen = BootTimes((500.0,) * 30).observed([60.0] * MOST_REMEMBERED)

    assert seen.seconds == (60.0,) * MOST_REMEMBERED
    assert seen.lead_time_s(PRIOR_S) == 60.0


@given(boots, st.data())
def test_a_slower_boot_never_shortens_the_wait(seen: list[float], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(seen) - 1))
    more = data.draw(st.floats(0.0, 500.0))
    slower = [s + more * (number == which) for number, s in enumerate(seen)]
    before, after = BootTimes(tuple(seen)), BootTimes(tuple(slower))

    assert after.lead_time_s(PRIOR_S) >= before.lead_time_s(PRIOR_S)


@given(boots, st.floats(1.0, 900.0))
def test_the_wait_lies_between_the_policy_and_the_boots_seen(
    seen: list[float], prior_s: float
) -> None:
    quantile = sorted(seen)[math.ceil(0.95 * len(seen)) - 1]

    wait = BootTimes(tuple(seen)).lead_time_s(prior_s)

    low, high = sorted((prior_s, quantile))
    assert low * (1.0 - ROUNDING) <= wait <= high * (1.0 + ROUNDING)


@given(boots)
def test_the_order_of_boots_does_not_matter(seen: list[float]) -> None:
    forth, back = BootTimes(tuple(seen)), BootTimes(tuple(reversed(seen)))

    assert forth.lead_time_s(PRIOR_S) == back.lead_time_s(PRIOR_S)


@given(boots, st.floats(1.0, 400.0), st.floats(0.0, 400.0))
def test_a_longer_lead_time_in_the_policy_never_shortens_the_wait(
    seen: list[float], prior_s: float, more_s: float
) -> None:
    known = BootTimes(tuple(seen))

    assert known.lead_time_s(prior_s + more_s) >= known.lead_time_s(prior_s)


@pytest.mark.parametrize("prior_s", [-1.0, math.inf, math.nan])
def test_what_is_no_time_is_refused(prior_s: float) -> None:
    with pytest.raises(ParameterError, match="prior_s must be a time"):
        BootTimes().lead_time_s(prior_s)
    with pytest.raises(ParameterError, match="finite and not negative"):
        BootTimes((math.nan,))
