"""What a backtest reads: demand from Prometheus or a folder, and what was recorded beside it."""

import asyncio
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.metrics.history import history_from_file, seconds_of
from nodemix.operator.metrics.known_events import with_events
from nodemix.operator.metrics.prometheus import Prometheus
from nodemix.operator.metrics.queries import queries_with
from nodemix.operator.metrics.sources import DemandRequest, PrometheusSource
from nodemix.operator.offline import Terms
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.snapshot import CapacityType, Pod
from nodemix.simulator.market import PriceChange, Reclaim

DEMAND_FILES = ("demand.csv", "demand.csv.gz")
RECLAIMS_FILE, PRICES_FILE = "reclaims.csv", "prices.csv"
RECLAIM_COLUMNS = ("timestamp", "instance_type", "zone", "share")
PRICE_COLUMNS = ("timestamp", "instance_type", "zone", "capacity_type", "usd_h")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The past as it was recorded.

    Args:
        reclaims: None where nobody recorded them; they are then drawn.
        changes: of prices.
        warnings: what is degraded.
    """

    history: DemandHistory
    reclaims: tuple[Reclaim, ...] | None = None
    changes: tuple[PriceChange, ...] = ()
    warnings: tuple[str, ...] = ()


def from_files(path: Path, terms: Terms) -> Recording:
    """A folder with ``demand.csv``, or that file alone; reclaims and prices are optional.

    Raises:
        HistoryError: a file cannot be used; the message names the line.
    """
    if not path.is_dir():
        return Recording(_with_events(history_from_file(path, terms.step_s), terms))
    found = [path / name for name in DEMAND_FILES if (path / name).is_file()]
    if not found:
        raise HistoryError(
            f"{path.name}: holds no {DEMAND_FILES[0]}; write one with the columns "
            "timestamp,workload,indicator,value"
        )
    reclaims, prices = path / RECLAIMS_FILE, path / PRICES_FILE
    changes = _rows(prices, PRICE_COLUMNS, _price) if prices.is_file() else []
    lost = _rows(reclaims, RECLAIM_COLUMNS, _reclaim) if reclaims.is_file() else None
    return Recording(
        history=_with_events(history_from_file(found[0], terms.step_s), terms),
        reclaims=None if lost is None else tuple(sorted(lost, key=lambda r: (r.at_s, r.pool))),
        changes=tuple(sorted(changes, key=lambda c: (c.at_s, c.pool))),
    )


def from_prometheus(
    open_: Callable[[], Prometheus],
    terms: Terms,
    pods: tuple[Pod, ...],
    end_s: float,
    lookback_s: float,
) -> Recording:
    """The demand of the workloads of ``pods`` up to ``end_s``.

    Raises:
        HistoryError: Prometheus cannot be reached, or knows none of them.
    """
    request = DemandRequest(
        now_s=end_s,
        pods=pods,
        lookback_s=lookback_s,
        step_s=terms.step_s,
        queries=queries_with(terms.forecast.queries),
    )
    history, warnings = asyncio.run(_asked(open_, request))
    if history is None:
        raise HistoryError("; ".join(warnings) or "demand history: Prometheus knows none")
    return Recording(_with_events(history, terms), warnings=warnings)


async def _asked(
    open_: Callable[[], Prometheus], request: DemandRequest
) -> tuple[DemandHistory | None, tuple[str, ...]]:
    async with open_() as prometheus:
        history, notes = await PrometheusSource(prometheus).read(request)
    return history, tuple(map(str, notes))


def _with_events(history: DemandHistory, terms: Terms) -> DemandHistory:
    known = with_events(history, terms.forecast)
    return history if known is None else known


def _rows(path: Path, columns: tuple[str, ...], read: Callable[[dict[str, str]], T]) -> list[T]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return list(_read(path.name, csv.DictReader(lines), columns, read))
    except (OSError, UnicodeDecodeError) as err:
        raise HistoryError(f"{path.name}: cannot be read ({err}); give a CSV file") from err


def _read(
    name: str,
    reader: "csv.DictReader[str]",
    columns: tuple[str, ...],
    read: Callable[[dict[str, str]], T],
) -> Iterator[T]:
    if missing := sorted(set(columns) - set(reader.fieldnames or ())):
        raise HistoryError(
            f"{name}: column {', '.join(missing)} is missing; the first line must hold "
            f"{','.join(columns)}"
        )
    for row in reader:
        try:
            yield read({column: row[column] or "" for column in columns})
        except (ValueError, ParameterError) as err:
            raise HistoryError(f"{name} line {reader.line_num}: {err}; correct it") from err


def _reclaim(row: dict[str, str]) -> Reclaim:
    pool = (row["instance_type"], row["zone"], CapacityType.SPOT)
    return Reclaim(seconds_of(row["timestamp"]), pool, float(row["share"]))


def _price(row: dict[str, str]) -> PriceChange:
    pool = (row["instance_type"], row["zone"], CapacityType(row["capacity_type"]))
    usd = float(row["usd_h"])
    if not 0.0 < usd < float("inf"):
        raise ValueError(f"usd_h must be positive, got {usd}")
    return PriceChange(seconds_of(row["timestamp"]), pool, usd)
