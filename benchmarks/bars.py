"""What was asked of the optimizer beside what was measured, misses included."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]
UP_TO_PODS, LARGEST_PODS = 2_000, 50_000
"""Pods up to which the bars at 2 s hold, and of the instance that has bars of its own."""
STEERED = ("cohort", "pinned")


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit on figures, of which the one that is worst counts.

    Args:
        figures: by name, usually of the instance; empty where nothing was measured.
        at_least: the limit is a floor instead of a ceiling.
        shown: how a figure is written.
    """

    title: str
    limit: float
    figures: Mapping[str, float]
    at_least: bool = False
    shown: Callable[[float], str] = "{:.4f}".format

    def line(self) -> list[str]:
        """Title, ask, measured and verdict."""
        ask = f"{'≥' if self.at_least else '≤'} {self.shown(self.limit)}"
        if not self.figures:
            return [self.title, ask, "not measured", ""]
        pick = min if self.at_least else max
        name = pick(self.figures, key=lambda key: self.figures[key])
        worst = self.figures[name]
        missed = [key for key, value in self.figures.items() if not self._met(value)]
        where = f" ({name})" if name else ""
        verdict = f"missed by {self.shown(abs(worst - self.limit))}" if missed else "met"
        if len(self.figures) > 1 and missed:
            verdict += f"; {len(self.figures) - len(missed)} of {len(self.figures)} meet it"
        return [self.title, ask, f"{self.shown(worst)}{where}", verdict]

    def _met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def bars(results: Figures) -> Iterable[list[str]]:
    """A line for each bar; several where one bar asks for several things."""
    instances = [i for i in results["instances"] if i["cost_usd_per_hour"] is not None]
    everything = [
        *_costs(instances),
        *_first_plans(instances),
        *_largest(results["instances"]),
        *_karpenter(instances),
        *_equal_pods(results["equal_pods"]),
        *_placed(results.get("placed", [])),
        _genetic(results.get("genetic", [])),
        Bar("one DEAP generation, 200 x 2,000 x 60",
            45.0, _only(statistics.median(results["generation_ms"]))
            if results.get("generation_ms") else {}, shown="{:.1f} ms".format),
    ]  # fmt: skip
    return [bar.line() for bar in everything]


def _costs(instances: Sequence[Figures]) -> list[Bar]:
    known = "best_known_usd_per_hour"
    short = [i for i in instances if i["pods"] <= UP_TO_PODS and i["short_cost_usd_per_hour"]]
    over_lp = [
        i["cost_usd_per_hour"]["median"] / lp for i in instances if (lp := _lp(i)) is not None
    ]
    return [
        Bar("cost / best known after 10 s, each", 1.005,
            _over(instances, "cost_usd_per_hour", known)),
        Bar("geometric mean of cost / LP after 10 s", 1.010,
            _only(statistics.geometric_mean(over_lp)) if over_lp else {}),
        Bar("cost / best known after 2 s, up to 2,000 pods", 1.02,
            _over(short, "short_cost_usd_per_hour", known)),
    ]  # fmt: skip


def _first_plans(instances: Sequence[Figures]) -> list[Bar]:
    small = [i for i in instances if i["pods"] < LARGEST_PODS]
    large = [i for i in instances if i["pods"] >= LARGEST_PODS]
    times = "first_plan_seconds"
    over_lp = {
        i["instance"]: i["first_plan_usd_per_hour"]["median"] / lp
        for i in instances
        if (lp := _lp(i)) is not None
    }
    return [
        Bar("first valid plan, up to 12,000 pods", 1.0, _medians(small, times), shown=_seconds),
        Bar("first valid plan, 50,000 pods", 2.0, _medians(large, times), shown=_seconds),
        Bar("first valid plan / LP", 1.15, over_lp),
    ]


def _largest(instances: Sequence[Figures]) -> list[Bar]:
    large = [i for i in instances if i["long_cost_usd_per_hour"]]
    known = "best_known_usd_per_hour"
    return [
        Bar("50,000 pods: cost / best known after 15 s", 1.01,
            _over(large, "long_cost_usd_per_hour", known)),
        Bar("50,000 pods: peak RSS", 1000.0, _medians(large, "long_peak_rss_mib"),
            shown="{:.0f} MiB".format),
    ]  # fmt: skip


def _karpenter(instances: Sequence[Figures]) -> list[Bar]:
    """Against the reference's tuned Karpenter, for which the bar was set, and against ours."""
    lines = []
    for title, theirs in (
        ("the reference's", lambda i: i["reference_karpenter_tuned_usd_per_hour"]),
        ("ours, a stronger one", _tuned),
    ):
        cheaper = {
            i["instance"]: 1 - i["cost_usd_per_hour"]["median"] / cost
            for i in instances
            if (cost := theirs(i)) is not None
        }
        median = _only(statistics.median(cheaper.values())) if cheaper else {}
        name = f"cheaper than Karpenter tuned in hindsight ({title})"
        lines.append(Bar(f"{name}, each", 0.035, cheaper, at_least=True, shown=_percent))
        lines.append(Bar(f"{name}, median", 0.09, median, at_least=True, shown=_percent))
    return lines


def _equal_pods(records: Sequence[Figures]) -> list[Bar]:
    names = {f"{r['types']} types, {r['pods']} pods": r for r in records}
    share = {name: r["seeds_at_optimum"] / r["seeds"] for name, r in names.items()}
    times = {name: r["slowest_seconds"] for name, r in names.items()}
    return [
        Bar(
            "SpotKube's own problem: seeds at the optimum",
            1.0,
            share,
            at_least=True,
            shown=_percent,
        ),
        Bar("SpotKube's own problem: slowest answer", 0.2, times, shown="{:.3f} s".format),
    ]


def _placed(records: Sequence[Figures]) -> list[Bar]:
    """For each instance the better of the two modes, medians over the seeds."""
    extra: dict[str, float] = {}
    captured: dict[str, float] = {}
    steered = [r for r in records if r["mode"] in STEERED and r["order"] == "release"]
    for instance, pods in dict.fromkeys((r["instance"], r["pods"]) for r in steered):
        own = [r for r in steered if (r["instance"], r["pods"]) == (instance, pods)]
        name = f"{instance}, {pods:,} pods"
        extra[name] = min(_by_mode(own, "real_extra"))
        if all(r["share_captured"] is not None for r in own):
            captured[name] = max(_by_mode(own, "share_captured"))
    return [
        Bar("placed cost: extra under the real scheduler, cohort or pinned", 0.02, extra,
            shown=_percent),
        Bar("share of the possible saving over the real Karpenter, placed", 0.9, captured,
            at_least=True, shown=_percent),
    ]  # fmt: skip


def _by_mode(records: Sequence[Figures], key: str) -> list[float]:
    modes = {r["mode"] for r in records}
    return [statistics.median(r[key] for r in records if r["mode"] == mode) for mode in modes]


def _genetic(records: Sequence[Figures]) -> Bar:
    """In the mode in which the search helps on most instances."""
    shares = {}
    for mode in dict.fromkeys(r["mode"] for r in records):
        saved = [r["saved_percent"] for r in records if r["mode"] == mode]
        shares[str(mode)] = sum(percent >= 2.0 for percent in saved) / len(saved)
    best = max(shares, key=lambda mode: shares[mode], default="")
    figures = {f"{best} mode": shares[best]} if shares else {}
    title = "instances on which the GA's placed cost is ≥ 2 % below LP + local search"
    return Bar(title, 0.5, figures, at_least=True, shown=_percent)


def _lp(instance: Figures) -> float | None:
    """The lowest LP value known: ours of these runs, or the reference's."""
    values = (instance["lp_value_usd_per_hour"], instance["reference_lp_usd_per_hour"])
    return min((value for value in values if value is not None), default=None)


def _tuned(instance: Figures) -> float | None:
    cost: float | None = instance["baselines"].get("karpenter_tuned", {}).get("cost_usd_per_hour")
    return cost


def _over(instances: Sequence[Figures], key: str, reference: str) -> dict[str, float]:
    return {
        i["instance"]: i[key]["median"] / i[reference]
        for i in instances
        if i[reference] is not None
    }


def _medians(instances: Sequence[Figures], key: str) -> dict[str, float]:
    return {i["instance"]: i[key]["median"] for i in instances}


def _only(value: float) -> dict[str, float]:
    """A figure that belongs to no instance."""
    return {"": value}


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"
