"""Figures as JSON: what benchmarks print or write, and what reports read again."""

import json
import sys
from pathlib import Path
from typing import Any


def write_json(figures: object, path: Path | None = None, *, sort_keys: bool = False) -> None:
    """Into a file, or printed where there is none."""
    text = json.dumps(figures, indent=1, ensure_ascii=False, sort_keys=sort_keys) + "\n"
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """What :func:`write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
