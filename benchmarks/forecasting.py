"""Measures the forecaster on traces of demand and writes JSON.

``python -m benchmarks.forecasting --traces DIR --out DIR2 [--trace NAME ...] [--model NAME ...]
[--dump-samples] [--seed N]``

DIR holds parquet files of one layout (`benchmarks/traces.py`). Every model is trained once, on
what comes before the last 26 % of a trace; the 12 % after that are for calibration only, the last
14 % for rolling origins without training anew. `protocol.md` says how the scores are defined.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.forecasting.champion import SIMPLE, simple_model
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.evaluate import (
    Scale,
    Sums,
    added,
    day_to_day,
    score_origin,
    summarise,
)
from nodemix.forecasting.rows import to_rows
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray, Horizon

from benchmarks.forecast_models import MODELS, NAMES, Alone, Known, Speaker, trainer
from benchmarks.json_files import write_json
from benchmarks.traces import Trace, read_trace, trace_files

STEPS, DRAWS = 48, 200
ORIGINS = 24
TEST, CALIBRATION = 0.14, 0.12
NEVER_STALE_S = float("inf")


@dataclass(frozen=True, slots=True)
class Windows:
    """Where training ends and from where is forecast; lengths of what is known, in steps."""

    training: int
    calibration: int
    origins: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One model on one trace.

    Args:
        samples: of each origin, shape (rows, draws, steps) float32; empty unless asked for.
    """

    figures: dict[str, Any]
    samples: list[np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=list)


def windows(steps: int, horizon: int = STEPS) -> Windows:
    """The split of a trace of that length: the end of training and 24 origins, or what fits."""
    training = round(steps * (1.0 - TEST - CALIBRATION))
    calibration = round(steps * (1.0 - TEST))
    last = steps - horizon
    first = max(0, min(calibration, last))
    origins = np.unique(np.linspace(first, last, ORIGINS).round().astype(int))
    return Windows(min(training, first), first, tuple(int(origin) for origin in origins))


def known_rows(trace: Trace, split: Windows) -> Trace:
    """The rows that were observed for a day before training ended; others cannot be learnt."""
    day = steps_per_day(trace.history.step_s)
    seen = np.isfinite(trace.history.values[:, :, : split.training]).sum(axis=2)
    return trace.only(seen >= day)


def ready_at(history: DemandHistory, length: int) -> CleanHistory:
    """The first ``length`` steps without holes; rows that are silent just then stay in."""
    known = history.until(length)
    return clean(known, known.end_s, NEVER_STALE_S)


def known_before(history: DemandHistory, split: Windows) -> Known:
    """What models may learn from before the first origin."""
    return Known(ready_at(history, split.training), ready_at(history, split.calibration))


def run_model(name: str, trace: Trace, split: Windows, seed: int, *, keep: bool) -> Outcome:
    """Train once, forecast from every origin, score."""
    horizon, rng = Horizon(STEPS, DRAWS), np.random.default_rng(seed)
    started_s = time.perf_counter()
    speaker = trainer(name)(known_before(trace.history, split), horizon, rng)
    trained_s = time.perf_counter()
    values = trace.values
    scale = day_to_day(values[:, : split.origins[0]], steps_per_day(trace.history.step_s))
    rows, totals, kept, spoken_s = [], [], [], 0.0
    for origin in split.origins:
        ready = ready_at(trace.history, origin)
        asked_s = time.perf_counter()
        samples = joint_paths(speaker, ready, horizon, rng)[trace.rows]
        spoken_s += time.perf_counter() - asked_s
        actual = values[:, origin : origin + STEPS]
        rows.append(score_origin(samples, actual, rng))
        totals.append(_score_totals(trace, scale, samples, actual, rng))
        if keep:
            kept.append(samples.astype(np.float32))
    figures = {
        "model": name,
        **summarise(added(rows), scale),
        **_total_figures(trace, scale, added(totals), split),
        **direct_figures(name, trace, split, scale, seed),
        "rows": len(values),
        "rows_scored": int(scale.counts.sum()),
        "train_seconds": trained_s - started_s,
        "forecast_ms_per_row": 1000 * spoken_s / (len(split.origins) * len(values)),
        "shares": shares_of(speaker, trace),
    }
    return Outcome(figures, kept)


def shares_of(speaker: Speaker, trace: Trace) -> dict[str, float]:
    """Share of the futures that each model of a champion speaks in, mean over rows."""
    if isinstance(speaker, Alone):
        return {}
    heard = {name: speaker.share_of(name)[trace.exists] for name in speaker.speaking()}
    return {name: float(share.mean()) for name, share in heard.items()}


def joint_paths(
    speaker: Speaker, ready: CleanHistory, horizon: Horizon, rng: np.random.Generator
) -> FloatArray:
    """Joint paths of every series and indicator, shape (series x indicators, draws, steps)."""
    return paths_of(speaker.forecast(ready, horizon, rng))


def paths_of(forecast: DemandForecast) -> FloatArray:
    """Joint paths of a forecast, as :func:`joint_paths` gives them."""
    by_row = forecast.samples.transpose(1, 3, 0, 2)
    return by_row.reshape(-1, forecast.draws, forecast.steps).astype(np.float64)


def _members(trace: Trace, scale: Scale) -> dict[str, np.ndarray[Any, np.dtype[np.intp]]]:
    """Rows of each indicator that are summed up: those that are scored."""
    names = np.array(trace.indicator)
    return {
        name: np.flatnonzero((names == name) & scale.counts)
        for name in sorted(set(trace.indicator))
        if ((names == name) & scale.counts).sum() > 1
    }


def _score_totals(
    trace: Trace, scale: Scale, samples: FloatArray, actual: FloatArray, rng: np.random.Generator
) -> Sums:
    """Scores of the sum over all rows of an indicator; a step counts where all were observed."""
    members = _members(trace, scale).values()
    if not members:
        empty = np.zeros((0, DRAWS, STEPS))
        return score_origin(empty, np.zeros((0, STEPS)), rng)
    summed = np.stack([samples[rows].sum(axis=0) for rows in members])
    true = np.stack([actual[rows].sum(axis=0) for rows in members])
    return score_origin(summed, true, rng)


def _total_figures(trace: Trace, scale: Scale, sums: Sums, split: Windows) -> dict[str, float]:
    past = trace.values[:, : split.origins[0]]
    members = _members(trace, scale).values()
    if not members:
        return {}
    totals = np.stack([past[rows].sum(axis=0) for rows in members])
    found = day_to_day(totals, steps_per_day(trace.history.step_s))
    if not found.counts.any():
        return {}
    figures = summarise(sums, found)
    return {f"total_{name}": figures[name] for name in ("scrps", "coverage_95", "maximum_crps")}


def direct_figures(
    name: str, trace: Trace, split: Windows, scale: Scale, seed: int
) -> dict[str, float]:
    """What a simple model scores that is asked about the sums themselves; none for other models."""
    members = _members(trace, scale)
    if name not in SIMPLE or not members:
        return {}
    horizon, rng, model = Horizon(STEPS, DRAWS), np.random.default_rng(seed), simple_model(name)
    parts = []
    for origin in split.origins:
        rows = to_rows(ready_at(trace.history, origin).history)[trace.rows]
        summed = replace(
            trace.history.until(origin),
            series=("all",),
            parents=(),
            indicators=tuple(members),
            values=np.stack([rows[of].sum(axis=0) for of in members.values()])[None],
        )
        actual = trace.values[:, origin : origin + STEPS]
        true = np.stack([actual[of].sum(axis=0) for of in members.values()])
        parts.append(score_origin(paths_of(model.forecast(summed, horizon, rng)), true, rng))
    figures = _total_figures(trace, scale, added(parts), split)
    return {name.replace("total_", "direct_total_"): value for name, value in figures.items()}


def run_trace(path: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every model on one trace; a model that fails is a record with the reason."""
    trace = read_trace(path)
    split = windows(trace.history.steps)
    trace = known_rows(trace, split)
    records = []
    for name in options.model:
        try:
            outcome = run_model(name, trace, split, options.seed, keep=options.dump_samples)
        except ForecastError as failed:
            outcome = Outcome({"model": name, "failed": str(failed)})
        record = {"trace": trace.name, **_about(trace, split, options.seed), **outcome.figures}
        records.append(record)
        print(_line(record), file=sys.stderr)
        if outcome.samples:
            _dump(options.out / f"{trace.name}__{name}.npz", trace, split, outcome)
    return records


def _about(trace: Trace, split: Windows, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "step_seconds": trace.history.step_s,
        "steps": trace.history.steps,
        "training_steps": split.training,
        "origins": len(split.origins),
        "moved_series": list(trace.moved),
    }


def _line(record: dict[str, Any]) -> str:
    if "failed" in record:
        return f"{record['trace']} {record['model']}: failed, {record['failed']}"
    return (
        f"{record['trace']} {record['model']}: sCRPS {record['scrps']:.4f}, 95 % covers "
        f"{100 * record['coverage_95']:.1f} %, trained in {record['train_seconds']:.1f} s"
    )


def _dump(path: Path, trace: Trace, split: Windows, outcome: Outcome) -> None:
    """Joint paths as they were scored, so that anyone can score them again."""
    history = trace.history
    values = trace.values
    actual = np.stack([values[:, origin : origin + STEPS] for origin in split.origins])
    times = [history.start_s + origin * history.step_s for origin in split.origins]
    np.savez(
        path,
        samples=np.stack(outcome.samples),
        actual=actual.astype(np.float32),
        series_id=np.array(trace.series_id),
        indicator=np.array(trace.indicator),
        origin_timestamp=np.array(times),
        step_seconds=np.array(history.step_s),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write ``forecasting.json``; 1 where there is no trace."""
    options = _parse(arguments)
    paths = trace_files(options.traces, options.trace)
    if not paths:
        print(f"no such trace in {options.traces}; see --traces and --trace", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    records = [record for path in paths for record in run_trace(path, options)]
    write_json(records, options.out / "forecasting.json")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    data = Path(os.environ.get("NODEMIX_DATA") or "../shared/data")
    parser = argparse.ArgumentParser(prog="benchmarks.forecasting", description=__doc__)
    parser.add_argument("--traces", type=Path, default=data / "traces", help="folder of parquets")
    parser.add_argument("--out", type=Path, required=True, help="folder for the JSON and samples")
    parser.add_argument("--trace", nargs="+", default=[], help="names, or their beginnings")
    parser.add_argument("--model", nargs="+", default=list(MODELS), choices=NAMES)
    parser.add_argument("--dump-samples", action="store_true", help="write joint paths as npz")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
