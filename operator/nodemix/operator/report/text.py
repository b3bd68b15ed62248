"""The plan as a person reads it in a terminal."""

from collections.abc import Iterable
from dataclasses import dataclass

from nodemix.operator.report.document import NoteEntry, PlanDocument, PoolEntry, RiskEntry
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

CLOSING_LINE = "dry-run: nothing was changed"
HOURS_PER_MONTH = 730.0
ROUND_FROM_USD = 10.0
SMALLEST_SHOWN_USD = 5e-5

WIDE_COLUMNS = 110
"""From here on the reason fits beside a pool and its numbers."""

_SEVERITY_STYLE = {"info": "dim", "warning": "yellow", "error": "bold red"}


def render_text(document: PlanDocument, console: Console) -> None:
    """Print ``document`` to ``console``, as wide as the console is."""
    if document.pools:
        console.print(pool_table(document.pools, is_wide=console.width >= WIDE_COLUMNS))
        console.print()
    console.print(totals_line(document))
    _print_lines(console, proof_lines(document))
    _print_section(console, "Why", document.reasons)
    _print_section(console, "No place for", unplaceable_lines(document), style="bold red")
    _print_section(console, "Assumed", document.assumptions)
    _print_notes(console, document.notes)
    console.print(Text(CLOSING_LINE, style="bold green"))


def pool_table(pools: Iterable[PoolEntry], *, is_wide: bool) -> Table:
    """Nodes now and planned, price, change of cost and the reason; one row a pool.

    Pools of one type and market that all end share a row.

    Args:
        is_wide: the reason has a column of its own; else it stands below the pool.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("pool", no_wrap=is_wide)
    for name in ("now -> plan", "$/h each", "change $/h"):
        table.add_column(name, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("why", overflow="fold")
    for row in _pool_rows(pools):
        pool, why = Text(row.name), Text(row.why, style="dim")
        if is_wide:
            table.add_row(pool, *row.numbers(), why)
        else:
            table.add_row(pool.append("\n").append(why), *row.numbers())
    return table


def totals_line(document: PlanDocument) -> Text:
    """What is paid now and would be paid, and the saving."""
    verdict = "Change" if document.is_change else "Keep"
    saved = f"{money(document.saving_usd_per_hour)} ({document.saving_share:.1%})"
    return Text.assemble(
        (f"{verdict}: ", "bold"),
        f"now {money(document.current_usd_per_hour)}, ",
        (f"plan {money(document.plan_usd_per_hour)}", "bold"),
        ", saves ",
        (saved, "green" if document.saving_usd_per_hour > 0 else "yellow"),
        f", {monthly(document.saving_usd_per_hour)}",
    )


def money(usd_per_hour: float) -> str:
    """An hour's cost with as many decimals as it needs."""
    return f"{usd_per_hour:.{2 if abs(usd_per_hour) >= ROUND_FROM_USD else 4}f} $/h"


def monthly(usd_per_hour: float) -> str:
    """The same money a month, in whole dollars."""
    return f"about {usd_per_hour * HOURS_PER_MONTH:,.0f} $ a month"


def proof_lines(document: PlanDocument) -> list[str]:
    """The placed cost, the saving's sources, the bound, the risk, the next unit, the demand."""
    sources = saving_sources(document)
    lines = [f"Placed: {line}"] if (line := placed_line(document)) else []
    if sources:
        lines.append(f"Savings: {', '.join(f'{name} {usd:+.4f}' for name, usd in sources)} $/h")
    lines += [f"Proof: {bound_line(document)}", f"Risk: {risk_line(document.risk)}"]
    if prices := marginal_prices(document):
        lines.append(f"One more: {prices}")
    if document.forecast_model:
        lines.append(f"Demand: forecast by {document.forecast_model}, {grown_line(document)}")
    return lines


def placed_line(document: PlanDocument) -> str:
    """The plan's cost once its pods are placed, and in the other modes; empty without one."""
    placed = document.placed
    if placed is None:
        return ""
    words = [f"{money(placed.usd_per_hour)} expected in mode {placed.mode}"]
    words[0] += f" ({_more(placed.usd_per_hour, document.plan_usd_per_hour)})"
    if placed.saving_kept_share is not None:
        words.append(f"{placed.saving_kept_share:.0%} of the saving is left")
    others = [e for e in placed.by_mode if e.mode is not placed.mode]
    line = ", ".join(words)
    if others:
        line += "; " + ", ".join(f"{e.mode} {money(e.usd_per_hour)}" for e in others)
    return line


def _more(usd_per_hour: float, plan_usd_per_hour: float) -> str:
    more = usd_per_hour - plan_usd_per_hour
    if more < SMALLEST_SHOWN_USD:
        return "as planned"
    return f"{more / plan_usd_per_hour:+.1%} on the plan"


def saving_sources(document: PlanDocument) -> list[tuple[str, float]]:
    """Each source of the saving that a reader could see, USD per hour; minus is a cost."""
    parts = document.savings
    if parts is None:
        return []
    named = [
        ("spot", parts.spot_usd_per_hour),
        ("shape", parts.shape_usd_per_hour),
        ("packing", parts.packing_usd_per_hour),
        ("pods that wait", parts.waiting_usd_per_hour),
        ("headroom", parts.headroom_usd_per_hour),
        ("commitments", parts.commitments_usd_per_hour),
    ]
    return [(name, usd) for name, usd in named if abs(usd) >= SMALLEST_SHOWN_USD]


def runner_up_line(pool: PoolEntry) -> str:
    """The next best offer, and the price that would make it the best; empty without one."""
    return f"next: {runner_up_name(pool)} {runner_up_price(pool)}" if pool.runner_up else ""


def runner_up_price(pool: PoolEntry) -> str:
    """What the next best offer costs, and below which price it wins; empty without one."""
    if pool.runner_up is None:
        return ""
    price, wins_below = pool.runner_up.price_usd_per_hour, pool.runner_up.break_even_usd_per_hour
    return f"{price:.4f}, " + ("wins already" if price < wins_below else f"wins <{wins_below:.4f}")


def runner_up_name(pool: PoolEntry) -> str:
    """The next best offer: its type, and of zone and market what differs; empty without one."""
    other = pool.runner_up
    if other is None:
        return ""
    words = [other.instance_type]
    words += [other.zone] if other.zone != pool.zone else []
    words += [other.capacity_type] if other.capacity_type != pool.capacity_type else []
    return " ".join(words)


def bound_line(document: PlanDocument) -> str:
    """How good the plan is, proved."""
    return (
        f"no plan for these pods costs less than {money(document.lower_bound_usd_per_hour)}, so "
        f"a better one could save {document.gap:.2%} at most (gap); "
        f"searched {document.search_seconds:.1f} s"
    )


def risk_line(risk: RiskEntry) -> str:
    """What can go wrong, in one line."""
    shortfall = (
        "shortfall unknown without a forecast"
        if risk.shortfall_probability is None
        else f"{risk.shortfall_probability:.2%} that a pod finds no place (shortfall)"
    )
    return (
        f"{shortfall}, {risk.spot_share:.0%} of vCPUs on spot, "
        f"{risk.worst_pool_share:.0%} in the largest spot pool, "
        f"{risk.interruptions_per_day:.2f} interruptions a day expected"
    )


def marginal_prices(document: PlanDocument) -> str:
    """Duals as prices of a core, a GiB and a GPU; empty where none is known."""
    prices = document.prices
    units = [
        ("core", prices.usd_per_core_hour),
        ("GiB", prices.usd_per_gib_hour),
        ("GPU", prices.usd_per_gpu_hour),
    ]
    known = [f"{unit} {usd:.4f} $/h" for unit, usd in units if usd is not None]
    caps = [
        f"{cap.name} binds ({cap.saving_usd_per_hour:.4f} $/h saved by a unit more)"
        for cap in prices.caps
    ]
    return ", ".join([*known, *caps])


def grown_line(document: PlanDocument) -> str:
    """How many pods the plan has room for against those of now."""
    now = sum(entry.pods_now for entry in document.demand)
    planned = sum(entry.pods_planned for entry in document.demand)
    return f"room for {planned} pods ({now} now)"


def unplaceable_lines(document: PlanDocument) -> list[str]:
    """One line for each workload that no offer can hold."""
    return [f"{e.workload}: {e.pods} pods, {e.why}" for e in document.unplaceable]


def note_line(note: NoteEntry) -> str:
    """A note as one sentence."""
    remedy = f"; {note.remedy}" if note.remedy else ""
    return f"{note.subject}: {note.fact}{remedy}"


@dataclass(frozen=True, slots=True)
class _PoolRow:
    """A pool, or several of one type and market that all end."""

    pools: tuple[PoolEntry, ...]

    @property
    def name(self) -> str:
        """Type, zones and market."""
        first = self.pools[0]
        return f"{first.instance_type} {self._zones} {first.capacity_type}"

    @property
    def why(self) -> str:
        """The reason, the same for all of them, and what would come next."""
        first = self.pools[0]
        return "\n".join(filter(None, [first.why, runner_up_line(first)]))

    def numbers(self) -> tuple[str, ...]:
        """Nodes, price of one, and change of the cost."""
        price = self.pools[0].price_usd_per_hour
        now = sum(pool.nodes_now for pool in self.pools)
        plan = sum(pool.nodes_plan for pool in self.pools)
        nodes = f"{now} -> {plan}"
        if price is None:
            return nodes, "?", "?"
        return nodes, f"{price:.4f}", _signed((plan - now) * price)

    @property
    def _zones(self) -> str:
        """One zone as it is, several as ``us-east-1a/b/c``."""
        first, *others = sorted(pool.zone for pool in self.pools)
        region = first[:-1]
        return "/".join([first, *(zone.removeprefix(region) for zone in others)])

    @property
    def weight(self) -> float:
        """By how much the row changes the cost."""
        price = self.pools[0].price_usd_per_hour or 0.0
        return abs(sum(pool.nodes_plan - pool.nodes_now for pool in self.pools) * price)


def _pool_rows(pools: Iterable[PoolEntry]) -> list[_PoolRow]:
    """Rows of the table, the largest change of cost first."""
    rows: dict[tuple[object, ...], list[PoolEntry]] = {}
    for pool in pools:
        key = (pool.instance_type, pool.capacity_type, pool.price_usd_per_hour, pool.why)
        alone = () if pool.nodes_plan == 0 else (pool.zone,)
        rows.setdefault((*key, *alone), []).append(pool)
    return sorted((_PoolRow(tuple(r)) for r in rows.values()), key=lambda row: -row.weight)


def _signed(usd: float) -> str:
    return "=" if usd == 0 else f"{usd:+.4f}"


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(Text(line))


def _print_section(console: Console, title: str, lines: Iterable[str], style: str = "bold") -> None:
    lines = list(lines)
    if not lines:
        return
    console.print(Text(title, style=style))
    for line in lines:
        console.print(_bullet(line))


def _print_notes(console: Console, notes: tuple[NoteEntry, ...]) -> None:
    if not notes:
        return
    console.print(Text("Notes", style="bold"))
    for note in notes:
        style = _SEVERITY_STYLE.get(note.severity, "")
        console.print(_bullet(f"[{note.severity}] {note_line(note)}", style))


def _bullet(line: str, style: str = "") -> Padding:
    return Padding(Text(f"- {line}", style=style), (0, 0, 0, 2), expand=False)
