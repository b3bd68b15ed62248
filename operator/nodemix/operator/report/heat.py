"""The spot pools of a plan as a table whose cells are the warmer the more there is to lose."""

from collections.abc import Sequence
from dataclasses import dataclass

from nodemix.operator.report.document import PlanDocument
from nodemix.operator.report.risk import PoolRiskEntry

HOURS_PER_DAY = 24.0
WARMEST_PERCENT = 45
"""Of the warm colour in a cell; more would make its text hard to read."""

LOST_BY_ONE = "nodes lost by one"

COLUMNS = (
    "share of nodes",
    "shocks a day (95 % interval)",
    LOST_BY_ONE,
    "loss if reclaimed",
    "interruptions $/h",
)
"""What the cells of a pool are."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, and how warm it is.

    Args:
        percent: of the warm colour, 0 to ``WARMEST_PERCENT``; the column's largest is warmest, and
            where a shock takes all nodes.
    """

    text: str
    percent: int


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A pool and its cells, in the order of ``COLUMNS``."""

    instance_type: str
    zone: str
    cells: tuple[Cell, ...]


def heat_rows(document: PlanDocument) -> Sequence[HeatRow]:
    """The plan's spot pools, the largest loss first."""
    pools = document.risk.pools
    nodes = sum(entry.count for entry in document.nodes)
    columns = [_values(pool, nodes) for pool in pools]
    largest = [max(column) for column in zip(*columns, strict=True)]
    if largest:
        largest[COLUMNS.index(LOST_BY_ONE)] = 1.0  # pools are much alike in it: 70 % of all is 70 %
    return [
        HeatRow(
            pool.instance_type,
            pool.zone,
            tuple(
                Cell(text, _warmth(value, most))
                for text, value, most in zip(_texts(pool, nodes), values, largest, strict=True)
            ),
        )
        for pool, values in zip(pools, columns, strict=True)
    ]


def _values(pool: PoolRiskEntry, nodes: int) -> tuple[float, ...]:
    return (
        _share_of(pool, nodes),
        pool.shocks_per_hour,
        pool.share_lost,
        pool.loss_if_reclaimed,
        pool.interruption_usd_per_hour,
    )


def _texts(pool: PoolRiskEntry, nodes: int) -> tuple[str, ...]:
    low, high = (
        HOURS_PER_DAY * rate for rate in (pool.shocks_per_hour_low, pool.shocks_per_hour_high)
    )
    return (
        f"{_share_of(pool, nodes):.0%} ({pool.nodes})",
        f"{HOURS_PER_DAY * pool.shocks_per_hour:.2f} ({low:.2f} to {high:.2f})",
        f"{pool.share_lost:.0%}",
        f"{pool.loss_if_reclaimed:.1%}",
        f"{pool.interruption_usd_per_hour:.4f}",
    )


def _share_of(pool: PoolRiskEntry, nodes: int) -> float:
    return pool.nodes / nodes if nodes else 0.0


def _warmth(value: float, most: float) -> int:
    return round(WARMEST_PERCENT * value / most) if most > 0.0 else 0
