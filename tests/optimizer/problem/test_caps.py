"""Limits of a policy as linear caps, less what kept nodes use."""

import numpy as np
import pytest
from nodemix.optimizer.policy import SpotRules
from nodemix.optimizer.problem import caps as caps_module
from nodemix.optimizer.problem.caps import KeptShare, cap_problem, take_offers
from nodemix.optimizer.problem.types import OfferCap

from tests.builders import SPOT, ZONE, ZONES, make_offer, make_pods, make_policy, make_problem

ON_DEMAND_OFFER = make_offer("m5.xlarge", 0.2, vcpus=4)
SPOT_OFFER = make_offer("c5.2xlarge", 0.1, vcpus=8, capacity_type=SPOT)
PROBLEM = make_problem(offers=[ON_DEMAND_OFFER, SPOT_OFFER])
NOTHING_KEPT = KeptShare()


def caps(kept: KeptShare = NOTHING_KEPT, **policy: object) -> tuple[OfferCap, ...]:
    return cap_problem(PROBLEM, make_policy(**policy), kept)[0].caps


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


def test_where_there_are_too_many_pools_the_cheapest_for_some_row_stay() -> None:
    pools = caps_module.MAX_POOL_CAPS + 5
    offers = [ON_DEMAND_OFFER] + [
        make_offer(f"c5.size{i}", price=1.0 + i, capacity_type=SPOT) for i in range(pools)
    ]
    problem = make_problem(offers=offers)

    capped, notes = cap_problem(
        problem, make_policy(spot=SpotRules(max_pool_share=0.5)), NOTHING_KEPT
    )

    kept_prices = [offer.price_usd_per_hour for offer in capped.offers if offer.is_spot]
    assert ON_DEMAND_OFFER in capped.offers
    assert kept_prices == [1.0 + i for i in range(caps_module.MAX_POOL_CAPS)]
    assert len(capped.caps) == caps_module.MAX_POOL_CAPS
    assert f"of {pools}" in notes[0].fact


def test_the_cheapest_pool_of_a_picky_row_stays_too() -> None:
    pools = caps_module.MAX_POOL_CAPS
    dear = make_offer("r5.huge", price=999.0, memory_gib=500, capacity_type=SPOT)
    offers = [make_offer(f"c5.size{i}", price=1.0, capacity_type=SPOT) for i in range(pools)]
    pods = [*make_pods(2), *make_pods(1, workload="big", memory_mib=400_000)]

    capped, _ = cap_problem(
        make_problem(pods, [*offers, dear]),
        make_policy(spot=SpotRules(max_pool_share=0.5)),
        NOTHING_KEPT,
    )

    assert dear in capped.offers


def test_taking_offers_keeps_every_table_in_step() -> None:
    problem = make_problem(offers=[make_offer(zone=zone) for zone in ZONES])

    taken = take_offers(problem, np.array([True, False, True]))

    assert [offer.zone for offer in taken.offers] == [ZONES[0], ZONES[2]]
    assert taken.room.shape[0] == 2
    assert taken.price_usd_per_hour.shape == (2,)
    assert taken.compatible.shape == (1, 2)
