"""``nodemix forecast evaluate``: how well each model would have done at the end of a history."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from nodemix.forecasting.champion import (
    DEFAULTS,
    Champion,
    ForecastSettings,
    Make,
    elect,
    is_grown,
    origins_of,
)
from nodemix.forecasting.errors import HistoryError, ModelFailedError
from nodemix.forecasting.evaluate import Sums, added, day_to_day, score_origin, summarise
from nodemix.forecasting.guard import checked
from nodemix.forecasting.rows import to_rows
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import (
    DemandForecast,
    DemandHistory,
    FloatArray,
    Horizon,
    ModelVerdict,
)
from nodemix.operator.forecasts.inputs import ready_of

CHAMPION = "nodemix"
TEST_SHARE = 0.14
"""Newest share of the history, where the origins lie; nothing is learnt from it."""

FIGURES = {
    "scrps": "sCRPS",
    "coverage_80": "80 % covers",
    "coverage_95": "95 % covers",
    "exceedance_0.99": "above .99",
    "pinball_0.99": "pinball .99",
    "maximum_crps": "CRPS of the maximum",
}
"""What is told of each model, and what it is called."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Args:
        origins_s: time of the first step of each forecast, seconds since the epoch.
        scored: figures of each model, the champion first.
        failures: name and reason of models that gave no forecast.
        verdicts: who speaks, as of the first origin, and why.
        rows: series x indicators that were compared; those that never change are left out.
        warnings: what was repaired or left out.
    """

    origins_s: tuple[float, ...]
    scored: Mapping[str, Mapping[str, float]]
    failures: Mapping[str, str]
    verdicts: tuple[ModelVerdict, ...]
    rows: int
    warnings: tuple[str, ...] = ()

    def facts(self) -> str:
        """What was compared, in a line."""
        return (
            f"{len(self.origins_s)} forecasts of {self.rows} series and indicators; CRPS and "
            "pinball in mean changes from day to day, lower is better"
        )

    def to_json(self) -> str:
        """Every figure, for programs."""
        document = {
            "origins": [datetime.fromtimestamp(at_s, UTC).isoformat() for at_s in self.origins_s],
            "rows": self.rows,
            "models": {name: dict(figures) for name, figures in self.scored.items()},
            "failures": dict(self.failures),
            "verdicts": [
                {"model": v.model, "series": list(v.series), "why": v.why, "score": v.score}
                for v in self.verdicts
            ],
            "warnings": list(self.warnings),
        }
        return json.dumps(document, indent=1) + "\n"


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is to be tried.

    Args:
        history: as observed, holes and all.
        origins: how many forecasts to compare.
        make: of the costly models.
        settings: which models may speak.
    """

    history: DemandHistory
    horizon: Horizon
    origins: int
    make: Make
    settings: ForecastSettings = DEFAULTS
    seed: int = 0

    def lengths(self) -> list[int]:
        """What is known at each origin, in steps.

        Raises:
            HistoryError: there is too little to learn from before the first one.
        """
        steps, ahead = self.history.steps, self.horizon.steps
        first = min(round(steps * (1.0 - TEST_SHARE)), steps - ahead)
        known = self.history.until(max(0, first))
        if not origins_of(known, self.horizon, self.settings):
            day = steps_per_day(self.history.step_s)
            shortest = self.settings.min_days * day + ahead
            need = max(shortest / (1.0 - TEST_SHARE), shortest + ahead)
            raise HistoryError(
                f"demand history: {steps / day:.1f} days; comparing models {ahead} steps ahead "
                f"needs {need / day:.1f}: give a longer one, or shorten the horizon"
            )
        spread = np.linspace(first, steps - ahead, self.origins).round().astype(int)
        return [int(length) for length in np.unique(spread)]


Watch = Callable[[int, int], None]
"""Told how many origins are done, and of how many."""


def try_models(question: Question, watch: Watch) -> Trial:
    """Elect before the first origin, then forecast from each without learning anything more.

    Raises:
        HistoryError: there is too little to learn from, or nothing to compare.
    """
    lengths, horizon = question.lengths(), question.horizon
    history, remarks = _grown(question, lengths[0])
    scale = day_to_day(to_rows(history)[:, : lengths[0]], steps_per_day(history.step_s))
    if not scale.counts.any():
        raise HistoryError(
            "demand history: nothing in it ever changes; there is nothing to compare"
        )
    rng = np.random.default_rng(question.seed)
    known = ready_of(history.until(lengths[0]))
    champion = elect(known, horizon, rng, question.settings, make=question.make)
    sheets, failures = _said(champion, history, lengths, horizon, rng, watch)
    return Trial(
        origins_s=tuple(history.start_s + length * history.step_s for length in lengths),
        scored={name: summarise(added(parts), scale) for name, parts in sheets.items()},
        failures={**champion.failures, **failures},
        verdicts=champion.verdicts(),
        rows=int(scale.counts.sum()),
        warnings=remarks,
    )


def _grown(question: Question, length: int) -> tuple[DemandHistory, tuple[str, ...]]:
    """The series observed for long enough before the first origin, and what is to be said."""
    settings = question.settings
    known = ready_of(question.history.until(length))
    grown = is_grown(known, settings)
    names = [name for name, ok in zip(known.history.series, grown, strict=True) if ok]
    if not names:
        raise HistoryError(
            f"demand history: no series was observed for {settings.min_days:g} days "
            "before the newest part, which is for comparing; give a longer one"
        )
    left_out = tuple(
        f"{name}: left out, too new or never observed before the first origin"
        for name in question.history.series
        if name not in names
    )
    history = question.history.only([question.history.series.index(name) for name in names])
    whole = ready_of(history)
    possible = np.where(whole.observed, whole.history.values, np.nan)
    return replace(history, values=possible), (*left_out, *whole.warnings)


def _said(
    champion: Champion,
    history: DemandHistory,
    lengths: Sequence[int],
    horizon: Horizon,
    rng: np.random.Generator,
    watch: Watch,
) -> tuple[dict[str, list[Sums]], dict[str, str]]:
    """Scores of the champion and of each model at each origin; models that fail are left out."""
    sheets: dict[str, list[Sums]] = {name: [] for name in (CHAMPION, *champion.models)}
    failures: dict[str, str] = {}
    for done, length in enumerate(lengths):
        watch(done, len(lengths))
        ready = ready_of(history.until(length))
        actual = to_rows(history)[:, length : length + horizon.steps]
        heard = {CHAMPION: champion.forecast(ready, horizon, rng)}
        for name in (name for name in champion.models if name not in failures):
            try:
                made = champion.models[name].forecast(ready.history, horizon, rng)
                heard[name] = checked(name, made, horizon, ready.history)
            except ModelFailedError as failed:
                failures[name] = failed.why
        for name, forecast in heard.items():
            sheets[name].append(score_origin(_paths(forecast), actual, rng))
    watch(len(lengths), len(lengths))
    return {name: parts for name, parts in sheets.items() if name not in failures}, failures


def _paths(forecast: DemandForecast) -> FloatArray:
    """Joint paths, shape (series x indicators, draws, steps)."""
    by_row = forecast.samples.transpose(1, 3, 0, 2)
    return by_row.reshape(-1, forecast.draws, forecast.steps).astype(np.float64)
