"""What is not accepted of a plan's risk, and what the next plan is asked for then."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.plan_risk import PoolRisk, Risk
from nodemix.optimizer.policy import ServiceLevel, SpotRules
from nodemix.optimizer.problem.safety import Pool, Safety
from nodemix.optimizer.safety import (
    LEAST_POOL_SHARE,
    MARGIN,
    MORE_PLACES,
    MOST_OVER_PROVISION,
    MOST_STEPS,
    breaches,
    complaints,
    safer,
    starting_safety,
    with_pool_limits,
)

from tests.builders import make_policy, make_workload_key

A, B = ("m5.xlarge", "us-east-1a"), ("c5.xlarge", "us-east-1b")
WEB = make_workload_key("web")
SLO = ServiceLevel(shortfall_probability=0.01, max_cvar=0.1, max_pool_loss=0.2)


def pool(key: Pool, loss: float) -> PoolRisk:
    return PoolRisk(*key, 1, 0.1, 0.05, 0.2, 0.7, loss, 0.02, 0.001)


def risk(shortfall: float | None = None, cvar: float = 0.0, *pools: PoolRisk) -> Risk:
    worst = max((one.loss_if_reclaimed for one in pools), default=0.0)
    return Risk(shortfall, 0.5, 0.2, 0.1, cvar=cvar, worst_pool_loss=worst, pools=pools)


def ten_nodes(share: float) -> dict[Pool, int]:
    """Limits of two pools in a plan of ten equal nodes."""
    return dict.fromkeys((A, B), int(10 * share))


def asked(found: Risk, safety: Safety | None = None) -> Safety:
    return safer(safety or Safety(level=0.95), found, SLO, ten_nodes, all_paths)


def all_paths(safety: Safety) -> Safety:
    """Room for every path, and one pod more."""
    return replace(safety, level=1.0).with_extra({WEB: 1})


@pytest.mark.parametrize(("short", "covered"), [(0.3, 0.75), (0.1, 0.9)])
def test_a_policy_starts_with_what_is_worth_it_or_asked_for_and_its_own_places(
    short: float, covered: float
) -> None:
    slo = ServiceLevel(short, under_cost_ratio=3.0)
    policy = make_policy(service_level=slo, spot=SpotRules(over_provision=0.1))

    assert starting_safety(policy) == Safety(level=covered, over_provision=0.1)


def test_what_is_just_accepted_is_no_complaint() -> None:
    assert complaints(risk(0.01, 0.1, pool(A, 0.2)), SLO) == ()


def test_each_figure_above_what_is_accepted_is_named_with_both() -> None:
    short, tail, largest = complaints(risk(0.02, 0.15, pool(A, 0.5)), SLO)

    assert "0.020 is above the accepted 0.01" in short
    assert "CVaR 15.0%" in tail
    assert "accepted 10.0%" in tail
    assert "50.0%" in largest
    assert "accepted 20.0%" in largest


def test_slack_lets_pass_what_is_a_little_above() -> None:
    found = risk(0.0109, 0.109, pool(A, 0.219))

    assert len(complaints(found, SLO)) == 3
    assert complaints(found, SLO, slack=1.1) == ()


def test_without_a_limit_no_tail_is_too_thick_and_without_a_forecast_nothing_falls_short() -> None:
    assert complaints(risk(None, 1.0), ServiceLevel(max_cvar=None, max_pool_loss=1.0)) == ()


def test_nothing_more_is_asked_where_all_is_accepted() -> None:
    safety = Safety(level=0.95, over_provision=0.1)

    assert asked(risk(0.01, 0.1, pool(A, 0.2)), safety) == safety


def test_where_demand_falls_short_room_for_more_paths_is_asked_for() -> None:
    first = asked(risk(0.5))
    second = asked(risk(0.5), first)

    assert (first.level, first.extra_pods) == (1.0, ((WEB, 1),))
    assert second.extra_pods == ((WEB, 2),)
    assert asked(risk(0.01)).extra_pods == ()


def test_two_steps_of_a_breach_double_it() -> None:
    """Four times the accepted shortfall weighs far more than a pool that is a little too large."""
    (short,) = breaches(risk(0.04), SLO)
    (large,) = breaches(risk(0.01, 0.1, pool(A, 0.205)), SLO)

    assert (short.steps, large.steps) == (4, 1)


def test_what_is_not_accepted_at_all_counts_as_far_above() -> None:
    (tail,) = breaches(risk(0.0, 0.001), ServiceLevel(max_cvar=0.0))

    assert tail.steps == MOST_STEPS


def test_pools_get_limits_of_the_accepted_loss_less_a_margin() -> None:
    safety = asked(risk(None, 0.0, pool(A, 0.5)))

    assert safety.max_pool_share == pytest.approx(MARGIN * 0.2)
    assert dict(safety.pool_limits) == {A: 1, B: 1}


def test_a_pool_that_is_too_large_in_spite_of_its_limit_gets_a_tighter_one() -> None:
    limited = Safety(level=0.95, max_pool_share=0.19, pool_limits=((A, 1),))

    safety = asked(risk(None, 0.0, pool(A, 0.38)), limited)

    assert safety.max_pool_share == pytest.approx(0.19 * 0.19 / 0.38)
    assert dict(safety.pool_limits) == {A: 0, B: 0}


def test_a_limit_that_was_tighter_stays() -> None:
    limited = Safety(pool_limits=((A, 1),))

    safety = with_pool_limits(limited, 0.5, ten_nodes)

    assert dict(safety.pool_limits) == {A: 1, B: 5}


def test_no_share_of_a_pool_is_asked_that_no_plan_has() -> None:
    limited = Safety(max_pool_share=LEAST_POOL_SHARE, pool_limits=((A, 0),))

    assert asked(risk(None, 0.0, pool(A, 1.0)), limited).max_pool_share == LEAST_POOL_SHARE


def test_a_tail_that_is_a_little_too_thick_asks_for_some_places() -> None:
    safety = asked(risk(None, 0.12))

    assert safety.over_provision == pytest.approx(MORE_PLACES * (0.12 - MARGIN * 0.1))
    assert safety.max_spot_share == 1.0


def test_a_tail_that_is_far_too_thick_asks_for_as_much_less_spot() -> None:
    """Half of the plan is on spot, and nine times what is accepted is lost."""
    once = asked(risk(None, 0.9))
    twice = asked(risk(None, 0.9), once)

    assert once.over_provision == 0.0
    assert once.max_spot_share == pytest.approx(0.5 * MARGIN * 0.1 / 0.9)
    assert twice.max_spot_share == pytest.approx(once.max_spot_share * MARGIN * 0.1 / 0.9)


def test_a_tail_that_demand_alone_makes_too_heavy_asks_for_room_and_not_for_less_spot() -> None:
    asked_for = asked(replace(risk(0.0, 0.9), demand_cvar=0.5))

    assert asked_for.extra_pods == ((WEB, 1),)
    assert (asked_for.over_provision, asked_for.max_spot_share) == (0.0, 1.0)


def test_short_demand_and_a_tail_of_reclaims_are_both_met() -> None:
    asked_for = asked(replace(risk(0.5, 0.12), demand_cvar=0.05))

    assert asked_for.extra_pods
    assert asked_for.over_provision > 0.0


shares = st.floats(0.0, 1.0)
risks = st.builds(
    lambda short, cvar, a, b: risk(short, cvar, pool(A, max(a, b)), pool(B, min(a, b))),
    st.none() | shares,
    shares,
    shares,
    shares,
)
safeties = st.builds(
    Safety,
    level=st.floats(0.95, 1.0),
    over_provision=st.floats(0.0, MOST_OVER_PROVISION),
    max_spot_share=shares,
    max_pool_share=st.floats(LEAST_POOL_SHARE, 1.0),
    pool_limits=st.sampled_from([(), ((A, 1),), ((B, 0),), ((B, 0), (A, 3))]),
)


@given(found=risks, before=safeties)
def test_no_plan_is_ever_asked_for_less_safety_than_the_one_before(
    found: Risk, before: Safety
) -> None:
    after = asked(found, before)

    assert after.level >= before.level
    assert after.over_provision >= before.over_provision
    assert after.max_spot_share <= before.max_spot_share
    assert after.max_pool_share <= before.max_pool_share
    limits = dict(after.pool_limits)
    assert all(limits[key] <= most for key, most in before.pool_limits)
    assert after.resting == before.resting


@given(found=risks, before=safeties)
def test_more_is_asked_exactly_where_something_is_not_accepted_and_more_can_be(
    found: Risk, before: Safety
) -> None:
    after = asked(found, before)

    if not complaints(found, SLO):
        assert after == before
    elif found.cvar > 0.1 and before.max_spot_share > 0.0:
        assert after != before
