import json
from pathlib import Path
from typing import Any

from benchmarks import report, risk_report

AMOUNT = {"value": 0.5, "low": 0.4, "high": 0.6}


def run(target: float, chosen: float, realised: float) -> dict[str, Any]:
    figures = {
        "seconds": 2.0,
        "usd_per_hour_now": 40.0,
        "usd_per_hour": 10.0,
        "lower_bound_usd_per_hour": 9.5,
        "cvar": 0.02,
        "worst_pool_loss": 0.19,
    }
    one = {"target": target, "cvar_when_chosen": chosen, "cvar_realised": realised}
    return {
        "pods": 1500,
        "seed": 0,
        "with_spot": figures,
        "on_demand_only": figures | {"usd_per_hour": 30.0},
        "saving_of_spot": 2 / 3,
        "realised": [one],
    }


def test_plans_that_said_they_break_what_is_accepted_do_not_count() -> None:
    part = risk_report.risk_part({"decision": [run(0.01, 0.009, 0.0105), run(0.01, 0.02, 0.03)]})

    assert "Of 1 plans that were said to keep what is accepted, 1 do" in part
    assert "3.00 (unmet)" in part
    assert "66.7 %" in part


def test_a_plan_that_breaks_its_word_is_counted() -> None:
    part = risk_report.risk_part({"decision": [run(0.01, 0.009, 0.012)]})

    assert "Of 1 plans that were said to keep what is accepted, 0 do" in part


def test_a_closed_loop_is_kept_without_its_single_pools() -> None:
    spot = {"share_short": AMOUNT}
    traced = {
        "cheaper": AMOUNT,
        "accepted_share_short": 0.01,
        "returns_within_24_h": 0,
        "spot": spot,
        "moves": [1],
    }
    scene = {
        "pods_at_start": 7,
        "reclaimed_pools": {"pools_tried": 3, "minutes_deep": 0.0, "tried": [1, 2]},
        "spot_against_on_demand": {"on_demand": {}, "traced": traced},
    }
    kept = risk_report._scenes([{"options": {}, "scenes": {"fisher": scene}}])

    assert '"tried"' not in json.dumps(kept)
    part = risk_report.risk_part({"closed_loop": kept})
    assert (
        "| fisher | 7 | 3 | 0 | traced | 50.0 % [40.0 %, 60.0 %] | 50.000 % | 1.0 % | 0 |" in part
    )


def test_rivals_are_shown_with_what_is_saved_against_them() -> None:
    score = {"policy": "static", "usd": 1234.5, "share_short": AMOUNT}
    rival = {"score": score, "saving": AMOUNT, "note": "for the peak", "misses_less": True}
    ours = {"share_short": {"value": 0.001, "low": 0.0, "high": 0.002}}
    scene = {"pods_at_start": 7, "rivals": {"nodemix": ours, "rivals": [rival]}}

    part = risk_report.risk_part({"closed_loop": {"dlrm": scene}})

    line = "| dlrm | static | for the peak | 1,234 | 50.0 % [40.0 %, 60.0 %] | 50.000 % | 0.100 % |"
    assert line in part


def test_what_is_given_is_committed_and_the_rest_stays(tmp_path: Path) -> None:
    results = tmp_path / "risk.json"
    given = tmp_path / "decision.json"
    given.write_text(json.dumps([run(0.01, 0.009, 0.01)]), encoding="utf-8")
    out = tmp_path / "page.md"
    empty = tmp_path / "none.json"
    empty.write_text(report.RESULTS.read_text(encoding="utf-8"), encoding="utf-8")
    common = ["--results", str(empty), "--forecasts", str(tmp_path / "f.json")]
    risk = ["--risk-results", str(results), "--risk-decision", str(given)]
    results.write_text(json.dumps({"front": []}), encoding="utf-8")

    report.main([*common, "--page", str(out), *risk])

    assert "Whole decisions" in out.read_text(encoding="utf-8")
    assert list(json.loads(results.read_text(encoding="utf-8"))) == ["front", "decision"]
