"""The demo: the main job on a built-in cluster, and the same live where there is a cluster."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.cluster.snapshot import snapshot_of
from nodemix.operator.demo.cluster import demo_cluster
from nodemix.operator.demo.demand import DAYS, demo_history
from nodemix.operator.demo.live import kind_kubeconfig, run_live
from nodemix.operator.demo.policy import HORIZON_S, demo_policy
from nodemix.operator.errors import DemoError
from nodemix.operator.offline import Answer, Question, answer, terms_of
from nodemix.operator.report.text import render_text
from nodemix.operator.worker import warm_up
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.snapshot import Snapshot
from rich.console import Console
from rich.table import Table
from rich.text import Text

REPORT_NAME = "nodemix-demo.html"
SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
NOTICED_S = 5.0

HOW_TO_GO_LIVE = (
    "Live: not shown, the current context is no kind cluster. "
    "Start one (`kind create cluster`), or name a cluster to play on with --kubeconfig."
)


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What a person can choose.

    Args:
        out: folder of the report and of the live operator's log.
        kubeconfig: of the cluster to play on; None for the current context if it is a kind one.
        prometheus_url: with demand history for the live part; empty for none.
    """

    out: Path = Path("out")
    kubeconfig: Path | None = None
    prometheus_url: str = ""
    seed: int = 0


def run_demo(
    settings: DemoSettings, console: Console, *, with_offline: bool = True, with_live: bool = True
) -> None:
    """Show the parts that are asked for.

    Raises:
        DemoError: only the live part is wanted and there is no cluster for it, or it failed.
    """
    settings.out.mkdir(parents=True, exist_ok=True)
    if with_offline:
        run_offline(settings, console, time.time())
    if not with_live:
        return
    kubeconfig = settings.kubeconfig or kind_kubeconfig(os.environ)
    if kubeconfig is not None:
        asyncio.run(run_live(kubeconfig.resolve(), settings.prometheus_url, settings.out, console))
    elif with_offline:
        console.print(Text(f"\n{HOW_TO_GO_LIVE}", style="dim"))
    else:
        raise DemoError(
            "current kubeconfig context",
            "is no kind cluster, and the demo plays on no other unasked",
            "name a cluster with --kubeconfig",
        )


def run_offline(settings: DemoSettings, console: Console, now_s: float) -> Answer:
    """Observe, forecast, decide and explain on built-in data, and write the report.

    Args:
        now_s: seconds since the epoch; the history ends there.
    """
    console.print(Text("nodemix: the cheapest nodes for your pods, with a proof", style="bold"))
    console.print(Text("A built-in cluster, its demand and real prices; nothing is changed.\n"))
    started_s = time.monotonic()
    catalog = bundled_catalog()
    snapshot = snapshot_of(demo_cluster(catalog).observed(), now_s)
    history = demo_history(now_s, np.random.default_rng(settings.seed))
    _step(console, "observe", _observed(snapshot, catalog), time.monotonic() - started_s)
    _compile(console)
    question = Question(snapshot, terms_of(demo_policy(), "demo"), catalog, history, settings.seed)
    started_s = time.monotonic()
    with console.status("forecasting and deciding, about half a minute ..."):
        found = answer(question, is_recorded=True)
    decide_s = found.document.search_seconds
    _step(console, "forecast", _forecast(found, history), time.monotonic() - started_s - decide_s)
    _step(console, "decide", _decided(found), decide_s)
    _step(console, "explain", "each pool, the money, and why")
    console.print()
    render_text(found.document, console)
    report = settings.out / REPORT_NAME
    report.write_text(found.to_html(), encoding="utf-8")
    console.print(Text.assemble("\nReport with pictures: ", (str(report), "bold")))
    return found


def _compile(console: Console) -> None:
    """Make the solver ready, which takes its time only once on a machine."""
    started_s = time.monotonic()
    with console.status("compiling the solver for this machine, half a minute the first time ..."):
        warm_up()
    took_s = time.monotonic() - started_s
    if took_s > NOTICED_S:
        _step(console, "compile", "the solver's kernels for this machine, only once", took_s)


def _step(console: Console, name: str, text: str, seconds: float | None = None) -> None:
    grid = Table.grid(padding=(0, 2), expand=False)
    grid.add_column(width=9)
    grid.add_column()
    took = "" if seconds is None else f" ({seconds:.1f} s)"
    grid.add_row(Text(name, style="bold cyan"), Text.assemble(text, (took, "dim")))
    console.print(grid)


def _observed(snapshot: Snapshot, catalog: Catalog) -> str:
    gpu_pods = sum(pod.template.requests.gpus > 0 for pod in snapshot.pods)
    kept_off = sum(pod.template.spot_denied is not None for pod in snapshot.pods)
    zones = len({node.zone for node in snapshot.nodes})
    return (
        f"{len(snapshot.nodes)} nodes in {zones} zones, {len(snapshot.pods)} pods of "
        f"{len(snapshot.workloads)} workloads: {gpu_pods} with a GPU, {kept_off} must not run on "
        f"spot, {len(snapshot.disruption_budgets)} disruption budgets\n"
        f"{len(catalog.offers)} offers on sale: {catalog.source}, as of {catalog.as_of}"
    )


def _forecast(found: Answer, history: DemandHistory) -> str:
    missing = int(np.isnan(history.values).sum())
    every_min = history.step_s / SECONDS_PER_MINUTE
    seen = f"{DAYS} days of demand every {every_min:g} min, {missing} samples missing"
    return "\n".join([seen, *_speakers(found)])


def _speakers(found: Answer) -> list[str]:
    """Who forecasts what, and what comes of it."""
    forecast = found.forecast
    if forecast is None:
        return ["no forecast: planned for the requests as they are"]
    speakers = [f"{v.model} for {len(v.series)}" for v in forecast.verdicts if v.series]
    column = forecast.indicators.index("pods")
    ends = forecast.samples[:, :, -1, column].sum(axis=1)
    low, middle, high = np.quantile(ends, (0.05, 0.5, 0.95))
    hours = HORIZON_S / SECONDS_PER_HOUR
    return [
        f"the models that did best on the past speak: {', '.join(speakers)} workloads",
        f"in {hours:g} h: {middle:.0f} pods, with 90 % certainty {low:.0f} to {high:.0f}",
    ]


def _decided(found: Answer) -> str:
    document = found.document
    nodes = sum(group.count for group in document.nodes)
    now = sum(pool.nodes_now for pool in document.pools)
    return (
        f"{now} nodes become {nodes}, {document.current_usd_per_hour:.2f} become "
        f"{document.plan_usd_per_hour:.2f} $/h: {document.saving_share:.0%} less, and proved to be "
        f"within {document.gap:.1%} of the cheapest possible"
    )
