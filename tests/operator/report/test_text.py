from dataclasses import replace

import pytest
from nodemix.operator.report.text import render_text
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.plan import PlacedCosts, PoolChange, PoolMargins, Recommendation, RunnerUp
from nodemix.optimizer.snapshot import CapacityType

from tests.operator.report.examples import a_recommendation
from tests.operator.report.golden_files import FOLDER, golden_texts, printed


def shown(recommendation: Recommendation | None = None, width: int = 120) -> str:
    return printed(render_text, recommendation or a_recommendation(), width)


@pytest.mark.parametrize("name", golden_texts())
def test_text_is_the_golden_one(name: str) -> None:
    assert golden_texts()[name] == (FOLDER / name).read_text(), (
        "see tests/operator/report/golden_files.py for how to write it anew"
    )


def test_every_golden_file_is_compared() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(golden_texts())


@pytest.mark.parametrize("name", golden_texts())
def test_lines_fit_and_end_without_blanks(name: str) -> None:
    width = int(name.removesuffix(".txt").rpartition("-")[2])

    for line in golden_texts()[name].splitlines():
        assert len(line) <= width
        assert line == line.rstrip()
        assert "\N{HORIZONTAL ELLIPSIS}" not in line


def test_last_line_says_that_nothing_was_changed() -> None:
    assert shown().splitlines()[-1] == "dry-run: nothing was changed"


def test_without_a_change_the_verdict_is_keep() -> None:
    assert "Keep: now" in shown(replace(a_recommendation(), is_change=False))


def test_without_a_forecast_the_shortfall_is_unknown() -> None:
    calm = a_recommendation()
    calm = replace(calm, risk=replace(calm.risk, shortfall_probability=None), forecast_model="")

    assert "shortfall unknown without a forecast" in shown(calm)
    assert "forecast by" not in shown(calm)


def test_an_unchanged_pool_shows_no_change_of_cost() -> None:
    pool = PoolChange("m5.large", "a", CapacityType.SPOT, 2, 2, 0.05, "kept")

    assert " = " in shown(replace(a_recommendation(), pools=(pool,))).splitlines()[2]


def test_brackets_in_names_are_text_and_not_markup() -> None:
    pool = PoolChange("m5.large", "a", CapacityType.SPOT, 2, 2, 0.05, "[red]fits[/red]")

    assert "[red]fits[/red]" in shown(replace(a_recommendation(), pools=(pool,)))


def test_every_note_is_shown() -> None:
    text = shown()

    assert "[info] shop/Deployment/cart: preferred node affinity is left out" in text
    assert "[warning] node-1: no instance type label; label it" in text


def test_pools_of_one_type_that_all_end_share_a_row() -> None:
    ends = [
        PoolChange("m5.large", f"us-east-1{z}", CapacityType.ON_DEMAND, n, 0, 0.1, "cheaper")
        for z, n in (("a", 2), ("b", 3))
    ]
    stays = PoolChange("m5.large", "us-east-1c", CapacityType.ON_DEMAND, 4, 4, 0.1, "cheaper")

    text = shown(replace(a_recommendation(), pools=(*ends, stays)))

    assert "m5.large us-east-1a/b on-demand" in text
    assert " 5 -> 0 " in text
    assert " -0.5000 " in text
    assert "m5.large us-east-1c on-demand" in text


def test_reason_stands_below_its_pool_where_the_console_is_narrow() -> None:
    lines = shown(width=80).splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("c7g.xlarge us-east-1b spot"))

    assert lines[row + 1].startswith("cheapest room for")


def test_large_amounts_have_cents_and_small_ones_four_decimals() -> None:
    large = replace(a_recommendation(), current_usd_per_hour=12.34567)

    assert "now 12.35 $/h, plan 0.1200 $/h" in shown(large)


def test_saving_is_given_a_month_too() -> None:
    assert "about 473 $ a month" in shown()


def test_sources_of_the_saving_that_round_to_nothing_are_not_named() -> None:
    line = next(line for line in shown().splitlines() if line.startswith("Savings: "))

    assert line == "Savings: spot +0.1640, shape +0.1200, packing +0.3840, headroom -0.0200 $/h"


def test_without_sources_there_is_no_line_of_them() -> None:
    assert "Savings:" not in shown(replace(a_recommendation(), savings=None))


def placed_at(usd_per_hour: float, mode: PlacementMode) -> Recommendation:
    cost = PlacedCost(mode, usd_per_hour, 0.0, draws=1)
    return replace(a_recommendation(), placed=PlacedCosts(mode, (cost,)))


def test_a_plan_that_loses_nothing_by_placing_says_so() -> None:
    text = shown(placed_at(0.12, PlacementMode.OBSERVE))

    assert "Placed: 0.1200 $/h expected in mode observe (as planned), 100% of" in text


def test_a_plan_that_placing_makes_dearer_than_today_keeps_less_than_nothing() -> None:
    text = shown(placed_at(0.8, PlacementMode.OBSERVE))

    assert "(+566.7% on the plan), -5% of the saving is left" in text


def test_keeping_todays_nodes_gives_no_placed_cost() -> None:
    assert "Placed:" not in shown(replace(a_recommendation(), placed=None))


def bought_beside(runner_up: RunnerUp) -> Recommendation:
    """A pool of m5.large on spot in zone a at 0.05."""
    margins = PoolMargins(0.0, 0.0, runner_up)
    pool = PoolChange("m5.large", "a", CapacityType.SPOT, 0, 2, 0.05, "cheap", margins)
    return replace(a_recommendation(), pools=(pool,))


@pytest.mark.parametrize(
    ("runner_up", "line"),
    [
        (RunnerUp("m6.large", "a", CapacityType.SPOT, 0.06, 0.05), "m6.large 0.0600, wins <0.0500"),
        (
            RunnerUp("m6.large", "b", CapacityType.ON_DEMAND, 0.09, 0.07),
            "m6.large b on-demand 0.0900, wins <0.0700",
        ),
        (RunnerUp("m6.large", "a", CapacityType.SPOT, 0.04, 0.05), "m6.large 0.0400, wins already"),
    ],
)
def test_a_runner_up_is_named_by_what_differs_and_its_break_even_price(
    runner_up: RunnerUp, line: str
) -> None:
    assert f"next: {line}" in shown(bought_beside(runner_up))
