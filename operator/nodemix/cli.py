"""The command line: plan, backtest, forecast, demo, catalog, crds; with or without a cluster.

Exit codes: 0 nothing to change, 2 changes proposed, 1 error. What was asked for goes to stdout,
everything else to stderr. Heavy imports live inside the commands, so that help is instant.
"""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from nodemix.operator.backtest import options as given
from rich.console import Console
from typer.core import TyperGroup

EXIT_UNCHANGED = 0
EXIT_ERROR = 1
EXIT_CHANGES = 2

_EXIT_USAGE = 2
"""What typer exits with when it does not understand the arguments."""


class OutputFormat(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    HTML = "html"


class ListFormat(StrEnum):
    """How offers are printed."""

    TABLE = "table"
    CSV = "csv"


class _Answered(SystemExit):
    """A command has ended with an exit code of its own, as opposed to typer's."""


class _Commands(TyperGroup):
    """Gives exit code 2 to proposals alone, and a line instead of a traceback to known errors."""

    def invoke(self, ctx: Any) -> None:  # noqa: ANN401 - typer's private context class
        try:
            code = super().invoke(ctx)
        except _known_errors() as error:
            _say(f"[bold red]error:[/] {_escaped(_message(error))}")
            code = EXIT_ERROR
        raise _Answered(code or EXIT_UNCHANGED)

    def main(self, *args: Any, **extra: Any) -> None:  # noqa: ANN401 - typer's signature
        try:
            super().main(*args, **extra)
        except _Answered:
            raise
        except SystemExit as end:
            raise SystemExit(EXIT_ERROR if end.code == _EXIT_USAGE else end.code) from None


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    help="Cost-optimal Kubernetes node mixes, with a proof.",
    epilog="Exit codes: 0 nothing to change, 2 changes proposed, 1 error.",
)

SnapshotFile = Annotated[
    Path | None,
    typer.Option(
        "--snapshot",
        help="What `kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,"
        "poddisruptionbudgets -A -o yaml` prints (json and .gz too). "
        "Without it the cluster of the current kubeconfig is read.",
    ),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="A NodeMixPolicy; the default policy without it.")
]
CatalogFile = Annotated[
    Path | None,
    typer.Option("--catalog", help="Instance types (CSV); the bundled ones without it."),
]
OffersFile = Annotated[
    Path | None, typer.Option("--offers", help="Offers and prices (CSV); bundled without it.")
]
KubeconfigFile = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="Whose current context is read; kubectl's without it."),
]
HistoryFile = Annotated[
    Path | None,
    typer.Option(
        "--history",
        help="Demand (CSV: timestamp,workload,indicator,value). "
        "Without it the plan is for the requests as they are.",
    ),
]


DemandFile = Annotated[
    Path,
    typer.Argument(
        metavar="HISTORY", help="Demand (CSV, .gz too: timestamp,workload,indicator,value)."
    ),
]
StepSeconds = Annotated[
    float, typer.Option(min=1.0, help="Grid of the history; samples of a step become one.")
]
HorizonHours = Annotated[float, typer.Option(min=0.01, help="How far ahead.")]
KnownEvents = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        metavar="NAME=START/END[@SERIES]",
        help="Something known to happen, past ones too (ISO 8601). Repeatable.",
    ),
]
WeightsFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|cold-start",
        help="Networks of the flow, used as they are; trained anew without it.",
    ),
]
SpeakingModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Which models may speak: last-value, seasonal-naive, window-quantile, ets, flow. "
        "Repeatable; all without it.",
    ),
]
Networks = Annotated[
    int | None, typer.Option(min=1, max=20, help="Networks of the flow; 3 without it.")
]
TrainingSteps = Annotated[
    int | None,
    typer.Option(min=1, help="Most steps of training for each network; 300 without it."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]

DEFAULT_STEP_S = 900.0
DEFAULT_HORIZON_H = 12.0

forecast = typer.Typer(
    no_args_is_help=True,
    help="Train a forecaster, compare it with simple ones, and see what it says.",
)
app.add_typer(forecast, name="forecast")


@app.command()
def plan(
    *,
    snapshot: SnapshotFile = None,
    policy: PolicyFile = None,
    catalog: CatalogFile = None,
    offers: OffersFile = None,
    history: HistoryFile = None,
    kubeconfig: KubeconfigFile = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Time for the search; the policy's without it, else 5."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random draw.")] = 0,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="What is printed.")
    ] = OutputFormat.TABLE,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Print every reason: risk, room, other plans, limits, what blocks."
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write a self-contained HTML report.")
    ] = None,
) -> int:
    """Find the cheapest node mix for a cluster and prove how good it is. Changes nothing."""
    from nodemix.operator import offline  # noqa: PLC0415 - heavy

    if catalog is not None and offers is None:
        raise typer.BadParameter("a catalog needs its prices: give --offers too")
    if explain and output is not OutputFormat.TABLE:
        raise typer.BadParameter(f"--explain is for reading; {output} holds every reason anyway")
    terms = offline.read_terms(policy).searching(seconds)
    with _working("observing"):
        offers_on_sale = offline.read_catalog(catalog, offers)
        observed = offline.observe(snapshot, kubeconfig)
        demand = offline.read_history(history, terms, observed)
    _say(f"observed {len(observed.nodes)} nodes and {len(observed.pods)} pods")
    cluster = offline.cluster_name(snapshot, kubeconfig)
    question = offline.Question(observed, terms, offers_on_sale, demand, seed, cluster)
    with _working(f"searching for up to {terms.policy.search_s:g} s"):
        answer = offline.answer(question, is_recorded=snapshot is not None)
    if report is not None:
        report.write_text(answer.to_html(), encoding="utf-8")
        _say(f"report: {_escaped(str(report))}")
    _print_answer(answer, output, is_explained=explain)
    return EXIT_CHANGES if answer.document.is_change else EXIT_UNCHANGED


@app.command()
def backtest(
    *,
    prometheus: given.PrometheusUrl = "",
    history: given.HistoryFolder = None,
    policy: PolicyFile = None,
    snapshot: SnapshotFile = None,
    catalog: CatalogFile = None,
    offers: OffersFile = None,
    kubeconfig: KubeconfigFile = None,
    start: given.ReplayStart = None,
    end: given.ReplayEnd = None,
    days: given.ReplayDays = None,
    every: given.DecisionSeconds = 1800.0,
    seconds: given.SearchSeconds = None,
    model: SpeakingModels = None,
    seed: Seed = 0,
    output: given.PrintedAs = given.BacktestFormat.TEXT,
    html: given.HtmlPage = None,
) -> None:
    """Replay your own history: what a policy would have cost, saved and missed. Changes nothing."""
    from nodemix.operator.backtest import asking, command, screen  # noqa: PLC0415 - heavy

    if bool(prometheus) == (history is not None):
        raise typer.BadParameter("give one of --prometheus and --history")
    files = command.Files(history, snapshot, policy, catalog, offers, kubeconfig)
    times = command.times_of(start, end, days, every)
    with _working("reading"):
        asked = command.read(files, prometheus, times, tuple(model or ()), seconds, seed)
    with screen.bars() as watch:
        told = asking.answer(asked, watch)
    if html is not None:
        html.write_text(command.page(told), encoding="utf-8")
        _say(f"page: {_escaped(str(html))}")
    if output is given.BacktestFormat.JSON:
        typer.echo(command.json(told))
    else:
        command.show(told, answer_console())


@app.command()
def crds() -> None:
    """Print the custom resource definitions, ready for `kubectl apply -f -`."""
    from nodemix.operator.api.crd import crds_yaml  # noqa: PLC0415 - heavy

    typer.echo(crds_yaml(), nl=False)


@app.command()
def catalog(
    *,
    catalog: CatalogFile = None,
    offers: OffersFile = None,
    family: Annotated[str, typer.Option(help="e.g. m7g")] = "",
    zone: Annotated[str, typer.Option(help="e.g. us-east-1a")] = "",
    market: Annotated[str, typer.Option(help="spot or on-demand")] = "",
    gpu: Annotated[bool, typer.Option("--gpu", help="Only types with NVIDIA GPUs.")] = False,
    min_vcpus: Annotated[int, typer.Option(min=0)] = 0,
    max_vcpus: Annotated[int, typer.Option(min=0, help="0: no limit.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Rows of a table; 0: all.")] = 40,
    output: Annotated[ListFormat, typer.Option("--output", "-o")] = ListFormat.TABLE,
) -> None:
    """List what can be bought, cheapest first."""
    from nodemix.operator import offline  # noqa: PLC0415 - heavy
    from nodemix.operator.report import offers as listing  # noqa: PLC0415 - heavy

    if catalog is not None and offers is None:
        raise typer.BadParameter("a catalog needs its prices: give --offers too")
    wanted = listing.OfferQuery(family, zone, market, gpu, min_vcpus, max_vcpus or None)
    found = wanted.select(offline.read_catalog(catalog, offers))
    if output is ListFormat.CSV:
        typer.echo(listing.offers_csv(found.offers), nl=False)
        return
    shown = found.offers[: limit or None]
    Console().print(listing.offers_table(shown))
    _say(f"{len(shown)} of {len(found.offers)} offers, {found.source} {found.as_of}".rstrip())


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("out"),
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Also show it live on this cluster, which gets demo nodes and pods for a minute. "
            "Without it, live only if the current context is a kind cluster."
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never live: do not look for a cluster.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Only live; an error if there is no cluster.")
    ] = False,
    prometheus: Annotated[
        str, typer.Option(help="URL of a Prometheus with demand history, for the live part.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of every random draw.")] = 0,
) -> None:
    """Show the main job on a built-in cluster: observe, forecast, decide, explain."""
    from nodemix.operator.demo.run import DemoSettings, run_demo  # noqa: PLC0415 - heavy

    if live and offline:
        raise typer.BadParameter("--live and --offline exclude each other")
    settings = DemoSettings(out, kubeconfig, prometheus, seed)
    run_demo(settings, Console(), with_offline=not live, with_live=not offline)


@forecast.command()
def train(
    history: DemandFile,
    *,
    out: Annotated[Path, typer.Option(help="Where the weights go (safetensors).")],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|cold-start",
            help="Go on from these networks, which takes seconds; begin anew without it.",
        ),
    ] = None,
    networks: Networks = None,
    training_steps: TrainingSteps = None,
    step_seconds: StepSeconds = DEFAULT_STEP_S,
    horizon_hours: HorizonHours = DEFAULT_HORIZON_H,
    event: KnownEvents = None,
    seed: Seed = 0,
) -> None:
    """Fit the flow's networks to a demand history and write them to a file."""
    from nodemix.operator.forecasts import inputs, screen, training, weights  # noqa: PLC0415 - heavy

    demand = inputs.read_demand(history, step_seconds, event or ())
    begun = None if start is None else weights.read_weights(start)
    settings = training.settings_for(begun, networks, training_steps)
    horizon = inputs.horizon_of(horizon_hours, step_seconds)
    out.parent.mkdir(parents=True, exist_ok=True)
    with screen.bars() as bars:
        trained = training.train_on(demand, horizon, settings, seed, bars.training, begun)
    out.write_bytes(trained.data)
    _warn(trained.warnings)
    Console().print(screen.facts_table({"file": str(out), **trained.facts()}))


@forecast.command()
def evaluate(
    history: DemandFile,
    *,
    model: SpeakingModels = None,
    weights: WeightsFile = None,
    origins: Annotated[
        int, typer.Option(min=1, help="Forecasts to compare, in the newest 14 %.")
    ] = 12,
    horizon_hours: HorizonHours = DEFAULT_HORIZON_H,
    step_seconds: StepSeconds = DEFAULT_STEP_S,
    event: KnownEvents = None,
    json: Annotated[Path | None, typer.Option(help="Also write every figure here.")] = None,
    training_steps: TrainingSteps = None,
    seed: Seed = 0,
) -> None:
    """Compare the models on the newest part of a history, which none of them has seen."""
    from nodemix.operator.forecasts import asking, inputs, screen, trial  # noqa: PLC0415 - heavy

    demand = inputs.read_demand(history, step_seconds, event or ())
    horizon = inputs.horizon_of(horizon_hours, step_seconds)
    asked = asking.Asked.of(model, weights, training_steps)
    with screen.bars() as bars:
        question = trial.Question(
            demand, horizon, origins, asked.make(bars.training), asked.settings, seed
        )
        found = trial.try_models(question, bars.origins)
    if json is not None:
        json.write_text(found.to_json(), encoding="utf-8")
    _warn((*found.warnings, *asked.warnings(found.origins_s[0], horizon)))
    console = Console()
    console.print(screen.scores_table(found))
    console.print(screen.verdicts_table(found.verdicts, found.failures))
    _say(found.facts())


@forecast.command()
def show(
    history: DemandFile,
    *,
    out: Annotated[Path, typer.Option(help="Where the picture goes: .svg, .png or .html.")],
    weights: WeightsFile = None,
    series: Annotated[
        list[str] | None,
        typer.Option(help="Which to draw, repeatable; all together and the largest without it."),
    ] = None,
    indicator: Annotated[
        str | None, typer.Option(help="pods, cpu_milli, ...; the first one without it.")
    ] = None,
    horizon_hours: HorizonHours = DEFAULT_HORIZON_H,
    step_seconds: StepSeconds = DEFAULT_STEP_S,
    event: KnownEvents = None,
    model: SpeakingModels = None,
    training_steps: TrainingSteps = None,
    seed: Seed = 0,
) -> None:
    """Draw what comes after a history as a fan of possible futures."""
    from nodemix.operator.forecasts import asking, inputs, screen, showing  # noqa: PLC0415 - heavy

    form = showing.format_of(out)
    if form is None:
        raise typer.BadParameter(f"{out.name}: end its name in .svg, .png or .html")
    demand = inputs.read_demand(history, step_seconds, event or ())
    inputs.known_series(demand, series or ())
    indicator = inputs.known_indicator(demand, indicator)
    horizon = inputs.horizon_of(horizon_hours, step_seconds)
    asked = asking.Asked.of(model, weights, training_steps)
    out.parent.mkdir(parents=True, exist_ok=True)
    with screen.bars() as bars:
        said = showing.forecast_of(demand, horizon, seed, asked.settings, asked.make(bars.training))
    out.write_bytes(showing.drawn(said, series or (), indicator).written(form))
    _warn((*said.forecast.warnings, *asked.warnings(demand.end_s, horizon)))
    Console().print(screen.verdicts_table(said.forecast.verdicts, {}))
    _say(f"picture: {_escaped(str(out))}")


def main() -> None:
    """The console script; ends the process with the exit code."""
    app()


def _print_answer(
    answer: Any,  # noqa: ANN401 - imported lazily
    output: OutputFormat,
    *,
    is_explained: bool,
) -> None:
    match output:
        case OutputFormat.TABLE:
            from nodemix.operator.report.explanation import render_explanation  # noqa: PLC0415 - heavy
            from nodemix.operator.report.text import render_text  # noqa: PLC0415 - heavy

            render = render_explanation if is_explained else render_text
            render(answer.document, answer_console())
        case OutputFormat.JSON:
            typer.echo(answer.document.to_json())
        case OutputFormat.YAML:
            typer.echo(answer.document.to_yaml(), nl=False)
        case OutputFormat.HTML:
            typer.echo(answer.to_html())


def answer_console() -> Console:
    """Colours on a terminal; plain text in a pipe, and wherever NO_COLOR asks for it."""
    return Console(color_system=None if os.environ.get("NO_COLOR") else "auto")


def _known_errors() -> tuple[type[Exception], ...]:
    from nodemix.operator.known_errors import KNOWN_ERRORS  # noqa: PLC0415 - only on errors

    return KNOWN_ERRORS


def _message(error: Exception) -> str:
    """The error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _escaped(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415 - only where needed

    return escape(text)


def _working(what: str) -> AbstractContextManager[object]:
    """A sign of life on a terminal while something takes its time; elsewhere nothing."""
    return Console(stderr=True).status(f"{_escaped(what)} ...")


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        _say(f"[yellow]warning:[/] {_escaped(line)}")


def _say(line: str) -> None:
    Console(stderr=True).print(line, soft_wrap=True)


if __name__ == "__main__":
    main()
