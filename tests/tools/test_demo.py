import math
from io import StringIO
from pathlib import Path

import numpy as np
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.demo.demand import demo_history
from nodemix.operator.metrics.queries import KUBE_STATE_METRICS
from rich.console import Console

from tools.demo import METRICS, go_live, open_metrics
from tools.local_prometheus import LocalPrometheus

NOW_S = 1_795_000_000.0
SERIES = ("shop/Deployment/cart", "data/StatefulSet/kafka")


def a_history() -> DemandHistory:
    values = np.array([[[3.0, math.nan, 5.0]], [[1.0, 2.0, 2.0]]])
    return DemandHistory(SERIES, ("pods",), 1000.0, 900.0, values)


def test_history_is_what_kube_state_metrics_would_have_said() -> None:
    lines = list(open_metrics(a_history()))

    cart = 'kube_deployment_status_replicas{namespace="shop",deployment="cart"}'
    assert lines[:3] == [
        "# TYPE kube_deployment_status_replicas gauge",
        f"{cart} 3 1000",
        f"{cart} 5 2800",
    ]
    assert len([line for line in lines if "kafka" in line]) == 3
    assert lines[-1] == "# EOF"


def test_the_operator_asks_for_what_the_demo_backfills() -> None:
    asked = {query.kind: query.promql for query in KUBE_STATE_METRICS}

    assert set(METRICS) == set(asked)
    assert all(metric in asked[kind] for kind, (metric, _) in METRICS.items())


def test_a_real_prometheus_knows_todays_pods(
    local_prometheus: type[LocalPrometheus], tmp_path: Path
) -> None:
    history = demo_history(NOW_S, np.random.default_rng(0))
    backfill = tmp_path / "history.om"
    backfill.write_text("\n".join(open_metrics(history)) + "\n")

    with local_prometheus(backfill=backfill) as prometheus:
        found = prometheus.query("sum(kube_deployment_status_replicas)", history.end_s)

    deployments = ["/Deployment/" in series for series in history.series]
    assert float(found[0]["value"][1]) == history.values[deployments, 0, -1].sum()


def test_without_a_control_plane_it_says_how_to_get_one_and_how_long_it_takes(
    tmp_path: Path,
) -> None:
    console = Console(file=StringIO(), width=200)
    nowhere = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}

    go_live(tmp_path, console, nowhere)

    said = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "make controlplane" in said
    assert "10 minutes" in said
