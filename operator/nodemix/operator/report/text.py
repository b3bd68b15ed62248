"""The plan as a person reads it in a terminal."""

from collections.abc import Iterable

from nodemix.operator.report.actions import actions
from nodemix.operator.report.document import NoteEntry, PlanDocument, PoolEntry
from nodemix.operator.report.terminal import print_trimmed
from nodemix.operator.report.wording import (
    CLOSING_LINE,
    bound_line,
    grown_line,
    marginal_prices,
    money,
    monthly,
    note_line,
    placed_line,
    risk_line,
    savings_line,
    unplaceable_lines,
)
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDE_COLUMNS = 110
"""From here on the reason fits beside a pool and its numbers."""

_SEVERITY_STYLE = {"info": "dim", "warning": "yellow", "error": "bold red"}


def render_text(document: PlanDocument, console: Console) -> None:
    """Print ``document`` to ``console``, as wide as the console is."""
    if document.pools:
        print_trimmed(console, pool_table(document.pools, is_wide=console.width >= WIDE_COLUMNS))
        console.print()
    print_trimmed(console, totals_line(document))
    _print_lines(console, proof_lines(document))
    _print_section(console, "Why", document.reasons)
    _print_section(console, "No place for", unplaceable_lines(document), style="bold red")
    _print_section(console, "Assumed", document.assumptions)
    _print_notes(console, document.notes)
    print_trimmed(console, Text(CLOSING_LINE, style="bold green"))


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
    for row in actions(pools):
        pool, why = Text(row.name), Text(row.why, style="dim")
        if is_wide:
            table.add_row(pool, *row.figures(), why)
        else:
            table.add_row(pool.append("\n").append(why), *row.figures())
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


def proof_lines(document: PlanDocument) -> list[str]:
    """The placed cost, the saving's sources, the bound, the risk, the next unit, the demand."""
    lines = [f"Placed: {line}"] if (line := placed_line(document)) else []
    if line := savings_line(document):
        lines.append(f"Savings: {line}")
    lines += [f"Proof: {bound_line(document)}", f"Risk: {risk_line(document.risk)}"]
    if prices := marginal_prices(document):
        lines.append(f"One more: {prices}")
    if document.forecast_model:
        lines.append(f"Demand: forecast by {document.forecast_model}, {grown_line(document)}")
    return lines


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    print_trimmed(console, *(Text(line) for line in lines))


def _print_section(console: Console, title: str, lines: Iterable[str], style: str = "bold") -> None:
    lines = list(lines)
    if not lines:
        return
    print_trimmed(console, Text(title, style=style), *map(_bullet, lines))


def _print_notes(console: Console, notes: tuple[NoteEntry, ...]) -> None:
    if not notes:
        return
    print_trimmed(console, Text("Notes", style="bold"))
    for note in notes:
        style = _SEVERITY_STYLE.get(note.severity, "")
        print_trimmed(console, _bullet(f"[{note.severity}] {note_line(note)}", style))


def _bullet(line: str, style: str = "") -> Padding:
    return Padding(Text(f"- {line}", style=style), (0, 0, 0, 2), expand=False)
