"""A backtest as one HTML file that needs no network."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from nodemix.operator.backtest.asking import Told
from nodemix.operator.backtest.picture import backtest_picture
from nodemix.operator.backtest.text import (
    CLOSING_LINE,
    COLUMNS,
    LEGEND,
    facts,
    rows_of,
    sentences,
)


def render_page(told: Told) -> str:
    """The page; everything but the picture is escaped."""
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("nodemix.operator.backtest"), PackageLoader("nodemix.operator.report")]
        ),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    picture = backtest_picture(told.found.runs)
    return environment.get_template("backtest.html.j2").render(
        told=told,
        facts=facts(told),
        sentences=sentences(told),
        columns=COLUMNS,
        rows=rows_of(told),
        legend=LEGEND,
        caption=picture.caption,
        svg=Markup(picture.svg),  # noqa: S704 - drawn by us
        closing_line=CLOSING_LINE,
    )
