"""The one door to forecasts: clean, compare on the recent past, let the best model speak.

Simple models always stand ready. A costly one (exponential smoothing, the flow) speaks only
where it beats the best simple one by a margin in a backtest at the history's own end. Where it
fails, the next best speaks; the verdicts say who and why.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.backtest import Score, backtest, backtest_origins
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.combine import joined, mixed
from nodemix.forecasting.errors import ForecastError, ModelFailedError
from nodemix.forecasting.guard import checked
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import (
    DemandForecast,
    DemandHistory,
    FloatArray,
    Forecaster,
    Horizon,
    ModelVerdict,
)

SIMPLE = ("last-value", "seasonal-naive")
COSTLY = ("ets", "flow")
SHORT = LastValue(widen=1.5, assumed_share=0.2)
"""Speaks where too little is known: half as wide again, plus a fifth of the level."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """How the champion is chosen.

    Args:
        models: which may speak, of ``last-value``, ``seasonal-naive``, ``ets`` and ``flow``; at
            least one simple one.
        origins: of the backtest; more is steadier and slower.
        margin: share by which a costly model must beat the best simple one.
        series_margin: share by which another model must beat the champion on one series to speak
            for that series alone; larger, because one series is little evidence.
        stale_after_s: age from which the newest sample is too old; None for three steps or 30
            minutes, whichever is larger.
        min_days: series observed for less speak through the widened last value.
        budget_s: no further costly model is tried once this much time has gone by.
        train_s: seconds that training the flow once may take.
        clock: seconds, monotonic; for the two guards above only.
    """

    models: tuple[str, ...] = (*SIMPLE, *COSTLY)
    origins: int = 4
    margin: float = 0.03
    series_margin: float = 0.25
    stale_after_s: float | None = None
    min_days: float = 1.0
    budget_s: float = 15.0
    train_s: float = 10.0
    clock: Clock = time.monotonic

    def __post_init__(self) -> None:
        unknown = set(self.models) - {*SIMPLE, *COSTLY}
        if unknown:
            raise ForecastError(f"models: {sorted(unknown)} unknown; use {(*SIMPLE, *COSTLY)}")
        if not set(self.models) & set(SIMPLE):
            raise ForecastError(f"models: none of {SIMPLE} is enabled; enable at least one")
        if self.origins < 1:
            raise ForecastError(f"origins: must be at least 1, got {self.origins}")


DEFAULTS = ForecastSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Champion:
    """Who speaks for which series: elected once, asked at any later time without training anew.

    Args:
        series: that the models were trained for, in this order.
        scores: of every model in the backtest, with the trained model inside; none where the
            history was too short for a backtest.
        horizon: that the models were trained for.
    """

    series: tuple[str, ...]
    scores: tuple[Score, ...]
    horizon: Horizon
    settings: ForecastSettings

    def forecast(
        self, ready: CleanHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """What the winners say after ``ready``, whose series must be ours.

        Raises:
            ForecastError: other series, or another number of steps, than it was elected for.
        """
        history = ready.history
        if history.series != self.series or horizon.steps != self.horizon.steps:
            raise ForecastError(
                f"champion: elected for {len(self.series)} series and {self.horizon.steps} steps, "
                f"asked for {len(history.series)} and {horizon.steps}; elect anew"
            )
        if self.scores:
            return best_speaks(self.scores, history, horizon, rng, self.settings)
        why = f"{history.steps} steps are too few for a backtest of {horizon.steps}"
        simple = _simple_models(self.settings)[0]
        forecast = simple.forecast(history, horizon, rng)
        return replace(forecast, verdicts=(ModelVerdict(simple.name, history.series, why),))


def forecast_demand(
    history: DemandHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    now_s: float,
    settings: ForecastSettings = DEFAULTS,
) -> DemandForecast:
    """Joint sample paths of demand after ``now_s``, from the model that has earned it.

    Args:
        history: as observed, holes and all; nothing after ``now_s`` is looked at.
        horizon: steps and draws wanted.
        rng: source of randomness; the same state gives the same forecast, unless a time guard
            of ``settings`` strikes.
        now_s: seconds since the epoch.
        settings: see there.

    Returns:
        A forecast that starts one step after the newest step of ``history`` at ``now_s``. Series
        that cannot be forecast are missing from it and named in its warnings.

    Raises:
        StaleHistoryError: the newest sample of all is too old; see
            :func:`nodemix.forecasting.clean.hold`.
        HistoryError: nothing was ever observed.
    """
    ready = clean(history, now_s, settings.stale_after_s)
    enough = _enough_steps(ready.history, settings)
    observed = ready.history.steps - ready.first_step
    known = np.flatnonzero(observed >= enough)
    young = np.flatnonzero(observed < enough)
    parts = _forecast_young(ready, young, horizon, rng)
    if known.size:
        grown = ready.only(known)
        parts.append(elect(grown, horizon, rng, settings).forecast(grown, horizon, rng))
    forecast = joined(parts, ready.history.series)
    return replace(forecast, warnings=ready.warnings + forecast.warnings)


def _enough_steps(history: DemandHistory, settings: ForecastSettings) -> int:
    return max(2, round(settings.min_days * steps_per_day(history.step_s)))


def _forecast_young(
    ready: CleanHistory, index: IndexArray, horizon: Horizon, rng: np.random.Generator
) -> list[DemandForecast]:
    """One forecast for each group of series that began at the same step."""
    first = ready.first_step
    parts = []
    for step in np.unique(first[index]):
        group = ready.only(index[first[index] == step]).history
        group = replace(
            group,
            start_s=group.start_s + float(step) * group.step_s,
            values=group.values[:, :, step:],
        )
        why = f"only {group.steps} steps observed; last value with widened residuals"
        verdict = ModelVerdict(SHORT.name, group.series, why)
        parts.append(replace(SHORT.forecast(group, horizon, rng), verdicts=(verdict,)))
    return parts


def elect(
    ready: CleanHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings = DEFAULTS,
) -> Champion:
    """Train every model and compare them at a few origins near the end of ``ready``.

    Args:
        ready: series that were observed for ``settings.min_days`` at least.
        horizon: see :func:`forecast_demand`; the champion can be asked for this many steps only.
        rng: source of randomness.
        settings: see there.
    """
    started_s = settings.clock()
    history = ready.history
    shortest = _enough_steps(history, settings)
    origins = backtest_origins(history.steps, horizon.steps, settings.origins, shortest)
    scores: list[Score] = []
    if origins:
        models = _simple_models(settings)
        scores += [backtest(model, ready, horizon, origins, rng) for model in models]
        for name in (name for name in COSTLY if name in settings.models):
            if settings.clock() - started_s > settings.budget_s:
                scores.append(Score(name, None, f"not tried, {settings.budget_s:g} s were over"))
            else:
                model = costly_model(name, settings)
                scores.append(backtest(model, ready, horizon, origins, rng))
    return Champion(history.series, tuple(scores), horizon, settings)


def _simple_models(settings: ForecastSettings) -> list[Forecaster]:
    return [simple_model(name) for name in SIMPLE if name in settings.models]


def simple_model(name: str) -> Forecaster:
    """The simple model of that name."""
    return LastValue() if name == "last-value" else SeasonalNaive()


def costly_model(name: str, settings: ForecastSettings) -> Forecaster:
    """The costly model of that name; imports torch or statsmodels."""
    if name == "ets":
        from nodemix.forecasting.baselines.ets import Ets  # noqa: PLC0415  symmetric with the flow

        return Ets(clock=settings.clock)
    from nodemix.forecasting.flow import Flow  # noqa: PLC0415  torch: 2.3 s, 218 MiB

    return Flow(train_s=settings.train_s, clock=settings.clock)


def best_speaks(
    scores: Sequence[Score],
    history: DemandHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings = DEFAULTS,
) -> DemandForecast:
    """Ask the winners; where one fails now, strike it off and choose again."""
    standing = {score.model: score for score in scores}
    made: dict[str, DemandForecast] = {}
    while True:
        choice = choose(tuple(standing.values()), len(history.series), settings)
        wanted = next((name for name in choice if name not in made), None)
        if wanted is None:
            verdicts = _verdicts(choice, tuple(standing.values()), history)
            return replace(mixed(made, choice), verdicts=verdicts)
        try:
            made[wanted] = _asked(standing[wanted], history, horizon, rng)
        except ModelFailedError as failed:
            standing[wanted] = Score(wanted, None, failed.why)


def _asked(
    score: Score, history: DemandHistory, horizon: Horizon, rng: np.random.Generator
) -> DemandForecast:
    if score.speaker is None:
        raise ModelFailedError(score.model, score.failure)
    return checked(score.model, score.speaker.forecast(history, horizon, rng), horizon)


def choose(scores: Sequence[Score], series: int, settings: ForecastSettings) -> tuple[str, ...]:
    """Name of the model that speaks for each series; the champion comes first in doubt.

    Raises:
        ModelFailedError: no simple model stands.
    """
    standing = [score for score in scores if score.per_series is not None]
    simple = [score for score in standing if score.model in SIMPLE]
    if not simple:
        raise ModelFailedError(SIMPLE[0], scores[0].failure if scores else "was never tried")
    safe = min(simple, key=lambda s: s.total)
    best = min(standing, key=lambda s: s.total)
    champion = best if best.total < safe.total - settings.margin * abs(safe.total) else safe
    ours = _per_series(champion)
    choice = [champion.model] * series
    lowest = ours - settings.series_margin * np.abs(ours)
    for score in standing:
        theirs = _per_series(score)
        for i in np.flatnonzero(theirs < lowest):
            choice[i], lowest[i] = score.model, theirs[i]
    return tuple(choice)


def _per_series(score: Score) -> FloatArray:
    if score.per_series is None:
        raise ModelFailedError(score.model, score.failure)
    return score.per_series


def _verdicts(
    choice: Sequence[str], scores: Sequence[Score], history: DemandHistory
) -> tuple[ModelVerdict, ...]:
    """One verdict for each model, the silent ones too."""
    floor = min(score.total for score in scores if score.model in SIMPLE)
    verdicts = []
    for score in scores:
        chosen = [name == score.model for name in choice]
        series = tuple(s for s, ok in zip(history.series, chosen, strict=True) if ok)
        ratio = score.total / floor if floor > 0 else 1.0
        speaks = f"speaks for {len(series)} of {len(choice)} series" if series else "not chosen"
        why = f"failed: {score.failure}" if score.failure else f"{speaks}, {ratio:.2f} of simple"
        verdicts.append(ModelVerdict(score.model, series, why, None if score.failure else ratio))
    return tuple(verdicts)
