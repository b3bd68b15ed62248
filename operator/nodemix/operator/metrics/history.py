"""Samples of demand on a regular grid."""

import csv
import gzip
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.types import DemandHistory, FloatArray
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

DEFAULT_STEP_S = 900.0
"""Four steps an hour: as long as a node takes to pay off, short enough for a rush hour."""

PODS = "pods"
"""The indicator the planner reads: pods of the workload that are wanted."""

AVERAGED_INDICATORS = frozenset({"cpu_milli", "memory_mib"})
"""Usage is averaged within a step; everything else counts by its peak."""

CSV_COLUMNS = ("timestamp", "workload", "indicator", "value")


@dataclass(frozen=True, slots=True)
class Grid:
    """Regular steps; step ``i`` stands for the time up to ``start_s + i * step_s``, end included.

    A step looks back, so the newest one is complete and nothing of it lies in the future.
    """

    start_s: float
    step_s: float
    steps: int

    @classmethod
    def until(cls, now_s: float, lookback_s: float, step_s: float = DEFAULT_STEP_S) -> "Grid":
        """The last complete steps before ``now_s``, at multiples of ``step_s``."""
        steps = max(1, int(lookback_s // step_s))
        end_s = math.floor(now_s / step_s) * step_s
        return cls(end_s - (steps - 1) * step_s, step_s, steps)

    @classmethod
    def around(cls, first_s: float, last_s: float, step_s: float = DEFAULT_STEP_S) -> "Grid":
        """The smallest grid on multiples of ``step_s`` that holds both times."""
        first, last = math.ceil(first_s / step_s), math.ceil(last_s / step_s)
        return cls(first * step_s, step_s, last - first + 1)

    @property
    def end_s(self) -> float:
        """Time of the newest step."""
        return self.start_s + (self.steps - 1) * self.step_s

    def positions(self, times_s: FloatArray) -> IntArray:
        """The step each time falls into; outside of 0 .. steps - 1 where the grid ends."""
        position = np.ceil((times_s - self.start_s) / self.step_s - 1e-9)
        return position.astype(np.int64)


def namespace_of(series: str) -> str:
    """The pool that a workload's demand is summed up in: its namespace; empty if it has none."""
    namespace, slash, _ = series.partition("/")
    return namespace if slash else ""


class _Peak:
    """The highest value of each step."""

    def __init__(self, steps: int) -> None:
        self._highest = np.full(steps, np.nan)

    def add(self, position: IntArray, values: FloatArray) -> None:
        np.fmax.at(self._highest, position, values)

    def row(self) -> FloatArray:
        return self._highest


class _Mean:
    """The mean value of each step."""

    def __init__(self, steps: int) -> None:
        self._total = np.zeros(steps)
        self._count = np.zeros(steps)

    def add(self, position: IntArray, values: FloatArray) -> None:
        np.add.at(self._total, position, values)
        np.add.at(self._count, position, 1.0)

    def row(self) -> FloatArray:
        empty = np.full(self._total.shape, np.nan)
        mean: FloatArray = np.divide(self._total, self._count, out=empty, where=self._count > 0)
        return mean


class HistoryBuilder:
    """Collects samples of any density and order into a :class:`DemandHistory`.

    Several samples of one step become its peak (pods) or its mean (usage); a step without samples
    stays NaN. Values are not judged here: NaN is no observation, negative and absurd ones pass on
    to the forecaster, which cleans and reports them.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._bins: dict[tuple[str, str], _Peak | _Mean] = {}

    def add(self, series: str, indicator: str, times_s: FloatArray, values: FloatArray) -> None:
        """Add samples; those outside of the grid are ignored.

        Args:
            times_s: seconds since the epoch, shape (samples,).
            values: shape (samples,).
        """
        position = self._grid.positions(times_s)
        inside = (position >= 0) & (position < self._grid.steps) & ~np.isnan(values)
        if not inside.any():
            return
        kind = _Mean if indicator in AVERAGED_INDICATORS else _Peak
        bins = self._bins.setdefault((series, indicator), kind(self._grid.steps))
        bins.add(position[inside], values[inside])

    def build(self) -> DemandHistory | None:
        """The history, series sorted, indicators sorted with pods first; None if all is unseen."""
        if not self._bins:
            return None
        series = sorted({name for name, _ in self._bins})
        indicators = sorted({i for _, i in self._bins}, key=lambda i: (i != PODS, i))
        at_series = {name: i for i, name in enumerate(series)}
        values = np.full((len(series), len(indicators), self._grid.steps), np.nan)
        for (name, indicator), bins in self._bins.items():
            values[at_series[name], indicators.index(indicator)] = bins.row()
        return DemandHistory(
            series=tuple(series),
            indicators=tuple(indicators),
            start_s=self._grid.start_s,
            step_s=self._grid.step_s,
            values=values,
            parents=tuple(namespace_of(name) for name in series),
        )


def to_history(
    samples: Mapping[tuple[str, str], Iterable[tuple[float, float]]], grid: Grid
) -> DemandHistory | None:
    """The samples of each (series, indicator), given as (seconds, value), on ``grid``."""
    builder = HistoryBuilder(grid)
    for (series, indicator), points in samples.items():
        pairs = np.array(list(points), dtype=np.float64).reshape(-1, 2)
        builder.add(series, indicator, pairs[:, 0], pairs[:, 1])
    return builder.build()


def only_series(history: DemandHistory, wanted: Collection[str]) -> DemandHistory | None:
    """The history of the wanted series; None if there is none of them."""
    keep = [i for i, name in enumerate(history.series) if name in wanted]
    if not keep:
        return None
    return replace(
        history,
        series=tuple(history.series[i] for i in keep),
        values=history.values[keep],
        parents=tuple(history.parents[i] for i in keep) if history.parents else (),
    )


def with_known_pods(history: DemandHistory) -> tuple[DemandHistory | None, tuple[str, ...]]:
    """The series whose pods were observed, and the indicators observed for all of them.

    A forecaster needs every indicator of a series, so a CPU query that misses some workloads must
    not cost their pods.

    Returns:
        The history (None where no pods are known), and the names of what was left out.
    """
    if PODS not in history.indicators:
        return None, history.indicators
    seen: NDArray[np.bool_] = np.any(~np.isnan(history.values), axis=2)
    rows = np.flatnonzero(seen[:, history.indicators.index(PODS)])
    columns = np.flatnonzero(seen[rows].all(axis=0))
    kept = {history.indicators[k] for k in columns}
    left_out = tuple(i for i in history.indicators if i not in kept)
    if rows.size == 0:
        return None, history.indicators
    complete = only_series(history, {history.series[i] for i in rows})
    if complete is None or not left_out:
        return complete, left_out
    indicators = tuple(history.indicators[k] for k in columns)
    return replace(complete, indicators=indicators, values=complete.values[:, columns]), left_out


def history_from_file(path: Path, step_s: float = DEFAULT_STEP_S) -> DemandHistory:
    """The history in a CSV file (``.gz`` too) with the columns of ``CSV_COLUMNS``.

    ``timestamp`` is seconds since the epoch or ISO 8601 (UTC where it says nothing), ``workload``
    is ``namespace/Kind/name``. An empty value is a gap, as is a row that is absent.

    Raises:
        HistoryError: the file cannot be read; the message names the line.
    """
    samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for series, indicator, time_s, value in _csv_samples(path):
        samples.setdefault((series, indicator), []).append((time_s, value))
    times = [time_s for points in samples.values() for time_s, _ in points]
    if not times:
        raise HistoryError(f"{path.name}: no samples; write rows of {','.join(CSV_COLUMNS)}")
    history = to_history(samples, Grid.around(min(times), max(times), step_s))
    if history is None:
        raise HistoryError(f"{path.name}: every value is empty; write the observed pods")
    return history


def _csv_samples(path: Path) -> Iterator[tuple[str, str, float, float]]:
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            yield from _read_samples(path.name, lines)
    except (OSError, UnicodeDecodeError) as err:
        raise HistoryError(f"{path.name}: cannot be read ({err}); give a CSV file") from err


def _read_samples(name: str, lines: Iterable[str]) -> Iterator[tuple[str, str, float, float]]:
    reader = csv.DictReader(lines)
    missing = set(CSV_COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise HistoryError(
            f"{name}: column {', '.join(sorted(missing))} is missing; "
            f"the first line must hold {','.join(CSV_COLUMNS)}"
        )
    for row in reader:
        yield _read_sample(f"{name} line {reader.line_num}", row)


def _read_sample(where: str, row: Mapping[str, str | None]) -> tuple[str, str, float, float]:
    workload = row["workload"] or ""
    if workload.count("/") != 2:
        raise HistoryError(
            f"{where}: workload {workload!r} is not namespace/Kind/name; write it so"
        )
    try:
        value = float(row["value"] or "nan")
        time_s = seconds_of(row["timestamp"] or "")
    except ValueError as err:
        raise HistoryError(f"{where}: {err}; write a number") from err
    return workload, row["indicator"] or PODS, time_s, value


def seconds_of(text: str) -> float:
    """Seconds since the epoch of a number, or of an ISO 8601 time, UTC where it says nothing.

    Raises:
        ValueError: it is neither.
    """
    try:
        return float(text)
    except ValueError:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
