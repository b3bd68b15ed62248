"""Progress of a backtest on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from nodemix.simulator.backtest import Watch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


@contextmanager
def bars() -> Iterator[Watch]:
    """One bar for each replay, on stderr; only terminals see them."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def watch(policy: str, done: int, of: int) -> None:
            if policy not in tasks or done == 1:
                tasks[policy] = progress.add_task(policy, total=of)
            progress.update(tasks[policy], completed=done)

        yield watch
