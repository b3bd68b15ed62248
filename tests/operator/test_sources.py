from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.cluster.view import ClusterView
from nodemix.operator.errors import MetricsServerError, StaleViewError
from nodemix.operator.metrics.prometheus import Prometheus, PrometheusSettings
from nodemix.operator.metrics.sources import DemandOrigin, DemandReading
from nodemix.operator.prices.books import PriceBooks
from nodemix.operator.prices.load import PriceAccess
from nodemix.operator.sources import LiveSources
from nodemix.operator.worker import DecisionWorker
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.risk.replacement import BootTimes
from nodemix.optimizer.snapshot import Pod

from tests.builders import make_pods
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

NOW_S = 1_800_000_000.0
PODS = make_pods(2)


class NoUsage:
    """metrics.k8s.io that is not installed."""

    async def observe(self, pods: Any, now_s: float, step_s: float) -> DemandHistory:
        raise MetricsServerError("metrics.k8s.io", "is not served by this cluster", "install it")


@dataclass
class World:
    """Prometheus servers by URL; each knows two pods of web at every step."""

    default_url: str = ""
    opened: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    sources: LiveSources = field(init=False)

    def __post_init__(self) -> None:
        clock = FakeClock(NOW_S)
        self.sources = LiveSources(
            view=ClusterView(None, clock, Random(0)),  # type: ignore[arg-type]  # noqa: S311
            catalogs=Catalogs(PriceBooks(PriceAccess(), clock), clock),
            worker=DecisionWorker(),
            usage=NoUsage(),
            prometheus_url=self.default_url,
            open_prometheus=self.open,
        )

    def open(self, url: str) -> Prometheus:
        self.opened.append(url)
        return Prometheus(PrometheusSettings(url), httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        form = {k: v[0] for k, v in parse_qs(request.content.decode()).items()}
        self.asked.append(form)
        labels = {"namespace": "default", "deployment": "web", "name": "web"}
        start_s, end_s, step_s = (float(form[key]) for key in ("start", "end", "step"))
        steps = int((end_s - start_s) / step_s) + 1
        values = [[start_s + i * step_s, "2"] for i in range(steps)]
        result = [{"metric": labels, "values": values}]
        data = {"resultType": "matrix", "result": result}
        return httpx.Response(200, json={"status": "success", "data": data})

    async def demand(self, pods: list[Pod] = PODS, **spec: Any) -> DemandReading:
        parsed = NodeMixPolicySpec.model_validate(spec)
        return await self.sources.demand(parsed, pods, NOW_S)


@asynccontextmanager
async def world(default_url: str = "") -> AsyncIterator[World]:
    found = World(default_url)
    try:
        yield found
    finally:
        await found.sources.aclose()


async def test_policy_is_read_from_the_prometheus_it_names() -> None:
    async with world("http://default:9090") as found:
        reading = await found.demand(prometheus={"url": "http://own:9090"})

        assert found.opened == ["http://own:9090"]
        assert reading.source is DemandOrigin.PROMETHEUS
        assert reading.history is not None
        assert reading.history.series == ("default/Deployment/web",)


async def test_policy_that_names_none_is_read_from_the_operators_own() -> None:
    async with world("http://default:9090") as found:
        await found.demand()
        await found.demand()

        assert found.opened == ["http://default:9090"]  # connections are kept


async def test_without_a_prometheus_the_usage_of_now_is_asked_then_nothing() -> None:
    async with world() as found:
        reading = await found.demand()

        assert reading.history is None
        assert reading.source is DemandOrigin.REQUESTS
        words = " ".join(str(note) for note in reading.degraded)
        assert "metrics.k8s.io: is not served" in words
        assert "set spec.prometheus.url" in words


async def test_lookback_step_and_queries_are_the_policys() -> None:
    async with world("http://default:9090") as found:
        own = {"indicator": "pods", "kind": "Deployment", "query": "web_pods[$step]"}
        forecast = {"lookbackSeconds": 7200, "stepSeconds": 600, "queries": [own]}
        reading = await found.demand(forecast=forecast)

        texts = [form["query"] for form in found.asked]
        assert "web_pods[600s]" in texts
        assert not any("kube_deployment_status_replicas" in text for text in texts)
        assert any("kube_statefulset_status_replicas" in text for text in texts)
        assert {form["step"] for form in found.asked} == {"600.000"}
        assert reading.history is not None
        assert reading.history.values.shape[2] == 12


async def test_prices_come_from_the_catalogs() -> None:
    async with world() as found:
        reading = await found.sources.prices(NodeMixPolicySpec())

        assert len(reading.catalog.offers) > 100


async def test_view_that_never_listed_is_no_snapshot() -> None:
    async with world() as found:
        with pytest.raises(StaleViewError, match="have not been listed"):
            found.sources.snapshot()


async def test_beliefs_are_asked_for_each_time() -> None:
    async with world() as found:
        assert found.sources.beliefs() is None
        learned = iter([Beliefs(), Beliefs(boots=BootTimes((1.0,)))])
        sources = replace(found.sources, learned=lambda: next(learned))

        assert [sources.beliefs(), sources.beliefs()] == [
            Beliefs(),
            Beliefs(boots=BootTimes((1.0,))),
        ]
