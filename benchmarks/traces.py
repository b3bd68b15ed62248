"""Traces of demand as the forecasting benchmark reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from nodemix.forecasting.rows import to_rows
from nodemix.forecasting.types import DemandHistory, FloatArray
from numpy.typing import NDArray

FINEST_STEP_S = 600
"""Traces sampled more often are averaged over `COARSE_STEP_S`."""
COARSE_STEP_S = 900
WEEK_S = 7 * 86_400
COLUMNS = ["timestamp", "series_id", "group_id", "indicator", "value"]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One file on a regular grid.

    Args:
        history: every series with every indicator of the file; NaN where nothing was observed,
            0 everywhere for a pair that the file does not have: there is no such demand.
        exists: pairs that the file has, shape (series, indicators). Such a pair is a *row*.
        moved: series that end long before the newest sample of the file, moved by whole weeks so
            that all share the same origins.
    """

    name: str
    history: DemandHistory
    exists: NDArray[np.bool_]
    moved: tuple[str, ...] = ()

    @property
    def rows(self) -> NDArray[np.intp]:
        """Flat index of each row, series by series."""
        return np.flatnonzero(self.exists)

    @property
    def values(self) -> FloatArray:
        """Demand of each row, shape (rows, steps)."""
        return to_rows(self.history)[self.rows]

    @property
    def series_id(self) -> tuple[str, ...]:
        """Series of each row."""
        return tuple(self.history.series[i] for i in self.rows // self.exists.shape[1])

    @property
    def indicator(self) -> tuple[str, ...]:
        """Indicator of each row."""
        return tuple(self.history.indicators[i] for i in self.rows % self.exists.shape[1])

    def only(self, keep: NDArray[np.bool_]) -> "Trace":
        """The pairs in ``keep`` alone, shape (series, indicators); series without one are gone."""
        exists = self.exists & keep
        values = np.where(exists[:, :, None], self.history.values, 0.0)
        left = np.flatnonzero(exists.any(axis=1))
        series, parents = (
            tuple(names[i] for i in left) for names in (self.history.series, self.history.parents)
        )
        history = replace(self.history, series=series, parents=parents, values=values[left])
        return replace(self, history=history, exists=exists[left])


def trace_files(folder: Path, beginnings: Sequence[str]) -> list[Path]:
    """The parquet files of ``folder`` whose names begin so, in order; all where none is given."""
    paths = sorted(folder.glob("*.parquet"))
    return [path for path in paths if not beginnings or path.stem.startswith(tuple(beginnings))]


def read_trace(path: Path, finest_step_s: int = FINEST_STEP_S) -> Trace:
    """The file on its own grid, or on 15-minute means where it is sampled more often.

    Args:
        path: parquet with the columns ``timestamp`` (s), ``series_id``, ``group_id``,
            ``indicator`` and ``value``; rows in any order, gaps as missing rows.
        finest_step_s: sampled more often than this is too often; 0 for the file's own grid.
    """
    frame = pd.read_parquet(path, columns=COLUMNS)
    for column in ("series_id", "group_id", "indicator"):
        frame[column] = frame[column].astype(str)
    native_s = _native_step_s(frame)
    step_s = native_s if native_s >= finest_step_s else COARSE_STEP_S
    moved = _move_early_series(frame)
    frame["step"] = frame["timestamp"] // step_s
    keys = ["series_id", "indicator"]
    table = frame.pivot_table(index="step", columns=keys, values="value", aggfunc="mean")
    table = table.reindex(range(int(table.index.min()), int(table.index.max()) + 1))
    groups = frame.groupby("series_id")["group_id"].first()
    series, indicators = (sorted({str(pair[i]) for pair in table.columns}) for i in (0, 1))
    values = np.zeros((len(series), len(indicators), len(table)))
    exists = np.zeros(values.shape[:2], dtype=np.bool_)
    for pair, demand in zip(table.columns, table.to_numpy(np.float64).T, strict=True):
        at = series.index(str(pair[0])), indicators.index(str(pair[1]))
        values[at], exists[at] = demand, True
    history = DemandHistory(
        tuple(series),
        tuple(indicators),
        float(table.index[0] * step_s),
        float(step_s),
        values,
        parents=tuple(str(groups[name]) for name in series),
    )
    return Trace(path.stem, history, exists, moved)


def _native_step_s(frame: pd.DataFrame) -> int:
    """The most frequent distance of two samples of one row."""
    ordered = frame.sort_values(["series_id", "indicator", "timestamp"], kind="stable")
    apart = ordered.groupby(["series_id", "indicator"])["timestamp"].diff()
    return int(apart[apart > 0].mode().iloc[0])


def _move_early_series(frame: pd.DataFrame) -> tuple[str, ...]:
    """Move series that were over before the last week of the file, in place; names of those."""
    ends = frame.groupby("series_id")["timestamp"].transform("max")
    weeks = (int(frame["timestamp"].max()) - ends) // WEEK_S
    frame["timestamp"] += weeks * WEEK_S
    return tuple(sorted(frame.loc[weeks > 0, "series_id"].unique()))
