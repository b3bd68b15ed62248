import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.types import DemandForecast, DemandHistory, Event, ModelVerdict
from nodemix.operator.report.fan import Fan
from nodemix.operator.report.fan_chart import fan_panels, fan_png, fan_svg

from tests.forecasting.histories import START_S, STEP_S, make_forecast, make_history

STEPS, AHEAD_S = 500, START_S + 500 * STEP_S
SMALL, LARGE = "shop/Deployment/0", "shop/Deployment/1"


def a_history(**fields: Any) -> DemandHistory:
    return make_history(np.full(STEPS, 3.0), np.full(STEPS, 10.0), **fields)


def a_forecast(**fields: Any) -> DemandForecast:
    """Draw i asks for 3 pods of the small one and for i of the large one."""
    samples = np.full((101, 2, 8, 1), 3.0)
    samples[:, 1] = np.arange(101.0)[:, None, None]
    return make_forecast(samples, start_s=AHEAD_S, **fields)


def test_bands_hold_the_shares_they_name() -> None:
    fan = Fan.of(np.arange(101.0)[:, None].repeat(4, axis=1))

    assert fan.bands[:, :, 0] == pytest.approx(np.array([(2.5, 97.5), (10, 90), (25, 75)]))
    assert fan.median == pytest.approx(50.0)


def test_shown_paths_are_whole_draws_calm_middling_and_busy() -> None:
    futures = np.random.default_rng(0).normal(10.0, 3.0, (60, 5))

    paths = Fan.of(futures).paths

    assert all(any(np.array_equal(path, draw) for draw in futures) for path in paths)
    assert np.all(np.diff(np.sort(paths.max(axis=1))) > 0)


def test_all_together_come_first_then_the_largest() -> None:
    panels = fan_panels(a_history(), a_forecast(), "pods")

    assert [panel.title for panel in panels] == ["all 2 workloads", LARGE, SMALL]
    assert panels[0].past == pytest.approx(13.0)
    assert panels[0].fan.median == pytest.approx(53.0)


def test_only_the_series_asked_for_are_shown() -> None:
    assert [p.title for p in fan_panels(a_history(), a_forecast(), "pods", [SMALL])] == [SMALL]


def test_a_gap_is_marked_from_the_last_step_before_to_the_first_after() -> None:
    history = a_history()
    history.values[0, 0, 480:485] = np.nan

    (panel,) = fan_panels(history, a_forecast(), "pods", [SMALL])

    assert panel.gaps_s == ((START_S + 479 * STEP_S, START_S + 485 * STEP_S),)


def test_only_events_of_the_series_and_the_time_are_shown() -> None:
    soon, past = (AHEAD_S, AHEAD_S + STEP_S), (START_S, START_S + STEP_S)
    events = (Event("sale", *soon, (LARGE,)), Event("batch", *soon), Event("old", *past))

    (panel,) = fan_panels(a_history(events=events), a_forecast(), "pods", [SMALL])

    assert [event.name for event in panel.events] == ["batch"]


def test_the_caption_says_which_models_speak_for_the_series() -> None:
    verdicts = (
        ModelVerdict("flow", (SMALL, LARGE), "best"),
        ModelVerdict("ets", (LARGE,), "good"),
        ModelVerdict("last-value", (), "not chosen"),
    )

    small, large = fan_panels(a_history(), a_forecast(verdicts=verdicts), "pods", [SMALL, LARGE])

    assert small.caption.endswith("flow speaks")
    assert large.caption.endswith("flow and ets speak")


@pytest.mark.parametrize(("indicator", "unit"), [("cpu_milli", "milli-cores"), ("qps", "qps")])
def test_the_axis_names_the_unit(indicator: str, unit: str) -> None:
    history = a_history(indicators=(indicator,))

    panels = fan_panels(history, a_forecast(indicators=(indicator,)), indicator)

    assert unit in fan_svg(panels)


def test_the_picture_is_one_svg_that_suits_dark_screens_and_says_utc() -> None:
    svg = fan_svg(fan_panels(a_history(), a_forecast(), "pods"))

    assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - ours
    for part in ("prefers-color-scheme:dark", "currentColor", "time (UTC)", LARGE, ">95 %<"):
        assert part in svg
    assert svg == fan_svg(fan_panels(a_history(), a_forecast(), "pods"))


def test_a_png_is_a_png() -> None:
    assert fan_png(fan_panels(a_history(), a_forecast(), "pods", [SMALL])).startswith(b"\x89PNG")
