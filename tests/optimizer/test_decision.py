import numpy as np
from nodemix.optimizer.decision import (
    PodPaths,
    never_below_now,
    over_provisioned,
    planned_pods,
    pod_paths,
    pods_by_workload,
)

from tests.builders import make_pod, make_pods, make_snapshot, make_workload_key

WEB = make_workload_key("web")
JOBS = make_workload_key("jobs")


def test_demand_is_rounded_up_to_whole_pods_of_the_tightest_indicator() -> None:
    highest = np.array([[[2.0, 2500.0]], [[2.0, 500.0]]])
    per_pod = np.array([[1.0, 1000.0]])

    paths = pod_paths((WEB,), highest, per_pod)

    assert paths.pods.tolist() == [[3], [2]]


def test_rounding_noise_does_not_cost_a_pod() -> None:
    paths = pod_paths((WEB,), np.array([[[3.0000000001]]]), np.array([[1.0]]))

    assert paths.pods.tolist() == [[3]]


def test_an_indicator_that_says_nothing_asks_for_nothing() -> None:
    paths = pod_paths((WEB,), np.array([[[5.0, 9e9]]]), np.array([[1.0, np.inf]]))

    assert paths.pods.tolist() == [[5]]


def test_planned_pods_are_reached_on_some_path() -> None:
    paths = PodPaths((WEB, JOBS), np.array([[1, 10], [2, 10], [3, 10], [10, 40]]))

    planned = planned_pods(paths, 0.9)

    assert planned == {WEB: 10, JOBS: 40}


def test_a_higher_level_never_plans_less() -> None:
    pods = np.random.default_rng(0).poisson(20, size=(99, 1))
    paths = PodPaths((WEB,), pods)

    planned = [planned_pods(paths, level)[WEB] for level in (0.5, 0.9, 0.95, 1.0)]

    assert planned == sorted(planned)
    assert planned[-1] == pods.max()


def test_no_path_is_used_to_decide_and_to_score() -> None:
    paths = PodPaths((WEB,), np.arange(7)[:, None])

    deciding, fresh = paths.halves()

    assert sorted([*deciding.pods[:, 0], *fresh.pods[:, 0]]) == list(range(7))


def test_terminating_pods_need_no_place() -> None:
    snapshot = make_snapshot([*make_pods(3), make_pod("old", is_terminating=True)])

    assert pods_by_workload(snapshot) == {WEB: 3}


def test_a_plan_never_relies_on_pods_going_away() -> None:
    assert never_below_now({WEB: 2}, {WEB: 5, JOBS: 1}) == {WEB: 5, JOBS: 1}


def test_a_forecast_of_an_unknown_workload_plans_nothing() -> None:
    assert never_below_now({JOBS: 9}, {WEB: 5}) == {WEB: 5}


def test_fractions_of_places_are_carried_from_one_workload_to_the_next() -> None:
    """A tenth of 4, 4 and 4 pods: one whole place, once the fractions sum to it."""
    keys = [make_workload_key(name) for name in "abc"]

    planned = over_provisioned(dict.fromkeys(keys, 4), 0.1, keys)

    assert list(planned.values()) == [4, 4, 5]


def test_workloads_that_may_not_run_on_spot_get_no_further_places() -> None:
    assert over_provisioned({WEB: 10, JOBS: 10}, 0.5, {WEB}) == {WEB: 15, JOBS: 10}


def test_a_workload_without_pods_gets_no_place() -> None:
    assert over_provisioned({WEB: 0}, 0.5, {WEB, JOBS}) == {WEB: 0}
