"""A backtest on a terminal: what each policy cost and missed, and what was assumed."""

from collections.abc import Iterator
from dataclasses import dataclass

from nodemix.operator.backtest.asking import Told
from nodemix.operator.backtest.document import utc
from nodemix.simulator.backtest import Rival
from nodemix.simulator.score import DEEP, Amount, Score
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

COLUMNS = ("policy", "$/h", "nodemix saves", "pods short", "time short", "reclaimed", "recourse")
ON_TERMINALS = 5
"""So many of the columns; the others are for pages."""
CLOSING_LINE = "A replay: nothing was changed."


@dataclass(frozen=True, slots=True)
class Row:
    """One policy, as people read it."""

    policy: str
    usd_per_hour: str
    saving: str
    short: str
    minutes: str
    reclaimed: str
    recourse: str
    note: str

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of ``COLUMNS``."""
        return (
            self.policy, self.usd_per_hour, self.saving, self.short, self.minutes,
            self.reclaimed, self.recourse,
        )  # fmt: skip


def rows_of(told: Told) -> tuple[Row, ...]:
    """Nodemix, then its rivals."""
    found = told.found
    return (_row(found.nodemix, "", ""), *(_rival_row(rival) for rival in found.rivals))


def _rival_row(rival: Rival) -> Row:
    return _row(rival.score, _percent(rival.saving, 0), rival.note)


def _row(score: Score, saving: str, note: str) -> Row:
    usd = score.usd_per_hour
    deep = f", {score.minutes_deep:.0f} min deep" if score.minutes_deep else ""
    return Row(
        policy=score.policy,
        usd_per_hour=f"{usd.value:.3f} ({usd.low:.2f} to {usd.high:.2f})",
        saving=saving,
        short=_percent(score.share_short, 2),
        minutes=f"{100 * score.minutes_short_share:.2f} %{deep}",
        reclaimed=str(score.nodes_reclaimed),
        recourse=str(score.nodes_recourse),
        note=note,
    )


def _percent(amount: Amount, decimals: int) -> str:
    if amount.low == amount.high == amount.value:
        return f"{100 * amount.value:.{decimals}f} %"
    value, low, high = (f"{100 * x:.{decimals}f}" for x in (amount.value, amount.low, amount.high))
    return f"{value} % ({low} to {high})"


def facts(told: Told) -> str:
    """What was replayed, in a line."""
    compared = told.found.compared
    return (
        f"replayed {utc(told.span.start_s)} to {utc(told.span.end_s)}, a decision every "
        f"{told.span.every_s / 60:.0f} min, nodes boot in {told.boot_s / 60:.0f} min; compared "
        f"from {utc(compared.start_s)} on ({compared.hours:.1f} h)"
    )


def sentences(told: Told) -> tuple[str, ...]:
    """What matters most, in words."""
    return tuple(_sentences(told))


def _sentences(told: Told) -> Iterator[str]:
    ours = told.found.nodemix
    yield (
        f"nodemix would have paid {ours.usd:.2f} $ and left "
        f"{100 * ours.share_short.value:.3f} % of the pod-minutes without a place"
    )
    for rival in told.found.rivals:
        saved = rival.score.usd - ours.usd
        word = "less" if saved >= 0 else "more"
        but = "" if rival.misses_less else ", which misses more"
        yield f"{abs(saved):.2f} $ {word} than {rival.score.policy}{but}"
    if ours.returns:
        yield f"{ours.returns} moves went back to a pool that was left within 24 h"


LEGEND = (
    "In brackets: 95 % interval, by drawing days (or shorter blocks) again. Short: share of the "
    f"pod-minutes without a place. Deep: more than {100 * DEEP:.0f} % of the requests."
)


def render_text(told: Told, console: Console) -> None:
    """Print it."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in COLUMNS[:ON_TERMINALS]:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for row in rows_of(told):
        style = "bold" if row.policy == told.found.nodemix.policy else ""
        table.add_row(*(Text(cell) for cell in row.cells[:ON_TERMINALS]), style=style)
    notes = [f"{row.policy}: {row.note}" for row in rows_of(told) if row.note]
    lines = [Text(line) for line in (*notes, LEGEND, *told.assumptions)]
    warnings = [Text(f"warning: {line}", style="yellow") for line in told.warnings]
    head = [Text(f"NodeMixPolicy/{told.policy}", style="bold"), Text(facts(told)), Text("")]
    said = [Text(line) for line in sentences(told)]
    body: tuple[RenderableType, ...] = (
        *head,
        *said,
        Text(""),
        table,
        Text(""),
        *lines,
        *warnings,
        Text(CLOSING_LINE),
    )
    console.print(Group(*body), soft_wrap=True)
