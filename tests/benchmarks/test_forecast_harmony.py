"""HARMONY's protocol on small files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nodemix.forecasting.rows import to_rows
from nodemix.forecasting.types import DemandHistory

from benchmarks.forecast_harmony import (
    ensemble_crps,
    figures,
    limits_of,
    main,
    persistence,
    read_csv,
    read_parquet,
    shown,
    split_of,
)

ROWS = 700


def write_container(
    folder: Path, number: int = 1
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A noisy wave and a constant."""
    rng = np.random.default_rng(0)
    wave = 10 + np.sin(np.arange(ROWS) / 20) + rng.normal(0, 0.1, ROWS)
    dates = pd.date_range("2018-07-24", periods=ROWS, freq="10min")
    frame = pd.DataFrame({"date": dates, "load": wave, "limit": 8.0})
    frame.to_csv(folder / f"container{number}.csv", index=False)
    return np.stack([wave, np.full(ROWS, 8.0)])


def test_the_last_fifth_is_tested_in_whole_batches() -> None:
    split = split_of(4464)

    assert split.training == 3124
    assert split.tested.start == 4464 - 892
    assert len(split.tested) == 27 * 32


def test_limits_are_those_of_training_and_a_constant_is_no_division_by_zero() -> None:
    limits = limits_of(np.array([[2.0, 4.0], [7.0, 7.0]]))

    assert limits.scaled(np.array([[5.0], [7.0]])).tolist() == [[1.5], [0.0]]


def test_models_are_shown_shares_of_the_range_above_zero_and_constants_as_zero() -> None:
    values = np.array([[4.0, 2.0] * 50, [7e10] * 100])
    history = DemandHistory(("a",), ("load", "limit"), 0.0, 600.0, values[None])

    made = to_rows(shown(history))

    assert made[0, :2].tolist() == [2.0, 1.0]
    assert (made[1] == 0.0).all()
    assert limits_of(made).scaled(made) == pytest.approx(limits_of(values).scaled(values))


def test_crps_of_an_ensemble_is_not_corrected_for_its_size() -> None:
    samples = np.array([[1.0, 3.0]])

    # mean |x - 2| = 1, mean |x - x'| over all four pairs = 1
    assert ensemble_crps(samples, np.array([2.0])) == pytest.approx([0.5])
    assert ensemble_crps(np.full((1, 9), 4.0), np.array([4.0])) == pytest.approx([0.0])


def test_persistence_adds_changes_of_training_to_the_last_value() -> None:
    values = np.array([[0.0, 1.0] * 100, [3.0] * 200])
    split = split_of(200)

    samples = persistence(values, split)

    assert samples.shape == (2, 32, 200)
    assert values[0, split.tested.start - 1] == 1.0
    assert (samples[0, 0].min(), samples[0, 0].max()) == (0.0, 2.0)
    assert (samples[1] == 3.0).all()
    assert figures(samples[1:], values[1:, split.tested], limits_of(values[1:]))["crps"] == 0.0


def test_persistence_is_never_below_zero() -> None:
    values = np.tile([0.0, 5.0, 1.0, 0.0], 50)[None]

    assert persistence(values, split_of(200)).min() == 0.0


def test_both_layouts_give_the_same_history(tmp_path: Path) -> None:
    values = write_container(tmp_path)
    seconds = np.datetime64("2018-07-24", "s").astype(np.int64) + 600 * np.arange(ROWS)
    tidy = pd.concat(
        pd.DataFrame(
            {"timestamp": seconds, "series_id": "fisher-c1", "indicator": name, "value": row}
        )
        for name, row in zip(("load", "limit"), values, strict=True)
    )
    tidy.to_parquet(tmp_path / "fisher.parquet")

    by_csv = read_csv(tmp_path, 1)
    by_parquet = read_parquet(tmp_path / "fisher.parquet", 1)

    assert by_csv.start_s == by_parquet.start_s == float(seconds[0])
    assert by_csv.indicators == ("load", "limit")
    assert by_parquet.indicators == ("limit", "load")
    assert to_rows(by_parquet)[::-1] == pytest.approx(to_rows(by_csv))


@pytest.mark.parametrize(("number", "expected"), [(1, 0.0458), (8, 0.0089)])
def test_persistence_on_the_six_indicators_of_the_traces(
    nodemix_data: Path, number: int, expected: float
) -> None:
    history = read_parquet(nodemix_data / "traces" / "fisher_10min.parquet", number)
    values = history.values[0]  # noqa: PD011 - not a frame
    split = split_of(history.steps)

    samples = persistence(values, split)
    found = figures(samples, values[:, split.tested], limits_of(values[:, : split.training]))

    assert found["crps"] == pytest.approx(expected, abs=1e-4)


def test_the_benchmark_compares_with_what_was_published(tmp_path: Path) -> None:
    write_container(tmp_path)
    out = tmp_path / "harmony.json"
    arguments = ["--csv", str(tmp_path), "--container", "1", "--out", str(out)]

    assert main([*arguments, "--model", "last-value", "--origins", "32"]) == 0

    persistent, model = json.loads(out.read_text())
    assert persistent["model"] == "persistence"
    assert model["rows_tested"] == 32
    assert model["crps_over_published"] == pytest.approx(model["crps"] / 0.1139)
    assert model["crps"] == pytest.approx(persistent["crps"], rel=0.3)
