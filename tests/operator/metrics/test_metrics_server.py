import asyncio
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.errors import ConnectionFailedError, MetricsServerError
from nodemix.operator.metrics.metrics_server import POD_METRICS_PATH, MetricsServer
from nodemix.optimizer.snapshot import Pod

from tests.builders import make_pod

CART = "default/Deployment/cart"


class FakeApi:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def get(self, path: str) -> Any:
        assert path == POD_METRICS_PATH
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def make_item(name: str, *usages: dict[str, str]) -> dict[str, Any]:
    containers = [{"name": f"c{i}", "usage": usage} for i, usage in enumerate(usages)]
    return {"metadata": {"namespace": "default", "name": name}, "containers": containers}


def observe(answer: Any, *pods: Pod) -> DemandHistory:
    return asyncio.run(MetricsServer(FakeApi(answer)).observe(pods, 10_000.0, 900.0))


def test_usage_of_a_workload_is_the_sum_of_its_pods_and_containers() -> None:
    answer = {
        "items": [
            make_item("a", {"cpu": "250m", "memory": "64Mi"}, {"cpu": "1", "memory": "1024Ki"}),
            make_item("b", {"cpu": "500000000n", "memory": "63Mi"}),
        ]
    }

    history = observe(answer, make_pod("a", "cart"), make_pod("b", "cart"))

    assert history.series == (CART,)
    assert history.indicators == ("pods", "cpu_milli", "memory_mib")
    assert history.values[0, :, 0].tolist() == [2, 1750, 128]


def test_the_observation_lies_on_the_newest_step() -> None:
    history = observe({"items": []}, make_pod("a", "cart"))

    assert (history.end_s, history.steps) == (9900.0, 1)


def test_a_pod_without_metrics_is_taken_as_its_peers() -> None:
    answer = {"items": [make_item("a", {"cpu": "2", "memory": "1Gi"})]}

    history = observe(answer, make_pod("a", "cart"), make_pod("waiting", "cart"))

    assert history.values[0, :, 0].tolist() == [2, 4000, 2048]


def test_a_workload_without_metrics_has_pods_and_unknown_usage() -> None:
    history = observe({"items": []}, make_pod("a", "cart"))

    np.testing.assert_array_equal(history.values[0, :, 0], [1, np.nan, np.nan])


def test_pods_that_were_not_asked_for_do_not_count() -> None:
    answer = {"items": [make_item("other", {"cpu": "2", "memory": "1Gi"})]}

    assert observe(answer, make_pod("a", "cart")).series == (CART,)


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        (None, "is not served by this cluster"),
        (ConnectionFailedError("api", "HTTP 503: no endpoints", "wait"), "HTTP 503: no endpoints"),
        ({"kind": "Status"}, "no list of pod metrics"),
        ({"items": [make_item("a", {"cpu": "lots"})]}, "quantity 'lots': is not a quantity"),
        ({"items": [{"metadata": {}}]}, "no list of pod metrics"),
    ],
)
def test_an_api_that_gives_no_usage_is_named_with_a_remedy(answer: Any, fact: str) -> None:
    with pytest.raises(MetricsServerError, match=fact) as caught:
        observe(answer, make_pod("a", "cart"))

    assert caught.value.subject == "metrics.k8s.io"
    assert caught.value.remedy
