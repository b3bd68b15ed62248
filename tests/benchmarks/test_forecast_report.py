"""The part of the page about forecasts, on made-up records."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.forecast_bars import Ask, ForecastBar, forecast_bars
from benchmarks.forecast_picture import forecast_picture
from benchmarks.forecast_report import collect, committed, forecast_part
from benchmarks.forecast_runs import PERCENT, PLAIN, Runs, Spread
from benchmarks.report import main

FISHER, RISE, DLRM = "fisher_10min", "rise_k8s_5min", "alibaba_dlrm_gpu_15min"
BEST_SIMPLE = "sCRPS / best of last-value, seasonal-naive and window-quantile"


def make_record(
    model: str = "nodemix", trace: str = FISHER, seed: int = 0, scrps: float = 0.6, **figures: Any
) -> dict[str, Any]:
    """A record as `benchmarks.forecasting` writes it."""
    return {
        "trace": trace,
        "model": model,
        "seed": seed,
        "step_seconds": 600.0,
        "origins": 24,
        "moved_series": [],
        "scrps": scrps,
        "scrps_geometric": scrps,
        "mase": 0.8,
        "coverage_80": 0.8,
        "coverage_95": 0.95,
        "exceedance_0.99": 0.01,
        "pinball_0.90": 0.3,
        "pinball_0.99": 0.05,
        "energy": 0.9,
        "maximum_crps": 0.7,
        "maximum_crps_independent": 1.0,
        "total_scrps": 0.5,
        "total_coverage_95": 0.93,
        "rows": 60,
        "rows_scored": 57,
        "train_seconds": 10.0,
        "forecast_ms_per_row": 0.5,
        "shares": {},
    } | figures


def make_value(model: str = "nodemix", lead_s: float = 600.0, **figures: Any) -> dict[str, Any]:
    """A record of `benchmarks.forecast_value`: reactive costs twice as much as perfect."""
    return {
        "trace": FISHER,
        "model": model,
        "seed": 0,
        "lead_seconds": lead_s,
        "unserved_at_most": 0.01,
        "reactive_cost": 20.0,
        "perfect_cost": 10.0,
        "gap_closed": 0.25,
        "worth_closing": True,
        "indicators": {"cpu": {}},
    } | figures


def make_llm(model: str = "nodemix", rule: str = "level", cost: float = 1.4) -> dict[str, Any]:
    """A record of `benchmarks.forecast_llm` that is a tenth cheaper in hindsight."""
    return {
        "series": "m_large",
        "input": "alone",
        "model": model,
        "rule": rule,
        "seed": 0,
        "cost_x_oracle": cost,
        "windows_short_pct": 4.0,
        "unserved_pct": 1.0,
        "hindsight": {"cost_x_oracle": cost - 0.1, "windows_short_pct": 4.9},
        "curve": [{"setting": 1.0}],
    }


def make_harmony(model: str = "nodemix", container: int = 1, crps: float = 0.05) -> dict[str, Any]:
    """A record of `benchmarks.forecast_harmony` on HARMONY's own files."""
    return {
        "container": container,
        "model": model,
        "indicators": 11,
        "seed": 0,
        "published_crps": 0.1,
        "crps": crps,
        "crps_over_published": crps / 0.1,
    }


def bars(**parts: Any) -> dict[str, list[str]]:
    """Ask, measured, verdict and the flow's figures of each bar by title."""
    return {line[0]: line[1:] for line in forecast_bars(parts)}


def row_of(text: str, model: str) -> list[str]:
    """The cells of a model's line in the first table that has one."""
    (line, *_) = [line for line in text.splitlines() if line.startswith(f"| `{model}`")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def part(**parts: Any) -> str:
    """The text of some figures."""
    return forecast_part({"machine": "here", **parts})


def test_a_limit_itself_is_met_unless_it_is_strict() -> None:
    assert Ask(1.0).missed_by(1.0) is None
    assert Ask(1.0, strict=True).missed_by(1.0) == 0.0
    assert Ask(0.98, 0.90).missed_by(0.85) == pytest.approx(0.05)


def test_asks_are_written_as_they_are_meant() -> None:
    assert Ask(0.98, 0.90).text(PERCENT) == "90.0 to 98.0 %"
    assert Ask(1.0, strict=True).text(PLAIN) == "< 1.000"
    assert Ask(low=0.0, strict=True).text(PERCENT) == "> 0.0 %"


def test_a_miss_names_place_and_distance_and_how_many_meet_it() -> None:
    measured = {"nodemix": {"rise": Spread((0.9,)), "fisher": Spread((1.2,))}}

    line = ForecastBar("ratio", measured, everywhere=Ask(1.0)).line()

    assert line[3] == "missed by 0.200 (fisher); 1 of 2 meet it"


def test_a_place_that_was_not_measured_is_named() -> None:
    measured = {"nodemix": {"rise": Spread((0.9,))}}

    line = ForecastBar("ratio", measured, everywhere=Ask(1.0), expected=("rise", "dlrm")).line()

    assert line[3] == "met; not measured: dlrm"


def test_the_flow_is_judged_where_only_it_was_measured_and_the_line_says_so() -> None:
    line = ForecastBar("ratio", {"flow": {"": Spread((1.5,))}}, everywhere=Ask(1.0)).line()

    assert line[2:] == ["", "not measured; `flow` alone: missed by 0.500", "1.500"]


def test_nothing_measured_is_neither_met_nor_missed() -> None:
    assert {line[2] for line in bars().values()} == {"not measured", "shown only"}


def test_the_best_simple_model_is_that_of_the_trace_and_the_seeds_together() -> None:
    records = [
        make_record(scrps=0.45),
        make_record(seed=1, scrps=0.55),
        make_record("last-value", scrps=0.9),
        make_record("window-quantile", scrps=0.5),
        make_record("window-quantile", seed=1, scrps=0.7),
        make_record("ets", scrps=0.1),
    ]

    found = bars(runs=records)

    assert found[BEST_SIMPLE][1] == "fisher: 0.833 ± 0.083"
    assert found[BEST_SIMPLE][2].startswith("missed by 0.003 (fisher)")
    (naive,) = (v for k, v in found.items() if k.startswith("sCRPS / best of last-value and"))
    assert naive[1:3] == ["fisher: 0.556 ± 0.056", "shown only"]


def test_each_trace_has_its_own_ask_and_one_without_is_shown_only() -> None:
    records = [make_record("last-value", trace=t, scrps=1.0) for t in (DLRM, "elsewhere")]
    records += [make_record(trace=t, scrps=s) for t, s in ((DLRM, 0.99), ("elsewhere", 3.0))]

    ask, measured, verdict, _ = bars(runs=records)[BEST_SIMPLE]

    assert "dlrm: ≤ 1.000" in ask
    assert measured == "dlrm: 0.990<br>elsewhere: 3.000"
    assert verdict == "met; not measured: bitbrains, rise, fisher"


def test_dlrm_may_cover_a_point_less_than_others() -> None:
    records = [make_record(trace=t, coverage_95=0.928) for t in (DLRM, RISE)]

    verdict = bars(runs=records)["coverage of the 95 % interval"][2]

    assert verdict == "missed by 0.7 % (rise); 1 of 2 meet it"


def test_geometric_means_are_over_traces() -> None:
    records = [
        make_record(trace=RISE, maximum_crps=0.5),
        make_record(trace=FISHER, maximum_crps=0.98),
    ]

    name = "CRPS of the horizon's maximum, joint / independent steps"
    found = bars(runs=records)

    assert found[f"{name}, each"][2] == "met"
    assert found[f"{name}, geometric mean"][1:3] == ["2 traces: 0.700", "met"]


def test_the_best_of_all_baselines_counts_for_the_tail() -> None:
    records = [
        make_record() | {"pinball_0.99": 0.06},
        make_record("ets") | {"pinball_0.99": 0.04},
        make_record("last-value") | {"pinball_0.99": 0.07},
    ]

    assert bars(runs=records)["pinball .99 / best of all baselines"][1] == "fisher: 1.500"


def test_a_trace_without_totals_is_not_asked_for_them() -> None:
    bare = make_record(trace=RISE) | {"total_scrps": None, "total_coverage_95": None}
    records = [make_record(), bare]

    assert bars(runs=records)["cluster total: coverage of the 95 % interval"][2] == "met"


def test_times_are_judged_for_the_flow() -> None:
    found = bars(speed={"train": 70.0, "fine_tune": 4.0})

    name = "training, 100 series x 3 indicators x 30 days, one core"
    assert found[name] == ["≤ 60.0 s", "", "missed by 10.0 s", "70.0 s"]


def test_the_cold_start_is_held_against_the_best_simple_model() -> None:
    records = [make_record("cold-start", scrps=0.5), make_record("last-value", scrps=0.5)]

    (line,) = [line for name, line in bars(runs=records).items() if name.startswith("cold start")]

    assert line == ["≤ 0.920", "", "missed by 0.080 (fisher)", "fisher: 1.000"]


def test_the_worst_lead_time_counts_where_there_is_enough_to_gain() -> None:
    records = [
        make_value(gap_closed=0.3),
        make_value(lead_s=1200.0, gap_closed=-0.1),
        make_value(lead_s=1800.0, gap_closed=-0.9, worth_closing=False),
    ]

    _, measured, verdict, _ = bars(value=records)[
        "gap to perfect lead closed, worst lead time and limit"
    ]

    assert measured == "fisher: -10.0 %"
    assert verdict.startswith("missed by 10.0 % (fisher); not measured: bitbrains")


def test_a_trace_with_nothing_to_gain_is_not_missing() -> None:
    records = [make_value(), make_value() | {"trace": RISE, "worth_closing": False}]

    verdict = bars(value=records)["gap to perfect lead closed, worst lead time and limit"][2]

    assert verdict == "met; not measured: bitbrains, dlrm, nab"


def test_language_model_demand_is_judged_with_and_without_hindsight() -> None:
    found = bars(llm=[make_llm(cost=1.5), make_llm("flow", cost=1.4)])

    lines = [line for name, line in found.items() if name.startswith("LLM")]
    assert [line[1] for line in lines] == [
        "level (alone): 1.400",
        "level (alone): 1.500",
        "level (alone): 4.0 %",
    ]
    assert [line[2] for line in lines] == ["met", "missed by 0.070 (level (alone))", "met"]


def test_other_files_than_harmonys_are_not_held_against_what_it_published() -> None:
    records = [make_harmony(), make_harmony(container=2) | {"published_crps": None}]

    ask, measured, verdict, _ = bars(harmony=records)[
        "HARMONY's protocol: CRPS / its published CRPS"
    ]

    assert (ask, measured) == ("≤ 0.750", "container 1: 0.500")
    assert verdict == "met; not measured: container 2, container 6, container 8"


def test_the_best_of_a_column_is_bold_whoever_it_is() -> None:
    records = [
        make_record(scrps=0.7, coverage_95=0.96),
        make_record("last-value", scrps=0.5, coverage_95=0.90),
    ]

    text = part(runs=records)

    assert row_of(text, "nodemix")[1] == "0.700"
    assert row_of(text, "last-value")[1] == "**0.500**"
    assert row_of(text, "nodemix")[5] == "**96.0 %**"


def test_a_loss_is_said_with_the_model_that_wins_and_who_speaks() -> None:
    records = [
        make_record(scrps=0.55, shares={"flow": 0.25, "last-value": 0.75}),
        make_record("last-value", scrps=0.5),
    ]

    assert "| fisher | `last-value` | 1.100 | last-value 75.0 %, flow 25.0 % |" in part(
        runs=records
    )


def test_a_model_with_fewer_seeds_or_none_is_marked() -> None:
    records = [make_record(seed=seed) for seed in range(3)]
    failed = make_record("flow", seed=2, failed="no data")
    records += [make_record("ets"), {k: failed[k] for k in ("trace", "model", "seed", "failed")}]

    text = part(runs=[r | {"step_seconds": 600.0, "origins": 24} for r in records])

    assert "| `ets` (1 seed) |" in text
    assert "`flow` failed: no data." in text
    assert "Means over 3 seeds;" in text


def test_missing_figures_are_not_made_up() -> None:
    text = part(runs=[make_record(energy=None, total_scrps=None)])

    cells = row_of(text, "nodemix")
    assert (cells[9], cells[13]) == ("n/a", "n/a")


def test_tables_of_other_measurements_appear_where_they_were_made() -> None:
    titles = ("## What forecasts are worth", "## Capacity for a large", "## HARMONY's own protocol")

    bare = part(runs=[make_record()])
    whole = part(value=[make_value()], llm=[make_llm()], harmony=[make_harmony("persistence")])

    assert [title in bare for title in titles] == [False] * 3
    assert [title in whole for title in titles] == [True] * 3


def test_a_small_gap_stands_in_brackets() -> None:
    records = [make_value(), make_value("flow", reactive_cost=10.2, gap_closed=-0.5)]

    assert "| 25.0 % | (-50.0 %) |" in part(value=records)


def test_no_figures_make_no_part() -> None:
    assert forecast_part({}) == ""


def test_of_equal_records_the_last_stays_and_traces_keep_their_order() -> None:
    records = [make_record(trace=DLRM), make_record(scrps=1.0), make_record(scrps=2.0)]
    records.append(make_record("last-value", trace="another"))

    kept = collect("runs", records)

    assert [(r["trace"], r["scrps"]) for r in kept] == [
        (FISHER, 2.0),
        (DLRM, 0.6),
        ("another", 0.6),
    ]


def test_curves_and_details_are_left_out_and_infinite_figures_become_none() -> None:
    (llm,) = collect("llm", [make_llm()])
    (value,) = collect("value", [make_value(gap_closed=float("inf"))])

    assert "curve" not in llm
    assert llm["hindsight"]["cost_x_oracle"] == 1.3
    assert "indicators" not in value
    assert value["gap_closed"] is None


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Arguments that keep everything in a folder of its own."""
    plans = tmp_path / "plans.json"
    plans.write_text(json.dumps({"machine": "here", "instances": [], "equal_pods": []}))
    names = {"results": plans, "page": tmp_path / "page.md", "forecasts": tmp_path / "f.json"}
    names["picture"] = tmp_path / "p.svg"
    names["risk-results"] = tmp_path / "none.json"
    return [argument for name, path in names.items() for argument in (f"--{name}", str(path))]


def test_several_files_become_one_part_and_the_others_stay(
    tmp_path: Path, paths: list[str]
) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json", tmp_path / "v.json"]
    contents = [make_record()], [make_record(seed=1), make_record("last-value")], [make_value()]
    for file, content in zip(files, contents, strict=True):
        file.write_text(json.dumps(content))

    assert main(["--forecast-value", str(files[2]), *paths]) == 0
    assert main(["--forecasting", *map(str, files[:2]), *paths]) == 0

    figures = committed(tmp_path / "f.json")
    assert [(r["model"], r["seed"]) for r in figures["runs"]] == [
        ("nodemix", 0),
        ("nodemix", 1),
        ("last-value", 0),
    ]
    assert [r["model"] for r in figures["value"]] == ["nodemix"]
    assert (tmp_path / "page.md").read_text().endswith(forecast_part(figures))
    assert (tmp_path / "p.svg").read_text().startswith("<svg")


def test_without_arguments_the_page_is_written_again_from_the_same_figures(
    tmp_path: Path, paths: list[str]
) -> None:
    (tmp_path / "r.json").write_text(json.dumps([make_record(), make_record("last-value")]))
    main(["--forecasting", str(tmp_path / "r.json"), *paths])
    names = ("page.md", "p.svg", "f.json")
    before = [(tmp_path / name).read_text() for name in names]

    assert main(paths) == 0

    assert [(tmp_path / name).read_text() for name in names] == before


def test_the_picture_names_what_it_shows_and_points_beyond_its_edge() -> None:
    records = [
        make_record("last-value", scrps=1.0),
        make_record(scrps=0.8),
        make_record("ets", scrps=9.0),
    ]

    drawn = forecast_picture(Runs(records))

    assert "nodemix" in drawn
    assert "fisher" in drawn
    assert drawn == forecast_picture(Runs(records))
    assert drawn != forecast_picture(Runs(records[:2]))
