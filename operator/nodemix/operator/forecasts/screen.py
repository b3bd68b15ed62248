"""What the forecast commands show on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nodemix.forecasting.types import ModelVerdict
from nodemix.operator.forecasts.trial import FIGURES, Trial
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from nodemix.forecasting.train import Progress as Training

SHARES = frozenset({"coverage_80", "coverage_95", "exceedance_0.99"})


class Bars:
    """Bars of progress; only terminals see them.

    Args:
        progress: where they are drawn.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def training(self, at: "Training") -> None:
        """Network, step and held-out loss."""
        label = f"network {at.network} of {at.networks}, held-out loss {at.loss:.4f}"
        self._show(f"network {at.network}", label, at.step, at.steps)

    def origins(self, done: int, count: int) -> None:
        """Origins that have been forecast from."""
        self._show("origins", f"forecasts compared: {done} of {count}", done, count)

    def _show(self, key: str, label: str, done: int, total: int) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task("", total=total)
        self._progress.update(self._tasks[key], completed=done, description=label)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars on stderr while something takes its time."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress)


def facts_table(facts: Mapping[str, str]) -> Table:
    """Names and values."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def scores_table(trial: Trial) -> Table:
    """Each model's figures; the best of each score is bold."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for title in FIGURES.values():
        table.add_column(title, justify="right")
    best = {key: min(found[key] for found in trial.scored.values()) for key in FIGURES}
    for model, found in trial.scored.items():
        cells = [_figure(key, found[key], is_best=found[key] <= best[key]) for key in FIGURES]
        table.add_row(model, *cells)
    return table


def _figure(key: str, value: float, *, is_best: bool) -> Text:
    if key in SHARES:
        return Text(f"{100 * value:.1f} %")
    return Text(f"{value:.3f}", style="bold" if is_best else "")


def verdicts_table(verdicts: Sequence[ModelVerdict], failures: Mapping[str, str]) -> Table:
    """Who speaks, and why."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("series", justify="right")
    table.add_column("why", overflow="fold")
    for verdict in verdicts:
        table.add_row(verdict.model, str(len(verdict.series)), Text(verdict.why))
    told = {verdict.model for verdict in verdicts}
    for name in (name for name in failures if name not in told):
        table.add_row(name, "0", Text(f"failed: {failures[name]}"))
    return table
