"""The front of cost and risk as a picture: what could be had, and what was chosen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodemix.operator.report.document import PlanDocument
from nodemix.operator.report.options import CHOSEN, FrontPointEntry, OptionEntry
from nodemix.operator.report.svg import INK, PICTURE_INCHES, label_axes, quiet, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONT_COLOR = "#7d8590"
OPTION_COLOR = "#2f81f7"
CHOSEN_COLOR = "#2da44e"
TOP, SMALLEST_SHOWN = 1.3, 0.5
"""Of the vertical axis: room above the highest mark, and its least height in percent."""
LABEL_GAPS = ((7, 5), (7, 17))
"""Points right and up of a mark at which its name stands; neighbours take turns."""

CAPTION = (
    "What else could be had: cost with expected interruptions, against the mean share of demand "
    "without a place in the worst cases (CVaR)"
)
FRONT_CAPTION = (
    ". The grey front is of mixes of pools before pods are packed; the named plans are packed and "
    "scored on scenarios of their own"
)


def pareto_picture(document: PlanDocument) -> str:
    """Front, options and the chosen one, as SVG; empty where there is nothing to compare."""
    if not document.options and not document.front:
        return ""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only for pictures

    figure = Figure(figsize=(PICTURE_INCHES, 2.8), layout="constrained")
    axis = figure.subplots()
    _draw_front(axis, document.front)
    in_order = sorted(document.options, key=_money)
    for number, option in enumerate(in_order):
        _draw_option(axis, option, LABEL_GAPS[number % len(LABEL_GAPS)])
    axis.margins(x=0.16)
    axis.set_ylim(0.0, TOP * max(SMALLEST_SHOWN, *_risks_percent(document)))
    label_axes(axis, "USD per hour", "CVaR, % of demand")
    quiet(axis)
    return to_svg(figure, salt="pareto")


def _risks_percent(document: PlanDocument) -> list[float]:
    risks = [point.cvar for point in document.front]
    risks += [option.risk.cvar for option in document.options]
    return [100.0 * risk for risk in risks]


def _draw_front(axis: "Axes", front: Sequence[FrontPointEntry]) -> None:
    axis.plot(
        [point.usd_per_hour for point in front],
        [100.0 * point.cvar for point in front],
        color=FRONT_COLOR,
        marker="o",
        markersize=3.5,
        linewidth=1.0,
        clip_on=False,
    )


def pareto_caption(document: PlanDocument) -> str:
    """What the picture is of; of the front only where there is one."""
    return CAPTION + FRONT_CAPTION if document.front else CAPTION


def pareto_words(document: PlanDocument) -> str:
    """The same for people who do not see it."""
    said = [
        f"{option.name} {_money(option):.4f} $/h at {option.risk.cvar:.1%}"
        for option in document.options
    ]
    points = len(document.front)
    front = [f"{points} points of the front of cost and CVaR"] if points else []
    return "; ".join([*front, *([f"plans: {', '.join(said)}"] if said else [])])


def _money(option: OptionEntry) -> float:
    """On the scale of the front, which counts expected interruptions."""
    return option.usd_per_hour + option.risk.interruption_usd_per_hour


def _draw_option(axis: "Axes", option: OptionEntry, label_gap: tuple[int, int]) -> None:
    is_chosen = option.name == CHOSEN
    color = CHOSEN_COLOR if is_chosen else OPTION_COLOR
    place = (_money(option), 100.0 * option.risk.cvar)
    axis.plot(
        *place,
        marker="D" if is_chosen else "o",
        markersize=9 if is_chosen else 6,
        markerfacecolor=color if is_chosen else "none",
        markeredgecolor=color,
        markeredgewidth=1.6,
        clip_on=False,
        zorder=3,
    )
    axis.annotate(
        option.name,
        place,
        xytext=label_gap,
        textcoords="offset points",
        color=INK,
        fontsize=9,
        fontweight="bold" if is_chosen else "normal",
    )
