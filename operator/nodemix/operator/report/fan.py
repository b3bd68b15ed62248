"""A fan of futures: nested bands of a forecast, its median and a few of its paths."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from nodemix.forecasting.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAN_COLOR = "#2f81f7"
PATH_COLOR = "#9a6dd7"

CENTRAL = (0.95, 0.80, 0.50)
"""Shares of the futures that the bands hold, the widest first."""

SHADES = (0.15, 0.22, 0.4)
"""Opacity of each band; they lie on each other, and add up."""

SHOWN_PATHS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """What is drawn of many futures of one demand.

    Args:
        bands: lower and upper end of each of ``CENTRAL``, shape (bands, 2, steps).
        median: shape (steps,).
        paths: a few of the futures, shape (paths, steps).
    """

    bands: FloatArray
    median: FloatArray
    paths: FloatArray

    @classmethod
    def of(cls, futures: FloatArray) -> "Fan":
        """The fan of joint paths, shape (draws, steps).

        Shown are a calm one, a middling one and a busy one by their highest demand, whole as they
        were drawn.
        """
        levels = [(0.5 - share / 2, 0.5 + share / 2) for share in CENTRAL]
        bands = np.stack([np.quantile(futures, pair, axis=0) for pair in levels])
        by_height = np.argsort(futures.max(axis=1), kind="stable")
        places = (np.arange(SHOWN_PATHS) + 0.5) / SHOWN_PATHS * len(futures)
        shown = np.unique(by_height[places.astype(np.int64)])
        return cls(bands, np.median(futures, axis=0), futures[shown])


def draw_fan(axis: "Axes", ahead: FloatArray, fan: Fan) -> None:
    """Draw ``fan`` at ``ahead``, the places of its steps on the horizontal axis."""
    for share, shade, (low, high) in zip(CENTRAL, SHADES, fan.bands, strict=True):
        axis.fill_between(
            ahead,
            low,
            high,
            color=FAN_COLOR,
            alpha=shade,
            linewidth=0,
            label=f"{100 * share:.0f} %",
        )
    for number, path in enumerate(fan.paths):
        label = "" if number else "possible futures"
        axis.plot(ahead, path, color=PATH_COLOR, linewidth=0.8, alpha=0.9, label=label)
    axis.plot(ahead, fan.median, color=FAN_COLOR, linewidth=1.8, label="median")
