import numpy as np
from nodemix.optimizer.decision import (
    PodPaths,
    over_provisioned,
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


def test_no_path_is_used_to_decide_and_to_score() -> None:
    paths = PodPaths((WEB,), np.arange(7)[:, None])

    deciding, fresh = paths.halves()

    assert sorted([*deciding.pods[:, 0], *fresh.pods[:, 0]]) == list(range(7))


def test_terminating_pods_need_no_place() -> None:
    snapshot = make_snapshot([*make_pods(3), make_pod("old", is_terminating=True)])

    assert pods_by_workload(snapshot) == {WEB: 3}


def test_fractions_of_places_are_carried_from_one_workload_to_the_next() -> None:
    """A tenth of 4, 4 and 4 pods: one whole place, once the fractions sum to it."""
    keys = [make_workload_key(name) for name in "abc"]

    planned = over_provisioned(dict.fromkeys(keys, 4), 0.1, keys)

    assert list(planned.values()) == [4, 4, 5]


def test_workloads_that_may_not_run_on_spot_get_no_further_places() -> None:
    assert over_provisioned({WEB: 10, JOBS: 10}, 0.5, {WEB}) == {WEB: 15, JOBS: 10}


def test_a_workload_without_pods_gets_no_place() -> None:
    assert over_provisioned({WEB: 0}, 0.5, {WEB, JOBS}) == {WEB: 0}
