"""Whatever the problem, the engine's plan keeps every rule and its bound is true."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.laws.strategies import capped_problems, problems, ticking
from tests.packing_checker import complaints

READINGS = 300
"""Enough for every stage on these problems."""
FEW_READINGS = 12
"""So few that some stages are cut off in the middle."""
ROUNDING = 1e-6
"""Relative; a sum of prices in another order."""
lawful = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up()


def solved(problem: Problem, readings: int = READINGS, seed: int = 0) -> Result:
    return solve(problem, ticking(readings), np.random.default_rng(seed))


def optimum_usd_per_hour(problem: Problem) -> float:
    """By trying every node for every set of pods that is left; for a handful of pods."""

    @cache
    def cheapest(left: tuple[int, ...]) -> float:
        if not any(left):
            return 0.0
        first = next(i for i, pods in enumerate(left) if pods)
        costs = [
            float(problem.price_usd_per_hour[offer])
            + cheapest(tuple(a - b for a, b in zip(left, held, strict=True)))
            for offer in range(len(problem.offers))
            for held in fillings(problem, offer, left)
            if held[first]
        ]
        return min(costs)

    return cheapest(tuple(row.pods for row in problem.rows))


def fillings(problem: Problem, offer: int, left: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All that one node of the offer can hold of the pods that are left."""
    held: list[tuple[int, ...]] = [()]
    for row, pods in enumerate(left):
        may = problem.compatible[row, offer]
        most = min(pods, int(problem.max_per_node[row])) if may else 0
        held = [(*start, n) for start in held for n in range(most + 1)]
    return [pods for pods in held if fits(problem, offer, pods)]


def fits(problem: Problem, offer: int, pods: tuple[int, ...]) -> bool:
    return all(
        sum(n * int(problem.requests[i, d]) for i, n in enumerate(pods)) <= problem.room[offer, d]
        for d in range(len(problem.dimensions))
    )


@lawful
@given(problems(), st.sampled_from((FEW_READINGS, READINGS)))
def test_every_pod_has_exactly_one_allowed_place(problem: Problem, readings: int) -> None:
    result = solved(problem, readings)

    assert complaints(problem, result.packing) == []
    for alternative in result.alternatives:
        assert complaints(problem, alternative.packing) == []


@lawful
@given(capped_problems(), st.sampled_from((FEW_READINGS, READINGS)))
def test_caps_that_can_be_kept_are_kept(problem: Problem, readings: int) -> None:
    result = solved(problem, readings)

    assert complaints(problem, result.packing) == []
    assert result.lower_bound_usd_per_hour <= result.packing.cost_usd_per_hour


def with_budget(problem: Problem, usd_per_hour: float) -> Problem:
    cap = OfferCap("budget.usdPerHour", problem.price_usd_per_hour, usd_per_hour)
    return replace(problem, caps=(cap,))


@lawful
@given(problems(), st.floats(1.0, 1.5))
def test_a_budget_that_some_plan_keeps_is_kept(problem: Problem, factor: float) -> None:
    cost = solved(problem).packing.cost_usd_per_hour
    tight = with_budget(problem, factor * cost)

    assert complaints(tight, solved(tight).packing) == []


@lawful
@given(problems(), st.floats(0.1, 0.99))
def test_a_budget_below_the_bound_is_refused_by_name(problem: Problem, factor: float) -> None:
    bound = solved(problem).lower_bound_usd_per_hour
    with pytest.raises(InfeasiblePlanError) as refused:
        solved(with_budget(problem, factor * bound))

    assert refused.value.subject == "budget.usdPerHour"


@lawful
@given(problems())
def test_plan_is_never_above_the_greedy(problem: Problem) -> None:
    market = to_market(problem)
    greedy = greedy_draft(market, share_values(market))

    assert greedy is not None
    cost = solved(problem, FEW_READINGS).packing.cost_usd_per_hour
    assert cost <= greedy.cost_usd_per_hour * (1.0 + ROUNDING)


@lawful
@given(problems(), st.integers(0, 2**32 - 1))
def test_same_seed_gives_the_same_plan(problem: Problem, seed: int) -> None:
    first, second = solved(problem, seed=seed), solved(problem, seed=seed)

    assert first.packing == second.packing
    assert first.alternatives == second.alternatives
    assert first.lower_bound_usd_per_hour == second.lower_bound_usd_per_hour


@lawful
@given(problems(most_rows=3, most_pods=3))
def test_bound_is_below_and_cost_above_the_optimum(problem: Problem) -> None:
    result = solved(problem)
    optimum = optimum_usd_per_hour(problem)

    assert result.lower_bound_usd_per_hour <= optimum * (1.0 + ROUNDING)
    assert result.packing.cost_usd_per_hour >= optimum * (1.0 - ROUNDING)


@lawful
@given(problems())
def test_gpu_pods_stay_on_gpu_nodes_and_others_off_them(problem: Problem) -> None:
    for group in solved(problem, FEW_READINGS).packing.nodes:
        has_gpus = problem.offers[group.offer].instance.allocatable.gpus > 0
        for row, _ in group.pods:
            asks = bool(problem.requests[row, problem.dimensions.index("nvidia.com/gpu")] > 0)
            assert asks == has_gpus
