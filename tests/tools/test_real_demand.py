from pathlib import Path

import numpy as np
import pytest
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.demo.workloads import WORKLOADS, Pattern

from tools.real_demand import TRACE, find_trace, traced_history

NOW_S = 1_795_000_000.0


@pytest.fixture(scope="module")
def history(nodemix_data: Path) -> DemandHistory:
    return traced_history(nodemix_data / TRACE, NOW_S)


def test_real_apps_end_with_todays_pods_of_the_demo(history: DemandHistory) -> None:
    assert [int(n) for n in history.values[:, 0, -1]] == [w.replicas for w in WORKLOADS]


def test_each_scaling_workload_has_a_history_of_its_own(history: DemandHistory) -> None:
    rows = [i for i, w in enumerate(WORKLOADS) if w.pattern is not Pattern.FLAT]
    shapes = {(history.values[i, 0] / WORKLOADS[i].replicas).tobytes() for i in rows}

    assert len(shapes) == len(rows)


def test_scaling_workloads_move_and_stay_within_twice_of_today(history: DemandHistory) -> None:
    for row, workload in enumerate(WORKLOADS):
        if workload.pattern is not Pattern.FLAT and workload.replicas > 5:
            assert np.std(history.values[row, 0]) > 0
            assert history.values[row, 0].max() <= 2 * workload.replicas + 1


def test_without_the_traces_there_is_none(tmp_path: Path) -> None:
    assert find_trace({"NODEMIX_DATA": str(tmp_path)}) is None


def test_the_traces_are_where_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / TRACE).touch()

    assert find_trace({"NODEMIX_DATA": str(tmp_path)}) == tmp_path / TRACE
