import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import forecast_report, risk_report
from benchmarks.report import BASELINE_TITLES, RESULTS, TABLE, collect, main, render
from benchmarks.report import page as whole_page


def make_run(
    instance: str = "d1_micro100", cost: float = 10.0, seed: int = 0, allowed: float = 10.0
) -> dict[str, Any]:
    """A run as `benchmarks.optimizer` writes it, every baseline a tenth dearer."""
    return {
        "instance": instance,
        "seed": seed,
        "pods": 100,
        "allowed_seconds": allowed,
        "seconds": 9.9,
        "nodes": [],
        "cost_usd_per_hour": cost,
        "lower_bound_usd_per_hour": 0.99 * cost,
        "lp_value_usd_per_hour": None,
        "first_plan_seconds": 0.5,
        "first_plan_usd_per_hour": 1.2 * cost,
        "peak_rss_mib": 200.0,
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


def make_placed(mode: str = "cohort", extra: float = 0.01) -> dict[str, Any]:
    """A record of `benchmarks.placed`."""
    return {
        "instance": "d1_micro100",
        "seed": 0,
        "pods": 100,
        "mode": mode,
        "order": "release",
        "plan_usd_per_hour": 10.0,
        "real_extra": extra,
        "predicted_extra": 0.02,
        "share_captured": 0.95,
    }


def make_genetic(saved_percent: float = 3.0) -> dict[str, Any]:
    """A line of the table of `benchmarks.genetic`."""
    costs = {f"placed_usd_per_hour_{n}": 10.0 for n in ("packed", "packed_chosen", "genetic")}
    saved = {"saved_percent": saved_percent, "least": 1.0, "most": 4.0}
    return {"instance": "d1_micro100", "mode": "observe", **costs, **saved}


def page(runs: list[dict[str, Any]], data: Path, **parts: list[dict[str, Any]]) -> str:
    """The page of some runs."""
    equal_pods = parts.pop("equal_pods", [])
    results = {"machine": "here", "instances": collect(runs, data), "equal_pods": equal_pods}
    return render(results | parts)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Reference values of one instance, watched twice."""
    header = "name,best_known_cost,lp_value_best_restricted_master,karpenter_single_nodepool,"
    header += "karpenter_tuned_2pools_consolidated"
    (tmp_path / "bounds.csv").write_text(f"{header}\nd1_micro100,9.5,9.4,14,10.2\n")
    real = ("instance,nodepools,lowest_settled_usd_h", "d1_micro100,one,15", "d1_micro100,two,12")
    (tmp_path / "karpenter_real.csv").write_text("\n".join(real))
    return tmp_path


def test_reference_values_stand_beside_each_cost(data: Path) -> None:
    (figures,) = collect([make_run()], data)

    assert figures["best_known_usd_per_hour"] == 9.5
    assert figures["reference_karpenter_tuned_usd_per_hour"] == 10.2
    assert figures["real_karpenter_usd_per_hour"] == 12.0


def test_seeds_become_a_median_and_a_worst_figure(data: Path) -> None:
    runs = [make_run(cost=cost, seed=seed) for seed, cost in enumerate((10.0, 12.0, 11.0))]

    (figures,) = collect(runs, data)

    assert figures["seeds"] == [0, 1, 2]
    assert figures["cost_usd_per_hour"] == {"median": 11.0, "worst": 12.0}
    assert figures["lower_bound_usd_per_hour"] == pytest.approx(0.99 * 12.0)


def test_runs_of_another_length_never_count_for_the_table(data: Path) -> None:
    runs = [make_run(), make_run(cost=13.0, allowed=2.0), make_run(cost=9.9, allowed=15.0)]

    (figures,) = collect(runs, data)

    assert figures["cost_usd_per_hour"]["worst"] == 10.0
    assert figures["short_cost_usd_per_hour"]["median"] == 13.0
    assert figures["long_cost_usd_per_hour"]["median"] == 9.9


def test_baselines_may_come_from_a_run_of_their_own(data: Path) -> None:
    ours = make_run() | {"baselines": {}}

    (figures,) = collect([ours, make_run(allowed=1.0)], data)

    assert set(figures["baselines"]) == set(BASELINE_TITLES)


def test_losses_stay_in_the_table(data: Path) -> None:
    run = make_run()
    run["baselines"]["price"]["cost_usd_per_hour"] = 9.0

    text = page([run], data)

    assert "-10.00 %" in text
    assert "+5.26 %" in text  # against the best known


def test_a_missing_reference_is_not_made_up(data: Path) -> None:
    text = page([make_run("unheard_of")], data)

    (line,) = [line for line in text.splitlines() if line.startswith("| unheard_of | 100 | 1")]
    assert line.endswith("| n/a | n/a | n/a |")


def test_a_baseline_that_did_not_run_is_not_made_up(data: Path) -> None:
    run = make_run()
    del run["baselines"]["naive_deap"]

    assert "| n/a |" in page([run], data)


def test_no_difference_has_no_sign_of_its_own(data: Path) -> None:
    text = page([make_run(cost=9.5 * (1 - 1e-9))], data)

    assert "-0.00 %" not in text
    assert "+0.00 %" in text


def test_seeds_that_miss_the_optimum_are_counted(data: Path) -> None:
    assert "| 4 of 5 |" in page([], data, equal_pods=[make_equal_pods()])


def test_sections_of_other_measurements_appear_where_they_were_made(data: Path) -> None:
    bare = page([make_run()], data)
    whole = page([make_run()], data, placed=[make_placed()], genetic=[make_genetic()])

    added = ("## Placed by the real kube-scheduler", "## What the genetic search adds")
    assert [title in bare for title in added] == [False, False]
    assert [title in whole for title in added] == [True, True]


def test_what_is_not_given_stays_as_it_was(data: Path, tmp_path: Path) -> None:
    results, placed = tmp_path / "results.json", tmp_path / "placed.json"
    paths = ["--results", str(results), "--page", str(tmp_path / "results.md")]
    paths += ["--forecasts", str(tmp_path / "none.json")]
    before = {"machine": "here", "instances": collect([make_run()], data), "equal_pods": []}
    results.write_text(json.dumps(before))
    placed.write_text(json.dumps([make_placed()]))

    assert main(["--placed", str(placed), *paths]) == 0

    after = json.loads(results.read_text())
    assert after["instances"] == before["instances"]
    assert after["placed"] == [make_placed()]


def test_the_committed_table_is_made_from_the_committed_figures() -> None:
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    forecasts = forecast_report.committed(forecast_report.RESULTS)

    risk = json.loads(risk_report.RESULTS.read_text(encoding="utf-8"))

    assert TABLE.read_text(encoding="utf-8") == whole_page(figures, forecasts, risk)
