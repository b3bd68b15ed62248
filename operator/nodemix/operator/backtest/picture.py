"""A backtest as a picture: what was paid and what lacked a place, over time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from nodemix.operator.report.pictures import (
    BOUND_COLOR,
    HISTORY_COLOR,
    NOW_COLOR,
    PLAN_COLOR,
    Picture,
    legend_above,
)
from nodemix.operator.report.svg import INK, quiet, to_svg
from nodemix.simulator.backtest import HINDSIGHT
from nodemix.simulator.replay import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = "Above: what each policy paid. Below: the share of all requests that had no place"
LEAST_PERCENT = 1.0
"""Of the lower axis, so that nothing looks like nothing."""
STYLES = (
    ("nodemix", PLAN_COLOR, "-", 1.8),
    ("static", HISTORY_COLOR, "-", 1.0),
    ("reactive", NOW_COLOR, "-", 1.0),
    ("perfect", BOUND_COLOR, "--", 1.0),
)
"""By the beginning of the policy's name."""


def backtest_picture(runs: Sequence[Run]) -> Picture:
    """Cost and shortage of every run as SVG; reactive in hindsight is left to the table."""
    return Picture(CAPTION, to_svg(backtest_figure(runs), salt="backtest"))


def backtest_figure(runs: Sequence[Run]) -> "Figure":
    """The figure itself."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    cost, short = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for run in (run for run in runs if not run.policy.endswith(HINDSIGHT)):
        _draw(cost, run, [i.usd_per_hour for i in run.intervals])
        _draw(short, run, [100.0 * i.share_short for i in run.intervals])
    for axis, label in ((cost, "USD per hour"), (short, "% of requests\nwithout a place")):
        axis.set_ylabel(label, color=INK, fontsize=8)
        axis.set_ylim(0.0, max(axis.get_ylim()[1], LEAST_PERCENT if axis is short else 0.0))
        axis.margins(x=0.01)
        quiet(axis)
    _dates(short)
    legend_above(figure, cost)
    return figure


def _draw(axis: "Axes", run: Run, values: Sequence[float]) -> None:
    color, line, width = next(
        (style[1:] for style in STYLES if run.policy.startswith(style[0])), (INK, "-", 1.0)
    )
    edges = [*(i.start_s for i in run.intervals), run.intervals[-1].end_s]
    times = np.array([datetime.fromtimestamp(at_s, UTC) for at_s in edges])
    heights = [*values, values[-1]]
    axis.step(times, heights, where="post", color=color, linestyle=line, linewidth=width,
              label=run.policy)  # fmt: skip


def _dates(axis: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 - likewise

    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_formatter(formatter)
    axis.xaxis.get_offset_text().set_color(INK)
    axis.set_xlabel("UTC", color=INK, fontsize=8)
