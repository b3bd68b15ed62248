"""What ``kubectl`` would show, from what the API server says."""

from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

TABLE_FORMAT = "application/json;as=Table;v=v1;g=meta.k8s.io"
"""What kubectl asks for: rows and columns made by the server, as its printer columns say."""

COLUMN_GAP = "   "

_STATUS_STYLE = {"True": "green", "False": "yellow", "Unknown": "yellow"}


def server_lines(answer: Json, prefix: str) -> list[str]:
    """A server-side Table as ``kubectl get`` prints it, header first.

    Args:
        prefix: kind and group before each name, as kubectl puts it when it lists several kinds.
    """
    columns = answer["columnDefinitions"]
    shown = [i for i, column in enumerate(columns) if not column.get("priority")]
    lines = [[columns[i]["name"].upper() for i in shown]]
    for row in answer.get("rows") or ():
        cells = [_cell(row["cells"][i]) for i in shown]
        lines.append([f"{prefix}/{cells[0]}", *cells[1:]])
    widths = [max(len(line[i]) for line in lines) for i in range(len(shown))]
    padded = [
        COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return [line.rstrip() for line in padded]


def _cell(value: object) -> str:
    return "<none>" if value in (None, "") else str(value)


def conditions_table(conditions: Iterable[Json]) -> Table:
    """The conditions of an object, each with its reason and message."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("condition", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("why", overflow="fold")
    for condition in conditions:
        style = _STATUS_STYLE.get(condition["status"], "")
        why = f"{condition['reason']}: {condition.get('message', '')}"
        table.add_row(condition["type"], Text(condition["status"], style=style), Text(why))
    return table


def events_table(events: Iterable[Json]) -> Table:
    """Events, oldest first."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("event", no_wrap=True)
    table.add_column("message", overflow="fold")
    for event in sorted(events, key=lambda e: e.get("eventTime") or ""):
        table.add_row(event["reason"], Text(event.get("note", "")))
    return table
