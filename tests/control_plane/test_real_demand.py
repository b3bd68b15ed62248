"""Real shapes, real prices and real history end in a plan, and Prometheus sees all of it."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from nodemix.operator.report.dashboard import dashboard_queries

from tests.control_plane.checked import complaints
from tests.control_plane.operator_process import OperatorProcess
from tests.control_plane.real_demand import (
    STEP_S,
    TracedWorkload,
    traced_workloads,
    write_history,
)
from tests.control_plane.scene import Scene, staged
from tests.plan_checker import Market
from tests.waiting import wait_for
from tools.local_cluster import LocalCluster
from tools.local_prometheus import LocalPrometheus

pytestmark = pytest.mark.slow

NAMESPACE = "traced"
CATALOG = "optimizer/catalog_aws.csv"
OFFERS = "optimizer/offers_us_east_1.csv"
GPU_ROOM = {"cpu": "47810m", "memory": "180Gi", "gpus": 4}  # g5.12xlarge
CPU_ROOM = {"cpu": "63770m", "memory": "240Gi"}  # m5.16xlarge
GPU_PODS_PER_NODE, CPU_PODS_PER_NODE = 3, 1

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traced:
    """What came of it."""

    plan: Json
    policy: Json
    prometheus: LocalPrometheus


@pytest.fixture(scope="module")
def traced(
    installed: LocalCluster,
    running_operator: OperatorProcess,
    local_prometheus: type[LocalPrometheus],
    nodemix_data: Path,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Traced]:
    """Workloads, prices, history and a policy; ends with the plan and a Prometheus that knows."""
    folder = tmp_path_factory.mktemp("prometheus")
    workloads = traced_workloads(nodemix_data)
    history = write_history(folder / "history.txt", NAMESPACE, workloads)
    rules = alert_rules(repository, folder / "rules.yaml")
    scrape = [f"127.0.0.1:{running_operator.metrics_port}"]
    with (
        staged(installed, NAMESPACE) as scene,
        local_prometheus(scrape, backfill=history, rules=[rules]) as prometheus,
    ):
        set_the_stage(scene, workloads, (nodemix_data / OFFERS).read_text())
        scene.policy(
            catalogRef={"name": NAMESPACE},
            prometheus={"url": prometheus.url},
            forecast={"stepSeconds": STEP_S, "horizonSeconds": 4 * STEP_S},
            intervalSeconds=20,
            searchSeconds=3,
        )
        scene.await_condition("Ready", "Decided")
        plan, policy = scene.await_plan(), installed.get("nodemixpolicies", NAMESPACE)
        yield Traced(plan, policy, prometheus)


def alert_rules(repository: Path, target: Path) -> Path:
    """The groups of the PrometheusRule as Prometheus itself reads them."""
    shipped = yaml.safe_load((repository / "manifests/prometheus/rules.yaml").read_text())
    target.write_text(json.dumps(shipped["spec"]))
    return target


def set_the_stage(scene: Scene, workloads: list[TracedWorkload], offers: str) -> None:
    """Bound pods on roomy nodes, and the offers of AWS as they are."""
    gpu_pods = sum(w.pods[-1] for w in workloads if w.has_gpu)
    cpu_pods = sum(w.pods[-1] for w in workloads if not w.has_gpu)
    scene.nodes(math.ceil(gpu_pods / GPU_PODS_PER_NODE), "g5.12xlarge", GPU_ROOM)
    scene.nodes(math.ceil(cpu_pods / CPU_PODS_PER_NODE), "m5.16xlarge", CPU_ROOM)
    for workload in workloads:
        scene.deploy(workload.name, workload.pods[-1], **workload.requests)
    scene.config_map("aws-us-east-1", **{"offers.csv": offers})
    source = {"namespace": "nodemix-system", "name": "aws-us-east-1"}
    scene.price_book(NAMESPACE, source={"configMap": source})
    scene.await_pods(gpu_pods + cpu_pods)


def test_plan_is_made_for_the_forecast_of_a_named_model(traced: Traced) -> None:
    status, source = traced.policy["status"], traced.plan["spec"]["createdFrom"]

    said = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert said["ForecastHealthy"] == ("True", "ModelSpeaks")
    assert said["Fallback"] == ("False", "NotNeeded")
    assert source["forecastModel"] == status["forecastModel"] != ""
    assert 0 <= traced.plan["spec"]["risk"]["shortfallProbability"] < 1


def test_checker_confirms_the_numbers_of_the_plan(
    traced: Traced, installed: LocalCluster, nodemix_data: Path
) -> None:
    market = Market.from_csv(nodemix_data / CATALOG, nodemix_data / OFFERS)

    assert complaints(Scene(installed, NAMESPACE), traced.plan, market) == []


def test_plan_leaves_room_for_the_forecast_and_saves_money(traced: Traced) -> None:
    spec = traced.plan["spec"]

    assert any(group.get("headroom") for group in spec["nodes"])
    assert spec["usdPerHourLowerBound"] <= spec["usdPerHourPlan"] < spec["usdPerHourNow"]


def test_prices_come_from_the_book(traced: Traced) -> None:
    assert traced.plan["spec"]["createdFrom"]["catalog"] == f"PriceBook {NAMESPACE}"


NOT_OF_THIS_PLAN = (
    *("nodemix_policy_budget", "nodemix_plan_limit_price", "nodemix_plan_fairness"),
    *("nodemix_plan_pool_", "nodemix_plan_baseline", "nodemix_spot_pool_shocks_last_day"),
    "nodemix_node_boot_median",
)
"""Series that need a budget, a limit that binds, spot nodes, time to compare, or a boot."""


def known_at_once(promql: str) -> bool:
    """How well forecasts keep their word is known only after a horizon has passed."""
    if any(name in promql for name in NOT_OF_THIS_PLAN):
        return False
    return "nodemix_forecast_" not in promql or "model_info" in promql


@pytest.mark.parametrize("promql", [q for q in dashboard_queries() if known_at_once(q)])
def test_dashboard_query_is_answered_with_data(traced: Traced, promql: str) -> None:
    assert wait_for(lambda: traced.prometheus.query(promql), bool)


def test_every_alert_rule_is_answered(traced: Traced, repository: Path) -> None:
    """Prometheus would not have started with a rule that it does not understand.

    What has to last for longer than this cluster does (a gap that a short search leaves, a risk
    that the next plan may keep) may be true at one moment, and is no alert yet.
    """
    shipped = yaml.safe_load((repository / "manifests/prometheus/rules.yaml").read_text())

    true_now = {
        rule["alert"]: rule["for"]
        for group in shipped["spec"]["groups"]
        for rule in group["rules"]
        if traced.prometheus.query(rule["expr"])
    }

    assert [alert for alert, lasting in true_now.items() if lasting in ("2m", "5m")] == []
