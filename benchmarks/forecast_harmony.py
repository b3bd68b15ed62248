"""Measures models on HARMONY's own data, the way HARMONY was, and writes JSON.

``python -m benchmarks.forecast_harmony --out FILE [--csv DIR | --parquet FILE]
[--container N ...] [--model NAME ...] [--origins N] [--seed N]``

The protocol is read from its public code (Floating-LY/HARMONY1 at 87b49f0: ``data_loader.py``,
``data_factory.py``, ``metrics.py``): one model a container; the first 70 % of the rows train, the
last 20 % test, one step ahead from each row; every indicator is scaled by its smallest and largest
value in training; the score is the mean over test rows and indicators of the CRPS of an ensemble.
The test loader has batches of 32 and drops the last one where it is not full, and so do we.

``--csv`` is the folder ``Datasets/Fisher`` of that repository, with all 11 indicators: what the
published figures are about. Without it the parquet of the traces is read, which has 6 of them;
nothing published can be compared with that. Published figures are for 72 rows of context. Ours see
all that came before, up to four weeks.

*persistence* is the last value plus the changes of the training rows, never below zero. Its figure
is given for limits from training and, as ``whole_limits_crps``, from all rows.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.features import evenly
from nodemix.forecasting.types import DemandHistory, FloatArray, Horizon

from benchmarks.forecast_models import MODELS, Known, trainer
from benchmarks.forecast_paths import samples_at
from benchmarks.forecasting import ready_at
from benchmarks.json_files import write_json

TRAINING, TEST = 0.7, 0.2
BATCH = 32
STEP_S = 600.0
DRAWS = 200
CONTAINERS = tuple(range(1, 11))
PUBLISHED_CRPS = {
    1: 0.1139, 2: 0.0837, 3: 0.1154, 4: 0.1221, 5: 0.1085,
    6: 0.0892, 7: 0.1284, 8: 0.0381, 9: 0.0861, 10: 0.1098,
}  # fmt: skip
"""Of ``result_Fisher.txt`` there, context of 72 rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where training ends and which rows are forecast, in rows from the first."""

    training: int
    tested: range


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Smallest value and range of each indicator, shape (indicators,) each."""

    low: FloatArray
    span: FloatArray

    def scaled(self, values: FloatArray) -> FloatArray:
        """``values``, whose first axis is the indicators, in shares of the range."""
        shape = (-1,) + (1,) * (values.ndim - 1)
        shares: FloatArray = (values - self.low.reshape(shape)) / self.span.reshape(shape)
        return shares


def split_of(rows: int) -> Split:
    """Training and test of a file of that many rows; whole batches only."""
    tested = int(rows * TEST)
    first = rows - tested
    return Split(int(rows * TRAINING), range(first, first + tested // BATCH * BATCH))


def limits_of(values: FloatArray) -> Limits:
    """Of ``values``, shape (indicators, rows); a constant has range 1."""
    low, high = values.min(axis=1), values.max(axis=1)
    return Limits(low, np.where(high > low, high - low, 1.0))


def shown(history: DemandHistory) -> DemandHistory:
    """The history in the unit of the score, but not shifted: demand stays above zero.

    Only constants are, to 0: their range counts as 1, which is finer than 32 bits can say.
    """
    values = history.values[0]  # noqa: PD011 - not a frame
    known = values[:, : split_of(history.steps).training]
    limits = limits_of(known)
    shift = np.where(np.ptp(known, axis=1) > 0, 0.0, limits.low)
    return replace(history, values=Limits(shift, limits.span).scaled(values)[None])


def read_csv(folder: Path, container: int) -> DemandHistory:
    """All indicators of one container as the original repository has them."""
    frame = pd.read_csv(folder / f"container{container}.csv", index_col="date", parse_dates=True)
    return _history(container, frame)


def read_parquet(path: Path, container: int) -> DemandHistory:
    """The indicators that the traces have of one container."""
    frame = pd.read_parquet(path, columns=["timestamp", "series_id", "indicator", "value"])
    own = frame[frame["series_id"].astype(str) == f"fisher-c{container}"]
    own = own.assign(date=pd.to_datetime(own["timestamp"], unit="s"))
    table = own.pivot_table(index="date", columns="indicator", values="value", observed=True)
    return _history(container, table)


def _history(container: int, table: pd.DataFrame) -> DemandHistory:
    start = pd.Timestamp(table.index[0])
    return DemandHistory(
        (f"container{container}",),
        tuple(str(name) for name in table.columns),
        start.timestamp(),
        STEP_S,
        np.asarray(table, dtype=np.float64).T[None],
    )


def ensemble_crps(samples: FloatArray, actual: FloatArray) -> FloatArray:
    """CRPS of the samples as a distribution, not corrected for their number, shape of ``actual``.

    Args:
        samples: last axis the draws.
        actual: shape of ``samples`` without it.

    Source: Hersbach, Weather and Forecasting 15 (2000), as ``properscoring.crps_ensemble`` has it.
    """
    ordered = np.sort(samples, axis=-1)
    draws = samples.shape[-1]
    weights = (2.0 * np.arange(1, draws + 1) - draws - 1.0) / draws**2
    miss = np.abs(ordered - actual[..., None]).mean(axis=-1)
    crps: FloatArray = miss - (ordered * weights).sum(axis=-1)
    return crps


def persistence(values: FloatArray, split: Split) -> FloatArray:
    """Last value plus changes of the training rows, shape (indicators, tested rows, DRAWS)."""
    changes = np.diff(values[:, : split.training], axis=1)
    levels = (np.arange(DRAWS) + 0.5) / DRAWS
    spread = np.quantile(changes, levels, axis=1).T
    last = values[:, split.tested.start - 1 : split.tested.stop - 1]
    samples: FloatArray = np.maximum(last[:, :, None] + spread[:, None], 0.0)
    return samples


def said(
    name: str, history: DemandHistory, split: Split, rows: Sequence[int], seed: int
) -> FloatArray:
    """Samples of a model trained once, shape (indicators, rows, DRAWS)."""
    rng, horizon = np.random.default_rng(seed), Horizon(1, DRAWS)
    speaker = trainer(name)(Known.at_once(ready_at(history, split.training)), horizon, rng)
    paths = samples_at(speaker, history, rows, horizon, rng)
    return np.stack([of_all[:, :, 0] for of_all in paths], axis=1)


def figures(samples: FloatArray, actual: FloatArray, limits: Limits) -> dict[str, float]:
    """Scores in HARMONY's unit; ``actual`` is (indicators, rows)."""
    samples, actual = limits.scaled(samples), limits.scaled(actual)
    low, high = np.quantile(samples, [0.025, 0.975], axis=-1)
    inside = (low <= actual) & (actual <= high)
    return {
        "crps": float(ensemble_crps(samples, actual).mean()),
        "mse": float(((samples.mean(axis=-1) - actual) ** 2).mean()),
        "coverage_95": float(inside.mean()),
    }


def run_container(container: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Persistence and every model on one container."""
    if options.csv:
        history = shown(read_csv(options.csv, container))
    else:
        history = shown(read_parquet(options.parquet, container))
    values = history.values[0]  # noqa: PD011 - not a frame
    split = split_of(history.steps)
    limits = limits_of(values[:, : split.training])
    rows = evenly(split.tested.start, split.tested.stop - 1, options.origins).tolist()
    about = {
        "container": container,
        "indicators": len(history.indicators),
        "rows_tested": len(rows),
        "seed": options.seed,
        "published_crps": PUBLISHED_CRPS[container] if options.csv else None,
    }
    records = [{**about, **_persistent(values, split, limits)}]
    for name in options.model:
        started_s = time.perf_counter()
        try:
            samples = said(name, history, split, rows, options.seed)
        except ForecastError as failed:
            records.append({**about, "model": name, "failed": str(failed)})
            continue
        made = figures(samples, values[:, rows], limits)
        seconds = time.perf_counter() - started_s
        records.append({**about, "model": name, **made, "seconds": seconds})
    return [_against_published(record) for record in records]


def _persistent(values: FloatArray, split: Split, limits: Limits) -> dict[str, Any]:
    samples = persistence(values, split)
    actual = values[:, split.tested.start : split.tested.stop]
    whole = figures(samples, actual, limits_of(values))
    own = figures(samples, actual, limits)
    return {
        "model": "persistence",
        **own,
        "whole_limits_crps": whole["crps"],
        "rows_tested": len(split.tested),
    }


def _against_published(record: Mapping[str, Any]) -> dict[str, Any]:
    published = record["published_crps"]
    if published is None or "crps" not in record:
        return dict(record)
    return {**record, "crps_over_published": record["crps"] / published}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON."""
    options = _parse(arguments)
    records = []
    for container in options.container:
        made = run_container(container, options)
        records += made
        for record in made:
            print(_line(record), file=sys.stderr)
    write_json(records, options.out)
    return 0


def _line(record: Mapping[str, Any]) -> str:
    start = f"container {record['container']} {record['model']}"
    if "failed" in record:
        return f"{start}: failed, {record['failed']}"
    over = record.get("crps_over_published")
    published = f", {over:.2f} x published" if over else ""
    covers = 100 * record["coverage_95"]
    return f"{start}: CRPS {record['crps']:.4f}{published}, 95 % covers {covers:.1f} %"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    data = Path(os.environ.get("NODEMIX_DATA") or "../shared/data")
    parser = argparse.ArgumentParser(prog="benchmarks.forecast_harmony", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--csv", type=Path, help="Datasets/Fisher of HARMONY's repository")
    source.add_argument("--parquet", type=Path, default=data / "traces" / "fisher_10min.parquet")
    parser.add_argument("--container", type=int, nargs="+", default=CONTAINERS, choices=CONTAINERS)
    parser.add_argument("--model", nargs="*", default=list(MODELS), choices=MODELS)
    parser.add_argument("--origins", type=int, default=10_000, help="evenly spread; default all")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
