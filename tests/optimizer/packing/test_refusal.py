"""Where there is no plan the error says whether there can be one, and which caps are in the way."""

import numpy as np
import pytest
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.refusal import Evidence, most_usd_per_hour, refusal
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import SPOT, ZONE, make_offer, make_pods, make_problem
from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import make_market


def refused(problem: Problem, readings: int = 300) -> InfeasiblePlanError:
    with pytest.raises(InfeasiblePlanError) as caught:
        solve(problem, ticking(readings), np.random.default_rng(0))
    return caught.value


def two_sizes(*caps: OfferCap) -> Problem:
    """Forty cores of pods; nodes of four and of sixteen cores, the large ones dear."""
    offers = [make_offer(price=0.2), make_offer("m5.4xlarge", 2.0, vcpus=16, memory_gib=64)]
    return make_problem(make_pods(40, memory_mib=1), offers, caps)


def max_nodes(limit: float) -> OfferCap:
    return OfferCap("maxNodes", np.ones(2), limit)


def budget(limit: float) -> OfferCap:
    return OfferCap("budget.usdPerHour", np.array([0.2, 2.0]), limit)


@pytest.mark.parametrize("readings", [0, 300])
def test_too_few_nodes_for_the_demand_is_a_matter_of_sums(readings: int) -> None:
    error = refused(two_sizes(max_nodes(2)), readings)

    assert error.is_proven
    assert error.subject == "maxNodes"
    assert "limit of 2 allows no plan: any needs at least 2.5" in str(error)


@pytest.mark.parametrize("readings", [0, 300])
def test_budget_below_what_any_plan_costs_is_proven(readings: int) -> None:
    error = refused(two_sizes(budget(1.5)), readings)

    assert (error.subject, error.is_proven) == ("budget.usdPerHour", True)
    assert "at least 2 of it" in str(error)


def test_caps_that_can_be_kept_one_by_one_are_proven_to_clash() -> None:
    """Five nodes hold the pods if most are dear; two dollars buy ten small ones."""
    error = refused(two_sizes(max_nodes(5), budget(2.1)))

    assert error.is_proven
    assert set(error.subject.split(", ")) == {"maxNodes", "budget.usdPerHour"}
    assert "no plan can keep" in str(error)


def test_without_time_for_the_proof_it_says_that_there_may_be_a_plan() -> None:
    error = refused(two_sizes(max_nodes(5), budget(2.1)), readings=0)

    assert not error.is_proven
    assert "though there may be one" in str(error)
    assert "search longer" in str(error)


def test_spot_share_that_no_offer_can_meet_is_proven() -> None:
    offers = [make_offer(price=0.1, capacity_type=SPOT)]
    share = OfferCap("spot.minOnDemandShare", np.array([4.0 * 0.2]), 0.0)

    error = refused(make_problem(make_pods(10), offers, [share]))

    assert (error.subject, error.is_proven) == ("spot.minOnDemandShare", True)


def test_many_caps_are_named_by_the_first_few() -> None:
    caps = [([float(i == own) for i in range(5)], 0.0) for own in range(5)]
    market = make_market(offers=[(1, 0.1 + 0.01 * i) for i in range(5)], caps=caps)
    evidence = Evidence(market, Duals(np.ones(1), np.ones(5)), 0.0)

    error = refusal(evidence, [f"spot.maxPoolShare (m5.{i}/{ZONE})" for i in range(5)])

    assert error.subject.endswith("and 2 more")
    assert error.subject.count("maxPoolShare") == 3


def test_most_that_a_plan_costs_follows_from_pods_nodes_and_budget() -> None:
    free = make_market(workloads=[(10, 1000)], offers=[(4, 0.2)])
    few = make_market(workloads=[(10, 1000)], offers=[(4, 0.2)], caps=[([1.0], 3.0)])
    least = make_market(workloads=[(10, 1000)], offers=[(4, 0.2)], caps=[([-1.0], -3.0)])

    assert most_usd_per_hour(free) == pytest.approx(10 * 0.2)
    assert most_usd_per_hour(few) == pytest.approx(3 * 0.2)
    assert most_usd_per_hour(least) == np.inf
