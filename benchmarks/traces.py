"""Traces of demand as the forecasting benchmark reads them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from nodemix.forecasting.types import DemandHistory

FINEST_STEP_S = 600
"""Traces sampled more often are averaged over `COARSE_STEP_S`."""
COARSE_STEP_S = 900
WEEK_S = 7 * 86_400
INDICATOR = "demand"
COLUMNS = ["timestamp", "series_id", "group_id", "indicator", "value"]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One file on a regular grid, a row for each pair of series and indicator that it has.

    Args:
        history: one series a row, one indicator; NaN where nothing was observed.
        series_id, indicator, group_id: of each row, as the file has them.
        moved: series that end long before the newest sample of the file, moved by whole weeks so
            that all share the same origins.
    """

    name: str
    history: DemandHistory
    series_id: tuple[str, ...]
    indicator: tuple[str, ...]
    group_id: tuple[str, ...]
    moved: tuple[str, ...] = ()

    def only(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> "Trace":
        """The rows at these positions."""
        picked = rows.tolist()
        history = replace(
            self.history,
            series=tuple(self.history.series[i] for i in picked),
            values=np.take(self.history.values, rows, axis=0),
        )
        return replace(
            self,
            history=history,
            series_id=tuple(self.series_id[i] for i in picked),
            indicator=tuple(self.indicator[i] for i in picked),
            group_id=tuple(self.group_id[i] for i in picked),
        )


def read_trace(path: Path) -> Trace:
    """The file on its own grid, or on 15-minute means where it is sampled more often.

    Args:
        path: parquet with the columns ``timestamp`` (s), ``series_id``, ``group_id``,
            ``indicator`` and ``value``; rows in any order, gaps as missing rows.
    """
    frame = pd.read_parquet(path, columns=COLUMNS)
    for column in ("series_id", "group_id", "indicator"):
        frame[column] = frame[column].astype(str)
    native_s = _native_step_s(frame)
    step_s = native_s if native_s >= FINEST_STEP_S else COARSE_STEP_S
    moved = _move_early_series(frame)
    frame["step"] = frame["timestamp"] // step_s
    keys = ["series_id", "indicator"]
    table = frame.pivot_table(index="step", columns=keys, values="value", aggfunc="mean")
    table = table.reindex(range(int(table.index.min()), int(table.index.max()) + 1))
    groups = frame.groupby(keys)["group_id"].first()
    names = [(str(column[0]), str(column[1])) for column in table.columns]
    history = DemandHistory(
        tuple(f"{series}/{indicator}" for series, indicator in names),
        (INDICATOR,),
        float(table.index[0] * step_s),
        float(step_s),
        table.to_numpy(np.float64).T[:, None, :],
    )
    return Trace(
        path.stem,
        history,
        tuple(series for series, _ in names),
        tuple(indicator for _, indicator in names),
        tuple(str(groups[name]) for name in names),
        moved,
    )


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
