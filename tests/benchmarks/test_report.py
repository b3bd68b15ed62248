import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import BASELINE_TITLES, RESULTS, TABLE, collect, main, render


def make_run(instance: str = "d1_micro100", cost: float = 10.0) -> dict[str, Any]:
    """A run as `benchmarks.optimizer` writes it, every baseline a tenth dearer."""
    return {
        "instance": instance,
        "seed": 0,
        "seconds": 9.9,
        "nodes": [],
        "cost_usd_per_hour": cost,
        "lower_bound_usd_per_hour": 0.99 * cost,
        "lp_value_usd_per_hour": None,
        "first_plan_usd_per_hour": 1.2 * cost,
        "dropped_rows": [],
        "baselines": {n: {"cost_usd_per_hour": 1.1 * cost} for n in BASELINE_TITLES},
    }


def make_equal_pods() -> dict[str, Any]:
    return {
        "types": 4,
        "pods": 10,
        "optimum_usd_per_hour": 0.5,
        "seeds": 5,
        "seeds_at_optimum": 4,
        "worst_usd_per_hour": 0.6,
        "slowest_best_plan_seconds": 0.01,
        "slowest_seconds": 0.15,
        "spotkube_usd_per_hour": 0.6,
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Reference values of one instance, watched twice."""
    (tmp_path / "bounds.csv").write_text("name,best_known_cost\nd1_micro100,9.5\n")
    real = ("instance,nodepools,lowest_settled_usd_h", "d1_micro100,one,15", "d1_micro100,two,12")
    (tmp_path / "karpenter_real.csv").write_text("\n".join(real))
    return tmp_path


def test_reference_values_stand_beside_each_cost(data: Path) -> None:
    (figures,) = collect([make_run()], [], data)["instances"]

    assert figures["best_known_usd_per_hour"] == 9.5
    assert figures["real_karpenter_usd_per_hour"] == 12.0


def test_what_depends_on_the_machine_is_not_kept(data: Path) -> None:
    (figures,) = collect([make_run()], [], data)["instances"]

    assert not {"seconds", "nodes", "peak_rss_mib"} & figures.keys()
    assert all(set(b) == {"cost_usd_per_hour"} for b in figures["baselines"].values())


def test_losses_stay_in_the_table(data: Path) -> None:
    run = make_run()
    run["baselines"]["price"]["cost_usd_per_hour"] = 9.0

    text = render(collect([run], [], data))

    assert "-10.00 %" in text
    assert "+5.26 %" in text  # against the best known


def test_a_missing_reference_is_not_made_up(data: Path) -> None:
    text = render(collect([make_run("unheard_of")], [make_equal_pods()], data))

    (line,) = [line for line in text.splitlines() if line.startswith("| unheard_of | 10.0000")]
    assert line.endswith("| n/a | n/a | n/a | n/a |")


def test_no_difference_has_no_sign_of_its_own(data: Path) -> None:
    text = render(collect([make_run(cost=9.5 * (1 - 1e-9))], [], data))

    assert "-0.00 %" not in text
    assert "+0.00 %" in text


def test_seeds_that_miss_the_optimum_are_counted(data: Path) -> None:
    assert "| 4 of 5 |" in render(collect([], [make_equal_pods()], data))


def test_runs_without_equal_pods_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--runs", str(tmp_path / "runs.json")])


def test_the_committed_table_is_made_from_the_committed_figures() -> None:
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))

    assert TABLE.read_text(encoding="utf-8") == render(figures)
