from pathlib import Path
from typing import Any

import pytest

from benchmarks.bars import Bar, bars
from benchmarks.report import collect
from tests.benchmarks.test_report import (
    make_equal_pods,
    make_genetic,
    make_placed,
    make_run,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Reference values of one instance."""
    header = "name,best_known_cost,lp_value_best_restricted_master,karpenter_single_nodepool,"
    header += "karpenter_tuned_2pools_consolidated"
    (tmp_path / "bounds.csv").write_text(f"{header}\nd1_micro100,10.0,9.9,14,10.2\n")
    (tmp_path / "karpenter_real.csv").write_text("instance,nodepools,lowest_settled_usd_h\n")
    return tmp_path


def lines(data: Path, runs: list[dict[str, Any]], **parts: object) -> dict[str, list[str]]:
    """The bars by title."""
    results = {"instances": collect(runs, data), "equal_pods": [make_equal_pods()], **parts}
    return {line[0]: line[1:] for line in bars(results)}


def test_a_figure_at_the_limit_meets_a_bar() -> None:
    assert Bar("cost", 1.005, {"d1": 1.0, "d2": 1.005}).line()[3] == "met"


def test_the_worst_figure_decides_and_says_by_how_much_it_misses() -> None:
    line = Bar("cost", 1.005, {"d1": 1.0, "d2": 1.015}).line()

    assert line == ["cost", "≤ 1.0050", "1.0150 (d2)", "missed by 0.0100; 1 of 2 meet it"]


def test_a_floor_is_missed_by_the_smallest_figure() -> None:
    line = Bar("cheaper", 3.5, {"d1": 9.0, "d2": 3.0}, at_least=True).line()

    assert line[2:] == ["3.0000 (d2)", "missed by 0.5000; 1 of 2 meet it"]


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert Bar("cost", 1.0, {}).line()[2:] == ["not measured", ""]


def test_our_cost_is_held_against_the_best_known(data: Path) -> None:
    line = lines(data, [make_run(cost=10.2)])["cost / best known after 10 s, each"]

    assert line == ["≤ 1.0050", "1.0200 (d1_micro100)", "missed by 0.0150"]


def test_the_lower_lp_value_counts(data: Path) -> None:
    run = make_run(cost=9.9) | {"lp_value_usd_per_hour": 9.0}

    line = lines(data, [run])["geometric mean of cost / LP after 10 s"]

    assert line[1] == "1.1000"


def test_both_tuned_karpenters_have_a_line(data: Path) -> None:
    found = lines(data, [make_run(cost=10.0)])

    assert [line[1] for title, line in found.items() if title.endswith("each")][1:] == [
        "1.96 % (d1_micro100)",
        "9.09 % (d1_micro100)",
    ]


def test_the_better_steered_mode_counts_for_placed_cost(data: Path) -> None:
    placed = [make_placed("cohort", 0.03), make_placed("pinned", 0.0), make_placed("observe", 0.1)]

    found = lines(data, [make_run()], placed=placed)

    assert found["placed cost: extra under the real scheduler, cohort or pinned"] == [
        "≤ 2.00 %",
        "0.00 % (d1_micro100, 100 pods)",
        "met",
    ]


def test_half_of_the_instances_must_gain_from_the_genetic_search(data: Path) -> None:
    genetic = [make_genetic(3.0), make_genetic(1.0) | {"instance": "d2"}, make_genetic(0.0)]

    (line,) = [v for k, v in lines(data, [make_run()], genetic=genetic).items() if "GA" in k]

    assert line == ["≥ 50.00 %", "33.33 % (observe mode)", "missed by 16.67 %"]
