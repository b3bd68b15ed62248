"""Writes the committed figures and the table made from them.

``python -m benchmarks.report [--runs RUNS.json] [--equal-pods EQUAL.json] [--data DIR]``

Without arguments the table is written again from ``results/optimizer.json``.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.optimizer import REPOSITORY, default_data

RESULTS = REPOSITORY / "benchmarks" / "results" / "optimizer.json"
TABLE = REPOSITORY / "docs" / "results.md"
MACHINE = "two shared cores, one thread, other work running beside it"
KEPT = (
    "instance",
    "seed",
    "cost_usd_per_hour",
    "lower_bound_usd_per_hour",
    "lp_value_usd_per_hour",
    "first_plan_usd_per_hour",
    "dropped_rows",
)
BASELINE_TITLES = {
    "karpenter": "Karpenter, one pool",
    "karpenter_tuned": "Karpenter, tuned",
    "least_waste": "CA least-waste",
    "price": "CA price",
    "kubepacs": "KubePACS-style ILP",
    "naive_deap": "naive DEAP",
    "spotkube": "SpotKube",
}
NOTHING = "n/a"
COMMAND = "python -m benchmarks.optimizer --seconds 10 --seed 0 --baselines"
Figures = Mapping[str, Any]


def collect(runs: Sequence[Figures], equal_pods: Sequence[Figures], data: Path) -> dict[str, Any]:
    """The figures that are committed, with the reference values of the data beside them."""
    best_known = {r["name"]: float(r["best_known_cost"]) for r in _rows(data / "bounds.csv")}
    settled: dict[str, float] = {}
    for row in _rows(data / "karpenter_real.csv"):
        lowest, name = float(row["lowest_settled_usd_h"]), row["instance"]
        settled[name] = min(lowest, settled.get(name, lowest))
    return {
        "machine": MACHINE,
        "command": " ".join((COMMAND, "--instance", *(run["instance"] for run in runs))),
        "instances": [
            {
                **{key: run[key] for key in KEPT},
                "baselines": {
                    name: {"cost_usd_per_hour": figures["cost_usd_per_hour"]}
                    for name, figures in run["baselines"].items()
                },
                "best_known_usd_per_hour": best_known.get(run["instance"]),
                "real_karpenter_usd_per_hour": settled.get(run["instance"]),
            }
            for run in runs
        ],
        "equal_pods": list(equal_pods),
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def render(results: Figures) -> str:
    """The page; the same figures give the same text."""
    instances = results["instances"]
    return "\n".join(
        [
            "# What plans cost",
            "",
            "Written by `python -m benchmarks.report` from `benchmarks/results/optimizer.json`;",
            "how it is measured stands in [`benchmarks/protocol.md`](../benchmarks/protocol.md).",
            f"Machine: {results['machine']}. Command: `{results['command']}`.",
            "",
            "## Ours, and how far it can be from the optimum",
            "",
            *_ours(instances),
            "",
            "Gap: how far the cost can be above the optimum at most. The other columns in percent:",
            "how far our cost lies above the LP value and above the best cost known to us.",
            "",
            "## Others, in percent above our cost",
            "",
            *_others(instances),
            "",
            "A negative figure is a plan cheaper than ours. All but the last column are our own",
            "re-implementations and plan costs; the last is what the real Karpenter 1.14.1 settled",
            "at on a real control plane, where the real scheduler places the pods. SpotKube's",
            "algorithm starts from random counts of every offer, is made for few types, and pays",
            "for the nodes that stay empty.",
            "",
            "## SpotKube's own problem: equal pods",
            "",
            *_equal_pods(results["equal_pods"]),
            "",
            "The solver uses the time it is given (0.15 s here, on a core); the last column but",
            "one is when the plan was found.",
            "",
        ]
    )


def _ours(instances: Iterable[Figures]) -> list[str]:
    header = ("instance", "cost USD/h", "bound USD/h", "gap", "LP USD/h", "over LP",
              "best known USD/h", "over best known")  # fmt: skip
    return _table(header, [_our_line(figures) for figures in instances])


def _our_line(figures: Figures) -> list[str]:
    cost, bound = figures["cost_usd_per_hour"], figures["lower_bound_usd_per_hour"]
    lp_value, known = figures["lp_value_usd_per_hour"], figures["best_known_usd_per_hour"]
    return [
        figures["instance"],
        f"{cost:.4f}",
        f"{bound:.4f}",
        f"{100 * (cost - bound) / cost:.2f} %",
        _dollars(lp_value),
        _percent_above(cost, lp_value),
        _dollars(known),
        _percent_above(cost, known),
    ]


def _others(instances: Iterable[Figures]) -> list[str]:
    lines = []
    for figures in instances:
        ours = figures["cost_usd_per_hour"]
        costs = [figures["baselines"][name]["cost_usd_per_hour"] for name in BASELINE_TITLES]
        costs.append(figures["real_karpenter_usd_per_hour"])
        shares = [NOTHING if cost is None else _percent_above(cost, ours) for cost in costs]
        lines.append([figures["instance"], *shares])
    return _table(("instance", *BASELINE_TITLES.values(), "real Karpenter"), lines)


def _equal_pods(records: Iterable[Figures]) -> list[str]:
    header = ("types", "pods", "optimum USD/h", "seeds at the optimum", "SpotKube over optimum",
              "slowest found", "slowest returned")  # fmt: skip
    lines = [
        [
            str(r["types"]),
            str(r["pods"]),
            f"{r['optimum_usd_per_hour']:.4f}",
            f"{r['seeds_at_optimum']} of {r['seeds']}",
            _percent_above(r["spotkube_usd_per_hour"], r["optimum_usd_per_hour"]),
            f"{r['slowest_best_plan_seconds']:.3f} s",
            f"{r['slowest_seconds']:.3f} s",
        ]
        for r in records
    ]
    return _table(header, lines)


def _dollars(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


def _percent_above(cost: float, reference: float | None) -> str:
    if reference is None:
        return NOTHING
    share = round(100 * (cost / reference - 1), 2) + 0.0  # no minus before a zero
    return f"{share:+,.0f} %" if abs(share) >= 1000 else f"{share:+.2f} %"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *lines)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figures, where runs are given, and the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.report", description=__doc__)
    parser.add_argument("--runs", type=Path, help="JSON of benchmarks.optimizer --baselines")
    parser.add_argument("--equal-pods", type=Path, help="JSON of benchmarks.equal_pods")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the CSVs")
    options = parser.parse_args(arguments)
    if (options.runs is None) != (options.equal_pods is None):
        parser.error("--runs and --equal-pods go together")
    if options.runs is not None:
        results = collect(_read(options.runs), _read(options.equal_pods), options.data)
        text = json.dumps(results, indent=1, ensure_ascii=False)
        RESULTS.write_text(text + "\n", encoding="utf-8")
    TABLE.write_text(render(_read(RESULTS)), encoding="utf-8")
    return 0


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever the JSON holds
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
