"""Limits of a policy as linear caps, less what kept nodes use."""

import pytest
from nodemix.optimizer.policy import SpotRules
from nodemix.optimizer.problem.caps import KeptShare, cap_problem
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.problem.types import OfferCap

from tests.builders import SPOT, ZONE, make_offer, make_policy, make_problem

ON_DEMAND_OFFER = make_offer("m5.xlarge", 0.2, vcpus=4)
SPOT_OFFER = make_offer("c5.2xlarge", 0.1, vcpus=8, capacity_type=SPOT)
PROBLEM = make_problem(offers=[ON_DEMAND_OFFER, SPOT_OFFER])
NOTHING_KEPT = KeptShare()


def caps(
    kept: KeptShare = NOTHING_KEPT, safety: Safety | None = None, **policy: object
) -> tuple[OfferCap, ...]:
    return cap_problem(PROBLEM, make_policy(**policy), kept, (), safety).caps


def test_a_policy_without_limits_has_no_caps() -> None:
    assert caps() == ()


def test_a_budget_is_what_kept_nodes_leave_of_it() -> None:
    (cap,) = caps(KeptShare(usd_per_hour=0.25), budget_usd_per_hour=1.0)

    assert cap.name == "budget.usdPerHour"
    assert cap.coefficients.tolist() == [0.2, 0.1]
    assert cap.limit == pytest.approx(0.75)


def test_node_limits_count_kept_nodes() -> None:
    most, least = caps(KeptShare(nodes=2), max_nodes=10, min_nodes=3)

    assert (most.name, most.coefficients.tolist(), most.limit) == ("maxNodes", [1.0, 1.0], 8.0)
    assert (least.name, least.coefficients.tolist(), least.limit) == ("minNodes", [-1, -1], -1.0)


def test_a_minimum_that_kept_nodes_meet_is_no_cap() -> None:
    assert caps(KeptShare(nodes=3), min_nodes=3) == ()


def test_the_spot_share_counts_vcpus_of_the_whole_plan() -> None:
    kept = KeptShare(vcpus=16.0, spot_vcpus=((("m5.xlarge", ZONE), 4.0),))

    (cap,) = caps(kept, spot=SpotRules(max_share=0.5))

    # 4 x + 8 y in all: y spot nodes of 8 and 4 kept ones are at most half of all and 16 kept.
    assert cap.name == "spot.maxShare"
    assert cap.coefficients.tolist() == [-2.0, 4.0]
    assert cap.limit == pytest.approx(4.0)


def test_the_tighter_of_two_ways_to_limit_spot_binds() -> None:
    (by_minimum,) = caps(spot=SpotRules(max_share=0.9, min_on_demand_share=0.4))
    (by_maximum,) = caps(spot=SpotRules(max_share=0.3, min_on_demand_share=0.4))

    assert by_minimum.name == "spot.minOnDemandShare"
    assert by_maximum.name == "spot.maxShare"


def test_each_spot_pool_has_a_cap_of_its_own() -> None:
    kept = KeptShare(vcpus=8.0, spot_vcpus=((("c5.2xlarge", ZONE), 2.0),))

    (cap,) = caps(kept, spot=SpotRules(max_pool_share=0.5))

    assert cap.name == f"spot.maxPoolShare (c5.2xlarge/{ZONE})"
    assert cap.coefficients.tolist() == [-2.0, 4.0]
    assert cap.limit == pytest.approx(2.0)


def test_no_pool_is_left_out_however_many_there_are() -> None:
    """A bound over some of the pools proves nothing about plans that use the others."""
    offers = [make_offer(f"c5.{i}", 1.0 + i, capacity_type=SPOT) for i in range(300)]

    capped = cap_problem(
        make_problem(offers=offers), make_policy(spot=SpotRules(max_pool_share=0.1)), NOTHING_KEPT
    )

    assert len(capped.offers) == len(capped.caps) == 300


def test_spot_of_a_family_and_of_a_zone_is_limited_with_what_is_kept_of_it() -> None:
    """One spot node of two vCPUs is kept in the family, and one of three elsewhere in the zone."""
    kept = KeptShare(
        vcpus=20.0,
        spot_vcpus=((("c5.large", "us-east-1b"), 2.0), (("r5.large", ZONE), 3.0)),
    )

    family, zone = caps(kept, spot=SpotRules(max_family_share=0.5, max_zone_share=0.25))

    assert family.name == "spot.maxFamilyShare (c5)"
    assert family.coefficients.tolist() == [-2.0, 4.0]
    assert family.limit == pytest.approx(0.5 * 20 - 2)
    assert zone.name == f"spot.maxZoneShare ({ZONE})"
    assert zone.coefficients.tolist() == [-1.0, 6.0]
    assert zone.limit == pytest.approx(0.25 * 20 - 3)


def test_a_share_of_one_is_no_limit() -> None:
    rules = SpotRules(max_pool_share=1.0, max_family_share=1.0, max_zone_share=1.0)

    assert caps(spot=rules) == ()


def test_less_spot_for_safety_is_a_cap_where_it_is_tighter_than_the_policy() -> None:
    (tighter,) = caps(safety=Safety(max_spot_share=0.5))
    (policy,) = caps(safety=Safety(max_spot_share=0.5), spot=SpotRules(max_share=0.3))

    assert (tighter.name, tighter.coefficients.tolist()) == ("slo.maxCvar", [-2.0, 4.0])
    assert policy.name == "spot.maxShare"


def test_a_pool_that_was_found_too_large_holds_at_most_so_many_nodes() -> None:
    """Two nodes of eight vCPUs are kept of the three that it may have."""
    kept = KeptShare(vcpus=16.0, spot_vcpus=((("c5.2xlarge", ZONE), 16.0),))
    limits = Safety(pool_limits=((("c5.2xlarge", ZONE), 3), (("z9.odd", ZONE), 1)))

    (cap,) = caps(kept, safety=limits)

    assert cap.name == f"slo.maxPoolLoss (c5.2xlarge/{ZONE})"
    assert (cap.coefficients.tolist(), cap.limit) == ([0.0, 1.0], 1.0)


def test_a_resting_pool_keeps_its_nodes_and_gets_no_more() -> None:
    gone = ("z9.odd", ZONE, SPOT)
    resting = Safety(resting=((ON_DEMAND_OFFER.key, 2), (gone, 0)))

    (cap,) = caps(safety=resting)

    assert cap.name == f"churn.noReturnHours (m5.xlarge/{ZONE}/on-demand)"
    assert (cap.coefficients.tolist(), cap.limit) == ([1.0, 0.0], 2.0)
