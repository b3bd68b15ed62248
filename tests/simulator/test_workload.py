import numpy as np
import pytest
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.simulator.errors import ReplayError
from nodemix.simulator.workload import workloads_of

from tests.builders import make_pods, make_snapshot
from tests.simulator.scenes import DB, STEP_S, WEB, make_cluster, make_history, make_workloads


def test_a_step_stands_for_the_time_up_to_its_own() -> None:
    workloads = make_workloads(db=[1, 2, 3], web=[0, 0, 5])

    assert workloads.keys == (DB, WEB)
    assert workloads.wanted_at(0.0).tolist() == [2, 0]
    assert workloads.wanted_at(STEP_S - 1.0).tolist() == [2, 0]
    assert workloads.wanted_at(STEP_S).tolist() == [3, 5]
    assert workloads.next_change_s(0.0) == STEP_S
    assert workloads.next_change_s(STEP_S - 1.0) == STEP_S


def test_only_steps_that_have_ended_are_known() -> None:
    workloads = make_workloads(db=[1, 2, 3], web=[0, 0, 5])

    assert workloads.known_at(0.0).steps == 1
    assert workloads.known_at(STEP_S - 1.0).steps == 1
    assert workloads.known_at(STEP_S).steps == 2
    assert workloads.known_at(STEP_S).end_s == STEP_S


def test_the_peak_counts_steps_that_are_reached() -> None:
    workloads = make_workloads(db=[9, 2, 3, 4], web=[0, 7, 0, 1])

    assert workloads.peak_between(0.0, STEP_S).tolist() == [2, 7]
    assert workloads.peak_between(0.0, STEP_S + 1.0).tolist() == [3, 7]
    assert workloads.peak_between(STEP_S, 3 * STEP_S).tolist() == [4, 1]


def test_a_hole_keeps_what_was_wanted_before_and_never_looks_ahead() -> None:
    workloads = make_workloads(db=[np.nan, np.nan, 3, np.nan], web=[1, 1, 1, 1])

    assert workloads.pods[:, 0].tolist() == [0, 0, 3, 3]


def test_usage_is_covered_by_requests() -> None:
    """One pod of web requests 2 cores."""
    history = make_history({WEB: [0.0, 1.0, 2_000.0, 2_001.0]}, "cpu_milli")

    workloads = workloads_of(make_cluster(), history)

    assert workloads.pods[:, 1].tolist() == [0, 1, 1, 2]


def test_what_has_no_history_wants_what_the_snapshot_shows() -> None:
    snapshot = make_snapshot([*make_pods(3, workload="db"), *make_pods(2, workload="web")])
    history = make_history({WEB: [4, 5], DB.__class__("gone", "Deployment", "old"): [1, 1]})

    workloads = workloads_of(snapshot, history)

    assert workloads.pods.tolist() == [[3, 4], [3, 5]]
    assert workloads.steady == (DB,)
    assert workloads.left_out == ("gone/Deployment/old",)


def test_the_template_is_the_one_that_most_pods_have() -> None:
    old, new = make_pods(1, cpu_milli=500), make_pods(2, cpu_milli=700)

    (template,) = workloads_of(make_snapshot([*old, *new]), make_history({WEB: [1]})).templates

    assert template.requests.cpu_milli == 700


def test_a_history_of_others_is_refused() -> None:
    with pytest.raises(ReplayError, match="none of its 1 series"):
        workloads_of(make_cluster(), make_history({WEB: [1]}), WorkloadSelector(("elsewhere",)))
