"""The plan as a person reads it in a terminal."""

from collections.abc import Iterable

from nodemix.operator.report.document import NoteEntry, PlanDocument, PoolEntry, RiskEntry
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

CLOSING_LINE = "dry-run: nothing was changed"

WIDE_COLUMNS = 110
"""From here on a pool's name and market fit on one line beside the reason."""

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
    """One row a pool: nodes now and planned, price, change of cost and the reason."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("pool", no_wrap=True)
    table.add_column("now -> plan", justify="right", no_wrap=True)
    table.add_column("$/h", justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for pool in pools:
        table.add_row(*_pool_row(pool, separator=" " if is_wide else "\n"))
    return table


def totals_line(document: PlanDocument) -> Text:
    """What is paid now and would be paid, the saving, the bound and the gap."""
    verdict = "Change" if document.is_change else "Keep"
    saved = f"{document.saving_usd_per_hour:.4f} $/h ({document.saving_share:.1%})"
    return Text.assemble(
        (f"{verdict}: ", "bold"),
        f"now {document.current_usd_per_hour:.4f} $/h, ",
        (f"plan {document.plan_usd_per_hour:.4f} $/h", "bold"),
        ", saves ",
        (saved, "green" if document.saving_usd_per_hour > 0 else "yellow"),
    )


def proof_lines(document: PlanDocument) -> list[str]:
    """The bound, the risk and what one more unit would cost."""
    lines = [bound_line(document), risk_line(document.risk)]
    if prices := marginal_prices(document):
        lines.append(f"One more: {prices}")
    if document.forecast_model:
        lines.append(f"Demand: forecast by {document.forecast_model}, {grown_line(document)}")
    return lines


def bound_line(document: PlanDocument) -> str:
    """How good the plan is, proved."""
    return (
        f"No plan for these pods costs less than {document.lower_bound_usd_per_hour:.4f} $/h: "
        f"gap {document.gap:.2%}, searched {document.search_seconds:.1f} s"
    )


def risk_line(risk: RiskEntry) -> str:
    """What can go wrong, in one line."""
    shortfall = (
        "shortfall unknown without a forecast"
        if risk.shortfall_probability is None
        else f"shortfall {risk.shortfall_probability:.2%}"
    )
    return (
        f"Risk: {shortfall}, {risk.spot_share:.0%} of vCPUs on spot, "
        f"{risk.worst_pool_share:.0%} in the largest spot pool, "
        f"{risk.interruptions_per_day:.2f} interruptions a day expected"
    )


def marginal_prices(document: PlanDocument) -> str:
    """Duals as prices of a core, a GiB and a GPU; empty where none is known."""
    prices = document.prices
    units = [
        ("core-h", prices.usd_per_core_hour),
        ("GiB-h", prices.usd_per_gib_hour),
        ("GPU-h", prices.usd_per_gpu_hour),
    ]
    known = [f"{usd:.4f} $/{unit}" for unit, usd in units if usd is not None]
    caps = [f"{cap.name} binds ({cap.saving_usd_per_hour:.4f} $/h a unit)" for cap in prices.caps]
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


def _pool_row(pool: PoolEntry, *, separator: str) -> tuple[Text, ...]:
    price = pool.price_usd_per_hour
    delta = pool.nodes_plan - pool.nodes_now
    cells = (
        f"{pool.instance_type}{separator}{pool.zone} {pool.capacity_type}",
        f"{pool.nodes_now} -> {pool.nodes_plan}",
        "?" if price is None else f"{price:.4f}",
        "?" if price is None else _signed(delta * price),
        pool.why,
    )
    return tuple(Text(cell) for cell in cells)  # as Text, so that [brackets] are not markup


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
