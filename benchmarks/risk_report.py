"""The part of the page about risk, and the committed figures it is made from.

What is given replaces its part of ``results/risk.json``; the rest stays.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.json_files import read_json, write_json
from benchmarks.optimizer import REPOSITORY
from benchmarks.tables import NOTHING, table

RESULTS = REPOSITORY / "benchmarks" / "results" / "risk.json"
PARTS = {
    "hazard": "benchmarks.hazard",
    "front": "benchmarks.front",
    "decision": "benchmarks.decision",
    "closed_loop": "benchmarks.closed_loop",
}
"""Each part, and what measures it."""
REALISED_AT_MOST = 1.10

Figures = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command of the page takes for this part."""
    for part, module in PARTS.items():
        flag = f"--risk-{part.replace('_', '-')}"
        parser.add_argument(flag, type=Path, nargs="+", help=f"JSON of {module}")
    parser.add_argument("--risk-results", type=Path, default=RESULTS, help="committed figures")


def updated(options: argparse.Namespace) -> dict[str, Any]:
    """The committed figures, with what is given in its place; written where anything is."""
    path: Path = options.risk_results
    results: dict[str, Any] = read_json(path) if path.exists() else {}
    given = {
        part: _KEPT[part]([read_json(file) for file in files])
        for part in PARTS
        if (files := getattr(options, f"risk_{part}"))
    }
    if given:
        results |= given
        write_json(results, path)
    return results


def _hazard(files: Sequence[Figures]) -> dict[str, Any]:
    return {"summary": files[-1]["summary"]["all"], "coverage": files[-1]["coverage"]}


def _runs(files: Sequence[Sequence[Figures]]) -> list[Figures]:
    return [run for runs in files for run in runs]


def _scenes(files: Sequence[Figures]) -> dict[str, Any]:
    """Without the single pools and moves, which are many."""
    found: dict[str, Any] = {}
    for file in files:
        for name, scene in file["scenes"].items():
            found.setdefault(name, {"options": file["options"]}).update(_without_lists(scene))
    return found


def _without_lists(figures: Any) -> Any:  # noqa: ANN401 - whatever the JSON holds
    if isinstance(figures, Mapping):
        return {k: _without_lists(v) for k, v in figures.items() if k not in ("tried", "moves")}
    return figures


_KEPT: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "hazard": _hazard,
    "front": _runs,
    "decision": _runs,
    "closed_loop": _scenes,
}


def risk_part(results: Figures) -> str:
    """The part of the page; empty where nothing was measured."""
    sections = (
        ("hazard", _hazard_lines),
        ("front", _front_lines),
        ("decision", _decision_lines),
        ("closed_loop", _closed_loop_lines),
    )
    lines = [line for part, write in sections if part in results for line in write(results[part])]
    return "\n".join(["# Risk", "", *lines, ""]) if lines else ""


def _percent(share: float | None, digits: int = 1) -> str:
    return NOTHING if share is None else f"{100.0 * share:.{digits}f} %"


def _hazard_lines(found: Figures) -> list[str]:
    ticks, windows = found["summary"]["ticks"], found["summary"]["windows"]
    header = ("hazard model, second half of the spot traces", "asked", "measured")
    both = "better_than_advisor_and_binomial"
    lines = [
        ["pools with a better log score than both rivals, next tick", ">= 80 %",
         _percent(ticks[both])],
        ["the same, not told of stock-outs", "", _percent(ticks[f"without_stock_outs_{both}"])],
        ["the same, number of shocks in 6 h", "", _percent(windows[both])],
        *(
            [_interval_title(hours), "93-97 %",
             ", ".join(_percent(own[k]) for k in ("ties_split", "shortest", "equal_tails"))]
            for hours, own in found["coverage"].items()
        ),
    ]  # fmt: skip
    return ["## Hazards of spot pools", "", *table(header, lines), ""]


def _interval_title(hours: str) -> str:
    horizon = hours.removesuffix("_h")
    return f"95 % interval of nodes lost in {horizon} h: ties split, shortest, equal tails"


def _front_lines(runs: Sequence[Figures]) -> list[str]:
    header = ("cores asked", "markets", "hypervolume / fractional front", "worst", "rounded up",
              "ms a generation")  # fmt: skip
    lines = []
    for cores in sorted({run["demand_cpu"] for run in runs}):
        own = [run for run in runs if run["demand_cpu"] == cores]
        ratios = [run["hypervolume_ratio"] for run in own]
        fractional = [r["fractional"] for r in ratios]
        lines.append(
            [
                f"{cores:,.0f}",
                str(len(own)),
                f"{statistics.mean(fractional):.4f}",
                f"{min(fractional):.4f}",
                f"{statistics.mean(r['rounded_up'] for r in ratios):.4f}",
                f"{statistics.median(run['ms_per_generation'] for run in own):.1f}",
            ]
        )
    asked = "Asked: at least 1 against the front of 40 fractional points, in 2 s of a core."
    return ["## The front of cost and CVaR", "", *table(header, lines), "", asked, ""]


def _decision_lines(runs: Sequence[Figures]) -> list[str]:
    header = ("pods", "seed", "seconds", "now $/h", "plan $/h", "bound $/h", "on demand only $/h",
              "cheaper", "CVaR", "worst pool")  # fmt: skip
    lines = [
        [
            f"{run['pods']:,}",
            str(run["seed"]),
            f"{run['with_spot']['seconds']:.2f}",
            *(f"{run['with_spot'][k]:.2f}" for k in
              ("usd_per_hour_now", "usd_per_hour", "lower_bound_usd_per_hour")),
            f"{run['on_demand_only']['usd_per_hour']:.2f}",
            _percent(run["saving_of_spot"]),
            _percent(run["with_spot"]["cvar"], 2),
            _percent(run["with_spot"]["worst_pool_loss"]),
        ]
        for run in runs
    ]  # fmt: skip
    return [
        "## Whole decisions on made-up clusters",
        "",
        *table(header, lines),
        "",
        "Asked: 10 s of a core for 15,000 pods, 3 s for 1,500; spot at least 40 % cheaper.",
        "",
        *_realised_lines(runs),
    ]


def _realised_lines(runs: Sequence[Figures]) -> Iterator[str]:
    """The tail that came true, against what was asked for."""
    header = ("pods", "seed", "CVaR accepted", "when chosen", "on 20,000 fresh scenarios",
              "fresh / accepted")  # fmt: skip
    tried = [(run, one) for run in runs for one in run["realised"]]
    lines = [
        [
            f"{run['pods']:,}",
            str(run["seed"]),
            *(_percent(one[k], 2) for k in ("target", "cvar_when_chosen", "cvar_realised")),
            f"{one['cvar_realised'] / one['target']:.2f}" + ("" if _is_met(one) else " (unmet)"),
        ]
        for run, one in tried
    ]
    met = [one["cvar_realised"] / one["target"] for _, one in tried if _is_met(one)]
    kept = sum(ratio <= REALISED_AT_MOST for ratio in met)
    yield from table(header, lines)
    yield ""
    yield (
        f"Asked: at most {REALISED_AT_MOST:.2f}. Of {len(met)} plans that were said to keep what "
        f"is accepted, {kept} do; *unmet* ones said that they do not."
    )
    yield ""


def _is_met(one: Figures) -> bool:
    """Whether the decision said that it keeps what is accepted."""
    return bool(one["cvar_when_chosen"] <= one["target"])


def _closed_loop_lines(scenes: Figures) -> list[str]:
    header = ("scene", "pods", "pools taken back", "minutes with > 20 % short", "reclaims",
              "spot cheaper by", "pod time short", "accepted", "returns in 24 h")  # fmt: skip
    lines = []
    for name, scene in scenes.items():
        whole = scene.get("reclaimed_pools")
        deep = (
            [str(whole["pools_tried"]), f"{whole['minutes_deep']:.0f}"] if whole else [NOTHING] * 2
        )
        against = scene.get("spot_against_on_demand", {})
        for market, found in against.items():
            if market == "on_demand":
                continue
            lines.append(
                [
                    name,
                    str(scene["pods_at_start"]),
                    *deep,
                    market,
                    _with_interval(found["cheaper"]),
                    _percent(found["spot"]["share_short"]["value"], 3),
                    _percent(found["accepted_share_short"], 1),
                    str(found["returns_within_24_h"]),
                ]
            )
    return [
        "## Replayed in a closed loop",
        "",
        *table(header, lines),
        "",
        "Default policy, real demand; reclaims as believed beforehand, or as in real spot traces.",
        "Asked: no minute with more than 20 % short when any one pool is taken back whole, spot at",
        "least 40 % cheaper than the same policy on demand, no return to a pool within a day.",
        "On *fisher* four of ten workloads may not run on spot by their own rules; on",
        "*fisher-on-spot* they may.",
        "",
        *_rival_lines(scenes),
    ]


def _rival_lines(scenes: Figures) -> Iterator[str]:
    """The same decisions fed otherwise: what nodemix saves against them."""
    header = ("scene", "against", "tuned", "its cost, $", "nodemix saves", "its pod time short",
              "nodemix's")  # fmt: skip
    lines = [
        [
            name,
            rival["score"]["policy"],
            rival["note"],
            f"{rival['score']['usd']:,.0f}",
            _with_interval(rival["saving"]),
            _percent(rival["score"]["share_short"]["value"], 3),
            _percent(scene["rivals"]["nodemix"]["share_short"]["value"], 3),
        ]
        for name, scene in scenes.items()
        for rival in scene.get("rivals", {}).get("rivals", ())
    ]
    if not lines:
        return
    yield from ("## Against other ways to choose capacity", "", *table(header, lines), "")
    yield "All decide with the same optimizer, spot and limits; they differ in the demand they see."
    yield "Compared is the second half of the replay. Perfect foresight also knows every reclaim."
    yield ""


def _with_interval(estimate: Figures) -> str:
    low, high = estimate["low"], estimate["high"]
    return f"{_percent(estimate['value'])} [{_percent(low)}, {_percent(high)}]"
