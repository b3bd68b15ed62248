import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.errors import ConnectionFailedError
from nodemix.operator.metrics.history import Grid
from nodemix.operator.metrics.metrics_server import MetricsServer
from nodemix.operator.metrics.prometheus import Prometheus, PrometheusSettings
from nodemix.operator.metrics.queries import KUBE_STATE_METRICS, DemandQuery
from nodemix.operator.metrics.sources import (
    DemandOrigin,
    DemandReading,
    DemandRequest,
    DemandSource,
    MetricsServerSource,
    PrometheusSource,
    read_demand,
)
from nodemix.optimizer.snapshot import Pod, WorkloadKey

from tests.builders import make_pod

CART = WorkloadKey("default", "Deployment", "cart")
QUEUE = WorkloadKey("default", "StatefulSet", "queue")
NOW_S = 10_000.0
USAGE_QUERY = DemandQuery("cpu_milli", "Deployment", "usage", name_label="deployment")


class Cluster:
    """A Prometheus and a metrics API that a test can break."""

    def __init__(self) -> None:
        self.series: dict[str, list[tuple[dict[str, str], str]]] = {
            "kube_deployment": [({"namespace": "default", "deployment": "cart"}, "5")],
            "kube_statefulset": [({"namespace": "default", "statefulset": "queue"}, "2")],
        }
        self.refused: str | None = None
        self.is_down = False
        self.warnings: list[str] = []
        self.metrics_api: Any = {"items": []}
        self.asked = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        text = request.content.decode()
        if self.refused and self.refused in text:
            return httpx.Response(400, json={"error": "parse error"})
        found = [s for metric, rows in self.series.items() if metric in text for s in rows]
        result = [{"metric": m, "values": [[9000, v], [9900, v]]} for m, v in found]
        data = {"resultType": "matrix", "result": result}
        body = {"status": "success", "data": data, "warnings": self.warnings}
        return httpx.Response(200, json=body)

    async def get(self, path: str) -> Any:
        if isinstance(self.metrics_api, Exception):
            raise self.metrics_api
        return self.metrics_api

    def read(self, *pods: Pod, with_metrics: bool = False, **fields: Any) -> DemandReading:
        async def ask() -> DemandReading:
            transport = httpx.MockTransport(self.answer)
            async with Prometheus(PrometheusSettings("http://p", attempts=1), transport) as client:
                sources: list[DemandSource] = [PrometheusSource(client)]
                if with_metrics:
                    sources.append(MetricsServerSource(MetricsServer(self)))
                return await read_demand(sources, DemandRequest(NOW_S, pods, 1800.0, **fields))

        return asyncio.run(ask())


def words(reading: DemandReading) -> str:
    return " | ".join(str(note) for note in reading.degraded)


def known(reading: DemandReading) -> DemandHistory:
    assert reading.history is not None
    return reading.history


def test_a_healthy_prometheus_gives_history_and_no_notes() -> None:
    reading = Cluster().read()

    assert (reading.source, reading.degraded) == (DemandOrigin.PROMETHEUS, ())
    assert known(reading).series == (str(CART), str(QUEUE))
    np.testing.assert_array_equal(known(reading).values[:, 0, :], [[5, 5], [2, 2]])


def test_the_history_lies_on_the_grid_that_was_asked_for() -> None:
    request = DemandRequest(NOW_S, lookback_s=1800.0)

    assert request.grid == Grid(9000.0, 900.0, 2)
    assert known(Cluster().read()).end_s == request.grid.end_s


def test_only_workloads_of_the_policys_pods_are_read() -> None:
    reading = Cluster().read(make_pod("a", QUEUE))

    assert known(reading).series == (str(QUEUE),)


def test_two_copies_of_kube_state_metrics_count_once() -> None:
    cluster = Cluster()
    cluster.series["kube_deployment"] *= 2

    assert known(cluster.read()).values[0, 0].tolist() == [5, 5]


def test_a_prometheus_that_is_down_is_named_and_the_requests_serve() -> None:
    cluster = Cluster()
    cluster.is_down = True

    reading = cluster.read(make_pod("a", CART))

    assert (reading.history, reading.source) == (None, DemandOrigin.REQUESTS)
    assert "Prometheus http://p: no answer (ConnectError: refused)" in words(reading)
    assert "planned for the requests as they are" in words(reading)


def test_a_prometheus_that_is_down_is_not_asked_the_next_query() -> None:
    cluster = Cluster()
    cluster.is_down = True
    cluster.read()

    assert cluster.asked == 1


def test_metrics_of_now_serve_where_prometheus_is_down() -> None:
    cluster = Cluster()
    cluster.is_down = True

    reading = cluster.read(make_pod("a", CART), make_pod("b", CART), with_metrics=True)

    assert reading.source is DemandOrigin.METRICS_SERVER
    assert known(reading).values[0, 0].tolist() == [2]
    assert "only the usage of now is known" in words(reading)
    assert "no answer" in words(reading)


def test_requests_serve_where_everything_is_down() -> None:
    cluster = Cluster()
    cluster.is_down = True
    cluster.metrics_api = ConnectionFailedError("api", "HTTP 503", "wait")

    reading = cluster.read(make_pod("a", CART), with_metrics=True)

    assert reading.source is DemandOrigin.REQUESTS
    assert [note.subject for note in reading.degraded] == [
        "Prometheus http://p",
        "metrics.k8s.io",
        "demand history",
    ]


def test_a_query_that_is_refused_costs_its_own_workloads_only() -> None:
    cluster = Cluster()
    cluster.refused = "kube_statefulset"

    reading = cluster.read()

    assert known(reading).series == (str(CART),)
    assert "parse error" in words(reading)


def test_a_prometheus_without_kube_state_metrics_says_what_to_scrape() -> None:
    cluster = Cluster()
    cluster.series = {}

    reading = cluster.read()

    assert reading.source is DemandOrigin.REQUESTS
    assert "scrape kube-state-metrics, or set spec.forecast.queries" in words(reading)


def test_a_partial_answer_is_used_and_said() -> None:
    cluster = Cluster()
    cluster.warnings = ["store-3 is unavailable"]

    reading = cluster.read()

    assert reading.source is DemandOrigin.PROMETHEUS
    assert "may be incomplete: store-3 is unavailable" in words(reading)


def test_series_without_the_labels_of_a_workload_are_said() -> None:
    cluster = Cluster()
    cluster.series["kube_deployment"].append(({"deployment": "lost"}, "9"))

    reading = cluster.read()

    assert known(reading).series == (str(CART), str(QUEUE))
    assert "lacks the label namespace or deployment" in words(reading)


def test_usage_of_some_workloads_is_left_out_and_said() -> None:
    cluster = Cluster()
    cluster.series["usage"] = [({"namespace": "default", "deployment": "cart"}, "900")]

    reading = cluster.read(queries=(*KUBE_STATE_METRICS, USAGE_QUERY))

    assert known(reading).indicators == ("pods",)
    assert "cpu_milli: left out" in words(reading)


def test_usage_of_every_workload_is_kept() -> None:
    cluster = Cluster()
    cluster.series["usage"] = [({"namespace": "default", "deployment": "cart"}, "900")]

    reading = cluster.read(make_pod("a", CART), queries=(*KUBE_STATE_METRICS, USAGE_QUERY))

    assert known(reading).indicators == ("pods", "cpu_milli")
    assert reading.degraded == ()


@pytest.mark.parametrize("value", ["-3", "+Inf", "0"])
def test_absurd_values_reach_the_forecaster_as_they_are(value: str) -> None:
    cluster = Cluster()
    cluster.series["kube_deployment"] = [({"namespace": "default", "deployment": "cart"}, value)]

    assert known(cluster.read()).values[0, 0].tolist() == [float(value), float(value)]


def test_without_any_source_the_remedy_is_to_give_one() -> None:
    sources: Sequence[DemandSource] = ()

    reading = asyncio.run(read_demand(sources, DemandRequest(NOW_S)))

    assert reading.source is DemandOrigin.REQUESTS
    assert "set spec.prometheus.url to a Prometheus" in words(reading)
