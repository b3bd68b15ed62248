from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.covering import further_pods, lacking_pods, with_more
from nodemix.optimizer.decision import PodPaths
from nodemix.optimizer.snapshot import WorkloadKey

from tests.builders import make_workload_key

WEB, JOBS = make_workload_key("web"), make_workload_key("jobs")
CORE = np.array([1000, 1024])
EQUAL = {WEB: CORE, JOBS: CORE}


def further(
    pods: list[list[int]],
    now: dict[WorkloadKey, int],
    share: float,
    requests: dict[WorkloadKey, np.ndarray] | None = None,
) -> dict[WorkloadKey, int]:
    return further_pods(PodPaths((WEB, JOBS), np.array(pods)), now, requests or EQUAL, share)


def test_without_paths_nothing_more_is_wanted() -> None:
    assert further_pods(PodPaths((), np.zeros((0, 0), dtype=np.int64)), {WEB: 3}, EQUAL, 0.9) == {}


def test_of_one_workload_it_is_the_quantile() -> None:
    paths = PodPaths((WEB,), np.arange(1, 101)[:, None])

    for share, highest in ((0.5, 50), (0.95, 95), (0.991, 100), (1.0, 100)):
        assert further_pods(paths, {WEB: 20}, EQUAL, share) == {WEB: highest - 20}


def test_demand_below_todays_pods_asks_for_nothing() -> None:
    assert further([[3, 2], [4, 1]], {WEB: 5, JOBS: 5}, 1.0) == {WEB: 0, JOBS: 0}


def test_workloads_that_peak_in_turn_share_one_room() -> None:
    """A quantile of each would ask for ten more of both."""
    in_turn = [[20, 10], [10, 20]]

    assert sum(further(in_turn, {WEB: 10, JOBS: 10}, 1.0).values()) == 10


def test_what_one_has_fewer_of_makes_up_for_what_the_other_has_more_of() -> None:
    assert further([[16, 6]], {WEB: 10, JOBS: 10}, 1.0) == {WEB: 2, JOBS: 0}


def test_room_in_one_resource_does_not_make_up_for_another() -> None:
    """Four jobs go, but none of them has the memory that six web pods need."""
    requests = {WEB: np.array([100, 1000]), JOBS: np.array([1000, 0])}

    assert further([[16, 6]], {WEB: 10, JOBS: 10}, 1.0, requests) == {WEB: 6, JOBS: 0}


def test_pods_that_ask_for_nothing_are_all_counted() -> None:
    nothing = {WEB: np.array([0, 0]), JOBS: np.array([0, 0])}

    assert further([[13, 2]], {WEB: 10, JOBS: 10}, 1.0, nothing) == {WEB: 3, JOBS: 0}


pods = st.integers(0, 30)


@given(
    paths=st.lists(st.tuples(pods, pods), min_size=1, max_size=12),
    now=st.tuples(pods, pods),
    shares=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)),
)
def test_more_is_wanted_for_more_paths_and_enough_of_them_have_room_in_sum(
    paths: list[tuple[int, int]], now: tuple[int, int], shares: tuple[float, float]
) -> None:
    held = dict(zip((WEB, JOBS), now, strict=True))
    few, many = (further([list(p) for p in paths], held, share) for share in sorted(shares))

    assert sum(few.values()) <= sum(many.values())
    room = sum(held.values()) + sum(many.values())
    asked = [sum(map(max, path, now)) - sum(max(0, n - p) for p, n in zip(path, now, strict=True))
             for path in paths]  # fmt: skip
    enough = sum(total <= room for total in asked)
    assert Fraction(enough, len(paths)) >= Fraction(max(shares)) - Fraction(1, 10**9)


def test_where_enough_paths_find_room_nothing_lacks() -> None:
    homeless = np.zeros((100, 1), dtype=np.int64)
    homeless[7] = 5

    assert lacking_pods(homeless, np.array([[1000, 1024]]), 0.99).tolist() == [0]
    assert lacking_pods(homeless, np.array([[1000, 1024]]), 1.0).tolist() == [5]


def test_what_one_path_lacks_does_for_those_that_lack_less() -> None:
    homeless = np.array([[4, 0], [0, 3], [0, 0]])
    equal = np.array([[1000, 1024], [1000, 1024]])

    assert lacking_pods(homeless, equal, 1.0).tolist() == [4, 0]


def test_room_for_small_pods_is_added_to_room_without_what_they_need() -> None:
    homeless = np.array([[4, 0], [0, 3]])
    unlike = np.array([[1000, 0], [0, 1024]])

    assert lacking_pods(homeless, unlike, 1.0).tolist() == [4, 3]


def test_more_pods_are_added_to_known_workloads_alone() -> None:
    assert with_more({WEB: 5}, {WEB: 2, JOBS: 9}) == {WEB: 7}
