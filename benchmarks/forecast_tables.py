"""Tables of scores and of what forecasts are worth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.forecast_bars import LARGE_MODEL
from benchmarks.forecast_runs import (
    MODELS,
    PERCENT,
    PLAIN,
    Figures,
    Runs,
    Spread,
    Unit,
    in_order,
    shown,
    spread_of,
    title,
)
from benchmarks.tables import NOTHING, table

Figure = Callable[[Runs, str, str], Spread | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One score in the table of a trace.

    Args:
        figure: of a trace and a model.
        target: the value that would be best; None where the lowest is.
    """

    title: str
    figure: Figure
    unit: Unit = PLAIN
    target: float | None = None

    def cells(self, runs: Runs, trace: str, models: Sequence[str]) -> list[str]:
        """One cell a model, the best in bold; what looks the same is as good."""
        found = [self.figure(runs, trace, model) for model in models]
        texts = [shown(spread, self.unit) for spread in found]
        known = [(self._distance(s), text) for s, text in zip(found, texts, strict=True) if s]
        best = min(known)[1] if known else None
        return [f"**{text}**" if text == best else text for text in texts]

    def _distance(self, spread: Spread) -> float:
        return spread.mean if self.target is None else abs(spread.mean - self.target)


def _of(key: str) -> Figure:
    return lambda runs, trace, model: runs.spread(trace, model, key)


def _joint(runs: Runs, trace: str, model: str) -> Spread | None:
    return runs.ratio(trace, model, "maximum_crps", "maximum_crps_independent")


COLUMNS = (
    Column("sCRPS", _of("scrps")),
    Column("geometric", _of("scrps_geometric")),
    Column("MASE", _of("mase")),
    Column("covers 80", _of("coverage_80"), PERCENT, 0.8),
    Column("covers 95", _of("coverage_95"), PERCENT, 0.95),
    Column("above .99", _of("exceedance_0.99"), Unit(2, 100.0, " %"), 0.01),
    Column("pinball .9", _of("pinball_0.90")),
    Column("pinball .99", _of("pinball_0.99")),
    Column("energy", _of("energy")),
    Column("maximum", _of("maximum_crps")),
    Column("joint / independent", _joint),
    Column("total covers 95", _of("total_coverage_95"), PERCENT, 0.95),
    Column("total sCRPS", _of("total_scrps")),
    Column("training", _of("train_seconds"), Unit(1, suffix=" s")),
    Column("a row", _of("forecast_ms_per_row"), Unit(2, suffix=" ms")),
)
SCORES = (
    "Means over the seeds, the best of a column in bold: the lowest, or what is nearest to 80, 95",
    "and 1 %. *Maximum*: CRPS of the highest demand of the horizon; *joint / independent*: that",
    "over the same of the samples with the steps torn apart. *Total*: of the sum over all rows of",
    "an indicator. Times are wall time; `nodemix` trains and compares the others before it speaks.",
)
WORTHWHILE = 1.05
"""Reactive cost over perfect cost from which closing the gap is asked for."""
WAYS = {"": "Headroom alone.", "floored_": "Floored.", "foresighted_": "Foresighted."}
VALUE = (
    "Cost of capacity where the same share of demand stays unserved; *reactive* is the last value",
    "times the best headroom, *perfect* knows the demand of the lead time. A model's column: share",
    "of the gap between the two that it closes; below 0 it costs more than reactive. *Floored*:",
    "the same where both may add the best share of a row's mean in hindsight, which helps reactive",
    "most. *Foresighted*: the forecast's factor, one for all rows, is that of the weeks before;",
    "beside the gap closed stands the share unserved that came of it, which the others get, too.",
    "In brackets: reactive is less than 5 % above perfect, so there is little to gain.",
)
LLM = (
    "Capacity over requests in week 2 of ServeGen, decided 20 minutes ahead. *Level*: a quantile;",
    "*price*: the capacity that is cheapest if a short window costs as much as so many requests/s.",
    "*Chosen before*: the setting of the last seven days, without hindsight; *best setting*: the",
    "cheapest of the week with at most 5 % of the windows short, in hindsight, as `react x1.5` is.",
    "The rules were settled after figures of week 2 had been seen (protocol): no blind test.",
)
HARMONY = (
    "CRPS one step ahead in units of each indicator's range, all indicators of the container;",
    "*published*: HARMONY's own, context of 72 rows.",
)


def trace_table(runs: Runs, trace: str) -> list[str]:
    """Every model's scores on one trace, losses included."""
    records = [r for r in runs.records if r["trace"] == trace]
    models = runs.models(trace)
    scored = [m for m in models if runs.spread(trace, m, "scrps")]
    columns = [column.cells(runs, trace, scored) for column in COLUMNS]
    lines = [[_name(runs, trace, m), *cells] for m, *cells in zip(scored, *columns, strict=True)]
    header = ("model", *(column.title for column in COLUMNS))
    about = records[0]
    rows = next((f", {r['rows_scored']} of {r['rows']} rows scored" for r in records
                 if "rows_scored" in r), "")  # fmt: skip
    seeds = ", ".join(str(seed) for seed in sorted({r["seed"] for r in records}))
    text = [
        f"## Scores on {title(trace)}",
        "",
        f"`{trace}`: steps of {about['step_seconds'] / 60:g} minutes,",
        f"{about['origins']} origins{rows}; seeds {seeds}.",
        "",
        *(table(header, lines) if lines else ["No model was scored."]),
    ]
    failed = {(r["model"], r["failed"]): None for r in records if "failed" in r}
    text += [line for model, why in failed for line in ("", f"`{model}` failed: {why}.")]
    return [*text, *(("", *SCORES) if trace == runs.traces[0] else ())]


def _name(runs: Runs, trace: str, model: str) -> str:
    """The model; with its number of seeds where that is not the usual one."""
    counts = {name: runs.seeds(trace, name) for name in runs.models(trace)}
    seeds = counts[model]
    few = f" ({seeds} seed{'' if seeds == 1 else 's'})" if seeds < max(counts.values()) else ""
    return f"`{model}`{few}"


def value_tables(records: Sequence[Figures]) -> list[str]:
    """Tables of the gap closed; nothing where it was not measured."""
    own = [r for r in records if "lead_seconds" in r]
    if not own:
        return []
    models = in_order((r["model"] for r in own), MODELS)
    header = ("trace", "lead", "unserved", "reactive / perfect", *(f"`{m}`" for m in models))
    cases: dict[tuple[str, float, float], list[Figures]] = {}
    for r in own:
        cases.setdefault((r["trace"], r["lead_seconds"], r["unserved_at_most"]), []).append(r)
    text = ["## What forecasts are worth to a capacity rule"]
    for way, told in WAYS.items():
        lines = [
            [*_case(case), _dearer(of, way), *(_gap(of, model, way) for model in models)]
            for case, of in cases.items()
        ]
        text += ["", told, "", *table(header, lines)]
    return [*text, "", *VALUE]


def _case(case: tuple[str, float, float]) -> list[str]:
    trace, lead_s, most = case
    return [title(trace), f"{lead_s / 60:g} min", f"≤ {100 * most:g} %"]


def _dearer(records: Sequence[Figures], way: str) -> str:
    """How much more reactive costs than perfect; the shortage of each model may be another."""
    over = [ratio for r in records if (ratio := _reactive_over_perfect(r, way)) is not None]
    texts = dict.fromkeys(PLAIN.text(ratio) for ratio in (min(over), max(over))) if over else ()
    return " to ".join(texts) or NOTHING


def _reactive_over_perfect(record: Figures, way: str) -> float | None:
    kind = "" if way == "floored_" else way  # a floor makes nothing of perfect knowledge
    reactive, perfect = record.get(f"{way}reactive_cost"), record.get(f"{kind}perfect_cost")
    return reactive / perfect if reactive is not None and perfect else None


def _gap(records: Sequence[Figures], model: str, way: str) -> str:
    own = [r for r in records if r["model"] == model and r.get(f"{way}gap_closed") is not None]
    gap = spread_of(r[f"{way}gap_closed"] for r in own)
    if gap is None:
        return NOTHING
    had = spread_of(r.get("foresighted_unserved") for r in own)
    text = PERCENT.text(gap.mean)
    if way == "foresighted_" and had is not None:
        text += f" at {Unit(2, 100.0, ' %').text(had.mean)}"
    over = [ratio for r in own if (ratio := _reactive_over_perfect(r, way)) is not None]
    return text if over and max(over) > WORTHWHILE else f"({text})"


def llm_table(records: Sequence[Figures]) -> list[str]:
    """Costs of each rule; nothing where they were not measured."""
    own = [r for r in records if r.get("series", LARGE_MODEL) == LARGE_MODEL and "failed" not in r]
    if not own:
        return []
    header = ("forecast", "shown to it", "rule", "chosen before", "windows short", "unserved",
              "best setting")  # fmt: skip
    cases: dict[tuple[str, str, str], list[Figures]] = {}
    for r in own:
        name = r.get("policy") or f"`{r['model']}`"
        cases.setdefault((name, r.get("input", NOTHING), r.get("rule", "fixed")), []).append(r)
    one, two = Unit(1, suffix=" %"), Unit(2, suffix=" %")
    lines = [
        [
            *case,
            shown(spread_of(r["cost_x_oracle"] for r in of), PLAIN),
            shown(spread_of(r["windows_short_pct"] for r in of), one),
            shown(spread_of(r["unserved_pct"] for r in of), two),
            shown(spread_of((r.get("hindsight") or {}).get("cost_x_oracle") for r in of), PLAIN),
        ]
        for case, of in cases.items()
    ]
    return ["## Capacity for a large language model", "", *table(header, lines), "", *LLM]


def harmony_table(records: Sequence[Figures]) -> list[str]:
    """CRPS by container; nothing where it was not measured."""
    own = [r for r in records if r.get("crps") is not None]
    if not own:
        return []
    models = in_order((r["model"] for r in own), ("persistence", *MODELS))
    lines = []
    for container in sorted({r["container"] for r in own}):
        of = [r for r in own if r["container"] == container]
        scores = {m: spread_of(r["crps"] for r in of if r["model"] == m) for m in models}
        published = spread_of(r.get("published_crps") for r in of)
        cells = (shown(spread, Unit(4)) for spread in (published, *scores.values()))
        lines.append([str(container), str(of[0]["indicators"]), *cells])
    header = ("container", "indicators", "published", *(f"`{m}`" for m in models))
    return ["## HARMONY's own protocol", "", *table(header, lines), "", *HARMONY]
