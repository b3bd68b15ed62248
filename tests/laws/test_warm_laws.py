"""A warm start may come from any other problem; what follows is as lawful as without it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.seeds import thaw
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.problem.types import Problem

from tests.laws.strategies import capped_problems, problems, ticking
from tests.packing_checker import complaints

READINGS = 300
FEW_READINGS = 12
lawful = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
any_problems = st.one_of(problems(), capped_problems())
"""Names of rows and offers are few, so that two draws share some, with other figures."""


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up()


def solved(problem: Problem, readings: int, warm: WarmStart | None = None, seed: int = 0) -> Result:
    return solve(problem, ticking(readings), np.random.default_rng(seed), warm)


def left_of(problem: Problem) -> WarmStart:
    warm = solved(problem, READINGS).warm
    assert warm is not None
    return warm


@lawful
@given(any_problems, any_problems, st.sampled_from((0, FEW_READINGS, READINGS)))
def test_plan_is_valid_whatever_changed_since(first: Problem, then: Problem, readings: int) -> None:
    result = solved(then, readings, left_of(first))

    assert complaints(then, result.packing) == []
    assert result.lower_bound_usd_per_hour <= result.packing.cost_usd_per_hour


@lawful
@given(any_problems, any_problems)
def test_what_is_taken_over_fits_the_new_market(first: Problem, then: Problem) -> None:
    market = to_market(then)
    seeds = thaw(left_of(first), then, market)

    room, may = market.room[seeds.offers], market.compatible[seeds.offers]
    assert (seeds.pods @ market.requests <= room).all()
    assert (seeds.pods <= np.where(may, market.limits, 0)).all()
    assert all((plan.held <= market.demand).all() for plan in seeds.plans)


@lawful
@given(any_problems, any_problems, st.integers(0, 2**32 - 1))
def test_same_seed_and_start_give_the_same_plan(first: Problem, then: Problem, seed: int) -> None:
    warm = left_of(first)
    one, other = solved(then, READINGS, warm, seed), solved(then, READINGS, warm, seed)

    assert one.packing == other.packing
    assert one.lower_bound_usd_per_hour == other.lower_bound_usd_per_hour


@lawful
@given(any_problems)
def test_starting_from_its_own_end_a_search_is_never_worse(problem: Problem) -> None:
    first = solved(problem, READINGS)

    again = solved(problem, FEW_READINGS, first.warm)

    assert again.packing.cost_usd_per_hour <= first.packing.cost_usd_per_hour * (1.0 + 1e-9)
