"""What was asked of the forecaster beside what was measured, misses included."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nodemix.forecasting.champion import SIMPLE

from benchmarks.forecast_runs import (
    BASELINES,
    BESIDE,
    COLD_START,
    JUDGED,
    PERCENT,
    PLAIN,
    TITLES,
    Figures,
    Runs,
    Spread,
    Unit,
    spread_of,
    title,
)

Measured = Mapping[str, Spread]
"""By place: usually the trace, for the page; empty for a figure that belongs to none."""
CONTAINERS = (1, 2, 6, 8)
PERSISTENCE_CRPS = {1: 0.0858, 8: 0.0347}
LARGE_MODEL = "m_large"
HEADER = ("bar", "ask", f"`{JUDGED}`", "", f"`{BESIDE}`")


@dataclass(frozen=True, slots=True)
class Ask:
    """Where a figure has to lie.

    Args:
        strict: the limits themselves are a miss.
    """

    high: float = math.inf
    low: float = -math.inf
    strict: bool = False

    def text(self, unit: Unit) -> str:
        """As it stands in the table."""
        if math.isfinite(self.high) and math.isfinite(self.low):
            return f"{unit.bare(self.low)} to {unit.text(self.high)}"
        least = math.isfinite(self.low)
        sign = {(True, True): ">", (True, False): "≥", (False, True): "<", (False, False): "≤"}
        return f"{sign[least, self.strict]} {unit.text(self.low if least else self.high)}"

    def missed_by(self, value: float) -> float | None:
        """How far off it is; None where it is met."""
        inside = self.low < value < self.high if self.strict else self.low <= value <= self.high
        return None if inside else max(value - self.high, self.low - value)


@dataclass(frozen=True, slots=True)
class ForecastBar:
    """One line of the table.

    Args:
        everywhere: what is asked wherever `asks` says nothing; None for nothing.
        measured: by model, of `JUDGED` and `BESIDE`.
        expected: places that should have been measured.
        judged: the model that has to meet it.
    """

    title: str
    measured: Mapping[str, Measured]
    unit: Unit = PLAIN
    everywhere: Ask | None = None
    asks: Mapping[str, Ask] = field(default_factory=dict)
    expected: Sequence[str] = ()
    judged: str = JUDGED

    def line(self) -> list[str]:
        """Title, ask, measured, verdict, and the same of the network alone."""
        own, beside = (self._cell(self.measured.get(name, {})) for name in (JUDGED, BESIDE))
        return [self.title, self._ask(), own, self._verdict(), beside]

    def _ask(self) -> str:
        texts = [self.everywhere.text(self.unit)] if self.everywhere else []
        texts += [f"{place}: {ask.text(self.unit)}" for place, ask in self.asks.items()]
        return "<br>".join(texts)

    def _cell(self, measured: Measured) -> str:
        texts = [
            f"{place}: {of.text(self.unit)}" if place else of.text(self.unit)
            for place, of in measured.items()
        ]
        return "<br>".join(texts)

    def _verdict(self) -> str:
        if not (self.everywhere or self.asks):
            return "shown only"
        if self.measured.get(self.judged):
            return self._judge(self.measured[self.judged])
        if self.measured.get(BESIDE):
            return f"not measured; `{BESIDE}` alone: {self._judge(self.measured[BESIDE])}"
        return "not measured"

    def _judge(self, measured: Measured) -> str:
        asks = {p: ask for p in measured if (ask := self.asks.get(p, self.everywhere))}
        missed = {
            place: far
            for place, ask in asks.items()
            if (far := ask.missed_by(measured[place].mean)) is not None
        }
        if not asks:
            return "not measured where it is asked for"
        verdict = _told(missed, len(asks), self.unit) if missed else "met"
        absent = [place for place in (self.expected or self.asks) if place not in measured]
        return f"{verdict}; not measured: {', '.join(absent)}" if absent else verdict


def _told(missed: Mapping[str, float], places: int, unit: Unit) -> str:
    each = [f"{unit.text(far)} ({p})" if p else unit.text(far) for p, far in missed.items()]
    counted = f"; {places - len(missed)} of {places} meet it" if places > 1 else ""
    return f"missed by {', '.join(each)}{counted}"


def forecast_bars(figures: Figures) -> list[list[str]]:
    """A line for each bar; several where one bar asks for several things."""
    runs = Runs(figures.get("runs", []))
    bars = [
        *_simple(runs),
        *_lightgbm(runs),
        *_calibrated(runs),
        *_tails(runs),
        *_totals(runs),
        _cold_start(runs),
        *_times(figures.get("speed", {})),
        *_harmony(figures.get("harmony", [])),
        *_llm(figures.get("llm", [])),
        *_value(figures.get("value", [])),
    ]
    return [bar.line() for bar in bars]


def _by_model(
    runs: Runs, figure: Callable[[str, str], Spread | None]
) -> dict[str, dict[str, Spread]]:
    """A figure of trace and model, for both models and every trace that has it."""
    return {
        model: {title(t): found for t in runs.traces if (found := figure(t, model)) is not None}
        for model in (JUDGED, BESIDE)
    }


def _places(runs: Runs) -> list[str]:
    return [title(trace) for trace in runs.traces]


def _over(runs: Runs, models: Sequence[str], key: str) -> dict[str, dict[str, Spread]]:
    return _by_model(runs, lambda trace, model: runs.over_best(trace, model, models, key))


def _geometric(measured: Mapping[str, Measured]) -> dict[str, dict[str, Spread]]:
    """Over the traces, of their means."""
    return {
        model: {
            f"{len(of)} traces": Spread((statistics.geometric_mean([s.mean for s in of.values()]),))
        }
        for model, of in measured.items()
        if of and min(s.mean for s in of.values()) > 0
    }


def _simple(runs: Runs) -> list[ForecastBar]:
    """The prototype's figures are against two of the three simple models."""
    asks = {"bitbrains": 0.80, "rise": 0.86, "fisher": 0.83, "dlrm": 1.00}
    naive = ("last-value", "seasonal-naive")
    return [
        ForecastBar(
            "sCRPS / best of last-value, seasonal-naive and window-quantile",
            _over(runs, SIMPLE, "scrps"),
            asks={place: Ask(limit) for place, limit in asks.items()},
        ),
        ForecastBar(
            "sCRPS / best of last-value and seasonal-naive (the prototype's: .78 bitbrains, "
            ".86 rise, .83 fisher, 1.01 dlrm)",
            _over(runs, naive, "scrps"),
        ),
    ]


def _lightgbm(runs: Runs) -> list[ForecastBar]:
    ratios = _over(runs, ("lightgbm",), "scrps")
    name = "sCRPS / LightGBM quantile"
    return [
        ForecastBar(f"{name}, each", ratios, everywhere=Ask(1.0), expected=_places(runs)),
        ForecastBar(f"{name}, geometric mean", _geometric(ratios), everywhere=Ask(0.95)),
    ]


def _calibrated(runs: Runs) -> list[ForecastBar]:
    def shares(key: str) -> dict[str, dict[str, Spread]]:
        return _by_model(runs, lambda trace, model: runs.spread(trace, model, key))

    places = _places(runs)
    return [
        ForecastBar("coverage of the 95 % interval", shares("coverage_95"), PERCENT,
                    Ask(0.965, 0.935), {"dlrm": Ask(0.975, 0.925)}, places),
        ForecastBar("coverage of the 80 % interval", shares("coverage_80"), PERCENT,
                    Ask(0.83, 0.77), expected=places),
        ForecastBar("exceedance of the .99 quantile", shares("exceedance_0.99"),
                    Unit(2, 100.0, " %"), Ask(0.016, 0.006), expected=places),
    ]  # fmt: skip


def _tails(runs: Runs) -> list[ForecastBar]:
    joint = _by_model(
        runs, lambda t, m: runs.ratio(t, m, "maximum_crps", "maximum_crps_independent")
    )
    name, places = "CRPS of the horizon's maximum, joint / independent steps", _places(runs)
    return [
        ForecastBar("pinball .99 / best of all baselines", _over(runs, BASELINES, "pinball_0.99"),
                    everywhere=Ask(1.05), expected=places),
        ForecastBar(f"{name}, each", joint, everywhere=Ask(1.0, strict=True), expected=places),
        ForecastBar(f"{name}, geometric mean", _geometric(joint), everywhere=Ask(0.75)),
    ]  # fmt: skip


def _totals(runs: Runs) -> list[ForecastBar]:
    """Against simple models that are asked for the total itself, and against summed paths."""
    direct = _by_model(
        runs,
        lambda t, m: runs.over_best(t, m, SIMPLE, "total_scrps", "direct_total_scrps"),
    )
    covered = _by_model(runs, lambda t, m: runs.spread(t, m, "total_coverage_95"))
    places = [
        title(trace)
        for trace in runs.traces
        if any(runs.spread(trace, model, "total_scrps") for model in runs.models(trace))
    ]
    return [
        ForecastBar("cluster total: coverage of the 95 % interval", covered, PERCENT,
                    Ask(0.98, 0.90), expected=places),
        ForecastBar("cluster total: CRPS / best simple model's that is asked for it directly",
                    direct, everywhere=Ask(1.0), expected=places),
        ForecastBar("cluster total: CRPS / best simple model's (sum of its rows' joint paths)",
                    _over(runs, SIMPLE, "total_scrps"), everywhere=Ask(1.0), expected=places),
    ]  # fmt: skip


def _cold_start(runs: Runs) -> ForecastBar:
    found = {
        title(trace): ratio
        for trace in runs.traces
        if (ratio := runs.over_best(trace, COLD_START, SIMPLE, "scrps")) is not None
    }
    return ForecastBar(
        "cold start, weights that no trace has touched: sCRPS / best simple",
        {BESIDE: found},
        everywhere=Ask(0.92),
        expected=_places(runs),
        judged=BESIDE,
    )


def _times(speed: Mapping[str, float]) -> list[ForecastBar]:
    asked = {
        "ask_1_indicator": ("1,000 series x 48 x 200 samples, 1 indicator, one core", 2.0),
        "ask_3_indicators": ("1,000 series x 48 x 200 samples, 3 indicators, one core", 5.0),
        "train": ("training, 100 series x 3 indicators x 30 days, one core", 60.0),
        "fine_tune": ("the same from the weights that are shipped", 5.0),
    }
    return [
        ForecastBar(
            name,
            {BESIDE: {"": Spread((speed[key],))} if speed.get(key) is not None else {}},
            Unit(1, suffix=" s"),
            Ask(most_s),
            judged=BESIDE,
        )
        for key, (name, most_s) in asked.items()
    ]


def _harmony(records: Sequence[Figures]) -> list[ForecastBar]:
    """On its own files alone: nothing published can be compared with other indicators."""
    own = [r for r in records if r.get("published_crps") is not None]

    def crps(key: str, containers: Sequence[int]) -> dict[str, dict[str, Spread]]:
        return {
            model: {
                f"container {c}": found
                for c in containers
                if (found := spread_of(
                    r.get(key) for r in own if (r["container"], r["model"]) == (c, model)
                ))
            }
            for model in (JUDGED, BESIDE)
        }  # fmt: skip

    persistence = {f"container {c}": Ask(limit) for c, limit in PERSISTENCE_CRPS.items()}
    return [
        ForecastBar("HARMONY's protocol: CRPS / its published CRPS",
                    crps("crps_over_published", CONTAINERS), everywhere=Ask(0.75),
                    expected=[f"container {c}" for c in CONTAINERS]),
        ForecastBar("HARMONY's protocol: CRPS, against persistence + residuals",
                    crps("crps", tuple(PERSISTENCE_CRPS)), Unit(4), asks=persistence),
    ]  # fmt: skip


def _llm(records: Sequence[Figures]) -> list[ForecastBar]:
    """The best setting of the week in hindsight, and what a rule without hindsight gets."""
    own = [r for r in records if r.get("series") == LARGE_MODEL and "rule" in r]
    foreseen = [{**r, **r["hindsight"]} for r in own if r.get("hindsight")]
    cost, short, cheap = "cost_x_oracle", "windows_short_pct", Ask(1.43)
    name = "LLM demand, 20 min ahead"
    return [
        ForecastBar(f"{name}: cost / oracle, the cheapest setting with ≤ 5 % short windows",
                    _by_rule(foreseen, cost), everywhere=cheap),
        ForecastBar(f"{name}: cost / oracle, without hindsight", _by_rule(own, cost),
                    everywhere=cheap),
        ForecastBar(f"{name}: short windows, without hindsight", _by_rule(own, short),
                    Unit(1, suffix=" %"), Ask(5.0)),
    ]  # fmt: skip


def _by_rule(records: Sequence[Figures], key: str) -> dict[str, dict[str, Spread]]:
    names = dict.fromkeys((r["rule"], r["input"]) for r in records)
    return {
        model: {
            f"{rule} ({shown})": found
            for rule, shown in names
            if (found := spread_of(
                r[key] for r in records
                if (r.get("model"), r["rule"], r["input"]) == (model, rule, shown)
            ))
        }
        for model in (JUDGED, BESIDE)
    }  # fmt: skip


def _value(records: Sequence[Figures]) -> list[ForecastBar]:
    """For each trace the lead time and limit that is worst, where there is enough to gain."""
    name = "gap to perfect lead closed, worst lead time and limit"
    expected = [title(trace) for trace in TITLES] if records else []
    floored = "(harder: both rules with the best floor)"
    return [
        ForecastBar(name, _worst_gaps(records, ""), PERCENT, Ask(low=0.0, strict=True),
                    expected=_worth(records, expected, "")),
        ForecastBar(f"{name} {floored}", _worst_gaps(records, "floored_"), PERCENT,
                    Ask(low=0.0, strict=True), expected=_worth(records, expected, "floored_")),
    ]  # fmt: skip


def _worth(records: Sequence[Figures], places: Sequence[str], way: str) -> list[str]:
    """Places that were not measured, and those where there is enough to gain."""
    measured = {title(r["trace"]) for r in records if "lead_seconds" in r}
    worth = {title(r["trace"]) for r in records if r.get(f"{way}worth_closing")}
    return [place for place in places if place in worth or place not in measured]


def _worst_gaps(records: Sequence[Figures], way: str) -> dict[str, dict[str, Spread]]:
    key = f"{way}gap_closed"
    worth = [r for r in records if r.get(f"{way}worth_closing") and r.get(key) is not None]
    found: dict[str, dict[str, Spread]] = {JUDGED: {}, BESIDE: {}}
    for model, places in found.items():
        own = [r for r in worth if r["model"] == model]
        for trace in dict.fromkeys(r["trace"] for r in own):
            cases = {(r["lead_seconds"], r["unserved_at_most"]) for r in own if r["trace"] == trace}
            spreads = [
                Spread(tuple(
                    r[key] for r in own
                    if (r["trace"], r["lead_seconds"], r["unserved_at_most"]) == (trace, *case)
                ))
                for case in cases
            ]  # fmt: skip
            places[title(trace)] = min(spreads, key=lambda spread: spread.mean)
    return found
