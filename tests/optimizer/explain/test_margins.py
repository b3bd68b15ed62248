from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.explain.margins import pool_margins
from nodemix.optimizer.packed import PackedNodes
from nodemix.optimizer.plan import PoolMargins, RunnerUp
from nodemix.optimizer.problem.types import OfferCap

from tests.builders import ON_DEMAND, SPOT, ZONE, make_offer, make_pods, make_problem
from tests.optimizer.explain.results import make_result

BOUGHT = make_offer("m5.xlarge", price=0.20)
FULL, HALF = PackedNodes(0, ((0, 4),), 2), PackedNodes(0, ((0, 2),), 1)


def margins_of(
    offers: Sequence[Offer],
    nodes: Sequence[PackedNodes] = (FULL,),
    caps: Sequence[OfferCap] = (),
    cap_duals: Sequence[float] = (),
) -> PoolMargins:
    """Of the first offer's pool; pods of one core are worth 0.05 each."""
    problem = make_problem(make_pods(10), offers, caps)
    result = make_result([0.05], cap_duals, nodes)
    return pool_margins(problem, result)[offers[0].key]


def runner_up(
    offers: Sequence[Offer], caps: Sequence[OfferCap] = (), cap_duals: Sequence[float] = ()
) -> RunnerUp | None:
    return margins_of(offers, (FULL,), caps, cap_duals).runner_up


def test_a_pool_at_its_marginal_price_gains_and_loses_nothing() -> None:
    margins = margins_of([BOUGHT])

    assert margins.node_more_usd_per_hour == pytest.approx(0.0)
    assert margins.node_less_usd_per_hour == pytest.approx(0.0)


def test_one_node_less_is_the_emptiest_and_one_more_is_like_the_fullest() -> None:
    margins = margins_of([BOUGHT], [FULL, HALF])

    assert margins.node_more_usd_per_hour == pytest.approx(0.20 - 4 * 0.05)
    assert margins.node_less_usd_per_hour == pytest.approx(2 * 0.05 - 0.20)


def test_a_binding_limit_makes_one_more_node_dearer() -> None:
    margins = margins_of([BOUGHT], caps=[OfferCap("maxNodes", np.ones(1), 2.0)], cap_duals=[0.03])

    assert margins.node_more_usd_per_hour == pytest.approx(0.03)
    assert margins.node_less_usd_per_hour == pytest.approx(-0.03)


def test_the_runner_up_is_the_cheapest_other_offer_that_holds_the_same_pods() -> None:
    offers = [
        BOUGHT,
        make_offer("c5.large", price=0.09, vcpus=2),
        make_offer("m6.xlarge", price=0.24),
        make_offer("m6.2xlarge", price=0.40, vcpus=8),
    ]

    assert runner_up(offers) == RunnerUp("m6.xlarge", ZONE, ON_DEMAND, 0.24, 0.20)


def test_the_same_type_in_another_zone_is_no_runner_up() -> None:
    assert runner_up([BOUGHT, make_offer("m5.xlarge", price=0.20, zone="us-east-1b")]) is None


def test_the_same_type_on_another_market_may_be_the_runner_up() -> None:
    other = make_offer("m5.xlarge", price=0.30, capacity_type=SPOT)

    found = runner_up([BOUGHT, other])

    assert found is not None
    assert found.capacity_type is SPOT


def test_a_market_that_the_pods_refuse_offers_no_runner_up() -> None:
    spot = make_offer("m5.xlarge", price=0.06, capacity_type=SPOT)
    problem = make_problem(make_pods(4, spot_denied="annotated"), [BOUGHT, spot])
    result = make_result([0.05], nodes=[PackedNodes(0, ((0, 4),), 1)])

    assert pool_margins(problem, result)[BOUGHT.key].runner_up is None


def test_an_offer_that_would_break_a_limit_is_passed_over() -> None:
    spot = make_offer("m6.xlarge", price=0.06, capacity_type=SPOT)
    offers = [BOUGHT, spot, make_offer("m7.xlarge", price=0.25)]
    no_spot = OfferCap("spot.maxShare", np.array([0.0, 4.0, 0.0]), 0.0)

    found = runner_up(offers, [no_spot], [0.0])

    assert found is not None
    assert found.instance_type == "m7.xlarge"


def test_a_runner_up_that_spares_a_binding_limit_may_cost_more() -> None:
    # Each vCPU on spot costs 0.01 beside its price; the on-demand node needs none of that.
    spot = make_offer("m5.xlarge", price=0.16, capacity_type=SPOT)
    share = OfferCap("spot.maxShare", np.array([4.0, 0.0]), 8.0)

    found = runner_up([spot, make_offer("m6.xlarge", price=0.30)], [share], [0.01])

    assert found is not None
    assert found.break_even_usd_per_hour == pytest.approx(0.16 + 4 * 0.01)


def test_a_binding_budget_does_not_move_the_break_even_price() -> None:
    offers = [BOUGHT, make_offer("m6.xlarge", price=0.24)]
    budget = OfferCap("budget.usdPerHour", np.array([0.20, 0.24]), 0.40)

    found = runner_up(offers, [budget], [0.5])

    assert found is not None
    assert found.break_even_usd_per_hour == pytest.approx(0.20)


def test_at_the_break_even_price_both_have_the_same_reduced_cost() -> None:
    share = OfferCap("spot.maxShare", np.array([3.0, -1.0]), 9.0)
    spot = make_offer("m5.xlarge", price=0.17, capacity_type=SPOT)
    found = runner_up([spot, make_offer("m6.xlarge", price=0.30)], [share], [0.01])
    assert found is not None
    even = make_offer("m6.xlarge", price=found.break_even_usd_per_hour)

    own = margins_of([spot, even], [FULL], [share], [0.01])
    other_cap = OfferCap("spot.maxShare", np.array([-1.0, 3.0]), 9.0)
    other = margins_of([even, spot], [FULL], [other_cap], [0.01])

    assert own.node_more_usd_per_hour == pytest.approx(other.node_more_usd_per_hour)


def test_a_node_that_only_a_minimum_keeps_holds_nothing_and_saves_its_price() -> None:
    empty = PackedNodes(0, (), 1)

    margins = margins_of([BOUGHT, make_offer("t3.small", price=0.25, vcpus=1)], [empty])

    assert margins.node_less_usd_per_hour == pytest.approx(-0.20)
    assert margins.runner_up is not None
    assert margins.runner_up.instance_type == "t3.small"


def test_only_pools_that_are_bought_from_have_margins() -> None:
    problem = make_problem(make_pods(10), [BOUGHT, make_offer("m6.xlarge", price=0.24)])

    assert list(pool_margins(problem, make_result([0.05], nodes=[FULL]))) == [BOUGHT.key]


def test_a_runner_up_holds_what_the_nodes_of_the_pool_that_run_already_hold() -> None:
    """One node is bought for a small pod; one of the same pool runs, with a pod of three cores."""
    running = replace(BOUGHT, is_in_place=True)
    small, large = make_offer("c5.large", 0.05, vcpus=2), make_offer("m6i.xlarge", 0.21)
    pods = [*make_pods(1), *make_pods(1, cpu_milli=3000, workload="large")]
    problem = make_problem(pods, [BOUGHT, running, small, large])
    of_large = next(i for i, row in enumerate(problem.rows) if row.workload.name == "large")
    nodes = [PackedNodes(0, ((1 - of_large, 1),), 1), PackedNodes(1, ((of_large, 1),), 1)]

    margins = pool_margins(problem, make_result([0.05, 0.05], (), nodes))[BOUGHT.key]

    assert margins.runner_up is not None
    assert margins.runner_up.instance_type == "m6i.xlarge"
