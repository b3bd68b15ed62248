"""``nodemix backtest``: from what is asked to what came of it."""

import math
import time
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.champion import ForecastSettings
from nodemix.forecasting.types import DemandHistory, Horizon
from nodemix.operator.backtest.foretelling import Remembering
from nodemix.operator.backtest.inputs import Recording
from nodemix.operator.offline import Terms
from nodemix.operator.worker import warm_up
from nodemix.optimizer.catalog.filters import apply_filter, or_default
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.risk.beliefs import SECONDS_PER_HOUR
from nodemix.optimizer.snapshot import Snapshot
from nodemix.simulator.backtest import Backtest, Question, Watch, backtest
from nodemix.simulator.clock import Span
from nodemix.simulator.errors import ReplayError
from nodemix.simulator.market import Market, Reclaim, drawn_reclaims
from nodemix.simulator.replay import Scene, opened
from nodemix.simulator.workload import workloads_of

DEFAULT_DAYS = 7.0
DEFAULT_SEARCH_S = 1.0
PAST_SHARE = 1.0 / 3.0
"""Of a history that is short: so much of it at least is past only, to forecast from."""


@dataclass(frozen=True, slots=True)
class Times:
    """What of a history is replayed; None is what was not said.

    Args:
        start_s, end_s: seconds since the epoch.
        days: before the end, where no start is given.
    """

    start_s: float | None = None
    end_s: float | None = None
    days: float | None = None
    every_s: float = 1800.0

    def span(self, history: DemandHistory) -> Span:
        """The time to replay, on the grid of the history.

        Raises:
            ReplayError: the history does not hold it.
        """
        end_s = history.end_s if self.end_s is None else min(self.end_s, history.end_s)
        longest_s = (1.0 - PAST_SHARE) * (end_s - history.start_s)
        wished_s = 86_400.0 * (self.days or DEFAULT_DAYS)
        asked = end_s - (wished_s if self.days else min(wished_s, longest_s))
        start_s = asked if self.start_s is None else self.start_s
        if start_s < history.start_s:
            raise ReplayError(
                f"replay: it would start {(history.start_s - start_s) / 86_400.0:.1f} days before "
                f"the history; give a longer history, or a later --from"
            )
        steps = math.ceil((start_s - history.start_s) / history.step_s - 1e-9)
        return Span(history.start_s + steps * history.step_s, end_s, self.every_s)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """All that a backtest depends on.

    Args:
        seed: of every random draw.
    """

    snapshot: Snapshot
    recording: Recording
    terms: Terms
    catalog: Catalog
    times: Times
    models: ForecastSettings
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What came of it, and what was assumed.

    Args:
        span: all that was replayed.
        models: that spoke.
    """

    found: Backtest
    span: Span
    policy: str
    boot_s: float
    seed: int
    models: tuple[str, ...]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


def answer(asked: Asked, watch: Watch | None = None) -> Told:
    """Replay nodemix and its rivals.

    Raises:
        ReplayError: the time, the history and the snapshot do not go together.
        EmptyCatalogError: the policy allows nothing to be bought.
    """
    policy = asked.terms.policy
    workloads = workloads_of(asked.snapshot, asked.recording.history, policy.selector)
    span = asked.times.span(workloads.history)
    catalog = apply_filter(asked.catalog, or_default(policy.offers))
    scene = Scene(
        workloads,
        Market(catalog, changes=asked.recording.changes),
        float(policy.service_level.lead_time_s),
        asked.snapshot.daemon_sets,
        asked.snapshot.disruption_budgets,
    )
    market = replace(scene.market, reclaims=_reclaims(asked, scene, span))
    foretell = _forecaster(asked, scene, span)
    question = Question(
        scene=replace(scene, market=market),
        span=span,
        policy=policy,
        foretell=foretell,
        clock=time.process_time,
        seed=asked.seed,
    )
    warm_up()
    found = backtest(question, watch)
    return Told(
        found=found,
        span=span,
        policy=policy.name,
        boot_s=scene.boot_s,
        seed=asked.seed,
        models=tuple(foretell.models),
        assumptions=_assumptions(asked),
        warnings=(
            *asked.recording.warnings,
            *(f"{name}: not in the snapshot, left out" for name in workloads.left_out),
            *(f"{key}: no history, its pods of now were replayed" for key in workloads.steady),
            *(f"forecast: {failure}" for failure in foretell.failures),
            *(f"no plan at some moments: {failure}" for failure in found.failures),
        ),
    )


def _forecaster(asked: Asked, scene: Scene, span: Span) -> Remembering:
    """As the policy says, but at least until the nodes of the next decision are ready."""
    step_s = scene.workloads.history.step_s
    ahead_s = max(float(asked.terms.forecast.horizon_seconds), span.every_s + scene.boot_s)
    horizon = Horizon(math.ceil(ahead_s / step_s))
    lookback_s = float(asked.terms.forecast.lookback_seconds)
    return Remembering(horizon, asked.models, lookback_s, asked.seed)


def _reclaims(asked: Asked, scene: Scene, span: Span) -> tuple[Reclaim, ...]:
    """Those that were recorded, else drawn from what is believed before anything is seen."""
    if asked.recording.reclaims is not None:
        return asked.recording.reclaims
    catalog = scene.market.catalog
    beliefs = opened(scene, span.start_s)
    hazards = beliefs.hazards_of(catalog, span.start_s / SECONDS_PER_HOUR)
    rng = np.random.default_rng(asked.seed)
    return drawn_reclaims(catalog.offers, hazards, span.start_s, span.end_s, rng)


def _assumptions(asked: Asked) -> tuple[str, ...]:
    recorded = asked.recording.reclaims is not None
    lines = [
        "reclaims are those of reclaims.csv"
        if recorded
        else "no reclaims are recorded: drawn from the rates believed of each pool",
        "prices change as prices.csv says"
        if asked.recording.changes
        else "no prices are recorded: those of the catalog held all the time",
        "a workload's pods keep the requests and constraints that the snapshot shows",
        "pods go to the fullest node with room; required spreads over zones are left to the plan",
    ]
    if asked.terms.policy.commitments:
        lines.append("commitments of the policy are left out")
    return tuple(lines)
