"""A forecast as a picture of its own: what was observed, what may come, and who says so."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from nodemix.forecasting.types import BoolArray, DemandForecast, DemandHistory, Event, FloatArray
from nodemix.operator.report.fan import Fan, draw_fan
from nodemix.operator.report.pictures import (
    HISTORY_COLOR,
    HISTORY_SHOWN_S,
    PLAN_COLOR,
    Picture,
    grid_s,
    legend_above,
)
from nodemix.operator.report.svg import INK, quiet, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = {
    "pods": "pods",
    "cpu_milli": "CPU in milli-cores",
    "memory_mib": "memory in MiB",
}
"""What is written on the axis; other indicators by their name."""

HORIZONS_SHOWN = 3
"""So many times the horizon is shown of the past at least, that the fan has its measure."""

MOST_PANELS = 6
PNG_DOTS_PER_INCH = 150
PAPER = "#ffffff"

ALONE_STYLE = (
    "<style>:root{color:#1f2328;background:#fff}"
    "@media(prefers-color-scheme:dark){:root{color:#e6edf3;background:#0d1117}}</style>"
)
"""For an SVG that has no page around it to take its colours from."""


@dataclass(frozen=True, slots=True, eq=False)
class FanPanel:
    """What is drawn of one series, or of all together.

    Args:
        unit: of the vertical axis.
        speakers: which models speak.
        past_s, ahead_s: seconds since the epoch, shape (past,) and (ahead,).
        past: observed demand, shape (past,), NaN in gaps.
        gaps_s: begin and end of each time that was not observed.
        events: that fall into the time shown.
    """

    title: str
    unit: str
    speakers: str
    past_s: FloatArray
    past: FloatArray
    ahead_s: FloatArray
    fan: Fan
    gaps_s: tuple[tuple[float, float], ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def caption(self) -> str:
        """The panel in a sentence, for people who do not see it."""
        return (
            f"{self.title}: demand as it was and as it may become (bands of 50, 80 and 95 %), "
            f"times in UTC; {self.speakers}"
        )


def fan_panels(
    history: DemandHistory, forecast: DemandForecast, indicator: str, series: Sequence[str] = ()
) -> tuple[FanPanel, ...]:
    """One panel for each of ``series``; without any, of all together and of the largest ones.

    Args:
        history: as observed; NaN in gaps.
        forecast: what came of it.
        indicator: of both.
        series: of both.
    """
    if series:
        return tuple(_panel(history, forecast, indicator, (name,)) for name in series)
    column = forecast.indicators.index(indicator)
    level = forecast.samples[..., column].mean(axis=(0, 2))
    largest = [forecast.series[i] for i in np.argsort(-level, kind="stable")[:MOST_PANELS]]
    if len(forecast.series) == 1:
        return (_panel(history, forecast, indicator, forecast.series),)
    groups = [forecast.series, *((name,) for name in largest[: MOST_PANELS - 1])]
    return tuple(_panel(history, forecast, indicator, group) for group in groups)


def fan_figure(panels: Sequence[FanPanel]) -> "Figure":
    """All ``panels`` as one figure, in the ink that :func:`to_svg` replaces."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(8.0 if columns == 1 else 12.0, 3.1 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    richest = max(range(len(panels)), key=lambda i: len(panels[i].gaps_s) + len(panels[i].events))
    legend_above(figure, axes[richest])
    return figure


def fan_pictures(panels: Sequence[FanPanel]) -> tuple[Picture, ...]:
    """Each panel as a picture of its own, for a page."""
    return tuple(
        Picture(panel.caption, to_svg(fan_figure([panel]), salt=f"fan {panel.title}"))
        for panel in panels
    )


def fan_svg(panels: Sequence[FanPanel]) -> str:
    """One picture that stands alone, readable on light and on dark screens."""
    text = to_svg(fan_figure(panels), salt="fan")
    opened = text.index(">") + 1
    return text[:opened] + ALONE_STYLE + text[opened:]


def fan_png(panels: Sequence[FanPanel]) -> bytes:
    """One picture on white paper, which is readable on any page."""
    buffer = io.BytesIO()
    fan_figure(panels).savefig(buffer, format="png", dpi=PNG_DOTS_PER_INCH, facecolor=PAPER)
    return buffer.getvalue()


def _panel(
    history: DemandHistory, forecast: DemandForecast, indicator: str, names: Sequence[str]
) -> FanPanel:
    rows = [history.series.index(name) for name in names]
    drawn = [forecast.series.index(name) for name in names]
    past = history.values[rows, history.indicators.index(indicator)].sum(axis=0)
    futures = forecast.samples[..., forecast.indicators.index(indicator)][:, drawn].sum(axis=1)
    past_s = grid_s(history.start_s, history.step_s, history.steps)
    shown_s = max(HISTORY_SHOWN_S, HORIZONS_SHOWN * forecast.steps * forecast.step_s)
    first_s = forecast.start_s - shown_s
    shown = past_s >= first_s
    ahead_s = grid_s(forecast.start_s, forecast.step_s, forecast.steps)
    return FanPanel(
        title=names[0] if len(names) == 1 else f"all {len(names)} workloads",
        unit=UNITS.get(indicator, indicator),
        speakers=_speakers(forecast, names),
        past_s=past_s[shown],
        past=past[shown],
        ahead_s=ahead_s,
        fan=Fan.of(futures.astype(np.float64)),
        gaps_s=_gaps_s(np.isnan(past[shown]), past_s[shown], history.step_s),
        events=_events(history, names, first_s, float(ahead_s[-1])),
    )


def _speakers(forecast: DemandForecast, names: Sequence[str]) -> str:
    models = [v.model for v in forecast.verdicts if set(v.series) & set(names)]
    if len(models) < 2:
        return "".join(f"{model} speaks" for model in models)
    return f"{', '.join(models[:-1])} and {models[-1]} speak"


def _gaps_s(missing: BoolArray, at_s: FloatArray, step_s: float) -> tuple[tuple[float, float], ...]:
    """From the last step before each gap to the first one after it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    return tuple(
        (float(at_s[start] - step_s), float(at_s[stop - 1] + step_s))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    )


def _events(
    history: DemandHistory, names: Sequence[str], first_s: float, last_s: float
) -> tuple[Event, ...]:
    return tuple(
        event
        for event in history.events
        if event.start_s <= last_s
        and event.end_s > first_s
        and (not event.series or set(event.series) & set(names))
    )


def _draw(axis: "Axes", panel: FanPanel) -> None:
    axis.plot(
        _times(panel.past_s), panel.past, color=HISTORY_COLOR, linewidth=1.1, label="observed"
    )
    draw_fan(axis, _times(panel.ahead_s), panel.fan)
    axis.set_ylim(bottom=0.0)
    axis.margins(x=0.01, y=0.12)
    for number, (begin_s, end_s) in enumerate(panel.gaps_s):
        _span(axis, begin_s, end_s, HISTORY_COLOR, "" if number else "not observed", hatch="////")
    _draw_events(axis, panel)
    title = f"{panel.title}: {panel.speakers}" if panel.speakers else panel.title
    axis.set_title(title, color=INK, fontsize=9, loc="left")
    axis.set_xlabel("time (UTC)", color=INK, fontsize=8)
    axis.set_ylabel(panel.unit, color=INK, fontsize=8)
    _date_ticks(axis)
    quiet(axis)


def _draw_events(axis: "Axes", panel: FanPanel) -> None:
    first_s, last_s = panel.past_s[0], panel.ahead_s[-1]
    for number, event in enumerate(panel.events):
        begin_s, end_s = max(event.start_s, first_s), min(event.end_s, last_s)
        _span(axis, begin_s, end_s, PLAN_COLOR, "" if number else "known event")
        axis.annotate(
            event.name,
            (_times(np.array([begin_s]))[0], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, -2),
            textcoords="offset points",
            va="top",
            fontsize=7,
            color=INK,
        )


def _span(
    axis: "Axes", begin_s: float, end_s: float, color: str, label: str, hatch: str = ""
) -> None:
    begin, end = _times(np.array([begin_s, end_s]))
    axis.axvspan(begin, end, color=color, alpha=0.18, linewidth=0, hatch=hatch, label=label)


def _date_ticks(axis: "Axes") -> None:
    from matplotlib.dates import (  # noqa: PLC0415 - half a second, only for pictures
        AutoDateLocator,
        ConciseDateFormatter,
    )

    locator = AutoDateLocator(minticks=4, maxticks=8)  # type: ignore[no-untyped-call]  # matplotlib
    axis.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]  # matplotlib
    axis.xaxis.set_major_formatter(formatter)
    axis.xaxis.get_offset_text().set(color=INK, fontsize=8)


def _times(at_s: FloatArray) -> FloatArray:
    """Places on a time axis: days since the epoch of matplotlib, in UTC."""
    from matplotlib.dates import date2num  # noqa: PLC0415 - half a second, only for pictures

    millis = np.round(at_s * 1000.0).astype("datetime64[ms]")
    days = date2num(millis)  # type: ignore[no-untyped-call]  # matplotlib
    return np.asarray(days, dtype=np.float64)
