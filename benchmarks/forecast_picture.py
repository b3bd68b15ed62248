"""One picture of all forecasts: how good, and how well calibrated."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nodemix.forecasting.champion import SIMPLE
from nodemix.operator.report.svg import to_svg

from benchmarks.forecast_runs import JUDGED, MODELS, Runs, Spread, in_order, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#24292f"
COLORS: Mapping[str, str] = {
    "nodemix": "#0969da",
    "flow": "#54aeff",
    "cold-start": "#1b7c83",
    "last-value": "#6e7781",
    "seasonal-naive": "#9a6700",
    "window-quantile": "#2da44e",
    "ets": "#cf222e",
    "lightgbm": "#8250df",
}
OTHER = "#000000"
LOWEST, HIGHEST = 0.6, 2.0
LEAST_POINTS, MOST_POINTS = -15.0, 5.0
"""What lies outside is drawn as an arrow at the edge."""
NOMINAL = 0.95

Figure = Callable[[str, str], Spread | None]


def forecast_picture(runs: Runs) -> str:
    """The ratios to the best simple model and the coverage, one dot a seed, as SVG."""
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415 - half a second
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - as above

    models = in_order((m for trace in runs.traces for m in runs.models(trace)), MODELS)
    figure = Canvas(figsize=(10.0, 1.1 + 1.05 * len(runs.traces)), layout="constrained")
    page = Rectangle((0, 0), 1, 1, transform=figure.transFigure, color="white", zorder=-1)
    figure.add_artist(page)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    _ratios(left, runs, models)
    _coverage(right, runs, models)
    for axis in (left, right):
        _rows(axis, runs.traces)
    named = {m: left.scatter([], [], color=COLORS.get(m, OTHER), s=34) for m in models}
    figure.legend(
        named.values(), named, loc="outside lower center", ncols=len(named), frameon=False,
        fontsize=8, labelcolor=INK,
    )  # fmt: skip
    return to_svg(figure, salt="forecasts") + "\n"


def _ratios(axis: "Axes", runs: Runs, models: Sequence[str]) -> None:
    """On a logarithmic axis: half as good lies as far from 1 as twice as good."""
    axis.set_xscale("log")
    axis.axvline(1.0, color=INK, linewidth=1.0)
    _dots(axis, runs, models, (LOWEST, HIGHEST), lambda trace, model: runs.over_best(
        trace, model, SIMPLE, "scrps"))  # fmt: skip
    ticks = (0.6, 0.8, 1.0, 1.25, 1.5, 2.0)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_title("sCRPS over the best simple model's (lower is better)", fontsize=9, color=INK)


def _coverage(axis: "Axes", runs: Runs, models: Sequence[str]) -> None:
    def off(trace: str, model: str) -> Spread | None:
        covered = runs.spread(trace, model, "coverage_95")
        return covered and Spread(tuple(100 * (value - NOMINAL) for value in covered.values))

    axis.axvline(0.0, color=INK, linewidth=1.0)
    _dots(axis, runs, models, (LEAST_POINTS, MOST_POINTS), off)
    axis.set_xticks((-15, -10, -5, 0, 5))
    axis.set_title("coverage of the 95 % interval, points from 95", fontsize=9, color=INK)


def _dots(
    axis: "Axes",
    runs: Runs,
    models: Sequence[str],
    limits: tuple[float, float],
    figure: Figure,
) -> None:
    """A line of dots for each model of each trace, the judged one larger."""
    low, high = limits
    for at, trace in enumerate(runs.traces):
        for rank, model in enumerate(models):
            spread = figure(trace, model)
            if spread is None:
                continue
            height = at + 0.7 * ((rank + 0.5) / len(models) - 0.5)
            color, size = COLORS.get(model, OTHER), 34 if model == JUDGED else 16
            for value in spread.values:
                shape = "o" if low <= value <= high else "<" if value < low else ">"
                inside = min(max(value, low), high)
                axis.scatter(
                    inside, height, s=size, color=color, marker=shape, clip_on=False, linewidths=0,
                    alpha=0.85,
                )  # fmt: skip
    axis.set_xlim(low, high)


def _rows(axis: "Axes", traces: Sequence[str]) -> None:
    """One band a trace, the first at the top."""
    axis.set_yticks(range(len(traces)), [title(trace) for trace in traces])
    axis.set_ylim(len(traces) - 0.5, -0.5)
    for at in range(0, len(traces), 2):
        axis.axhspan(at - 0.5, at + 0.5, color=INK, alpha=0.05, linewidth=0)
    axis.tick_params(colors=INK, labelsize=8, length=0)
    axis.grid(visible=True, axis="x", color=INK, alpha=0.12, linewidth=0.6)
    for spine in axis.spines.values():
        spine.set_visible(False)
