import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.types import DemandHistory, FloatArray
from nodemix.operator.metrics.history import (
    Grid,
    HistoryBuilder,
    history_from_file,
    only_series,
    to_history,
    with_known_pods,
)

CART = "shop/Deployment/cart"
QUEUE = "shop/StatefulSet/queue"
GRID = Grid(start_s=900.0, step_s=900.0, steps=4)
NAN = float("nan")


def row(*values: float) -> list[float]:
    return list(values)


def rows_of(history: DemandHistory | None, series: int = 0, indicator: int = 0) -> FloatArray:
    assert history is not None
    row: FloatArray = history.values[series, indicator]
    return row


def test_a_grid_ends_at_the_last_complete_step_before_now() -> None:
    grid = Grid.until(now_s=10_000.0, lookback_s=3600.0, step_s=900.0)

    assert (grid.start_s, grid.end_s, grid.steps) == (7200.0, 9900.0, 4)


@given(now_s=st.floats(1e6, 2e9), step_s=st.sampled_from([60.0, 300.0, 900.0, 3600.0]))
def test_a_grid_stays_on_multiples_of_its_step_and_never_reaches_into_the_future(
    now_s: float, step_s: float
) -> None:
    grid = Grid.until(now_s, 14 * 86_400.0, step_s)

    assert grid.start_s % step_s == 0
    assert now_s - step_s < grid.end_s <= now_s


def test_a_grid_around_two_times_holds_both() -> None:
    grid = Grid.around(901.0, 2701.0)

    assert list(grid.positions(np.array([901.0, 2701.0]))) == [0, grid.steps - 1]


def test_a_step_stands_for_the_time_up_to_its_own() -> None:
    assert list(GRID.positions(np.array([1.0, 900.0, 900.5, 1800.0]))) == [0, 0, 1, 1]


def test_samples_on_the_grid_come_back_as_they_are() -> None:
    history = to_history(
        {(CART, "pods"): zip((900, 1800, 2700, 3600), row(1, 2, 3, 4), strict=True)}, GRID
    )

    assert history is not None
    assert history.series == (CART,)
    assert (history.start_s, history.step_s) == (900.0, 900.0)
    assert list(rows_of(history)) == [1, 2, 3, 4]


def test_a_step_without_samples_is_missing_and_not_zero() -> None:
    history = to_history({(CART, "pods"): [(900.0, 1.0), (3600.0, 4.0)]}, GRID)

    np.testing.assert_array_equal(rows_of(history), [1, NAN, NAN, 4])


def test_pods_of_a_finer_series_are_taken_at_their_peak() -> None:
    points = [(300.0, 2.0), (600.0, 9.0), (900.0, 3.0), (1200.0, 1.0)]

    history = to_history({(CART, "pods"): points}, GRID)

    np.testing.assert_array_equal(rows_of(history), [9, 1, NAN, NAN])


@pytest.mark.parametrize("indicator", ["cpu_milli", "memory_mib"])
def test_usage_of_a_finer_series_is_averaged(indicator: str) -> None:
    builder = HistoryBuilder(GRID)
    builder.add(CART, indicator, np.array([300.0, 600.0]), np.array([2.0, 9.0]))
    builder.add(CART, indicator, np.array([900.0, 1200.0]), np.array([4.0, 1.0]))

    np.testing.assert_array_equal(rows_of(builder.build()), [5, 1, NAN, NAN])


def test_samples_may_come_in_any_order_and_in_pieces() -> None:
    builder = HistoryBuilder(GRID)
    builder.add(CART, "pods", np.array([3600.0, 900.0]), np.array([4.0, 1.0]))
    builder.add(CART, "pods", np.array([1800.0]), np.array([2.0]))

    np.testing.assert_array_equal(rows_of(builder.build()), [1, 2, NAN, 4])


def test_samples_outside_of_the_grid_are_ignored() -> None:
    history = to_history({(CART, "pods"): [(-900.0, 7.0), (900.0, 1.0), (4501.0, 7.0)]}, GRID)

    np.testing.assert_array_equal(rows_of(history), [1, NAN, NAN, NAN])


def test_absurd_values_pass_on_to_the_forecaster() -> None:
    points = [(900.0, -5.0), (1800.0, float("inf")), (2700.0, NAN), (3600.0, 0.0)]

    history = to_history({(CART, "pods"): points}, GRID)

    np.testing.assert_array_equal(rows_of(history), [-5, np.inf, NAN, 0])


@pytest.mark.parametrize("points", [[], [(900.0, NAN)], [(99_999.0, 1.0)]])
def test_no_observation_is_no_history(points: list[tuple[float, float]]) -> None:
    assert to_history({(CART, "pods"): points}, GRID) is None


def test_series_are_sorted_and_pods_come_first() -> None:
    point = [(900.0, 1.0)]

    history = to_history(
        {(QUEUE, "cpu_milli"): point, (QUEUE, "pods"): point, (CART, "pods"): point}, GRID
    )

    assert history is not None
    assert history.series == (CART, QUEUE)
    assert history.indicators == ("pods", "cpu_milli")
    assert history.parents == ("shop", "shop")


def test_only_the_wanted_series_are_kept() -> None:
    history = to_history({(CART, "pods"): [(900.0, 1.0)], (QUEUE, "pods"): [(900.0, 2.0)]}, GRID)
    assert history is not None

    kept = only_series(history, {QUEUE})

    assert kept is not None
    assert kept.series == (QUEUE,)
    assert rows_of(kept)[0] == 2
    assert only_series(history, {"x/y/z"}) is None


def test_an_indicator_unknown_of_one_workload_does_not_cost_its_pods() -> None:
    point = [(900.0, 1.0)]
    history = to_history(
        {(CART, "pods"): point, (QUEUE, "pods"): point, (CART, "cpu_milli"): point}, GRID
    )
    assert history is not None

    known, left_out = with_known_pods(history)

    assert known is not None
    assert (known.series, known.indicators) == ((CART, QUEUE), ("pods",))
    assert left_out == ("cpu_milli",)


def test_a_workload_without_pods_does_not_cost_the_others_their_usage() -> None:
    point = [(900.0, 1.0)]
    history = to_history(
        {(CART, "pods"): point, (CART, "cpu_milli"): point, (QUEUE, "cpu_milli"): point}, GRID
    )
    assert history is not None

    known, left_out = with_known_pods(history)

    assert known is not None
    assert (known.series, known.indicators, left_out) == ((CART,), ("pods", "cpu_milli"), ())


def test_usage_alone_is_no_demand_to_plan_for() -> None:
    history = to_history({(CART, "cpu_milli"): [(900.0, 1.0)]}, GRID)
    assert history is not None

    assert with_known_pods(history) == (None, ("cpu_milli",))


def write(folder: Path, *lines: str) -> Path:
    path = folder / "history.csv"
    path.write_text("\n".join(("timestamp,workload,indicator,value", *lines)) + "\n")
    return path


def test_a_csv_file_becomes_a_history(tmp_path: Path) -> None:
    path = write(tmp_path, f"900,{CART},pods,3", f"1800,{CART},pods,", f"2700,{CART},pods,5")

    history = history_from_file(path)

    assert history.series == (CART,)
    np.testing.assert_array_equal(rows_of(history), [3, NAN, 5])


def test_a_packed_csv_file_is_read(tmp_path: Path) -> None:
    plain = write(tmp_path, f"900,{CART},pods,3")
    packed = tmp_path / "history.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert rows_of(history_from_file(packed))[0] == 3


@pytest.mark.parametrize("text", ["1970-01-01T00:15:00", "1970-01-01T00:15:00Z", "900.0"])
def test_times_are_seconds_or_iso_in_utc(tmp_path: Path, text: str) -> None:
    assert history_from_file(write(tmp_path, f"{text},{CART},pods,3")).start_s == 900.0


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (f"900,{CART},pods,many", "line 2: could not convert"),
        (f"yesterday,{CART},pods,3", "line 2: Invalid isoformat"),
        ("900,cart,pods,3", "line 2: workload 'cart' is not namespace/Kind/name"),
        (f"900,{CART},pods,", "every value is empty"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(tmp_path: Path, line: str, fact: str) -> None:
    with pytest.raises(HistoryError, match=fact) as caught:
        history_from_file(write(tmp_path, line))

    assert "history.csv" in str(caught.value)
    assert "; write" in str(caught.value) or "; " in str(caught.value)


def test_a_file_without_lines_or_columns_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no samples; write rows of timestamp"):
        history_from_file(write(tmp_path))
    (tmp_path / "other.csv").write_text("time,pods\n1,2\n")
    with pytest.raises(HistoryError, match="column indicator, timestamp, value, workload"):
        history_from_file(tmp_path / "other.csv")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"absent\.csv: cannot be read"):
        history_from_file(tmp_path / "absent.csv")
    (tmp_path / "torn.csv.gz").write_bytes(b"no gzip at all")
    with pytest.raises(HistoryError, match=r"torn\.csv\.gz: cannot be read"):
        history_from_file(tmp_path / "torn.csv.gz")
