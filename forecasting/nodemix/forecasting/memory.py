"""Forecasts tick by tick: train seldom, ask always, and let shares follow what comes true.

Training and comparing every model takes seconds; asking the trained ones takes far less. So a
champion is kept between ticks. An election is due when it has grown old, when the question has
changed, or when forecasts have stopped fitting. Between elections each standing model is judged
at every new origin whose horizon has passed. It is asked again for that: what it says then is
what it said at that time, for its weights are older. New shares take the place of the standing
ones, group by group, only where they score better by a margin twice in a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from nodemix.forecasting.backtest import judged
from nodemix.forecasting.calibrate import CalibrationReport, Monitor
from nodemix.forecasting.champion import (
    DEFAULTS,
    Champion,
    ForecastSettings,
    elect,
    forecast_young,
    is_grown,
    origins_of,
)
from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.combine import joined
from nodemix.forecasting.pool import fitted_shares, scores
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import (
    BoolArray,
    DemandForecast,
    DemandHistory,
    Horizon,
)

JUDGE_EVERY = 0.25
"""Distance of judged origins in horizons; closer ones say the same."""

WINS_TO_CHANGE = 2
NEWCOMER = "{steps} steps observed, but not at the last election"


@dataclass(frozen=True, slots=True, eq=False)
class ForecastMemory:
    """What one tick leaves to the next one.

    Args:
        champion: None before the first election.
        judged_until_s: time of the newest origin in its record, seconds since the epoch.
        wins: how often in a row new shares have beaten the standing ones by the margin, by group
            and indicator; none is zero.
        monitor: of the forecasts that were issued.
    """

    champion: Champion | None = None
    judged_until_s: float = 0.0
    wins: Mapping[tuple[int, int], int] = field(default_factory=dict)
    monitor: Monitor = field(default_factory=Monitor)

    def report(self) -> CalibrationReport:
        """How well the forecasts so far have kept their word."""
        return self.monitor.report()


def forecast_and_remember(
    history: DemandHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    now_s: float,
    memory: ForecastMemory,
    settings: ForecastSettings = DEFAULTS,
) -> tuple[DemandForecast, ForecastMemory]:
    """Like :func:`nodemix.forecasting.champion.forecast_demand`, but trained models are kept.

    Args:
        memory: of the former tick; an empty one before the first.

    Returns:
        The forecast and the memory for the next tick.

    Raises:
        StaleHistoryError, HistoryError: as there; the memory stays as it was.
    """
    electing, judging, asking = rng.spawn(3)
    ready = clean(history, now_s, settings.stale_after_s)
    monitor = memory.monitor.observed(_as_observed(ready))
    memory = replace(memory, monitor=monitor)
    grown = is_grown(ready, settings)
    why = why_elect(memory, ready.only(np.flatnonzero(grown)), horizon, settings)
    if why:
        memory = _elected(memory, ready.only(np.flatnonzero(grown)), horizon, electing, settings)
    else:
        memory = _judged_again(memory, ready, horizon, judging, settings)
    forecast = _spoken(memory.champion, ready, grown, horizon, asking, settings)
    monitor = memory.monitor.issued(forecast)
    return memory.monitor.adjust(forecast), replace(memory, monitor=monitor)


def _as_observed(ready: CleanHistory) -> DemandHistory:
    """The clean history with its holes: what was filled in is no evidence."""
    return replace(ready.history, values=np.where(ready.observed, ready.history.values, np.nan))


def why_elect(
    memory: ForecastMemory, grown: CleanHistory, horizon: Horizon, settings: ForecastSettings
) -> str:
    """Why an election is due, in words; empty where none is.

    Args:
        grown: series that were observed for long enough to compare models on.
    """
    champion, history = memory.champion, grown.history
    if not history.series:
        return ""
    if champion is None:
        return "there was no election yet"
    asked = (horizon.steps, history.step_s, history.indicators)
    if asked != (champion.horizon.steps, champion.history.step_s, champion.history.indicators):
        return "the horizon, the grid or the indicators are others"
    if champion.remark and origins_of(history, horizon, settings):
        return "the history has become long enough for a backtest"
    return _why_anew(champion, history, settings, is_drifting=memory.report().is_drifting)


def _why_anew(
    champion: Champion, history: DemandHistory, settings: ForecastSettings, *, is_drifting: bool
) -> str:
    """Why the same question needs another election."""
    age_s = history.end_s - champion.elected_at_s
    if not 0.0 <= age_s <= settings.renew_after_s:
        return f"the last election is {age_s / 3600:.0f} h old"
    if age_s < settings.soonest_s:
        return ""
    if is_drifting:
        return "forecasts have stopped fitting"
    new = len(set(history.series) - set(champion.series))
    return f"{new} series are new" if new else ""


def _elected(
    memory: ForecastMemory,
    grown: CleanHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings,
) -> ForecastMemory:
    champion = elect(grown, horizon, rng, settings, memory.champion)
    judged_until_s = grown.history.end_s - horizon.steps * grown.history.step_s
    return replace(memory, champion=champion, judged_until_s=judged_until_s, wins={})


def _judged_again(
    memory: ForecastMemory,
    ready: CleanHistory,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings,
) -> ForecastMemory:
    """The memory after the newest origin whose horizon has passed, where it is a new one."""
    champion, history = memory.champion, ready.history
    if champion is None or champion.remark:
        return memory
    origin_s = history.end_s - horizon.steps * history.step_s
    since_s = origin_s - memory.judged_until_s
    if since_s < JUDGE_EVERY * horizon.steps * history.step_s:
        return memory
    ours = _as_elected(ready, champion)
    trial = judged(champion.models, ours, horizon, (history.steps - horizon.steps,), rng)
    champion = champion.without(trial.failures)
    keep = 0.5 ** (since_s / settings.half_life_s)
    champion = replace(champion, record=champion.record.plus(trial.record, keep))
    if not champion.models:
        return replace(memory, champion=champion, judged_until_s=origin_s)
    champion, wins = _challenged(champion, memory.wins, settings.margin)
    return replace(memory, champion=champion, judged_until_s=origin_s, wins=wins)


def _challenged(
    champion: Champion, wins: Mapping[tuple[int, int], int], margin: float
) -> tuple[Champion, Mapping[tuple[int, int], int]]:
    """The champion with new shares where these have won often enough, and the wins after that."""
    shares = fitted_shares(champion.record, champion.groups)
    known = champion.record.bounded()
    standing, newer = scores(known, champion.shares), scores(known, shares)
    counted: dict[tuple[int, int], int] = {}
    settled = champion.shares.copy()
    for group in np.unique(champion.groups).tolist():
        members = champion.groups == group
        for k in range(settled.shape[1]):
            before, after = float(standing[members, k].sum()), float(newer[members, k].sum())
            if before - after <= margin * abs(before):
                continue
            counted[group, k] = wins.get((group, k), 0) + 1
            if counted[group, k] >= WINS_TO_CHANGE:
                settled[members, k] = shares[members, k]
                del counted[group, k]
    return replace(champion, shares=settled), counted


def _spoken(
    champion: Champion | None,
    ready: CleanHistory,
    grown: BoolArray,
    horizon: Horizon,
    rng: np.random.Generator,
    settings: ForecastSettings,
) -> DemandForecast:
    """What everyone says: the champion for its series, the widened last value for the others."""
    history = ready.history
    ours = np.zeros(len(history.series), dtype=np.bool_)
    if champion is not None:
        ours = grown & np.isin(history.series, champion.series)
    parts = forecast_young(ready, np.flatnonzero(~grown), horizon, rng)
    parts += forecast_young(ready, np.flatnonzero(grown & ~ours), horizon, rng, NEWCOMER)
    if champion is not None and ours.any():
        champion = champion.without(_stale(champion, history, settings))
        spoken = champion.forecast(_as_elected(ready, champion), horizon, rng)
        parts.append(_only(spoken, np.flatnonzero(ours), history.series))
    forecast = joined(parts, history.series)
    return replace(forecast, warnings=ready.warnings + forecast.warnings)


def _stale(
    champion: Champion, history: DemandHistory, settings: ForecastSettings
) -> Mapping[str, str]:
    """Models whose weights have grown too old to be asked, and why."""
    limit_s = settings.stale_weights_s
    ages_s = {name: history.end_s - at_s for name, at_s in champion.trained_at_s.items()}
    return {
        name: f"its weights are {age_s / 3600:.0f} h old, more than {limit_s / 3600:g} h"
        for name, age_s in ages_s.items()
        if age_s > limit_s
    }


def _as_elected(ready: CleanHistory, champion: Champion) -> CleanHistory:
    """The series of the champion in its order; one that is gone has no demand any more."""
    history = ready.history
    at = {name: i for i, name in enumerate(history.series)}
    here = np.array([at.get(name, -1) for name in champion.series])
    is_here = (here >= 0)[:, None, None]
    observed = ready.observed[here] & is_here
    ours = replace(
        history,
        series=champion.series,
        parents=champion.history.parents,
        values=np.where(is_here, history.values[here], 0.0),
        observed=observed,
    )
    return CleanHistory(ours, np.where(here >= 0, ready.first_step[here], 0), observed)


def _only(forecast: DemandForecast, index: IndexArray, names: tuple[str, ...]) -> DemandForecast:
    """The forecast of the series ``names[index]`` alone."""
    series = tuple(names[i] for i in index)
    at = [forecast.series.index(name) for name in series]
    return replace(forecast, series=series, samples=forecast.samples[:, at])
