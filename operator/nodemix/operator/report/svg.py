"""Figures as SVG text that takes its text colour from the page.

The same figure gives the same bytes: no dates, fixed ids.
"""

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the colour of the page's text; becomes ``currentColor`` in the SVG."""
PICTURE_INCHES = 4.2
"""Width at which text is still read on a phone, where the picture is as wide as the screen."""


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


def label_axes(axis: "Axes", horizontal: str, vertical: str = "") -> None:
    """Names of the axes in the page's text colour."""
    axis.set_xlabel(horizontal, color=INK, fontsize=9)
    axis.set_ylabel(vertical, color=INK, fontsize=9)


def quiet(axis: "Axes") -> None:
    """Axes in the page's text colour, without a box."""
    axis.tick_params(colors=INK, labelsize=8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(INK)
        axis.spines[side].set_alpha(0.5)
