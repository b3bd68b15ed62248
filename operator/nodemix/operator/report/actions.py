"""What a plan does to each pool, as rows of a table: the largest change of cost first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nodemix.operator.report.document import PoolEntry
from nodemix.operator.report.wording import runner_up_line

NEW, CHANGED, GONE, KEPT = "+", "~", "-", "="
"""How a row begins: nodes of a new pool, more or fewer of one, none any more, as many as now."""


@dataclass(frozen=True, slots=True)
class Action:
    """A pool, or several of one type and market that all end."""

    pools: tuple[PoolEntry, ...]

    @property
    def symbol(self) -> str:
        """What happens, in one character."""
        if self.nodes_now == self.nodes_plan:
            return KEPT
        if self.nodes_plan == 0:
            return GONE
        return CHANGED if self.nodes_now else NEW

    @property
    def nodes_now(self) -> int:
        """Of all its pools."""
        return sum(pool.nodes_now for pool in self.pools)

    @property
    def nodes_plan(self) -> int:
        """Of all its pools."""
        return sum(pool.nodes_plan for pool in self.pools)

    @property
    def price_usd_per_hour(self) -> float | None:
        """Of one node; None where the catalog does not know it."""
        return self.pools[0].price_usd_per_hour

    @property
    def change_usd_per_hour(self) -> float | None:
        """Of the cost; None where the price is not known."""
        price = self.price_usd_per_hour
        return None if price is None else (self.nodes_plan - self.nodes_now) * price

    @property
    def name(self) -> str:
        """Type, zones and market."""
        first = self.pools[0]
        return f"{first.instance_type} {self.zones} {first.capacity_type}"

    @property
    def zones(self) -> str:
        """One zone as it is, several as ``us-east-1a/b/c``."""
        first, *others = sorted(pool.zone for pool in self.pools)
        region = first[:-1]
        return "/".join([first, *(zone.removeprefix(region) for zone in others)])

    @property
    def why(self) -> str:
        """The reason, the same for all of them, and what would come next."""
        first = self.pools[0]
        return "\n".join(filter(None, [first.why, runner_up_line(first)]))

    def figures(self) -> tuple[str, str, str]:
        """Nodes now and planned, price of one, and change of the cost."""
        price, change = self.price_usd_per_hour, self.change_usd_per_hour
        nodes = f"{self.nodes_now} -> {self.nodes_plan}"
        if price is None or change is None:
            return nodes, "?", "?"
        return nodes, f"{price:.4f}", _signed(change)


def actions(pools: Iterable[PoolEntry]) -> Sequence[Action]:
    """A row for each pool; those of one type and market that all end share one."""
    rows: dict[tuple[object, ...], list[PoolEntry]] = {}
    for pool in pools:
        key = (pool.instance_type, pool.capacity_type, pool.price_usd_per_hour, pool.why)
        alone = () if pool.nodes_plan == 0 else (pool.zone,)
        rows.setdefault((*key, *alone), []).append(pool)
    return sorted((Action(tuple(row)) for row in rows.values()), key=_rank)


def _rank(action: Action) -> float:
    return -abs(action.change_usd_per_hour or 0.0)


def _signed(usd: float) -> str:
    return "=" if usd == 0 else f"{usd:+.4f}"
