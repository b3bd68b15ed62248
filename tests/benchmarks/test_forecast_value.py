"""What forecasts are worth to a capacity rule, on small cases."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nodemix.forecasting.types import FloatArray

from benchmarks.forecast_value import (
    FLOORS,
    LEVELS,
    RULES,
    Case,
    Span,
    case_of,
    chosen,
    compared,
    last_known,
    leads,
    main,
    origins_of,
    recent,
    summed,
)
from benchmarks.forecasting import windows
from benchmarks.traces import read_trace
from tests.benchmarks.test_forecasting_benchmark import write_trace

ROWS, ORIGINS, STEPS = 3, 50, 2
EXACT = 1e-6


def span(highest: FloatArray | None = None, *, seed: int = 0) -> Span:
    """Random demand; every quantile of its highest is ``highest``, or the truth."""
    rng = np.random.default_rng(seed)
    actual = rng.uniform(1.0, 5.0, (ROWS, ORIGINS, STEPS))
    last = rng.uniform(1.0, 5.0, (ROWS, ORIGINS))
    said = actual.max(axis=2) if highest is None else highest
    return Span(last, actual, np.broadcast_to(said, (len(LEVELS), 1, *said.shape)))


def case(of: Span) -> Case:
    return case_of(of, STEPS, 0, np.full(ROWS, 3.0))


@pytest.mark.parametrize("target", [0.01, 0.001])
def test_perfect_foresight_closes_the_whole_gap(target: float) -> None:
    figures, of_rows = compared(case(span(seed=1)), case(span()), target)

    assert figures["floor"] == 0.0
    assert summed([figures])["gap_closed"] == pytest.approx(1.0, abs=EXACT)
    assert of_rows[""] == pytest.approx(np.ones(ROWS), abs=EXACT)


def test_forecasting_the_last_value_closes_nothing() -> None:
    steady = span()
    known = replace(steady, last=steady.actual.max(axis=2))
    coming = span(seed=1)

    figures, of_rows = compared(case(known), case(span(coming.last, seed=1)), 0.01)

    assert figures["floor"] == 0.0
    assert summed([figures])["gap_closed"] == pytest.approx(0.0, abs=EXACT)
    assert of_rows[""] == pytest.approx(np.zeros(ROWS), abs=EXACT)
    assert summed([figures])["floored_gap_closed"] == pytest.approx(0.0, abs=EXACT)
    assert of_rows["floored_"] == pytest.approx(np.zeros(ROWS), abs=EXACT)


def test_a_floor_is_a_share_of_the_mean_known_before() -> None:
    of = span()
    said = case(of)

    added = (said.forecast[1] - said.forecast[0]) * of.actual.mean(axis=(1, 2))[:, None]

    assert added == pytest.approx(np.full((ROWS, ORIGINS), FLOORS[1] * 3.0))


def test_the_quantile_that_was_best_before_the_test_window_is_taken() -> None:
    known, noise = span(seed=1), np.random.default_rng(5).uniform(1.0, 2.0, (ROWS, ORIGINS))
    best = (np.arange(len(LEVELS)) == 3)[:, None, None, None]
    noisy = np.where(best, known.quantiles, noise * known.quantiles)

    rule = chosen(case(replace(known, quantiles=noisy)), 0.01)

    assert RULES[rule] == (LEVELS[3], 0.0)


def test_a_foresighted_rule_is_compared_at_the_shortage_it_had() -> None:
    known, coming = case(span(seed=1)), case(span())
    low = replace(coming, forecast=0.9 * coming.forecast)

    figures, _ = compared(known, low, 0.01)

    assert figures["foresighted_unserved"] > 0.01
    assert figures["foresighted_forecast_cost"] == pytest.approx(
        figures["foresighted_perfect_cost"], rel=1e-3
    )
    assert figures["foresighted_reactive_cost"] < figures["shared_reactive_cost"]


def test_an_indicator_that_reactive_cannot_serve_is_counted_apart() -> None:
    of = span()
    idle = Span(np.zeros_like(of.last), of.actual, of.quantiles)

    figures, of_rows = compared(case(idle), case(idle), 0.01)

    assert figures["rows"] == 0
    assert figures["rows_unreachable"]["reactive_cost"] == ROWS
    assert figures["rows_unreachable"]["forecast_cost"] == 0
    assert of_rows[""].size == 0
    assert summed([figures])["shared_indicators_counted"] == 0


def test_the_last_known_value_is_the_newest_that_was_observed() -> None:
    values = np.array([[np.nan, 3.0, np.nan, 5.0]])

    assert last_known(values).tolist() == [[0.0, 3.0, 3.0, 5.0]]


def test_lead_times_are_those_the_grid_has() -> None:
    assert leads(300.0) == (1, 2, 3, 4, 6)
    assert leads(600.0) == (1, 2, 3)
    assert leads(900.0) == (1, 2)


def test_origins_of_calibration_end_before_the_test_window(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.parquet", days=60)
    trace = read_trace(tmp_path / "t.parquet")

    cut, split = recent(trace, windows(trace.history.steps, 3))
    before, after = origins_of(cut, split, 3, 40)

    assert split.training == 28 * 144
    assert (len(before), len(after)) == (20, 40)
    assert split.training <= before[0] <= before[-1] + 3 <= after[0]
    assert after[-1] + 3 == cut.history.steps
    assert cut.history.end_s == trace.history.end_s


def test_the_benchmark_writes_a_record_for_each_lead_time_and_shortage(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.parquet")
    out = tmp_path / "value.json"

    models = ["--model", "last-value", "seasonal-naive"]
    arguments = ["--traces", str(tmp_path), "--out", str(out), "--origins", "12", *models]
    assert main(arguments) == 0

    records = json.loads(out.read_text())
    assert len(records) == 2 * 3 * 2
    first = records[0]
    assert first["lead_seconds"] == 600.0
    assert sorted(first["indicators"]) == ["cpu", "memory"]
    assert first["perfect_cost"] < first["forecast_cost"]
    assert first["floored_reactive_cost"] <= first["reactive_cost"]


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    assert main(["--traces", str(tmp_path), "--out", str(tmp_path / "o.json")]) == 1
