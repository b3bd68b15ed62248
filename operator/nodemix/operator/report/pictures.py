"""Pictures of a plan, as SVG text that takes its text colour from the page.

The same input gives the same bytes: no dates, fixed ids.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from nodemix.forecasting.types import DemandForecast, DemandHistory, FloatArray
from nodemix.operator.report.document import PlanDocument
from nodemix.operator.report.fan import Fan, draw_fan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HISTORY_SHOWN_S = 2 * 24 * 3600.0
PLAN_LINE_SHARE = 0.03
LEGEND_COLUMNS, WIDE_LEGEND_COLUMNS, WIDE_INCHES = 4, 8, 9.0
"""So many entries of a legend find room side by side, on narrow pictures and on wide ones."""

SECONDS_PER_HOUR = 3600.0

INK = "#010203"
"""Stands for the colour of the page's text; becomes ``currentColor`` in the SVG."""

HISTORY_COLOR = "#7d8590"
PLAN_COLOR = "#2da44e"
NOW_COLOR = "#cf5b46"
BOUND_COLOR = "#9a6dd7"


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG element, and what it shows for people who do not see it.

    Args:
        svg: trusted markup; everything else in a report is escaped.
    """

    caption: str
    svg: str


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
    """What a report shows: the costs and, where there is a forecast, the demand.

    Args:
        covered_s: the time the plan is for, which is the policy's lead time.
    """
    pictures = [
        Picture(
            "Cost of today's nodes, of the plan, and what no plan can go below (proved)",
            cost_picture(document),
        )
    ]
    if history is not None and forecast is not None:
        covered_h = covered_s / SECONDS_PER_HOUR
        panels = [
            replace(panel, covered_h=covered_h)
            for panel in demand_panels(history, forecast, document)
        ]
        if panels:
            caption = (
                "Demand as it was, as it is forecast (the bands hold 50, 80 and 95 % of what may "
                "come), and what the plan has room for until nodes bought next are ready"
            )
            pictures.append(Picture(caption, demand_picture(panels)))
    return tuple(pictures)


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


def demand_picture(panels: Sequence[DemandPanel]) -> str:
    """History, fan of the forecast and planned capacity of each panel, as SVG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.0 * columns, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw_panel(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    legend_above(figure, axes[0])
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
    """Cost now, of the plan and of the lower bound as bars, as SVG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    names = ["now", "plan", "lower bound"]
    costs = [
        document.current_usd_per_hour,
        document.plan_usd_per_hour,
        document.lower_bound_usd_per_hour,
    ]
    colors = [NOW_COLOR, PLAN_COLOR, BOUND_COLOR]
    figure = Figure(figsize=(7.0, 1.7), layout="constrained")
    axis = figure.subplots()
    drawn = axis.barh(names, costs, color=colors, height=0.62)
    axis.bar_label(drawn, [f"{c:.2f}" for c in costs], padding=4, color=INK, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_xlabel("USD per hour", color=INK, fontsize=9)
    quiet(axis)
    return to_svg(figure, salt="cost")


def to_svg(figure: "Figure", salt: str) -> str:
    """``figure`` as an SVG element to put into a page; the same figure gives the same text."""
    from matplotlib import rc_context  # noqa: PLC0415 - half a second, only for pictures

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": salt, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'<g id="[^"]*"', "<g", element)  # ids would collide between two pictures
    return element.replace(INK, "currentColor")


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
            label="planned, until new nodes are ready",
        )
        title = f"{title}: room for {panel.planned} pods"
    axis.set_title(title, color=INK, fontsize=9, loc="left")
    axis.set_ylim(bottom=0.0)
    axis.margins(y=0.15)
    axis.set_xlabel("hours from now", color=INK, fontsize=8)
    axis.set_ylabel("pods", color=INK, fontsize=8)
    quiet(axis)


def quiet(axis: "Axes") -> None:
    """Axes in the page's text colour, without a box."""
    axis.tick_params(colors=INK, labelsize=8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(INK)
        axis.spines[side].set_alpha(0.5)
