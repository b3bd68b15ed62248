"""Writes the committed figures and the page made from them.

``python -m benchmarks.report [--runs RUNS.json ...] [--equal-pods EQUAL.json]
[--placed PLACED.json] [--genetic GENETIC.json] [--front FRONT.json] [--data DIR]
[--forecasting RUNS.json ...] [--forecast-value VALUE.json ...] [--forecast-llm LLM.json ...]
[--forecast-harmony HARMONY.json ...] [--forecast-speed SPEED.json]
[--risk-hazard HAZARD.json] [--risk-front FRONT.json] [--risk-decision DECISION.json ...]
[--risk-closed-loop CLOSED.json ...]``

What is given replaces its part of ``results/optimizer.json``, ``results/forecasting.json`` or
``results/risk.json``; the rest stays. Without arguments the page and its picture alone are written
again.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import forecast_report, risk_report
from benchmarks.bars import bars
from benchmarks.forecast_picture import forecast_picture
from benchmarks.forecast_runs import Runs
from benchmarks.json_files import read_json, write_json
from benchmarks.optimizer import REPOSITORY, default_data
from benchmarks.tables import NOTHING, dollars, percent_above, seconds_and_worst, table

RESULTS = REPOSITORY / "benchmarks" / "results" / "optimizer.json"
TABLE = REPOSITORY / "docs" / "results.md"
MACHINE = "two cores, one thread a run"
SECONDS, SHORT_SECONDS, LONG_SECONDS = 10.0, 2.0, 15.0
"""What runs are allowed: for the table, for the bar at 2 s, and for the largest instance."""
BASELINE_TITLES = {
    "karpenter": "Karpenter, one pool",
    "karpenter_tuned": "Karpenter, tuned",
    "least_waste": "CA least-waste",
    "price": "CA price",
    "kubepacs": "KubePACS-style ILP",
    "naive_deap": "naive DEAP",
    "spotkube_few": "SpotKube, few types",
    "spotkube": "SpotKube, all types",
}
Figures = Mapping[str, Any]


def collect(runs: Sequence[Figures], data: Path) -> list[dict[str, Any]]:
    """One record an instance: medians and worst over the seeds, and what is known of it."""
    known = {row["name"]: row for row in _rows(data / "bounds.csv")}
    settled: dict[str, float] = {}
    for row in _rows(data / "karpenter_real.csv"):
        lowest, name = float(row["lowest_settled_usd_h"]), row["instance"]
        settled[name] = min(lowest, settled.get(name, lowest))
    names = sorted({run["instance"] for run in runs})
    return [
        {
            **_ours([run for run in runs if run["instance"] == name]),
            **_references(known.get(name, {})),
            "real_karpenter_usd_per_hour": settled.get(name),
        }
        for name in names
    ]


def _ours(runs: Sequence[Figures]) -> dict[str, Any]:
    """Figures of the runs of one instance; None for what no run measured."""
    own, short, long = (
        [run for run in runs if run["allowed_seconds"] == allowed]
        for allowed in (SECONDS, SHORT_SECONDS, LONG_SECONDS)
    )
    values = [v for run in own if (v := run["lp_value_usd_per_hour"]) is not None]
    return {
        "instance": runs[0]["instance"],
        "pods": runs[0]["pods"],
        "seeds": sorted(run["seed"] for run in own),
        "cost_usd_per_hour": _spread(own, "cost_usd_per_hour"),
        "lower_bound_usd_per_hour": max((r["lower_bound_usd_per_hour"] for r in own), default=None),
        "lp_value_usd_per_hour": min(values, default=None),
        "first_plan_seconds": _spread(own, "first_plan_seconds"),
        "first_plan_usd_per_hour": _spread(own, "first_plan_usd_per_hour"),
        "seconds": _spread(own, "seconds"),
        "peak_rss_mib": _spread(own, "peak_rss_mib"),
        "short_cost_usd_per_hour": _spread(short, "cost_usd_per_hour"),
        "long_cost_usd_per_hour": _spread(long, "cost_usd_per_hour"),
        "long_peak_rss_mib": _spread(long, "peak_rss_mib"),
        "dropped_rows": sorted({row for run in runs for row in run["dropped_rows"]}),
        "baselines": {n: b for run in runs for n, b in run.get("baselines", {}).items()},
    }


def _spread(runs: Sequence[Figures], key: str) -> dict[str, float] | None:
    """Median and largest over the seeds; None where nothing ran."""
    values = [run[key] for run in runs]
    return {"median": statistics.median(values), "worst": max(values)} if values else None


def _references(known: Mapping[str, str]) -> dict[str, float | None]:
    """What the data says of an instance; None where it says nothing."""
    columns = {
        "best_known_usd_per_hour": "best_known_cost",
        "reference_lp_usd_per_hour": "lp_value_best_restricted_master",
        "reference_karpenter_usd_per_hour": "karpenter_single_nodepool",
        "reference_karpenter_tuned_usd_per_hour": "karpenter_tuned_2pools_consolidated",
    }
    return {
        key: float(known[column]) if known.get(column) else None for key, column in columns.items()
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page(results: Figures, forecasts: Figures, risk: Figures) -> str:
    """The whole page; the same figures give the same text."""
    parts = render(results), forecast_report.forecast_part(forecasts), risk_report.risk_part(risk)
    return "\n".join(part for part in parts if part)


def render(results: Figures) -> str:
    """The part about plans."""
    instances = results["instances"]
    sections = [
        _head(results),
        ["## What was asked for", "", *table(("bar", "ask", "measured", ""), bars(results))],
        ["## Ours, and how far it can be from the optimum", "", *_costs(instances), "", *COSTS],
        ["## Time and memory", "", *_times(instances)],
        ["## Others, in percent above our cost", "", *_others(instances), "", *OTHERS],
        ["## SpotKube's own problem: equal pods", "", *_equal_pods(results["equal_pods"]),
         "", *EQUAL_PODS],
        _placed(results.get("placed", [])),
        _genetic(results.get("genetic", [])),
    ]  # fmt: skip
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


COSTS = (
    "Medians over the seeds, the worst beside the cost; the bound is the best of the seeds.",
    "Gap: how far the median can be above the optimum at most. The other columns in percent: how",
    "far it lies above the LP value and above the best cost known to us before.",
)
OTHERS = (
    "A negative figure is a plan cheaper than ours; n/a is what did not run or was never measured.",
    "All but the last three columns are our own re-implementations and plan costs",
    "([what each does](../benchmarks/protocol.md#the-baselines)). The two *reference* columns are",
    "those of the data's `bounds.csv`; the last is what the real Karpenter 1.14.1 settled at on a",
    "real control plane, where the real scheduler places the pods.",
)
PLACED = (
    "Extra: nodes for the pods that the scheduler left pending, in percent of the plan. Share of",
    "the saving: of what lies between the settled cost of the real Karpenter and the lower bound,",
    "how much the plan saves once placed. The scheduler spreads pods of Services and Deployments",
    "over hosts and zones, which costs a plan more than bare pods do.",
)
EQUAL_PODS = (
    "The solver uses the time it is given; *slowest found* is when the plan was there, *slowest",
    "returned* is wall time from the problem to the answer.",
)


def _head(results: Figures) -> list[str]:
    return [
        "# What plans cost",
        "",
        "Written by `python -m benchmarks.report` from `benchmarks/results/optimizer.json`;",
        "how it is measured, with the commands, stands in",
        "[`benchmarks/protocol.md`](../benchmarks/protocol.md).",
        f"Machine: {results['machine']}.",
    ]


def _costs(instances: Iterable[Figures]) -> list[str]:
    header = ("instance", "pods", "seeds", "cost USD/h", "worst USD/h", "bound USD/h", "gap",
              "over LP", "best known USD/h", "over best known")  # fmt: skip
    lines = []
    for figures in instances:
        if (cost := figures["cost_usd_per_hour"]) is None:
            continue
        median, bound = cost["median"], figures["lower_bound_usd_per_hour"]
        known = figures["best_known_usd_per_hour"]
        lines.append(
            [
                figures["instance"],
                f"{figures['pods']:,}",
                str(len(figures["seeds"])),
                f"{median:.4f}",
                f"{cost['worst']:.4f}",
                f"{bound:.4f}",
                f"{100 * (median - bound) / median:.2f} %",
                percent_above(median, figures["lp_value_usd_per_hour"]),
                dollars(known),
                percent_above(median, known),
            ]
        )
    return table(header, lines)


def _times(instances: Iterable[Figures]) -> list[str]:
    header = ("instance", "first plan", "first plan over LP", "over best known after 2 s",
              "returned after", "peak RSS")  # fmt: skip
    lines = []
    for figures in instances:
        if figures["cost_usd_per_hour"] is None:
            continue
        short, rss = figures["short_cost_usd_per_hour"], figures["peak_rss_mib"]
        first = figures["first_plan_usd_per_hour"]["median"]
        lines.append(
            [
                figures["instance"],
                seconds_and_worst(figures["first_plan_seconds"]),
                percent_above(first, figures["lp_value_usd_per_hour"]),
                percent_above(short and short["median"], figures["best_known_usd_per_hour"]),
                seconds_and_worst(figures["seconds"]),
                f"{rss['median']:.0f} MiB",
            ]
        )
    return table(header, lines)


def _others(instances: Iterable[Figures]) -> list[str]:
    header = ("instance", *BASELINE_TITLES.values(), "reference: Karpenter, one pool",
              "reference: Karpenter, tuned", "real Karpenter")  # fmt: skip
    lines = []
    for figures in instances:
        if (cost := figures["cost_usd_per_hour"]) is None:
            continue
        baselines = figures["baselines"]
        costs = [baselines.get(name, {}).get("cost_usd_per_hour") for name in BASELINE_TITLES]
        costs.append(figures["reference_karpenter_usd_per_hour"])
        costs.append(figures["reference_karpenter_tuned_usd_per_hour"])
        costs.append(figures["real_karpenter_usd_per_hour"])
        lines.append([figures["instance"], *(percent_above(c, cost["median"]) for c in costs)])
    return table(header, lines)


def _equal_pods(records: Iterable[Figures]) -> list[str]:
    header = ("types", "pods", "optimum USD/h", "seeds at the optimum", "SpotKube over optimum",
              "slowest found", "slowest returned")  # fmt: skip
    lines = [
        [
            str(r["types"]),
            str(r["pods"]),
            f"{r['optimum_usd_per_hour']:.4f}",
            f"{r['seeds_at_optimum']} of {r['seeds']}",
            percent_above(r["spotkube_usd_per_hour"], r["optimum_usd_per_hour"]),
            f"{r['slowest_best_plan_seconds']:.3f} s",
            f"{r['slowest_seconds']:.3f} s",
        ]
        for r in records
    ]
    return table(header, lines)


def _placed(records: Sequence[Figures]) -> list[str]:
    """Under the real scheduler; nothing where it was not asked."""
    if not records:
        return []
    header = ("instance", "plan made for", "pods placed in mode", "pods", "order", "seeds",
              "plan USD/h", "extra", "foretold extra", "share of the saving")  # fmt: skip
    cases: dict[tuple[str, ...], list[Figures]] = {}
    for r in records:
        kind = f"{r['pods']:,} {'of Services' if r.get('services') else 'bare'}"
        key = (r["instance"], r.get("plan_for") or "its price", r["mode"], kind, r["order"])
        cases.setdefault(key, []).append(r)
    lines: list[list[str]] = []
    for case, own in cases.items():
        shares = [r["share_captured"] for r in own if r["share_captured"] is not None]
        lines.append(
            [
                *case,
                str(len(own)),
                f"{statistics.median(r['plan_usd_per_hour'] for r in own):.4f}",
                f"{100 * statistics.median(r['real_extra'] for r in own):.2f} %",
                f"{100 * statistics.median(r['predicted_extra'] for r in own):.2f} %",
                f"{100 * statistics.median(shares):.1f} %" if shares else NOTHING,
            ]
        )
    return ["## Placed by the real kube-scheduler", "", *table(header, lines), "", *PLACED]


def _genetic(records: Sequence[Figures]) -> list[str]:
    """What the genetic search adds at equal time; nothing where it was not measured."""
    if not records:
        return []
    header = ("instance", "mode", "LP + local search USD/h", "its best once placed USD/h",
              "genetic USD/h", "saved", "least", "most")  # fmt: skip
    lines = [
        [
            r["instance"],
            r["mode"],
            *(
                f"{r[f'placed_usd_per_hour_{n}']:.4f}"
                for n in ("packed", "packed_chosen", "genetic")
            ),
            *(f"{r[key]:+.2f} %" for key in ("saved_percent", "least", "most")),
        ]
        for r in records
    ]
    note = "Expected placed cost, medians over the seeds; the saving is over LP + local search."
    return ["## What the genetic search adds at equal time", "", *table(header, lines), "", note]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figures, where some are given, and the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.report", description=__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", help="JSON of benchmarks.optimizer")
    parser.add_argument("--equal-pods", type=Path, help="JSON of benchmarks.equal_pods")
    parser.add_argument("--placed", type=Path, nargs="+", help="JSON of benchmarks.placed")
    parser.add_argument("--genetic", type=Path, help="JSON of benchmarks.genetic")
    parser.add_argument("--front", type=Path, help="JSON of benchmarks.front")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the CSVs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the committed figures")
    parser.add_argument("--page", type=Path, default=TABLE, help="the page made from them")
    forecast_report.add_arguments(parser)
    risk_report.add_arguments(parser)
    options = parser.parse_args(arguments)
    results = read_json(options.results)
    if given := _given(options):
        results |= given | {"machine": MACHINE}
        write_json(results, options.results)
    forecasts = forecast_report.updated(options, MACHINE)
    risk = risk_report.updated(options)
    options.page.write_text(page(results, forecasts, risk), encoding="utf-8")
    if forecasts.get("runs"):
        picture = forecast_picture(Runs(forecasts["runs"]))
        options.picture.write_text(picture, encoding="utf-8")
    return 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The parts of the results that the files hold."""
    given: dict[str, Any] = {}
    if options.runs:
        runs = [run for path in options.runs for run in read_json(path)]
        given["instances"] = collect(runs, options.data)
    if options.equal_pods:
        given["equal_pods"] = read_json(options.equal_pods)
    if options.placed:
        given["placed"] = [record for path in options.placed for record in read_json(path)]
    if options.genetic:
        given["genetic"] = read_json(options.genetic)["table"]
    if options.front:
        given["generation_ms"] = [run["ms_per_generation"] for run in read_json(options.front)]
    return given


if __name__ == "__main__":
    sys.exit(main())
