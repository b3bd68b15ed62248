"""Where demand comes from, and what to do when it does not come.

The order, from best to worst: Prometheus (weeks of history), metrics.k8s.io (one observation of
now), the requests of the pods as they are (no history). Each step down is said in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from nodemix.forecasting.types import DemandHistory
from nodemix.operator.errors import MetricsServerError, PrometheusDownError, PrometheusError
from nodemix.operator.metrics.history import (
    DEFAULT_STEP_S,
    Grid,
    HistoryBuilder,
    only_series,
    with_known_pods,
)
from nodemix.operator.metrics.prometheus import Prometheus
from nodemix.operator.metrics.queries import KUBE_STATE_METRICS, DemandQuery
from nodemix.optimizer.snapshot import Note, Pod

DEFAULT_LOOKBACK_S = 14 * 86_400.0
"""Two weeks: the shortest that shows a weekly season twice."""

NO_HISTORY = "planned for the requests as they are"

GIVE_PROMETHEUS = "set spec.prometheus.url to a Prometheus that scrapes kube-state-metrics"


class DemandOrigin(StrEnum):
    """What a reading rests on."""

    PROMETHEUS = "prometheus"
    METRICS_SERVER = "metrics.k8s.io"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class DemandRequest:
    """What is asked.

    Args:
        now_s: seconds since the epoch.
        pods: of the policy; only their workloads are read. Empty reads every workload.
    """

    now_s: float
    pods: tuple[Pod, ...] = ()
    lookback_s: float = DEFAULT_LOOKBACK_S
    step_s: float = DEFAULT_STEP_S
    queries: tuple[DemandQuery, ...] = KUBE_STATE_METRICS

    @property
    def grid(self) -> Grid:
        """The steps asked for."""
        return Grid.until(self.now_s, self.lookback_s, self.step_s)


@dataclass(frozen=True, slots=True)
class DemandReading:
    """Demand as far as it is known.

    Args:
        history: None where nothing was observed: plan for the requests as they are.
        degraded: what is worse than it should be, and the remedy; empty when all is well.
    """

    history: DemandHistory | None
    source: DemandOrigin
    degraded: tuple[Note, ...] = ()


class DemandSource(Protocol):
    """Something that knows demand.

    ``read`` returns None, with notes, where it has nothing to say and the next source should be
    asked; it raises nothing that a server which is down can cause.
    """

    @property
    def origin(self) -> DemandOrigin:
        """What a reading of this source is called."""
        ...

    async def read(self, request: DemandRequest) -> tuple[DemandHistory | None, tuple[Note, ...]]:
        """The history on ``request.grid`` (or its newest steps), and what is degraded in it."""
        ...


class ObservationReader(Protocol):
    """What reads the usage of now."""

    async def observe(self, pods: Sequence[Pod], now_s: float, step_s: float) -> DemandHistory:
        """One observation of every workload of ``pods``; raises MetricsServerError."""
        ...


@dataclass(frozen=True, slots=True)
class PrometheusSource:
    """Weeks of history."""

    prometheus: Prometheus

    @property
    def origin(self) -> DemandOrigin:
        """Prometheus."""
        return DemandOrigin.PROMETHEUS

    async def read(self, request: DemandRequest) -> tuple[DemandHistory | None, tuple[Note, ...]]:
        """What the queries answer; a query that fails costs its own workloads only."""
        builder, notes = HistoryBuilder(request.grid), list[Note]()
        try:
            for query in request.queries:
                notes += await self._read_query(query, request.grid, builder)
        except PrometheusDownError as err:
            return None, (_note(err),)
        history = builder.build()
        if history is not None and request.pods:
            history = only_series(history, {str(pod.workload) for pod in request.pods})
        if history is not None:
            history, left_out = with_known_pods(history)
            notes += [self._incomplete(indicator) for indicator in left_out]
        if history is None and not notes:
            notes = [self._nothing()]
        return history, tuple(notes)

    async def _read_query(
        self, query: DemandQuery, grid: Grid, builder: HistoryBuilder
    ) -> list[Note]:
        warnings: set[str] = set()
        try:
            async for piece in self.prometheus.query_range(query.text(grid.step_s), grid):
                warnings.update(piece.warnings)
                for series in piece.series:
                    name = query.series(series.labels)
                    if name is not None:
                        builder.add(name, query.indicator, series.times_s, series.values)
                    else:
                        warnings.add(_unnamed(query))
        except PrometheusDownError:
            raise
        except PrometheusError as err:
            return [_note(err)]
        return [self._partial(query, text) for text in sorted(warnings)]

    def _partial(self, query: DemandQuery, text: str) -> Note:
        subject = f"{self.prometheus.name} {query.indicator} of {query.kind}"
        return Note(subject, f"the answer may be incomplete: {text}", severity="warning")

    def _incomplete(self, indicator: str) -> Note:
        return Note(
            f"{self.prometheus.name} {indicator}",
            "left out: it is not known of every workload whose pods are known",
            "give a query in spec.forecast.queries that covers all of them",
            "warning",
        )

    def _nothing(self) -> Note:
        return Note(
            self.prometheus.name,
            "knows no demand of the selected workloads",
            "scrape kube-state-metrics, or set spec.forecast.queries",
            "warning",
        )


@dataclass(frozen=True, slots=True)
class MetricsServerSource:
    """One observation of now."""

    reader: ObservationReader

    @property
    def origin(self) -> DemandOrigin:
        """metrics.k8s.io."""
        return DemandOrigin.METRICS_SERVER

    async def read(self, request: DemandRequest) -> tuple[DemandHistory | None, tuple[Note, ...]]:
        """The usage of now; nothing where no workload is asked for."""
        if not request.pods:
            return None, ()
        try:
            history = await self.reader.observe(request.pods, request.now_s, request.step_s)
        except MetricsServerError as err:
            return None, (_note(err),)
        note = Note(
            str(self.origin),
            "only the usage of now is known, no history",
            GIVE_PROMETHEUS,
            "warning",
        )
        known, _ = with_known_pods(history)
        return known, (note,)


async def read_demand(sources: Sequence[DemandSource], request: DemandRequest) -> DemandReading:
    """The reading of the first source that has something to say.

    Args:
        sources: best first; the requests as they are come last by themselves.
    """
    notes: list[Note] = []
    for source in sources:
        history, degraded = await source.read(request)
        notes += degraded
        if history is not None:
            return DemandReading(history, source.origin, tuple(notes))
    notes.append(_without_history(sources))
    return DemandReading(None, DemandOrigin.REQUESTS, tuple(notes))


def _without_history(sources: Sequence[DemandSource]) -> Note:
    fact = f"no source of demand has history; {NO_HISTORY}"
    is_asked = any(source.origin is DemandOrigin.PROMETHEUS for source in sources)
    remedy = "" if is_asked else GIVE_PROMETHEUS
    return Note("demand history", fact, remedy, "warning")


def _unnamed(query: DemandQuery) -> str:
    return (
        f"a series lacks the label {query.namespace_label} or {query.name_label}, so its workload "
        "is unknown; group the query by both"
    )


def _note(error: PrometheusError | MetricsServerError) -> Note:
    return Note(error.subject, error.fact, error.remedy, "warning")
