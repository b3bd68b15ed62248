"""Options of ``nodemix backtest``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class BacktestFormat(StrEnum):
    """How a backtest is printed."""

    TEXT = "text"
    JSON = "json"


PrometheusUrl = Annotated[
    str, typer.Option(metavar="URL", help="A Prometheus with the demand history.")
]
HistoryFolder = Annotated[
    Path | None,
    typer.Option(
        "--history",
        metavar="DIR",
        help="A folder with demand.csv (timestamp,workload,indicator,value; .gz too) and, as far "
        "as you have them, snapshot.yaml, policy.yaml, offers.csv, catalog.csv, reclaims.csv "
        "(timestamp,instance_type,zone,share) and prices.csv "
        "(timestamp,instance_type,zone,capacity_type,usd_h). Or demand.csv alone.",
    ),
]
ReplayStart = Annotated[str | None, typer.Option("--from", help="Begin of the replay (ISO 8601).")]
ReplayEnd = Annotated[
    str | None, typer.Option("--to", help="Its end; the newest demand without it.")
]
ReplayDays = Annotated[
    float | None,
    typer.Option(min=0.01, help="Length, instead of --from; 7 or two thirds of the history."),
]
DecisionSeconds = Annotated[float, typer.Option(min=1.0, help="Seconds between decisions.")]
SearchSeconds = Annotated[
    float | None, typer.Option(min=0.1, help="CPU time of each search; 1 without it.")
]
HtmlPage = Annotated[Path | None, typer.Option(help="Also write a self-contained page.")]
PrintedAs = Annotated[BacktestFormat, typer.Option("--output", "-o", help="What is printed.")]
