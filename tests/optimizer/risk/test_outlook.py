"""What may happen within the lead time: demand on paths, and nodes that go."""

from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.decision import PodPaths
from nodemix.optimizer.problem.types import BoolArray, FloatArray
from nodemix.optimizer.risk.hazard import Hazard, PoolKey
from nodemix.optimizer.risk.outlook import UNKNOWN, Outlook, alive_nodes

from tests.builders import ZONE, make_pods, make_problem, make_workload_key

WEB, JOBS = make_workload_key("web"), make_workload_key("jobs")
NO_PATHS = PodPaths((), np.zeros((0, 0), dtype=np.int64))
POOL, OTHER = PoolKey("m5", ZONE, "m5.xlarge"), PoolKey("c5", ZONE, "c5.xlarge")
OFTEN = Hazard(2.0, 4.0, (2.1, 0.9), 1.0)
SCENARIOS = 4_000


def outlook(paths: PodPaths = NO_PATHS, lead_time_s: float = 600.0, seed: int = 1) -> Outlook:
    return Outlook(paths, {POOL: OFTEN}, lead_time_s, seed)


def web(*pods: int) -> PodPaths:
    return PodPaths((WEB,), np.array(pods)[:, None])


def test_without_a_forecast_what_the_plan_holds_is_needed() -> None:
    problem = make_problem([*make_pods(3), *make_pods(2, workload="jobs")])

    assert outlook().needed(problem, {}).tolist() == [[3, 2]]


def test_without_a_forecast_todays_pods_are_needed_and_not_the_places_beside_them() -> None:
    problem = make_problem([*make_pods(3), *make_pods(2, workload="jobs")])
    today = replace(outlook(), pods_now={WEB: 2, JOBS: 2})

    assert today.needed(problem, {}).tolist() == [[2, 2]]
    assert replace(today, paths=web(4, 0)).needed(problem, {JOBS: 1}).tolist() == [[4, 1], [0, 1]]


def test_paths_say_what_is_needed_of_the_workloads_that_they_speak_of() -> None:
    problem = make_problem([*make_pods(3), *make_pods(2, workload="jobs")])

    assert outlook(web(4, 0, 9)).needed(problem, {}).tolist() == [[4, 2], [0, 2], [9, 2]]


def test_pods_that_stay_on_nodes_outside_of_the_problem_have_their_place() -> None:
    problem = make_problem(make_pods(3))

    needed = outlook(web(4, 1)).needed(problem, {WEB: 2, JOBS: 5})

    assert needed.tolist() == [[2], [0]]


def test_a_forecast_that_left_no_path_to_score_on_says_nothing() -> None:
    """A single path is used up by the choice of capacity."""
    _, fresh = web(5).halves()

    assert outlook(fresh).needed(make_problem(make_pods(3)), {}).tolist() == [[3]]


def test_a_pool_that_is_not_on_sale_is_believed_to_be_hit_often() -> None:
    assert outlook().hazard(POOL) == OFTEN
    assert outlook().hazard(OTHER) == UNKNOWN
    assert UNKNOWN.shocks_per_hour == pytest.approx(0.1)


def test_the_same_seed_takes_the_same_nodes_and_another_seed_others() -> None:
    first, again = outlook(seed=1), outlook(seed=1)

    assert np.array_equal(first.surviving((POOL,), 500), again.surviving((POOL,), 500))
    assert not np.array_equal(
        first.surviving((POOL,), 500), outlook(seed=2).surviving((POOL,), 500)
    )


def test_no_pools_no_losses() -> None:
    assert outlook().surviving((), 7).shape == (7, 0)


def test_a_longer_wait_for_new_nodes_leaves_fewer() -> None:
    """Half a shock an hour that takes 70 %: within an hour 0.35 of a pool goes at most."""
    quick, slow = (
        outlook(lead_time_s=s).surviving((POOL,), SCENARIOS).mean() for s in (60.0, 3600.0)
    )

    assert slow < quick < 1.0
    assert slow > 1.0 - 0.5 * 0.7


def alive(surviving: FloatArray, *pools: int, seed: int = 0) -> BoolArray:
    return alive_nodes(surviving, np.array(pools), seed)


def test_nodes_on_demand_stay_whatever_happens() -> None:
    nothing_left = np.zeros((5, 1))

    assert alive(nothing_left, -1, 0, -1, 0).tolist() == [[True, False, True, False]] * 5


def test_a_pool_that_nobody_touches_keeps_all_its_nodes() -> None:
    assert alive(np.ones((50, 1)), 0, 0, 0).all()


def test_half_of_two_nodes_is_always_one_and_either_may_be_it() -> None:
    left = alive(np.full((200, 1), 0.5), 0, 0)

    assert (left.sum(axis=1) == 1).all()
    assert left.any(axis=0).all()


@pytest.mark.parametrize("nodes", [1, 3, 7])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
def test_fractions_of_a_node_are_rounded_so_that_the_mean_is_right(
    nodes: int, share: float
) -> None:
    left = alive(np.full((SCENARIOS, 1), share), *[0] * nodes)

    counts = left.sum(axis=1)
    assert set(counts.tolist()) <= {int(share * nodes), int(share * nodes) + 1}
    assert counts.mean() == pytest.approx(share * nodes, abs=3 * 0.5 / SCENARIOS**0.5)


def test_each_pool_loses_its_own_nodes() -> None:
    left = alive(np.array([[0.0, 1.0], [1.0, 0.0]]), 0, 1, 0, 1)

    assert left.tolist() == [[False, True, False, True], [True, False, True, False]]


def test_every_node_of_a_pool_is_as_likely_to_go() -> None:
    left = alive(np.full((SCENARIOS, 1), 0.75), *[0] * 4)

    assert left.mean(axis=0) == pytest.approx(0.75, abs=4 * 0.43 / SCENARIOS**0.5)


def test_nothing_is_left_to_chance_but_the_seed() -> None:
    one = replace(outlook(), seed=5)

    assert np.array_equal(
        alive(one.surviving((POOL,), 100), 0, 0, seed=one.seed),
        alive(one.surviving((POOL,), 100), 0, 0, seed=one.seed),
    )
