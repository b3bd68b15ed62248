"""The one door to forecasts: clean, compare on the recent past, let the models speak that earn it.

Every model gives the share of the draws that would have scored best at recent origins; a model
that earned nothing is silent. Where one fails, the others take over its share in the same call,
without training anything; the verdicts say who speaks and why.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.forecasting.backtest import (
    Calibratable,
    Trainable,
    backtest_origins,
    judged,
    nothing_known,
)
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.baselines.seasonal_naive import SeasonalNaive
from nodemix.forecasting.baselines.window_quantile import WindowQuantile
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.combine import joined, pooled
from nodemix.forecasting.errors import CheckpointError, ForecastError, ModelFailedError
from nodemix.forecasting.guard import checked
from nodemix.forecasting.pool import Record, fitted_shares
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.types import (
    BoolArray,
    DemandForecast,
    DemandHistory,
    FloatArray,
    Forecaster,
    Horizon,
    ModelVerdict,
)

SIMPLE = ("last-value", "seasonal-naive", "window-quantile")
COSTLY = ("ets", "flow")
SHORT = LastValue(widen=1.5, assumed_share=0.2)
"""Speaks where too little is known: half as wide again, plus a fifth of the level."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """Which models may speak, and how their shares are found.

    Args:
        models: which may speak, of ``SIMPLE`` and ``COSTLY``; at least one simple one.
        origins: of the backtest; more is steadier and slower.
        margin: share by which new shares must score better than the standing ones, twice in a
            row, to take their place between two elections.
        stale_after_s: age from which the newest sample is too old; None for three steps or 30
            minutes, whichever is larger.
        min_days: series observed for less speak through the widened last value.
        budget_s: no further costly model is trained once this much time has gone by, and none
            compared once as much has gone by with comparing.
        train_s: seconds that training the flow once may take.
        renew_after_s: age of an election from which the next one is due.
        soonest_s: age of an election before which neither drift nor a new series calls another.
        stale_weights_s: age of a model's weights from which it is no longer asked.
        half_life_s: age at which an origin counts half in the record.
        clock: seconds, monotonic; for the two time guards only.
    """

    models: tuple[str, ...] = (*SIMPLE, *COSTLY)
    origins: int = 12
    margin: float = 0.03
    stale_after_s: float | None = None
    min_days: float = 1.0
    budget_s: float = 30.0
    train_s: float = 30.0
    renew_after_s: float = 6 * 3600.0
    soonest_s: float = 3600.0
    stale_weights_s: float = 24 * 3600.0
    half_life_s: float = 14 * 86_400.0
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

Make = Callable[[str, ForecastSettings], Forecaster]


@dataclass(frozen=True, slots=True, eq=False)
class Champion:
    """Who speaks for which series: elected once, asked at any later time without training anew.

    Args:
        history: that the models were elected on, without its values.
        models: that stand, trained.
        failures: name and reason of those that do not.
        record: of the models that stand.
        shares: of the draws, shape (series, indicators, models of ``record``).
        horizon: that the models were trained for.
        trained_at_s: time of the newest step known when a model's weights were made, seconds
            since the epoch; simple models have none.
        remark: why there was no backtest; empty where there was one.
    """

    history: DemandHistory
    models: Mapping[str, Forecaster]
    failures: Mapping[str, str]
    record: Record
    shares: FloatArray
    horizon: Horizon
    trained_at_s: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        """That it speaks for, in this order."""
        return self.history.series

    @property
    def elected_at_s(self) -> float:
        """Time of the newest step known at the election, seconds since the epoch."""
        return self.history.start_s

    def forecast(
        self, ready: CleanHistory, horizon: Horizon, rng: np.random.Generator
    ) -> DemandForecast:
        """What the models say after ``ready``, each for its share of the draws.

        Raises:
            ForecastError: other series, or another number of steps, than it was elected for.
        """
        history = ready.history
        if history.series != self.series or horizon.steps != self.horizon.steps:
            raise ForecastError(
                f"champion: elected for {len(self.series)} series and {self.horizon.steps} steps, "
                f"asked for {len(history.series)} and {horizon.steps}; elect anew"
            )
        standing, made = self, dict[str, DemandForecast]()
        while (wanted := standing.next_to_ask(made)) is not None:
            try:
                said = standing.models[wanted].forecast(history, horizon, rng)
                made[wanted] = checked(wanted, said, horizon, history)
            except ModelFailedError as failed:
                standing = standing.without({wanted: failed.why})
        if not standing.models:
            return replace(SHORT.forecast(history, horizon, rng), verdicts=standing.verdicts())
        heard = {name: made[name] for name in standing.speaking()}
        mixture = pooled(heard, {name: standing.share_of(name) for name in heard})
        return replace(mixture, verdicts=standing.verdicts())

    def speaking(self) -> tuple[str, ...]:
        """Names of the models that have a share."""
        return tuple(name for name in self.record.models if (self.share_of(name) > 0).any())

    def next_to_ask(self, made: Mapping[str, DemandForecast]) -> str | None:
        """A model that speaks and was not asked yet; None when all were."""
        return next((name for name in self.speaking() if name not in made), None)

    def share_of(self, model: str) -> FloatArray:
        """Of the draws, shape (series, indicators)."""
        share: FloatArray = self.shares[:, :, self.record.models.index(model)]
        return share

    def without(self, failures: Mapping[str, str]) -> "Champion":
        """The same without these models, whose shares the others take over as they deserve."""
        gone = {name: why for name, why in failures.items() if name in self.models}
        if not gone:
            return self
        left = {name: model for name, model in self.models.items() if name not in gone}
        return self.judged_by(self.record.among(tuple(left)), left, {**self.failures, **gone})

    def judged_by(
        self, record: Record, models: Mapping[str, Forecaster], failures: Mapping[str, str]
    ) -> "Champion":
        """The same with the shares that ``record`` gives, which knows all of ``models``."""
        shares = fitted_shares(record, self.groups) if models else record.miss
        return replace(self, models=models, failures=failures, record=record, shares=shares)

    @property
    def groups(self) -> IndexArray:
        """Number of each series' group: those of one parent."""
        return groups_of(self.history)

    def verdicts(self) -> tuple[ModelVerdict, ...]:
        """One verdict for each model, the silent ones too."""
        if self.models:
            leader = max(self.record.models, key=lambda name: float(self.share_of(name).sum()))
            spoken = [self._verdict(name) for name in self.record.models]
        else:
            leader, why = SHORT.name, "every model failed; last value with widened residuals"
            spoken = [ModelVerdict(leader, self.series, why)]
        failed = [
            ModelVerdict(name, (), f"failed: {why}; {leader} speaks")
            for name, why in self.failures.items()
        ]
        return (*spoken, *failed)

    def _verdict(self, model: str) -> ModelVerdict:
        share = self.share_of(model)
        series = tuple(s for s, of in zip(self.series, share, strict=True) if (of > 0).any())
        if self.remark:
            return ModelVerdict(model, series, self.remark)
        score = self._score(model)
        told = "" if score is None else f", {score:.2f} of the best simple model's score"
        if not series:
            return ModelVerdict(model, series, f"not chosen{told}", score)
        speaks = f"speaks in {share.mean():.0%} of the futures, for {len(series)} of "
        return ModelVerdict(model, series, f"{speaks}{len(self.series)} series{told}", score)

    def _score(self, model: str) -> float | None:
        """In shares of the best simple model's; None where there is nothing to compare with."""
        alone = self.record.bounded().alone().sum(axis=(0, 1))
        by_name = dict(zip(self.record.models, alone.tolist(), strict=True))
        simple = [score for name, score in by_name.items() if name in SIMPLE]
        if not simple or min(simple) <= 0:
            return None
        return float(by_name[model] / min(simple))


def groups_of(history: DemandHistory) -> IndexArray:
    """Number of each series' group: those of one parent; one group where no parents are known."""
    if not history.parents:
        return np.zeros(len(history.series), dtype=np.int64)
    _, groups = np.unique(np.array(history.parents), return_inverse=True)
    return groups.astype(np.int64)


def forecast_demand(
    history: DemandHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    now_s: float,
    settings: ForecastSettings = DEFAULTS,
    make: Make | None = None,
) -> DemandForecast:
    """Joint sample paths of demand after ``now_s``, from the models that have earned it.

    Args:
        history: as observed, holes and all; nothing after ``now_s`` is looked at.
        horizon: steps and draws wanted.
        rng: source of randomness; the same state gives the same forecast, unless a time guard
            of ``settings`` strikes.
        now_s: seconds since the epoch.
        settings: see there.
        make: see :func:`elect`.

    Returns:
        A forecast that starts one step after the newest step of ``history`` at ``now_s``. Series
        that cannot be forecast are missing from it and named in its warnings.

    Raises:
        StaleHistoryError: the newest sample of all is too old; see
            :func:`nodemix.forecasting.clean.hold`.
        HistoryError: nothing was ever observed.
    """
    ready = clean(history, now_s, settings.stale_after_s)
    known = is_grown(ready, settings)
    parts = forecast_young(ready, np.flatnonzero(~known), horizon, rng)
    if known.any():
        grown = ready.only(np.flatnonzero(known))
        champion = elect(grown, horizon, rng, settings, make=make)
        parts.append(champion.forecast(grown, horizon, rng))
    forecast = joined(parts, ready.history.series)
    return replace(forecast, warnings=ready.warnings + forecast.warnings)


def is_grown(ready: CleanHistory, settings: ForecastSettings) -> BoolArray:
    """Which series were observed for long enough to compare models on."""
    enough = _enough_steps(ready.history, settings)
    grown: BoolArray = np.asarray(ready.history.steps - ready.first_step >= enough)
    return grown


def _enough_steps(history: DemandHistory, settings: ForecastSettings) -> int:
    return max(2, round(settings.min_days * steps_per_day(history.step_s)))


def forecast_young(
    ready: CleanHistory,
    index: IndexArray,
    horizon: Horizon,
    rng: np.random.Generator,
    why: str = "only {steps} steps observed",
) -> list[DemandForecast]:
    """One forecast of the widened last value for each group of series that began together."""
    first = ready.first_step
    parts = []
    for step in np.unique(first[index]):
        group = ready.only(index[first[index] == step]).history
        group = replace(
            group,
            start_s=group.start_s + float(step) * group.step_s,
            values=group.values[:, :, step:],
            observed=None,
        )
        told = f"{why.format(steps=group.steps)}; last value with widened residuals"
        verdict = ModelVerdict(SHORT.name, group.series, told)
        parts.append(replace(SHORT.forecast(group, horizon, rng), verdicts=(verdict,)))
    return parts


def elect(
    ready: CleanHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings = DEFAULTS,
    former: Champion | None = None,
    make: Make | None = None,
) -> Champion:
    """Train every model and compare them at recent origins of ``ready``.

    Args:
        ready: series that were observed for ``settings.min_days`` at least.
        horizon: see :func:`forecast_demand`; the champion can be asked for this many steps only.
        rng: source of randomness.
        settings: see there.
        former: gives its weights where a model cannot be trained now.
        make: gives the costly model of a name; None for :func:`costly_model`.
    """
    history = ready.history
    origins = origins_of(history, horizon, settings)
    if not origins:
        return _untried(history, horizon, _simple_models(settings)[0])
    past = history.until(origins[0])
    trained = _trained_models(past, horizon, rng, settings, make or costly_model)
    kept = _kept_models(former, history, horizon, trained.failures)
    at_s = {**dict.fromkeys(trained.models, history.end_s), **kept.trained_at_s}
    simple: dict[str, Forecaster] = {m.name: m for m in _simple_models(settings)}
    models = {**simple, **trained.models, **kept.models}
    late_s = settings.clock() + settings.budget_s

    def is_late(name: str) -> bool:
        return name in COSTLY and settings.clock() > late_s

    trial = judged(models, ready, horizon, origins, rng, is_late)
    missing = {name: why for name, why in trained.failures.items() if name not in kept.models}
    blank = Champion(_outline(history), {}, {}, trial.record, trial.record.miss, horizon, at_s)
    standing = {name: _set_right(models[name], history, horizon) for name in trial.record.models}
    return blank.judged_by(trial.record, standing, {**missing, **trial.failures})


def _set_right(model: Forecaster, history: DemandHistory, horizon: Horizon) -> Forecaster:
    """The model after it has seen the end that it was judged on; its weights stay."""
    return model.calibrated(history, horizon) if isinstance(model, Calibratable) else model


def origins_of(
    history: DemandHistory, horizon: Horizon, settings: ForecastSettings
) -> Sequence[int]:
    """Lengths of the histories at which models would be compared."""
    season, shortest = steps_per_day(history.step_s), _enough_steps(history, settings)
    return backtest_origins(history.steps, horizon.steps, season, settings.origins, shortest)


def _outline(history: DemandHistory) -> DemandHistory:
    """The last moment of the history without its values."""
    nothing = np.zeros((*history.values.shape[:2], 0))
    return replace(history, start_s=history.end_s, values=nothing, observed=None, events=())


def _untried(history: DemandHistory, horizon: Horizon, model: Forecaster) -> Champion:
    """One simple model, for want of anything to choose by."""
    record = nothing_known((model.name,), history)
    remark = f"{history.steps} steps are too few for a backtest of {horizon.steps}"
    shares = np.ones_like(record.miss)
    models = {model.name: model}
    return Champion(_outline(history), models, {}, record, shares, horizon, remark=remark)


def _simple_models(settings: ForecastSettings) -> list[Forecaster]:
    return [simple_model(name) for name in SIMPLE if name in settings.models]


def simple_model(name: str) -> Forecaster:
    """The simple model of that name."""
    models: tuple[Forecaster, ...] = (LastValue(), SeasonalNaive(), WindowQuantile())
    return next(model for model in models if model.name == name)


def costly_model(name: str, settings: ForecastSettings) -> Forecaster:
    """The costly model of that name; imports torch or statsmodels."""
    if name == "ets":
        from nodemix.forecasting.baselines.ets import Ets  # noqa: PLC0415  symmetric with the flow

        return Ets(settings.train_s, settings.clock)
    from nodemix.forecasting.checkpoint import cold_start  # noqa: PLC0415  torch: 2.3 s, 218 MiB
    from nodemix.forecasting.flow import Flow  # noqa: PLC0415  likewise
    from nodemix.forecasting.train import FINE_TUNE  # noqa: PLC0415  likewise

    return Flow(settings.train_s, FINE_TUNE, settings.clock, start=cold_start())


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """Trained models, and why others are not among them."""

    models: Mapping[str, Forecaster]
    failures: Mapping[str, str] = field(default_factory=dict)
    trained_at_s: Mapping[str, float] = field(default_factory=dict)


def _trained_models(
    history: DemandHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings,
    make: Make,
) -> _Weights:
    """The costly models, as far as the time goes."""
    started_s = settings.clock()
    models: dict[str, Forecaster] = {}
    failures: dict[str, str] = {}
    for name in (name for name in COSTLY if name in settings.models):
        if settings.clock() - started_s > settings.budget_s:
            failures[name] = f"not tried, {settings.budget_s:g} s were over"
            continue
        try:
            model = make(name, settings)
            if isinstance(model, Trainable):
                model = model.trained(history, horizon, rng)
            models[name] = model
        except ModelFailedError as failed:
            failures[name] = failed.why
        except CheckpointError as refused:
            failures[name] = str(refused)
    return _Weights(models, failures)


def _kept_models(
    former: Champion | None, history: DemandHistory, horizon: Horizon, missing: Mapping[str, str]
) -> _Weights:
    """Former weights of the missing models; only they were made for the same question."""
    if former is None or former.horizon.steps != horizon.steps:
        return _Weights({})
    asked = (history.series, history.indicators, history.step_s)
    if asked != (former.series, former.history.indicators, former.history.step_s):
        return _Weights({})
    models = {name: former.models[name] for name in missing if name in former.models}
    return _Weights(models, trained_at_s={name: former.trained_at_s[name] for name in models})
