"""Pictures of a plan, as SVG: what it costs, what else could be had, what is demanded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray
from nodemix.operator.report.document import PlanDocument
from nodemix.operator.report.fan import Fan, draw_fan
from nodemix.operator.report.pareto import pareto_caption, pareto_picture, pareto_words
from nodemix.operator.report.svg import INK, PICTURE_INCHES, label_axes, quiet, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HISTORY_SHOWN_S = 2 * 24 * 3600.0
PLAN_LINE_SHARE = 0.03
LEGEND_COLUMNS, WIDE_LEGEND_COLUMNS, WIDE_INCHES = 4, 8, 9.0
"""So many entries of a legend find room side by side, on narrow pictures and on wide ones."""

SECONDS_PER_HOUR = 3600.0

HISTORY_COLOR = "#7d8590"
PLAN_COLOR = "#2da44e"
NOW_COLOR = "#cf5b46"
BASELINE_COLOR = "#bf8700"
BOUND_COLOR = "#9a6dd7"

COST_CAPTION = (
    "Cost of today's nodes, of the plan, and what no plan for the same pods can go below (proved)"
)
DEMAND_CAPTION = (
    "Demand as it was and as it is forecast (the bands hold 50, 80 and 95 % of what may come), and "
    "what the plan has room for until nodes bought next are ready"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG element, and what it shows for people who do not see it.

    Args:
        svg: trusted markup; everything else in a report is escaped.
        words: its figures, in a sentence; the caption where that says enough.
    """

    caption: str
    svg: str
    words: str = ""

    @property
    def alternative(self) -> str:
        """What is read aloud in its place."""
        return self.words or self.caption


@dataclass(frozen=True, slots=True, eq=False)
class DemandPanel:
    """What one panel of the demand picture shows.

    Args:
        past_h: hours relative to the first forecast step, shape (past,), negative.
        past: observed demand, shape (past,), NaN in gaps.
        ahead_h: hours of the forecast steps, shape (ahead,).
        fan: the forecast at these steps.
        planned: what the plan has room for; None where the plan does not say.
        covered_h: hours from now that the plan is for: until nodes bought next are ready.
    """

    title: str
    past_h: FloatArray
    past: FloatArray
    ahead_h: FloatArray
    fan: Fan
    planned: int | None
    covered_h: float = 0.0


def plan_pictures(
    document: PlanDocument,
    history: DemandHistory | None,
    forecast: DemandForecast | None,
    covered_s: float = 0.0,
) -> tuple[Picture, ...]:
    """What a report shows: the costs, other plans and, where there is a forecast, the demand.

    Args:
        covered_s: the time the plan is for, which is the policy's lead time.
    """
    pictures = [Picture(COST_CAPTION, cost_picture(document), cost_words(document))]
    if svg := pareto_picture(document):
        pictures.append(Picture(pareto_caption(document), svg, pareto_words(document)))
    if history is not None and forecast is not None:
        panels = demand_panels(history, forecast, document)
        pictures += _demand_pictures(panels, covered_s / SECONDS_PER_HOUR)
    return tuple(pictures)


def _demand_pictures(panels: Sequence[DemandPanel], covered_h: float) -> list[Picture]:
    """One for each panel, which finds room on a phone; the first one explains them all."""
    return [
        Picture(
            f"{DEMAND_CAPTION if number == 0 else 'Likewise'}: {panel.title}",
            demand_picture(replace(panel, covered_h=covered_h)),
            demand_words(panel),
        )
        for number, panel in enumerate(panels)
    ]


def demand_words(panel: DemandPanel) -> str:
    """What the panel shows at its ends, for people who do not see it."""
    low, high = panel.fan.bands[0]
    room = "" if panel.planned is None else f", the plan has room for {panel.planned}"
    return (
        f"Pods of {panel.title}: median {panel.fan.median[0]:.0f} now and "
        f"{panel.fan.median[-1]:.0f} at the end of the forecast, 95 % within "
        f"{low.min():.0f} to {high.max():.0f}{room}"
    )


def demand_panels(
    history: DemandHistory, forecast: DemandForecast, document: PlanDocument, workloads: int = 3
) -> tuple[DemandPanel, ...]:
    """The cluster's total pods, then the ``workloads`` largest by planned pods."""
    planned = {entry.workload: entry.pods_planned for entry in document.demand}
    leaves = [name for name in _leaves(history) if name in forecast.series]
    if not leaves:
        return ()
    largest = sorted(leaves, key=lambda name: (-planned.get(name, 0), name))[:workloads]
    total = sum(planned[name] for name in leaves if name in planned) if planned else None
    panels = [_panel(f"all {len(leaves)} workloads", history, forecast, leaves, total)]
    panels += [_panel(name, history, forecast, [name], planned.get(name)) for name in largest]
    return tuple(panels)


def demand_picture(panel: DemandPanel) -> str:
    """History, fan of the forecast and planned capacity, as SVG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    figure = Figure(figsize=(PICTURE_INCHES, 2.7), layout="constrained")
    axis = figure.subplots()
    _draw_panel(axis, panel)
    legend_above(figure, axis)
    return to_svg(figure, salt="demand")


def legend_above(figure: "Figure", axis: "Axes") -> None:
    """One legend for all panels, of what ``axis`` shows."""
    handles, labels = axis.get_legend_handles_labels()
    is_wide = figure.get_figwidth() >= WIDE_INCHES
    most = WIDE_LEGEND_COLUMNS if is_wide else LEGEND_COLUMNS
    figure.legend(
        handles,
        labels,
        frameon=False,
        labelcolor=INK,
        fontsize=8,
        ncols=min(len(labels), most),
        loc="outside upper left",
    )


def cost_picture(document: PlanDocument) -> str:
    """Cost now, of the baseline, of the plan and of the lower bound as bars, as SVG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    names, costs, colors = zip(*_bars(document), strict=True)
    figure = Figure(figsize=(PICTURE_INCHES, 0.8 + 0.34 * len(names)), layout="constrained")
    axis = figure.subplots()
    drawn = axis.barh(names, costs, color=colors, height=0.62)
    axis.bar_label(drawn, [f"{cost:.2f}" for cost in costs], padding=4, color=INK, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.16)
    label_axes(axis, "USD per hour")
    quiet(axis)
    return to_svg(figure, salt="cost")


def cost_words(document: PlanDocument) -> str:
    """The bars for people who do not see them."""
    said = [f"{name} {cost:.4f}" for name, cost, _ in _bars(document)]
    return f"USD per hour: {', '.join(said)}"


def _bars(document: PlanDocument) -> list[tuple[str, float, str]]:
    """Name, length and colour."""
    baseline = document.baseline
    other = (
        []
        if baseline is None or baseline.usd_per_hour is None
        else [(baseline.name, baseline.usd_per_hour, BASELINE_COLOR)]
    )
    return [
        ("now", document.current_usd_per_hour, NOW_COLOR),
        *other,
        ("plan", document.plan_usd_per_hour, PLAN_COLOR),
        ("lower bound", document.lower_bound_usd_per_hour, BOUND_COLOR),
    ]


def _leaves(history: DemandHistory) -> list[str]:
    """Series that are nobody's parent: the workloads."""
    inner = set(history.parents)
    return [name for name in history.series if name not in inner]


def _panel(
    title: str,
    history: DemandHistory,
    forecast: DemandForecast,
    names: Sequence[str],
    planned: int | None,
) -> DemandPanel:
    rows = [history.series.index(name) for name in names]
    drawn = [forecast.series.index(name) for name in names]
    past = history.values[:, _pods_index(history.indicators), :][rows].sum(axis=0)
    paths = forecast.samples[..., _pods_index(forecast.indicators)][:, drawn].sum(axis=1)
    past_s = grid_s(history.start_s - forecast.start_s, history.step_s, history.steps)
    shown = past_s >= -HISTORY_SHOWN_S
    ahead_s = grid_s(0.0, forecast.step_s, forecast.steps)
    return DemandPanel(
        title=title,
        past_h=past_s[shown] / SECONDS_PER_HOUR,
        past=past[shown],
        ahead_h=ahead_s / SECONDS_PER_HOUR,
        fan=Fan.of(paths.astype(np.float64)),
        planned=planned,
    )


def grid_s(start_s: float, step_s: float, steps: int) -> FloatArray:
    """Times of the steps of a grid, shape (steps,)."""
    return start_s + step_s * np.arange(steps, dtype=np.float64)


def _pods_index(indicators: tuple[str, ...]) -> int:
    return indicators.index("pods") if "pods" in indicators else 0


def _draw_panel(axis: "Axes", panel: DemandPanel) -> None:
    axis.plot(panel.past_h, panel.past, color=HISTORY_COLOR, linewidth=1.0, label="observed")
    draw_fan(axis, panel.ahead_h, panel.fan)
    title = panel.title
    if panel.planned is not None:
        # As wide as an eye sees: the time until new nodes are ready may be minutes.
        shortest_h = PLAN_LINE_SHARE * (panel.ahead_h[-1] - panel.past_h[0])
        axis.hlines(
            panel.planned,
            0.0,
            max(panel.covered_h, shortest_h),
            color=PLAN_COLOR,
            linewidth=3.0,
            label="planned",
        )
        title = f"{title}: room for {panel.planned} pods"
    axis.set_title(title, color=INK, fontsize=9, loc="left")
    axis.set_ylim(bottom=0.0)
    axis.margins(y=0.15)
    label_axes(axis, "hours from now", "pods")
    quiet(axis)
