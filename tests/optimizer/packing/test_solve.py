import time
from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import SPOT, make_offer, make_pods, make_problem
from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import random_problem
from tests.packing_checker import complaints

OVERRUN_S = 0.2
SECONDS = 1.0


def solved(problem: Problem, readings: int = 300) -> Result:
    return solve(problem, ticking(readings), np.random.default_rng(0))


def test_a_problem_without_rows_needs_no_nodes() -> None:
    problem = make_problem()
    empty = replace(
        problem,
        rows=(),
        requests=problem.requests[:0],
        max_per_node=problem.max_per_node[:0],
        compatible=problem.compatible[:0],
    )

    result = solved(empty)

    assert result.packing.nodes == ()
    assert result.packing.cost_usd_per_hour == result.lower_bound_usd_per_hour == 0.0
    assert result.row_duals.shape == (0,)


def test_equal_pods_fill_the_cheapest_nodes() -> None:
    small, large = make_offer("m5.large", 0.11, vcpus=2), make_offer("m5.xlarge", 0.2)

    result = solved(make_problem(make_pods(10, memory_mib=1), [small, large]))

    assert result.packing.cost_usd_per_hour == pytest.approx(0.2 + 0.2 + 0.11)
    assert result.lower_bound_usd_per_hour <= 0.51


def test_no_time_at_all_still_gives_a_plan() -> None:
    problem = random_problem(rows=10, offers=10, pods=100)

    assert complaints(problem, solved(problem, readings=0).packing) == []


def test_costs_fall_along_the_progress() -> None:
    result = solved(random_problem(rows=20, offers=20, pods=200))

    costs = [milestone.cost_usd_per_hour for milestone in result.progress]
    assert result.progress[0].stage == "greedy"
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(result.packing.cost_usd_per_hour)


def test_alternatives_are_other_mixes_cheapest_first() -> None:
    result = solved(random_problem(rows=20, offers=20, pods=200))

    costs = [one.cost_usd_per_hour for one in result.alternatives]
    assert costs == sorted(costs)
    assert result.packing not in [one.packing for one in result.alternatives]
    assert all(cost >= result.packing.cost_usd_per_hour for cost in costs)


def test_plan_is_within_a_few_percent_of_the_bound() -> None:
    result = solved(random_problem(rows=20, offers=20, pods=200))

    assert result.gap < 0.03


def test_empty_nodes_are_bought_where_the_policy_asks_for_a_least_number() -> None:
    problem = make_problem(
        make_pods(4), [make_offer(price=0.2), make_offer("m5.large", 0.1, vcpus=2)]
    )
    least = OfferCap("minNodes", -np.ones(2), -5.0)

    packing = solved(replace(problem, caps=(least,))).packing

    assert sum(group.count for group in packing.nodes) == 5
    assert packing.cost_usd_per_hour == pytest.approx(0.5)


def test_spot_share_is_kept_and_costs_what_the_dual_says() -> None:
    offers = [make_offer(price=0.2), make_offer("m5a.xlarge", 0.1, capacity_type=SPOT)]
    half = OfferCap("spot.maxShare", np.array([-2.0, 2.0]), 0.0)

    result = solved(make_problem(make_pods(40), offers, [half]))

    assert result.packing.cost_usd_per_hour == pytest.approx(5 * 0.2 + 5 * 0.1)
    assert result.cap_duals[0] > 0.0


def test_a_budget_too_small_is_named_with_a_remedy() -> None:
    budget = OfferCap("budget.usdPerHour", np.array([0.2]), 0.3)

    with pytest.raises(InfeasiblePlanError, match=r"budget\.usdPerHour.*limit of 0\.3.*raise it"):
        solved(make_problem(make_pods(10), caps=[budget]))


def test_of_several_caps_the_one_in_the_way_is_named() -> None:
    nodes = OfferCap("maxNodes", np.ones(1), 1.0)
    budget = OfferCap("budget.usdPerHour", np.array([0.2]), 100.0)

    with pytest.raises(InfeasiblePlanError, match="maxNodes"):
        solved(make_problem(make_pods(10), caps=[budget, nodes]))


def test_a_cap_that_blocks_the_greedy_does_not_block_the_plan() -> None:
    """The best value for money is the small node; only the large ones keep the node limit."""
    small, large = make_offer("m5.large", 0.05, vcpus=2), make_offer("m5.4xlarge", 0.8, vcpus=16)
    nodes = OfferCap("maxNodes", np.ones(2), 2.0)
    problem = make_problem(make_pods(20, memory_mib=1), [small, large], [nodes])

    assert complaints(problem, solved(problem).packing) == []


def test_the_deadline_is_kept() -> None:
    """On the processor's clock, so that a busy machine does not fail it."""
    warm_up()
    problem = random_problem(rows=150, offers=150, pods=6000)
    started_s = time.process_time()

    result = solve(problem, Deadline.after(time.process_time, SECONDS), np.random.default_rng(0))

    assert time.process_time() - started_s < SECONDS + OVERRUN_S
    assert complaints(problem, result.packing) == []
