"""Measures what forecasts are worth to a capacity rule and writes JSON.

``python -m benchmarks.forecast_value --out FILE [--traces DIR] [--trace NAME ...]
[--model NAME ...] [--origins N] [--seed N]``

Traces stay on their own grid. Capacity decided now stands for a whole lead time (2, 5, 10, 15, 20
and 30 minutes, as far as the grid has them). Three rules give a base of capacity for each row:

- *reactive*: the last known value;
- *perfect*: the highest demand of the lead time, as it will be;
- *forecast*: a quantile of the highest demand of the lead time over the joint paths, plus a share
  of the row's mean known before; quantile and share are chosen in the calibration window alone.

Each is multiplied by a factor (the headroom), tuned in hindsight so that the same share of
demand-time is left unserved (1 % or 0.1 %): one factor a row, or, in figures that begin with
``shared``, one factor for all rows of an indicator. ``gap_closed`` is the share of the way from
reactive to perfect cost that the forecast goes. No factor makes much of a last value near 0, so in
``floored`` figures both reactive and forecast (its quantile as above) may add a share of the row's
mean, the best of `FLOORS` in hindsight. Figures that begin with ``foresighted`` take the forecast's
shared factor from the calibration window, too: nothing of the test window is known to it, and the
others get the shortage that it then had. `protocol.md` says more.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.features import evenly
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import BoolArray, FloatArray, Horizon

from benchmarks.forecast_models import MODELS, Known, Speaker, trainer
from benchmarks.forecast_paths import samples_at
from benchmarks.forecasting import Windows, known_rows, ready_at, windows
from benchmarks.json_files import write_json
from benchmarks.shortage import (
    LARGEST_FACTOR,
    Demand,
    cost_at,
    gap_closed,
    least_factor,
    mean_capacity,
    unserved,
)
from benchmarks.traces import Trace, read_trace, trace_files

LEADS_S = (120, 300, 600, 900, 1200, 1800)
TARGETS = (0.01, 0.001)
LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)
FLOORS = (0.0, 0.2, 1.0)
"""Shares of a row's mean demand that may be added to a rule's base."""
KINDS = ("", "shared_", "foresighted_")
WAYS = ("forecast", "reactive", "perfect", "floored_forecast", "floored_reactive")
RULES = tuple((level, floor) for level in LEVELS for floor in FLOORS)
DRAWS = 200
DAYS_KNOWN = 28
"""Days before training ends that models are shown; more only costs time."""
ORIGINS = 120
WORTHWHILE = 1.05
"""Reactive cost over perfect cost from which closing the gap is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """What one model said and what came, in one stretch of a trace.

    Args:
        last: newest value observed at each origin, shape (rows, origins).
        actual: demand after each origin, shape (rows, origins, steps).
        quantiles: of the highest demand, shape (levels, leads, rows, origins).
    """

    last: FloatArray
    actual: FloatArray
    quantiles: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One lead time in one stretch, in shares of each row's mean demand there.

    Args:
        reactive: shape (rows, origins).
        forecast: of each of `RULES`, shape (rules, rows, origins).
        rows: that went into it; pooled ones count.
    """

    demand: Demand
    reactive: FloatArray
    forecast: FloatArray
    rows: int

    def only(self, rows: BoolArray) -> "Case":
        """The rows that are marked."""
        return Case(
            self.demand.only(rows), self.reactive[rows], self.forecast[:, rows], int(rows.sum())
        )

    def pooled(self) -> "Case":
        """All rows as one long row, so that they share a factor."""
        forecast = self.forecast.reshape(len(self.forecast), 1, -1)
        return Case(self.demand.pooled(), self.reactive.reshape(1, -1), forecast, self.rows)


def leads(step_s: float) -> tuple[int, ...]:
    """Lead times in steps that the grid has."""
    return tuple(round(lead / step_s) for lead in LEADS_S if lead % step_s == 0)


def recent(trace: Trace, split: Windows) -> tuple[Trace, Windows]:
    """The trace from four weeks before the end of training on, and its windows."""
    start = max(0, split.training - DAYS_KNOWN * steps_per_day(trace.history.step_s))
    history = trace.history
    from_s = history.start_s + start * history.step_s
    cut = replace(history, start_s=from_s, values=history.values[:, :, start:])
    origins = tuple(origin - start for origin in split.origins)
    return replace(trace, history=cut), Windows(
        split.training - start, split.calibration - start, origins
    )


def listened(
    speaker: Speaker,
    trace: Trace,
    origins: Sequence[int],
    steps: Sequence[int],
    rng: np.random.Generator,
) -> Span:
    """Ask at each origin; keep the quantiles of the highest demand within each of ``steps``."""
    horizon = Horizon(max(steps), DRAWS)
    within = np.array(steps) - 1
    said = []
    for samples in samples_at(speaker, trace.history, origins, horizon, rng):
        highest = np.maximum.accumulate(samples[trace.rows], axis=2)[:, :, within]
        said.append(np.quantile(highest, LEVELS, axis=1).transpose(0, 2, 1))
    values = trace.values
    return Span(
        last_known(values)[:, np.array(origins) - 1],
        np.stack([values[:, origin : origin + max(steps)] for origin in origins], axis=1),
        np.stack(said, axis=3),
    )


def last_known(values: FloatArray) -> FloatArray:
    """The newest value observed at each step, 0 before the first, shape of ``values``."""
    at = np.where(np.isfinite(values), np.arange(values.shape[1]), 0)
    newest: FloatArray = np.take_along_axis(values, np.maximum.accumulate(at, axis=1), axis=1)
    return np.where(np.isfinite(newest), newest, 0.0)


def case_of(span: Span, lead: int, position: int, known_mean: FloatArray) -> Case:
    """The windows of ``lead`` steps.

    Args:
        span: what was said and what came.
        lead: in steps, at ``position`` of those that were asked for.
        position: see there.
        known_mean: mean demand of each row as known beforehand, shape (rows,).
    """
    demand = Demand(span.actual[:, :, :lead])
    unit = np.where(demand.mean > 0, demand.mean, 1.0)[:, None]
    added = np.array(FLOORS)[:, None, None] * known_mean[:, None]
    forecast = span.quantiles[:, None, position] + added
    forecast = forecast.reshape(-1, *span.last.shape) / unit
    return Case(demand.over(unit[:, 0]), span.last / unit, forecast, len(unit))


def chosen(case: Case, target: float) -> int:
    """Position in `RULES` of the cheapest rule: lowest geometric mean of the rows' costs."""
    costs = [
        np.log(np.minimum(cost_at(base, case.demand, target), LARGEST_FACTOR)).mean()
        for base in case.forecast
    ]
    return int(np.argmin(costs))


def costs_of_rows(case: Case, rule: int, target: float) -> dict[str, FloatArray]:
    """Cost of each way in each row, every row with a factor of its own."""
    demand, kept = case.demand, rule - rule % len(FLOORS)
    return {
        "forecast_cost": cost_at(case.forecast[rule], demand, target),
        "reactive_cost": cost_at(case.reactive, demand, target),
        "perfect_cost": cost_at(demand.highest, demand, target),
        "floored_forecast_cost": _floored(case.forecast[kept], demand, target),
        "floored_reactive_cost": _floored(case.reactive, demand, target),
        "never_short_cost": mean_capacity(demand.highest, demand),
    }


def _floored(base: FloatArray, demand: Demand, target: float) -> FloatArray:
    costs = [cost_at(base + floor, demand, target) for floor in FLOORS]
    lowest: FloatArray = np.stack(costs).min(axis=0)
    return lowest


def compared(
    known: Case, coming: Case, target: float
) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Figures of one indicator; the gap closed in each row, without and with floors.

    Args:
        known: of the calibration window.
        coming: of the test window.
        target: share of demand-time that may be left unserved.
    """
    rule = chosen(known, target)
    rows = costs_of_rows(coming, rule, target)
    finite = np.isfinite([rows["forecast_cost"], rows["reactive_cost"]])
    possible: BoolArray = np.asarray(finite.all(axis=0))
    level, floor = RULES[rule]
    figures = {
        "rows": int(possible.sum()),
        "rows_unreachable": {way: int(np.isinf(cost).sum()) for way, cost in rows.items()},
        "level": level,
        "floor": floor,
        **{way: float(cost[possible].sum()) for way, cost in rows.items()},
        **_shared(known.pooled(), coming.pooled(), target),
    }
    return figures, {way: _gaps(rows, way, possible) for way in ("", "floored_")}


def _gaps(rows: Mapping[str, FloatArray], way: str, possible: BoolArray) -> FloatArray:
    """The gap closed in each row where that is worth it."""
    reactive, ours = (rows[f"{way}{rule}_cost"][possible] for rule in ("reactive", "forecast"))
    perfect = rows["perfect_cost"][possible]
    worth = reactive > WORTHWHILE * perfect
    gaps: FloatArray = (reactive - ours)[worth] / (reactive - perfect)[worth]
    return gaps


def _shared(known: Case, coming: Case, target: float) -> dict[str, Any]:
    """Costs, summed over rows, where all rows of an indicator share one factor."""
    rule = chosen(known, target)
    factor = float(least_factor(known.forecast[rule], known.demand, target)[0])
    capacity = factor * coming.forecast[rule]
    had = float(unserved(capacity, coming.demand)[0]) if np.isfinite(factor) else target
    of = {"shared_": target, "foresighted_": had}
    costs = {
        f"{prefix}{way}": coming.rows * float(cost[0])
        for prefix, at_most in of.items()
        for way, cost in costs_of_rows(coming, rule, at_most).items()
    }
    own = float(mean_capacity(capacity, coming.demand)[0]) if np.isfinite(factor) else np.inf
    return {**costs, "foresighted_forecast_cost": coming.rows * own, "foresighted_unserved": had}


def judged(
    trace: Trace, calibration: Span, test: Span, steps: Sequence[int]
) -> list[dict[str, Any]]:
    """Figures of every lead time and shortage."""
    records = []
    for at, lead in enumerate(steps):
        mean = Demand(calibration.actual).mean
        cases = case_of(calibration, lead, at, mean), case_of(test, lead, at, mean)
        for target in TARGETS:
            lead_s = lead * trace.history.step_s
            figures = {"lead_seconds": lead_s, "unserved_at_most": target}
            records.append({**figures, **_judged(trace, *cases, target)})
    return records


def _judged(trace: Trace, calibration: Case, test: Case, target: float) -> dict[str, Any]:
    names = np.array(trace.indicator)
    busy = (calibration.demand.mean > 0) & (test.demand.mean > 0)
    found: dict[str, dict[str, Any]] = {}
    gaps = []
    for name in sorted(set(names[busy].tolist())):
        own = busy & (names == name)
        found[name], of_rows = compared(calibration.only(own), test.only(own), target)
        gaps.append(of_rows)
    return {
        **summed(list(found.values())),
        **{f"{way}{key}": of for way in ("", "floored_") for key, of in _medians(gaps, way)},
        "indicators": {name: _finite({**of, **closed(of)}) for name, of in found.items()},
    }


def _medians(
    gaps: Sequence[Mapping[str, FloatArray]], way: str
) -> tuple[tuple[str, float | None], ...]:
    every = np.concatenate([*(of[way] for of in gaps), np.zeros(0)])
    median = float(np.median(every)) if every.size else None
    return (("rows_worth_closing", int(every.size)), ("row_gap_closed_median", median))


def summed(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The trace's costs: capacity summed over rows and indicators, in rows' mean demand.

    An indicator where a way cannot reach the shortage counts in no way of that kind.
    """
    costs: dict[str, float] = {}
    for kind in KINDS:
        ways = [f"{kind}{way}_cost" for way in WAYS]
        possible = [of for of in found if np.isfinite([of[way] for way in ways]).all()]
        costs |= {way: sum(float(of[way]) for of in possible) for way in ways}
        costs[f"{kind}indicators_counted"] = len(possible)
    worth = {
        f"{way}worth_closing": costs[f"{way}reactive_cost"] > WORTHWHILE * costs["perfect_cost"]
        for way in ("", "floored_")
    }
    return {**costs, **closed(costs), **worth}


def closed(costs: Mapping[str, float]) -> dict[str, float | None]:
    """Gaps closed, from costs by name."""
    gaps = {}
    for kind in KINDS:
        perfect = costs[f"{kind}perfect_cost"]
        for way in ("", "floored_"):
            ours, reactive = (costs[f"{kind}{way}{rule}_cost"] for rule in ("forecast", "reactive"))
            gaps[f"{kind}{way}gap_closed"] = gap_closed(ours, reactive, perfect)
    gaps.pop("foresighted_floored_gap_closed")  # a floor found in hindsight foresees nothing
    return gaps


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures with None for what is infinite, which JSON cannot say."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in figures.items()
    }


def run_model(
    name: str, trace: Trace, split: Windows, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Train once, ask in the calibration and the test window, compare."""
    steps = leads(trace.history.step_s)
    rng = np.random.default_rng(options.seed)
    started_s = time.perf_counter()
    ready = ready_at(trace.history, split.training)
    speaker = trainer(name)(Known.at_once(ready), Horizon(max(steps), DRAWS), rng)
    trained_s = time.perf_counter()
    before, after = origins_of(trace, split, max(steps), options.origins)
    calibration = listened(speaker, trace, before, steps, rng)
    test = listened(speaker, trace, after, steps, rng)
    about = {
        "trace": trace.name,
        "model": name,
        "seed": options.seed,
        "step_seconds": trace.history.step_s,
        "origins": len(after),
        "steps_between_origins": (after[-1] - after[0]) / max(1, len(after) - 1),
        "train_seconds": trained_s - started_s,
        "forecast_seconds": time.perf_counter() - trained_s,
    }
    return [{**about, **record} for record in judged(trace, calibration, test, steps)]


def origins_of(
    trace: Trace, split: Windows, most_steps: int, most: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Origins of the calibration window, half as many, and of the test window."""
    first, last = split.origins[0], trace.history.steps - most_steps
    before = evenly(split.training, max(split.training, first - most_steps), max(1, most // 2))
    after = evenly(min(first, last), last, most)
    return tuple(before.tolist()), tuple(after.tolist())


def run_trace(path: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every model on one trace; a model that fails is a record with the reason."""
    trace = read_trace(path, finest_step_s=0)
    trace, split = recent(trace, windows(trace.history.steps, max(leads(trace.history.step_s))))
    trace = known_rows(trace, split)
    records = []
    for name in options.model:
        try:
            made = run_model(name, trace, split, options)
        except ForecastError as failed:
            made = [{"trace": trace.name, "model": name, "failed": str(failed)}]
        records += made
        for record in made:
            print(_line(record), file=sys.stderr)
    return records


def _line(record: Mapping[str, Any]) -> str:
    start = f"{record['trace']} {record['model']}"
    if "failed" in record:
        return f"{start}: failed, {record['failed']}"
    start += f", {record['lead_seconds'] / 60:g} min, {100 * record['unserved_at_most']:g} %"
    if record["gap_closed"] is None:
        return f"{start}: no gap that can be measured"
    return (
        f"{start}: {record['forecast_cost']:.1f} closes {100 * record['gap_closed']:.0f} % of "
        f"reactive {record['reactive_cost']:.1f} to "
        f"perfect {record['perfect_cost']:.1f}; floored {_percent(record['floored_gap_closed'])}"
    )


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f} %"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON; 1 where there is no trace."""
    options = _parse(arguments)
    paths = trace_files(options.traces, options.trace)
    if not paths:
        print(f"no such trace in {options.traces}; see --traces and --trace", file=sys.stderr)
        return 1
    records = [record for path in paths for record in run_trace(path, options)]
    write_json(records, options.out)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    data = Path(os.environ.get("NODEMIX_DATA") or "../shared/data")
    parser = argparse.ArgumentParser(prog="benchmarks.forecast_value", description=__doc__)
    parser.add_argument("--traces", type=Path, default=data / "traces", help="folder of parquets")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--trace", nargs="+", default=[], help="names, or their beginnings")
    parser.add_argument("--model", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--origins", type=int, default=ORIGINS, help="in the test window")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
