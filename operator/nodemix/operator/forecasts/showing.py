"""``nodemix forecast show``: a forecast as a picture or a page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
from nodemix.forecasting.champion import DEFAULTS, ForecastSettings, Make, forecast_demand
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.types import DemandForecast, DemandHistory, Event, Horizon
from nodemix.operator.forecasts.inputs import known_indicator, known_series
from nodemix.operator.report.fan_chart import FanPanel, fan_panels, fan_pictures, fan_png, fan_svg


class PictureFormat(StrEnum):
    """By the end of the file's name."""

    SVG = ".svg"
    PNG = ".png"
    HTML = ".html"


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A forecast and what it was made from.

    Args:
        history: as observed, holes and all.
        panels: what is drawn.
    """

    history: DemandHistory
    forecast: DemandForecast
    panels: tuple[FanPanel, ...]

    def written(self, form: PictureFormat) -> bytes:
        """The file of that format."""
        match form:
            case PictureFormat.PNG:
                return fan_png(self.panels)
            case PictureFormat.SVG:
                return fan_svg(self.panels).encode()
            case PictureFormat.HTML:
                return self.to_html().encode()

    def to_html(self) -> str:
        """A page that needs no network."""
        from nodemix.operator.report.html import render_forecast  # noqa: PLC0415 - only for pages

        return render_forecast(
            self.forecast,
            fan_pictures(self.panels),
            self.facts(),
            [event_line(event) for event in self.history.events],
        )

    def facts(self) -> str:
        """What was asked, in a line."""
        forecast, history = self.forecast, self.history
        hours = forecast.steps * forecast.step_s / 3600.0
        days = history.steps * history.step_s / 86_400.0
        return (
            f"{len(forecast.series)} series, {hours:g} h ahead of {_utc(history.end_s)} in steps "
            f"of {forecast.step_s / 60.0:g} min, from {days:.1f} days of demand"
        )


def forecast_of(
    history: DemandHistory,
    horizon: Horizon,
    seed: int,
    settings: ForecastSettings = DEFAULTS,
    make: Make | None = None,
) -> Shown:
    """Forecast what comes after ``history``; nothing is chosen to be drawn yet.

    Args:
        history: as observed, holes and all; its end is taken for now.
        horizon: see there.
        seed: of every random draw.
        settings: which models may speak.
        make: how costly models are made.

    Raises:
        HistoryError: nothing can be forecast.
    """
    rng = np.random.default_rng(seed)
    forecast = forecast_demand(history, horizon, rng, history.end_s, settings, make)
    return Shown(history, forecast, ())


def drawn(shown: Shown, series: Sequence[str], indicator: str | None) -> Shown:
    """The same with what is drawn of it.

    Args:
        series: None of them draws all together, and the largest ones.
        indicator: None for the first of the history.

    Raises:
        HistoryError: a series or the indicator is not in the forecast.
    """
    name = known_indicator(shown.history, indicator)
    known_series(shown.history, series)
    silent = [of for of in series if of not in shown.forecast.series]
    if silent:
        raise HistoryError(f"{silent[0]}: it was left out of the forecast; see the warnings")
    panels = fan_panels(shown.history, shown.forecast, name, series)
    return replace(shown, panels=panels)


def format_of(path: Path) -> PictureFormat | None:
    """What ``path`` is to hold; None where its name does not say."""
    return next((form for form in PictureFormat if form == path.suffix.lower()), None)


def event_line(event: Event) -> str:
    """An event in words."""
    whom = ", ".join(event.series) or "all series"
    return f"{event.name}: {_utc(event.start_s)} to {_utc(event.end_s)}, {whom}"


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
