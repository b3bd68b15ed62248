from io import StringIO
from typing import Any

from nodemix.operator.demo.screen import conditions_table, events_table, server_lines
from rich.console import Console
from rich.table import Table

ANSWER: dict[str, Any] = {
    "kind": "Table",
    "columnDefinitions": [
        {"name": "Name", "type": "string", "priority": 0},
        {"name": "Save%", "type": "number", "priority": 0},
        {"name": "Bound", "type": "number", "priority": 1},
        {"name": "Age", "type": "date", "priority": 0},
    ],
    "rows": [{"cells": ["demo", 72.86, 13.5, "28s"]}, {"cells": ["b", None, None, "1s"]}],
}


def shown(table: Table) -> str:
    console = Console(file=StringIO(), width=100, color_system=None)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    return text


def test_lines_are_those_of_kubectl() -> None:
    assert server_lines(ANSWER, "nodemixpolicy.nodemix.dev") == [
        "NAME                             SAVE%    AGE",
        "nodemixpolicy.nodemix.dev/demo   72.86    28s",
        "nodemixpolicy.nodemix.dev/b      <none>   1s",
    ]


def test_an_empty_list_has_its_header() -> None:
    assert server_lines({**ANSWER, "rows": None}, "x") == ["NAME   SAVE%   AGE"]


def test_conditions_say_why() -> None:
    condition = {"type": "Ready", "status": "False", "reason": "EmptyCatalog", "message": "add [x]"}

    assert "EmptyCatalog: add [x]" in shown(conditions_table([condition]))


def test_events_are_in_order_of_time() -> None:
    late = {"reason": "Late", "note": "b", "eventTime": "2026-01-01T00:00:02.000000Z"}
    early = {"reason": "Early", "note": "a", "eventTime": "2026-01-01T00:00:01.000000Z"}

    text = shown(events_table([late, early]))

    assert text.index("Early") < text.index("Late")
