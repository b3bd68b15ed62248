"""The forecasting benchmark on small traces."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.champion import SIMPLE, ForecastSettings, elect
from nodemix.forecasting.evaluate import day_to_day, score_origin, summarise
from nodemix.forecasting.types import Horizon

from benchmarks.forecast_models import Alone
from benchmarks.forecasting import main, ready_at, shares_of, windows
from benchmarks.traces import read_trace

DAY, STEP_S = 144, 600
DAYS = 14


def write_trace(
    path: Path, *, days: int = DAYS, step_s: int = STEP_S, gap: slice | None = None
) -> None:
    """Two series of two indicators with a daily wave, one of them quieter."""
    rng = np.random.default_rng(0)
    steps = np.arange(days * 86_400 // step_s)
    frames = []
    for series, level in (("a", 10.0), ("b", 4.0)):
        for indicator, share in (("cpu", 1.0), ("memory", 0.2)):
            wave = 1 + share * np.sin(2 * np.pi * steps * step_s / 86_400)
            values = level * wave + rng.normal(0, 0.3, len(steps)) + 5
            frame = pd.DataFrame(
                {
                    "timestamp": steps * step_s,
                    "series_id": series,
                    "group_id": "g",
                    "indicator": indicator,
                    "value": values,
                }
            )
            frames.append(frame.drop(frame.index[gap]) if gap else frame)
    pd.concat(frames).to_parquet(path)


def test_finer_samples_are_averaged_and_gaps_stay_gaps(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.parquet", days=3, step_s=300, gap=slice(30, 60))

    trace = read_trace(tmp_path / "t.parquet")
    demand = trace.history.until(trace.history.steps).values  # noqa: PD011 - not a frame

    assert trace.history.step_s == 900
    assert demand.shape == (2, 2, 3 * 96)
    assert np.isnan(demand[0, 0]).sum() == 10
    assert trace.indicator == ("cpu", "memory", "cpu", "memory")


def test_a_series_that_ended_weeks_ago_is_moved_to_the_others(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    is_b = frame["series_id"] == "b"
    frame.loc[is_b, "timestamp"] -= 5 * 7 * 86_400
    frame.to_parquet(tmp_path / "t.parquet")

    trace = read_trace(tmp_path / "t.parquet")

    assert trace.moved == ("b",)
    assert np.isfinite(trace.history.values).all()


def test_origins_are_in_the_last_seventh_and_training_ends_before_calibration() -> None:
    split = windows(2000)

    assert split.training == 1480
    assert split.origins[0] == 1720
    assert split.origins[-1] == 2000 - 48
    assert len(split.origins) == 24


def test_a_short_trace_is_not_trained_on_what_it_forecasts() -> None:
    split = windows(120)

    assert split.training <= split.origins[0] == 72


def test_a_perfect_forecast_scores_nothing_and_a_wide_one_more() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(10, 1, (3, 48))
    scale = day_to_day(rng.normal(10, 1, (3, 5 * DAY)), DAY)
    perfect = np.repeat(actual[:, None], 50, axis=1)
    wide = perfect + rng.normal(0, 1, perfect.shape)

    best, worse = (summarise(score_origin(p, actual, rng), scale) for p in (perfect, wide))

    for name in ("scrps", "mase", "maximum_crps"):
        assert best[name] == pytest.approx(0.0, abs=1e-12)
    assert worse["scrps"] > 0.1


def test_steps_that_were_not_observed_count_for_nothing() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(10, 1, (2, 48))
    paths = rng.normal(10, 1, (2, 100, 48))
    holey, shifted = actual.copy(), paths.copy()
    holey[:, 10:20] = np.nan
    shifted[:, :, 10:20] = 1e6

    sums = [score_origin(p, holey, np.random.default_rng(1)) for p in (paths, shifted)]

    for name, (total, count) in sums[0].items():
        assert total == pytest.approx(sums[1][name][0]), name
        assert (count == sums[1][name][1]).all()


def test_rows_that_hardly_change_are_left_out() -> None:
    past = np.vstack([np.full(3 * DAY, 7.0), np.arange(3 * DAY, dtype=float)])

    assert day_to_day(past, DAY).counts.tolist() == [False, True]


def test_samples_that_are_dumped_give_the_scores_again(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.parquet", gap=slice(1950, 1960))
    out = tmp_path / "out"

    arguments = ["--traces", str(tmp_path), "--out", str(out), "--model", "last-value"]
    assert main([*arguments, "--dump-samples"]) == 0

    (record,) = json.loads((out / "forecasting.json").read_text())
    dumped = np.load(out / "t__last-value.npz")
    samples, actual = dumped["samples"], dumped["actual"]
    assert samples.shape == (24, 4, 200, 48)
    assert actual.shape == (24, 4, 48)
    assert np.isnan(actual).any()
    assert dumped["series_id"].tolist() == ["a", "a", "b", "b"]
    assert dumped["origin_timestamp"][0] == 1734 * STEP_S
    low, high = np.quantile(samples, [0.025, 0.975], axis=2)
    inside = ((low <= actual) & (actual <= high))[np.isfinite(actual)]
    assert inside.mean() == pytest.approx(record["coverage_95"], abs=0.01)


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    assert main(["--traces", str(tmp_path), "--out", str(tmp_path)]) == 1


def test_the_shares_of_a_champion_are_recorded_and_a_model_alone_has_none(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.parquet")
    trace = read_trace(tmp_path / "t.parquet")
    ready = ready_at(trace.history, 1000)
    settings = ForecastSettings(models=SIMPLE, origins=2)
    champion = elect(ready, Horizon(48, 20), np.random.default_rng(0), settings)

    shares = shares_of(champion, trace)

    assert set(shares) <= set(SIMPLE)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares_of(Alone(LastValue()), trace) == {}
