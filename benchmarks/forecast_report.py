"""The part of the page about forecasts, and the committed figures it is made from.

What is given replaces its part of ``results/forecasting.json``; the rest stays.
"""

import argparse
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.forecast_bars import HEADER, forecast_bars
from benchmarks.forecast_runs import (
    JUDGED,
    MODELS,
    PERCENT,
    PLAIN,
    TITLES,
    Figures,
    Runs,
    in_order,
    shown,
    title,
)
from benchmarks.forecast_tables import harmony_table, llm_table, trace_table, value_tables
from benchmarks.json_files import read_json, write_json
from benchmarks.optimizer import REPOSITORY
from benchmarks.tables import NOTHING, table

RESULTS = REPOSITORY / "benchmarks" / "results" / "forecasting.json"
PICTURE = REPOSITORY / "docs" / "forecasts.svg"
PARTS = {
    "runs": ("trace", "model", "seed"),
    "value": ("trace", "model", "seed", "lead_seconds", "unserved_at_most"),
    "llm": ("series", "input", "policy", "model", "rule", "nights", "seed"),
    "harmony": ("container", "model", "seed"),
}
"""What tells the records of each part apart; of equal ones the last that is given stays."""
FILES = {
    "forecasting": "runs",
    "forecast-value": "value",
    "forecast-llm": "llm",
    "forecast-harmony": "harmony",
}
"""Which part the files of each argument are."""
KEPT = ("hindsight", "shares", "moved_series")
"""Of what a record holds beside plain figures."""
DIGITS = 6

BARS = (
    "Means over {seeds}; ±: half of the way from the lowest seed to the highest. A bar is judged",
    "for `nodemix`, the champion that the operator would use; `flow` is the network alone. What it",
    "is held against is the mean of its seeds. Bars on speed and cold start are about the flow.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command of the page takes for this part."""
    for name in FILES:
        module = name.replace("-", "_")
        parser.add_argument(f"--{name}", type=Path, nargs="+", help=f"JSON of benchmarks.{module}")
    parser.add_argument("--forecast-speed", type=Path, help="JSON of benchmarks.forecast_speed")
    parser.add_argument("--forecasts", type=Path, default=RESULTS, help="committed figures of it")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="the picture made from them")


def updated(options: argparse.Namespace, machine: str) -> dict[str, Any]:
    """The committed figures, after what was given has replaced its parts of them."""
    figures = committed(options.forecasts)
    if given := _given(options):
        figures |= given | {"machine": machine}
        write_json(figures, options.forecasts, sort_keys=True)
    return figures


def committed(path: Path) -> dict[str, Any]:
    """The figures of that file; none where there is no such file yet."""
    return dict(read_json(path)) if path.exists() else {}


def _given(options: argparse.Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, part in FILES.items():
        if paths := getattr(options, name.replace("-", "_")):
            given[part] = collect(part, [record for path in paths for record in read_json(path)])
    if options.forecast_speed:
        given["speed"] = _rounded(read_json(options.forecast_speed))
    return given


def collect(part: str, records: Iterable[Figures]) -> list[dict[str, Any]]:
    """The plain figures of each record once, in the order of the page."""
    keys = PARTS[part]
    found = {tuple(record.get(key) for key in keys): record for record in records}
    kept = [_rounded({k: v for k, v in r.items() if _is_kept(k, v)}) for r in found.values()]
    traces = in_order((str(r.get("trace")) for r in kept), tuple(TITLES))
    models = in_order((str(r.get("model")) for r in kept), MODELS)

    def place(record: Figures) -> tuple[int, ...]:
        at = traces.index(str(record.get("trace"))), models.index(str(record.get("model")))
        return (*at, record.get("seed") or 0)

    return sorted(kept, key=place)


def _is_kept(key: str, value: object) -> bool:
    return key in KEPT or not isinstance(value, list | dict)


def _rounded(record: Figures) -> dict[str, Any]:
    """Six digits say all there is to say; None for what is not finite."""
    return {key: _short(value) for key, value in record.items()}


def _short(value: Any) -> Any:  # noqa: ANN401 - whatever the JSON holds
    if isinstance(value, Mapping):
        return _rounded(value)
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def forecast_part(figures: Figures) -> str:
    """The part of the page; nothing where nothing was measured."""
    if not figures:
        return ""
    runs = Runs(figures.get("runs", []))
    sections = [
        _head(figures, runs),
        _bars(figures, runs),
        _winners(runs),
        *(trace_table(runs, trace) for trace in runs.traces),
        value_tables(figures.get("value", [])),
        llm_table(figures.get("llm", [])),
        harmony_table(figures.get("harmony", [])),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _head(figures: Figures, runs: Runs) -> list[str]:
    head = [
        "# How good forecasts are",
        "",
        "Written by the same command from `benchmarks/results/forecasting.json`; what each score",
        "is stands in [`benchmarks/protocol.md`](../benchmarks/protocol.md).",
        f"Machine: {figures['machine']}.",
    ]
    if not runs.traces:
        return head
    what = "sCRPS of every model over the best simple one, and how far its 95 % interval is off"
    told = "One dot a seed; arrows point to what lies beyond the edge."
    return [*head, "", f"![{what}](forecasts.svg)", "", told]


def _bars(figures: Figures, runs: Runs) -> list[str]:
    note = [line.format(seeds=_seeds(runs)) for line in BARS]
    return ["## What was asked of forecasts", "", *table(HEADER, forecast_bars(figures)), "", *note]


def _seeds(runs: Runs) -> str:
    """How many seeds the judged model ran with."""
    counts = sorted({runs.seeds(trace, JUDGED) for trace in runs.traces} - {0})
    numbers = " to ".join(str(n) for n in dict.fromkeys((*counts[:1], *counts[-1:])))
    return f"{numbers or 'no'} seed{'' if counts == [1] else 's'}"


def _winners(runs: Runs) -> list[str]:
    """Where the flow wins, where it does not, and who speaks there."""
    lines = []
    for trace in runs.traces:
        scores = {m: s for m in runs.models(trace) if (s := runs.spread(trace, m, "scrps"))}
        if not scores:
            continue
        best = min(scores, key=lambda model: scores[model].mean)
        own = scores.get(JUDGED)
        over = own and own.over(scores[best].mean)
        lines.append([title(trace), f"`{best}`", shown(over, PLAIN), _shares(runs, trace)])
    header = ("trace", "lowest sCRPS", f"`{JUDGED}` / that", "whose futures the champion takes")
    return ["## Who is best, and who speaks", "", *table(header, lines)] if lines else []


def _shares(runs: Runs, trace: str) -> str:
    records = [r["shares"] for r in runs.of(trace, JUDGED) if r.get("shares")]
    means = {
        name: sum(shares.get(name, 0.0) for shares in records) / len(records)
        for name in in_order((name for shares in records for name in shares), MODELS)
    }
    largest = sorted(means, key=lambda name: -means[name])
    return ", ".join(f"{name} {PERCENT.text(means[name])}" for name in largest) or NOTHING
