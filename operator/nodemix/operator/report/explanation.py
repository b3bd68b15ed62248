"""A plan explained in a terminal: what happens to each pool, and why, with every figure."""

from collections.abc import Iterator, Sequence

from nodemix.operator.report.actions import CHANGED, GONE, KEPT, NEW, Action, actions
from nodemix.operator.report.document import PlanDocument
from nodemix.operator.report.options import CHOSEN, OptionEntry
from nodemix.operator.report.terminal import print_trimmed
from nodemix.operator.report.text import totals_line
from nodemix.operator.report.wording import (
    CLOSING_LINE,
    OPTION_COLUMNS,
    baseline_line,
    blocker_line,
    bound_line,
    capacity_lines,
    fairness_lines,
    header_line,
    kept_line,
    marginal_prices,
    note_line,
    option_figures,
    placed_line,
    risk_lines,
    rule_cost_line,
    savings_line,
    sizes_line,
    unplaceable_lines,
)
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

LABEL_COLUMNS = 9
MAX_RULES = 10
"""Shown; the JSON has all."""
LISTS = {"Risk", "Capacity", "Fairness", "Blocked", "Rules", "Why", "Assumed", "Not done"}
"""Sections of sentences that stand each for itself."""
STYLES = {NEW: "green", CHANGED: "yellow", GONE: "red", KEPT: "dim"}
NOTE_STYLES = {"warning": "yellow", "error": "bold red"}


def render_explanation(document: PlanDocument, console: Console) -> None:
    """Print why ``document`` says what it says, as wide as ``console`` is."""
    print_trimmed(console, Text(header_line(document), style="bold"), Text(sizes_line(document)))
    console.print()
    print_trimmed(console, *_action_blocks(actions(document.pools)))
    console.print()
    print_trimmed(console, *(_section(label, lines) for label, lines in _sections(document)))
    console.print()
    print_trimmed(console, Text(CLOSING_LINE, style="bold green"))


def _action_blocks(rows: Sequence[Action]) -> Iterator[RenderableType]:
    """A line of figures for each pool that changes, with the reason below it."""
    changed = [row for row in rows if row.symbol != KEPT]
    kept = [row for row in rows if row.symbol == KEPT]
    if changed:
        columns = ("    pool", "now -> plan", "$/h each", "change $/h")
        rows_of_text = [(f"  {row.symbol} {row.name}", *row.figures()) for row in changed]
        header, *figures = _aligned([columns, *rows_of_text])
        yield Text(header, style="dim")
        for row, line in zip(changed, figures, strict=True):
            yield Text(line, style=STYLES[row.symbol])
            yield Padding(Text(row.why, style="dim"), (0, 0, 0, 6))
    if kept:
        nodes = sum(row.nodes_plan for row in kept)
        yield Text(f"  {KEPT} {kept_line(len(kept), nodes)}", style=STYLES[KEPT])


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they must be: a name, then figures to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        f"{name:<{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        for name, *cells in lines
    ]


def _section(label: str, lines: Sequence[RenderableType]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL_COLUMNS, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style="bold"), Group(*lines))
    return grid


def _sections(document: PlanDocument) -> Iterator[tuple[str, list[RenderableType]]]:
    """What there is to say, under its name."""
    said: list[tuple[str, Sequence[RenderableType | str]]] = [
        ("Total", _total(document)),
        ("Risk", risk_lines(document.risk)),
        ("Capacity", capacity_lines(document)),
        ("Options", _options(document.options)),
        ("Limits", [marginal_prices(document)]),
        ("Fairness", fairness_lines(document.fairness)),
        ("Blocked", [blocker_line(blocker) for blocker in document.blockers]),
        ("Rules", [rule_cost_line(cost) for cost in document.rule_costs[:MAX_RULES]]),
        ("Baseline", [baseline_line(document.baseline, document)]),
        ("Why", document.reasons),
        ("Assumed", document.assumptions),
        ("Not done", _not_done(document)),
    ]
    for label, lines in said:
        blocks = [_block(line) for line in lines if line]
        if blocks:
            yield label, _bulleted(blocks) if label in LISTS else blocks


def _block(line: RenderableType | str) -> RenderableType:
    """Names in a sentence are no markup."""
    return Text(line) if isinstance(line, str) else line


def _bulleted(blocks: Sequence[RenderableType]) -> list[RenderableType]:
    """With a dash before each of several, so that the eye finds where one begins."""
    if len(blocks) == 1:
        return list(blocks)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for block in blocks:
        grid.add_row("-", block)
    return [grid]


def _total(document: PlanDocument) -> list[RenderableType | str]:
    placed, sources = placed_line(document), savings_line(document)
    return [
        totals_line(document),
        bound_line(document),
        f"once placed: {placed}" if placed else "",
        f"by source: {sources}" if sources else "",
    ]


def _options(options: Sequence[OptionEntry]) -> list[RenderableType | str]:
    """A table of all of them, and below it what speaks for and against each."""
    if not options:
        return []
    rows = [(option.name, *option_figures(option)) for option in options]
    header, *lines = _aligned([("", *OPTION_COLUMNS), *rows])
    figures = [
        Text(line, style="bold" if option.name == CHOSEN else "")
        for option, line in zip(options, lines, strict=True)
    ]
    whys = [f"{option.name}: {option.why}" for option in options]
    return [Text(header, style="dim"), *figures, *whys]


def _not_done(document: PlanDocument) -> list[RenderableType | str]:
    """Pods without a place, and what was left out or is degraded."""
    lacking = [Text(line, style="bold red") for line in unplaceable_lines(document)]
    notes = [
        Text(f"[{note.severity}] {note_line(note)}", style=NOTE_STYLES.get(note.severity, ""))
        for note in document.notes
    ]
    return [*lacking, *notes] or ["nothing was left out"]
