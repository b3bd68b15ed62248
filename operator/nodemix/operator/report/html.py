"""A plan, or a forecast, as one HTML file that needs no network."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup
from nodemix.forecasting.types import DemandForecast
from nodemix.operator.report.actions import CHANGED, GONE, KEPT, NEW, actions
from nodemix.operator.report.document import PlanDocument
from nodemix.operator.report.heat import COLUMNS, heat_rows
from nodemix.operator.report.options import CHOSEN
from nodemix.operator.report.pictures import Picture
from nodemix.operator.report.wording import (
    CLOSING_LINE,
    OPTION_COLUMNS,
    baseline_line,
    blocker_line,
    bound_line,
    capacity_lines,
    fairness_lines,
    header_line,
    marginal_prices,
    monthly,
    note_line,
    option_figures,
    placed_line,
    risk_lines,
    rule_cost_line,
    runner_up_name,
    runner_up_price,
    saving_sources,
    sizes_line,
)
from nodemix.optimizer.placement.mode import PlacementMode

MODES = {
    PlacementMode.OBSERVE: "pods go wherever kube-scheduler puts them",
    PlacementMode.POOL: "a workload goes to the pools that hold it",
    PlacementMode.COHORT: "so many pods of a workload go to each set of equal nodes",
    PlacementMode.PINNED: "each pod goes to its node",
}
"""What each placement mode means."""

SOURCES = {
    "spot": "the same nodes on spot, not on demand, less what today's spot nodes save already",
    "shape": "instance types that give more for the same money",
    "packing": "fewer and fuller nodes",
    "pods that wait": "places for pods that wait today or whose nodes have no known price",
    "headroom": "places for pods that are forecast",
    "commitments": "nodes at the price of a commitment instead of the market's",
}
"""What each source of the saving means."""


SIGNS = {
    NEW: ("add", "a new pool"),
    CHANGED: ("alter", "more or fewer nodes"),
    GONE: ("remove", "none any more"),
    KEPT: ("quiet", "as many as now"),
}
"""Class and meaning of the sign before a pool."""


def render_html(document: PlanDocument, pictures: Sequence[Picture] = ()) -> str:
    """``document`` and ``pictures`` as one page; everything but the pictures is escaped."""
    return _template("report.html.j2").render(
        plan=document,
        pictures=pictures,
        actions=actions(document.pools),
        signs=SIGNS,
        heat_columns=COLUMNS,
        heat_rows=heat_rows(document),
        option_columns=OPTION_COLUMNS,
        chosen=CHOSEN,
        modes=MODES,
        savings=[(name, usd, SOURCES[name]) for name, usd in saving_sources(document)],
        has_margins=any(pool.node_more_usd_per_hour is not None for pool in document.pools),
        notes=[(note.severity, note_line(note)) for note in document.notes],
        **_lines(document),
    )


def _lines(document: PlanDocument) -> dict[str, str | list[str]]:
    """The sentences of the page, by the name that the template has for them."""
    return {
        "header_line": header_line(document),
        "sizes_line": sizes_line(document),
        "bound_line": bound_line(document),
        "placed_line": placed_line(document),
        "baseline_line": baseline_line(document.baseline, document),
        "monthly_saving": monthly(document.saving_usd_per_hour),
        "marginal_prices": marginal_prices(document),
        "risk_lines": risk_lines(document.risk),
        "capacity_lines": capacity_lines(document),
        "fairness_lines": fairness_lines(document.fairness),
        "blocker_lines": [blocker_line(blocker) for blocker in document.blockers],
        "rule_lines": [rule_cost_line(cost) for cost in document.rule_costs],
        "closing_line": CLOSING_LINE,
    }


def render_forecast(
    forecast: DemandForecast, pictures: Sequence[Picture], facts: str, events: Sequence[str] = ()
) -> str:
    """``forecast`` as one page; everything but the pictures is escaped.

    Args:
        facts: what was asked, in a line.
        events: what is known to happen, each in a line.
    """
    return _template("forecast.html.j2").render(
        facts=facts,
        pictures=[(picture.caption, Markup(picture.svg)) for picture in pictures],  # noqa: S704
        verdicts=forecast.verdicts,
        events=events,
        warnings=forecast.warnings,
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("nodemix.operator.report"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["trusted"] = Markup
    environment.filters["option_figures"] = option_figures
    environment.filters["usd"] = _usd
    environment.filters["signed"] = _signed
    environment.filters["runner_up_name"] = runner_up_name
    environment.filters["runner_up_price"] = runner_up_price
    return environment.get_template(name)


def _usd(amount: float | None, decimals: int = 4) -> str:
    return "?" if amount is None else f"{amount:.{decimals}f}"


def _signed(amount: float | None) -> str:
    """With its sign; empty where it is unknown."""
    if amount is None:
        return ""
    rounded = round(amount, 4)
    return f"{rounded:+.4f}" if rounded else "0"
