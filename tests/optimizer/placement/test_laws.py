"""What holds for every problem, plan and way to bring the pods."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.draft import to_packing
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import (
    Placement,
    Profile,
    Strategy,
    arrival_order,
    place,
    placed_cost_usd_per_hour,
)
from nodemix.optimizer.placement.steering import cohort_name, pod_limits, steer
from nodemix.optimizer.placement.unfolded import node_groups, node_offers
from nodemix.optimizer.problem.types import Problem

from tests.laws.strategies import problems

Case = tuple[Problem, Packing, PlacementMode, Profile, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    problem = draw(problems())
    market = to_market(problem)
    draft = greedy_draft(market, share_values(market))
    assert draft is not None
    packing = to_packing(market, draft)
    mode, strategy = draw(st.sampled_from(PlacementMode)), draw(st.sampled_from(Strategy))
    return problem, packing, mode, Profile(strategy), draw(st.integers(0, 2**32 - 1))


def placed(case: Case) -> Placement:
    problem, packing, mode, profile, seed = case
    rng = np.random.default_rng(seed)
    steering = steer(problem, packing, mode)
    return place(problem, packing, arrival_order(problem, steering, rng), rng, profile, steering)


@given(cases())
def test_no_node_holds_more_than_its_room(case: Case) -> None:
    problem, packing, *_ = case

    used = placed(case).held @ problem.requests

    assert (used <= problem.room[node_offers(packing)]).all()


@given(cases())
def test_pods_go_only_where_problem_and_steering_allow(case: Case) -> None:
    problem, packing, mode, *_ = case
    held = placed(case).held

    assert (held <= pod_limits(problem, packing, steer(problem, packing, mode)).T).all()
    assert (held <= problem.max_per_node).all()
    assert problem.compatible[:, node_offers(packing)].T[held > 0].all()


@given(cases())
def test_every_pod_is_placed_or_pending(case: Case) -> None:
    placement = placed(case)

    assert (placement.held.sum(axis=0) + placement.pending == case[0].demand).all()


@given(cases())
def test_a_pending_pod_would_fit_on_no_node_it_may_use(case: Case) -> None:
    problem, packing, mode, *_ = case
    assume(mode is not PlacementMode.COHORT)
    placement = placed(case)
    free = problem.room[node_offers(packing)] - placement.held @ problem.requests
    left = pod_limits(problem, packing, steer(problem, packing, mode)) - placement.held.T

    for row in np.flatnonzero(placement.pending):
        has_room = (problem.requests[row] <= free).all(axis=1)
        assert not (has_room & (left[row] > 0)).any()


@given(cases())
def test_a_cohort_holds_the_quota_of_a_row_or_has_no_room_for_more(case: Case) -> None:
    problem, packing, _, profile, seed = case
    placement = placed((problem, packing, PlacementMode.COHORT, profile, seed))
    free = problem.room[node_offers(packing)] - placement.held @ problem.requests

    for quota in steer(problem, packing, PlacementMode.COHORT).quotas:
        own = [cohort_name(g) == quota.cohort for g in node_groups(packing).tolist()]
        held = placement.held[own, quota.row]
        has_room = (problem.requests[quota.row] <= free[own]).all(axis=1)
        may_more = has_room & (held < problem.max_per_node[quota.row])
        assert held.sum() == quota.pods or (held.sum() < quota.pods and not may_more.any())


@given(cases())
def test_placed_cost_is_never_below_the_cost_of_the_packing(case: Case) -> None:
    problem, packing, *_ = case

    cost = placed_cost_usd_per_hour(problem, packing, placed(case))

    assert cost >= packing.cost_usd_per_hour


@given(cases())
def test_pinned_pods_all_get_the_place_the_plan_has_for_them(case: Case) -> None:
    problem, packing, _, profile, seed = case

    placement = placed((problem, packing, PlacementMode.PINNED, profile, seed))

    assert placement.pending.sum() == 0
    assert placed_cost_usd_per_hour(problem, packing, placement) == pytest.approx(
        packing.cost_usd_per_hour
    )


@given(cases())
def test_same_seed_same_placement(case: Case) -> None:
    first, second = placed(case), placed(case)

    assert np.array_equal(first.held, second.held)
