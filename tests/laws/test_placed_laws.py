"""Whatever the problem and the placement mode, the plan keeps every rule."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.problem.types import Problem

from tests.laws.strategies import capped_problems, problems, ticking
from tests.packing_checker import complaints

READINGS = 600
lawful = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up()


def solved(problem: Problem, mode: PlacementMode, readings: int = READINGS) -> Result:
    now = np.zeros(len(problem.offers), dtype=np.int64)
    rng = np.random.default_rng(0)
    return solve(problem, ticking(readings), rng, placement=mode, nodes_now=now)


@lawful
@given(problems(), st.sampled_from(PlacementMode), st.sampled_from((12, READINGS)))
def test_every_plan_shown_holds_every_pod(
    problem: Problem, mode: PlacementMode, readings: int
) -> None:
    result = solved(problem, mode, readings)

    for packing in (result.packing, *(one.packing for one in result.alternatives)):
        assert complaints(problem, packing) == []
        assert packing.cost_usd_per_hour >= result.lower_bound_usd_per_hour - 1e-6


@lawful
@given(problems(), st.sampled_from(PlacementMode))
def test_placed_cost_is_that_of_the_mode_and_not_below_the_plan(
    problem: Problem, mode: PlacementMode
) -> None:
    result = solved(problem, mode)

    if mode is PlacementMode.PINNED:
        assert result.placed is None
    if result.placed is not None:
        assert result.placed.mode is mode
        assert result.placed.usd_per_hour >= result.packing.cost_usd_per_hour - 1e-9


@lawful
@given(capped_problems())
def test_caps_hold_once_pods_are_placed_too(problem: Problem) -> None:
    result = solved(problem, PlacementMode.OBSERVE)

    for packing in (result.packing, *(one.packing for one in result.alternatives)):
        assert complaints(problem, packing) == []


@lawful
@given(problems())
def test_same_seed_same_placed_plan(problem: Problem) -> None:
    first, second = (solved(problem, PlacementMode.POOL) for _ in range(2))

    assert first.packing == second.packing
    assert first.placed == second.placed
    assert first.alternatives == second.alternatives
