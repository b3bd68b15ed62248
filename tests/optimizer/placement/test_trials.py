import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.packing.draft import to_packing
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import OWNED, expected_placed_cost_usd_per_hour
from nodemix.optimizer.placement.steering import pod_limits, steer
from nodemix.optimizer.placement.trials import Kinds, Trials, kinds_of
from nodemix.optimizer.problem.types import Problem

from tests.builders import make_offer, make_pods, make_problem
from tests.laws.strategies import problems

OPEN_MODES = (PlacementMode.OBSERVE, PlacementMode.POOL)
DRAWS = 400
SIGMAS = 4.0
"""One false alarm in ten thousand runs, were the seeds not fixed."""


@st.composite
def cases(draw: st.DrawFn) -> tuple[Problem, Packing]:
    problem = draw(problems())
    market = to_market(problem)
    draft = greedy_draft(market, share_values(market))
    assert draft is not None
    return problem, to_packing(market, draft)


def to_kinds(problem: Problem, packing: Packing) -> Kinds:
    return kinds_of(packing, len(problem.rows))


@given(cases(), st.sampled_from(OPEN_MODES))
def test_pods_may_go_where_the_steering_lets_them(
    case: tuple[Problem, Packing], mode: PlacementMode
) -> None:
    problem, packing = case
    kinds = to_kinds(problem, packing)

    limits = np.repeat(Trials(problem, mode, 0).limits(kinds), kinds.counts, axis=1)

    assert (limits == pod_limits(problem, packing, steer(problem, packing, mode))).all()


@given(cases(), st.sampled_from(PlacementMode), st.integers(0, 99))
def test_every_pod_is_placed_within_the_room_or_pending(
    case: tuple[Problem, Packing], mode: PlacementMode, draw: int
) -> None:
    problem, packing = case
    kinds = to_kinds(problem, packing)

    outcome = Trials(problem, mode, 7).run(kinds, draw)

    room = problem.room[np.repeat(kinds.offers, kinds.counts)]
    assert (outcome.held @ problem.requests <= room).all()
    assert (outcome.held.sum(axis=0) + outcome.pending == problem.demand).all()
    assert (outcome.pending >= 0).all()


@given(cases(), st.sampled_from(PlacementMode))
def test_a_draw_is_the_same_whenever_it_is_made(
    case: tuple[Problem, Packing], mode: PlacementMode
) -> None:
    problem, packing = case
    kinds = to_kinds(problem, packing)
    early, late = Trials(problem, mode, 3), Trials(problem, mode, 3)
    late.run(kinds, 0)

    assert np.array_equal(early.run(kinds, 5).held, late.run(kinds, 5).held)


def tempting() -> tuple[Problem, Packing]:
    """One full big node and two full small ones; small pods like the big node, too."""
    big = make_pods(2, workload="big", cpu_milli=4000, memory_mib=8192)
    small = make_pods(8, workload="small", cpu_milli=1000, memory_mib=2048)
    offers = [
        make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=16),
        make_offer("m5.xlarge", price=0.2, vcpus=4, memory_gib=8),
    ]
    groups = (PackedNodes(0, ((0, 2),), 1), PackedNodes(1, ((1, 4),), 2))
    return make_problem([*big, *small], offers), Packing(groups, 0.8)


@pytest.mark.parametrize("mode", list(PlacementMode))
def test_mean_over_draws_is_the_expected_placed_cost(mode: PlacementMode) -> None:
    """Two estimates of one mean, each over 400 draws of its own."""
    problem, packing = tempting()
    trials, kinds = Trials(problem, mode, 11), to_kinds(problem, packing)
    ours = np.array([trials.hosting_usd_per_hour(kinds, draw) for draw in range(DRAWS)])

    steering, rng = steer(problem, packing, mode), np.random.default_rng(0)
    expected = expected_placed_cost_usd_per_hour(problem, packing, steering, rng, DRAWS, OWNED)

    error = SIGMAS * float(ours.std()) * (2.0 / DRAWS) ** 0.5
    assert 0.8 + ours.mean() == pytest.approx(expected, abs=error + 1e-12)


def test_only_free_pods_are_tempted() -> None:
    problem, packing = tempting()
    kinds = to_kinds(problem, packing)
    mean = {
        mode: np.mean([Trials(problem, mode, 1).hosting_usd_per_hour(kinds, k) for k in range(20)])
        for mode in PlacementMode
    }

    assert mean[PlacementMode.OBSERVE] > 0.0
    assert mean[PlacementMode.POOL] == mean[PlacementMode.COHORT] == 0.0
