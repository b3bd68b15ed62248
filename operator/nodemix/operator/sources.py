"""The input of a decision from the real world: the watched cluster, price books, Prometheus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.cluster.view import ClusterView
from nodemix.operator.metrics.prometheus import Prometheus, PrometheusSettings
from nodemix.operator.metrics.queries import queries_with
from nodemix.operator.metrics.sources import (
    DemandReading,
    DemandRequest,
    DemandSource,
    MetricsServerSource,
    ObservationReader,
    PrometheusSource,
    read_demand,
)
from nodemix.operator.prices.books import PriceReading
from nodemix.operator.worker import DecisionOutcome, DecisionRequest, DecisionWorker
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import Pod, Snapshot


def open_prometheus(url: str) -> Prometheus:
    """A client with the usual patience."""
    return Prometheus(PrometheusSettings(url))


def nothing() -> None:
    """The beliefs of a process that learns nothing."""


@dataclass(frozen=True, slots=True)
class LiveSources:
    """What :func:`nodemix.operator.reconcile.reconcile` asks, answered by the running operator.

    Args:
        usage: asked where there is no Prometheus, or it knows nothing.
        prometheus_url: for policies that name none; empty means there is none.
        open_prometheus: makes the client of a server.
        learned: what is believed of the cluster.
    """

    view: ClusterView
    catalogs: Catalogs
    worker: DecisionWorker
    usage: ObservationReader
    prometheus_url: str = ""
    open_prometheus: Callable[[str], Prometheus] = open_prometheus
    learned: Callable[[], Beliefs | None] = nothing
    _clients: dict[str, Prometheus] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        """The cluster as the informers see it."""
        return self.view.snapshot()

    async def prices(self, spec: NodeMixPolicySpec) -> PriceReading:
        """The prices of the policy's price book, or those that ship with nodemix."""
        return await self.catalogs.read(spec)

    async def demand(
        self, spec: NodeMixPolicySpec, pods: Sequence[Pod], now_s: float
    ) -> DemandReading:
        """The history from Prometheus, else the usage of now, else nothing; and why."""
        forecast = spec.forecast
        request = DemandRequest(
            now_s=now_s,
            pods=tuple(pods),
            lookback_s=float(forecast.lookback_seconds),
            step_s=float(forecast.step_seconds),
            queries=queries_with(forecast.queries),
        )
        return await read_demand(self._demand_sources(spec), request)

    def beliefs(self) -> Beliefs | None:
        """What was learned of the cluster, as of now."""
        return self.learned()

    async def decide(self, request: DecisionRequest) -> DecisionOutcome:
        """Forecast and decide in the worker."""
        return await self.worker.decide(request)

    def _demand_sources(self, spec: NodeMixPolicySpec) -> tuple[DemandSource, ...]:
        """Best first."""
        url = spec.prometheus.url if spec.prometheus is not None else self.prometheus_url
        usage = MetricsServerSource(self.usage)
        return (PrometheusSource(self._client(url)), usage) if url else (usage,)

    def _client(self, url: str) -> Prometheus:
        """One client for each server, so that connections are kept between ticks."""
        if url not in self._clients:
            self._clients[url] = self.open_prometheus(url)
        return self._clients[url]

    async def aclose(self) -> None:
        """Close the connections to Prometheus."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
