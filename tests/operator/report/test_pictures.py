import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from nodemix.forecasting.types import DemandForecast, DemandHistory
from nodemix.operator.report.document import to_document
from nodemix.operator.report.pareto import pareto_caption, pareto_picture, pareto_words
from nodemix.operator.report.pictures import (
    cost_picture,
    cost_words,
    demand_panels,
    demand_picture,
    demand_words,
    plan_pictures,
)

from tests.operator.report.examples import MADE_AT_S, a_recommendation, a_weighed_recommendation

STEP_S = 900.0
SERIES = ("cluster", "ml/Job/train", "shop/Deployment/cart")
PARENTS = ("", "cluster", "cluster")


def a_history(steps: int = 400) -> DemandHistory:
    levels = np.array([13.0, 3.0, 10.0])
    values = np.repeat(levels[:, None, None], steps, axis=2)
    start_s = MADE_AT_S - steps * STEP_S
    return DemandHistory(SERIES, ("pods",), start_s, STEP_S, values, PARENTS)


def a_forecast(draws: int = 101, steps: int = 8) -> DemandForecast:
    """Draw i asks for i pods of cart and 3 of train."""
    samples = np.full((draws, 3, steps, 2), 3.0, dtype=np.float32)
    samples[:, 2] = np.arange(draws)[:, None, None]
    samples[..., 0] = 999.0  # an indicator that is not pods
    return DemandForecast(SERIES, ("cpu_milli", "pods"), MADE_AT_S, STEP_S, samples)


def panels() -> tuple:  # type: ignore[type-arg]  # panels are compared field by field
    return demand_panels(a_history(), a_forecast(), to_document(a_recommendation()))


def test_total_counts_each_workload_once_and_no_parent() -> None:
    total = panels()[0]

    assert total.title == "all 2 workloads"
    assert total.past == pytest.approx(13.0)


def test_fan_of_the_total_is_taken_over_joint_paths() -> None:
    total = panels()[0]

    assert total.fan.bands[:, :, 0] == pytest.approx(
        np.array([(2.5 + 3, 97.5 + 3), (10 + 3, 90 + 3), (25 + 3, 75 + 3)])
    )
    assert total.fan.median == pytest.approx(50 + 3)


def test_largest_planned_workload_comes_first() -> None:
    assert [panel.title for panel in panels()[1:]] == ["shop/Deployment/cart", "ml/Job/train"]


def test_planned_capacity_is_the_documents() -> None:
    assert [panel.planned for panel in panels()] == [12, 12, None]


def test_at_most_two_days_of_history_are_shown() -> None:
    long = demand_panels(a_history(2000), a_forecast(), to_document(a_recommendation()))

    assert long[0].past_h.min() == pytest.approx(-48.0)


def test_time_is_relative_to_the_first_forecast_step() -> None:
    cart = panels()[1]

    assert cart.past_h.max() == pytest.approx(-0.25)
    assert cart.ahead_h.min() == 0.0


def test_without_a_common_series_there_is_no_picture() -> None:
    other = DemandForecast(("x",), ("pods",), 0.0, STEP_S, np.zeros((1, 1, 1, 1), dtype=np.float32))

    assert demand_panels(a_history(), other, to_document(a_recommendation())) == ()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: cost_picture(to_document(a_recommendation())),
        lambda: demand_picture(panels()[0]),
        lambda: pareto_picture(to_document(a_weighed_recommendation())),
    ],
)
class TestSvg:
    def test_is_one_well_formed_svg_element(self, draw: object) -> None:
        assert ET.fromstring(draw()).tag.endswith("svg")  # type: ignore[operator]  # noqa: S314 - ours

    def test_is_the_same_text_every_time(self, draw: object) -> None:
        assert draw() == draw()  # type: ignore[operator]

    def test_takes_the_pages_text_colour(self, draw: object) -> None:
        svg = draw()  # type: ignore[operator]

        assert "currentColor" in svg
        assert "#010203" not in svg


def test_cost_picture_shows_the_three_costs() -> None:
    svg = cost_picture(to_document(a_recommendation()))

    for text in ("0.77", "0.12", "now", "plan", "lower bound"):
        assert f">{text}<" in svg


def test_a_gap_in_the_history_is_not_drawn_as_zero() -> None:
    history = a_history()
    history.values[:, :, 350] = np.nan

    total = demand_panels(history, a_forecast(), to_document(a_recommendation()))[0]

    assert np.isnan(total.past).sum() == 1


def test_the_baseline_is_a_bar_where_it_is_known() -> None:
    document = to_document(a_weighed_recommendation())

    assert ">karpenter-like<" in cost_picture(document)
    assert ">karpenter-like<" not in cost_picture(to_document(a_recommendation()))
    assert cost_words(document) == (
        "USD per hour: now 2.0976, karpenter-like 1.1840, plan 0.8796, lower bound 0.8613"
    )


def test_the_front_shows_each_option_by_name_and_the_chosen_one_bold() -> None:
    svg = pareto_picture(to_document(a_weighed_recommendation()))

    for name in ("cheaper", "chosen", "safer", "steadier"):
        assert f">{name}<" in svg
    (style,) = re.findall(r'<text style="([^"]*)"[^>]*>chosen<', svg)
    assert "700" in style or "bold" in style


def test_the_front_is_told_in_words_with_interruptions_in_the_money() -> None:
    words = pareto_words(to_document(a_weighed_recommendation()))

    assert words.startswith("5 points of the front of cost and CVaR; plans: cheaper 0.77")
    assert "chosen 0.8809 $/h at 3.8%" in words


def test_without_options_and_front_there_is_no_picture_of_them() -> None:
    assert pareto_picture(to_document(a_recommendation())) == ""


def test_a_front_that_is_not_there_is_not_spoken_of() -> None:
    document = to_document(replace(a_weighed_recommendation(), front=()))

    assert "front" not in pareto_caption(document)
    assert pareto_words(document).startswith("plans: cheaper 0.77")


def test_options_without_any_risk_can_be_drawn() -> None:
    calm = a_weighed_recommendation()
    options = tuple(replace(o, risk=replace(o.risk, cvar=0.0)) for o in calm.options)

    assert ">chosen<" in pareto_picture(to_document(replace(calm, front=(), options=options)))


def test_demand_is_told_in_words() -> None:
    assert demand_words(panels()[1]) == (
        "Pods of shop/Deployment/cart: median 50 now and 50 at the end of the forecast, "
        "95 % within 3 to 98, the plan has room for 12"
    )


def test_a_report_shows_costs_other_plans_and_demand() -> None:
    document = to_document(a_weighed_recommendation())

    pictures = plan_pictures(document, a_history(), a_forecast())

    assert [picture.caption.split()[0] for picture in pictures] == [
        "Cost", "What", "Demand", "Likewise:", "Likewise:",
    ]  # fmt: skip
    assert all(picture.alternative for picture in pictures)


def test_without_a_forecast_a_report_shows_the_costs_alone() -> None:
    assert len(plan_pictures(to_document(a_recommendation()), None, None)) == 1
