"""From `kubectl apply` to a recommendation, by the operator as it ships."""

from datetime import datetime
from typing import Any

import pytest

from tests.control_plane.checked import complaints
from tests.control_plane.operator_process import OperatorProcess
from tests.control_plane.scene import Scene, condition
from tests.plan_checker import Market
from tests.waiting import wait_for
from tools.local_cluster import LocalCluster

pytestmark = pytest.mark.usefixtures("running_operator")

ROOM = {"cpu": "7910m", "memory": "30Gi", "pods": 58}
M5_2XLARGE_USD_PER_HOUR = 0.384
POLICY_COLUMNS = "NAME MODE READY NODES SPOT% $/H NOW $/H PLAN SAVE% GAP% CVAR% AGE"


@pytest.fixture
def wasteful(scene: Scene) -> Scene:
    """Twelve small pods on six large nodes, and a policy over them."""
    scene.nodes(6, "m5.2xlarge", ROOM)
    scene.deploy("web", 8, cpu="500m", memory="1Gi")
    scene.deploy("jobs", 4, cpu="1", memory="2Gi")
    scene.await_pods(12)
    scene.policy()
    return scene


def test_policy_ends_in_a_plan_with_its_numbers_and_reasons(wasteful: Scene) -> None:
    plan = wasteful.await_plan()
    policy = wasteful.cluster.get("nodemixpolicies", wasteful.namespace)

    spec, status = plan["spec"], policy["status"]
    assert spec["nodesNow"] == status["nodesNow"] == 6
    assert spec["usdPerHourNow"] == pytest.approx(6 * M5_2XLARGE_USD_PER_HOUR)
    assert 0 < spec["usdPerHourLowerBound"] <= spec["usdPerHourPlan"] < spec["usdPerHourNow"]
    assert status["usdPerHourPlan"] == spec["usdPerHourPlan"]
    assert pods_of(spec) == {
        f"{wasteful.namespace}/Deployment/web": 8,
        f"{wasteful.namespace}/Deployment/jobs": 4,
    }
    assert complaints(wasteful, plan, Market.bundled()) == []
    assert spec["reasons"]
    assert plan["metadata"]["ownerReferences"][0]["uid"] == policy["metadata"]["uid"]


def pods_of(spec: dict[str, Any]) -> dict[str, int]:
    """Pods that the planned nodes hold, by workload."""
    pods: dict[str, int] = {}
    for group in spec["nodes"]:
        for workload, each in group["pods"].items():
            pods[workload] = pods.get(workload, 0) + each * group["count"]
    return pods


def test_conditions_say_what_was_done_and_on_which_basis(wasteful: Scene) -> None:
    wasteful.await_plan()
    policy = wasteful.cluster.get("nodemixpolicies", wasteful.namespace)

    said = {c["type"]: (c["status"], c["reason"]) for c in policy["status"]["conditions"]}
    assert said == {
        "Ready": ("True", "Decided"),
        "DataFresh": ("True", "ViewIsCurrent"),
        "PlanFeasible": ("True", "AllPodsPlaced"),
        "ForecastHealthy": ("False", "DegradedInput"),
        "Fallback": ("True", "PlannedOnFallback"),
        "Applied": ("False", "RecommendOnly"),
        "Paused": ("False", "Running"),
        "RiskAccepted": ("True", "WithinAccepted"),
    }
    assert (
        "set spec.prometheus.url to a Prometheus" in condition(policy, "ForecastHealthy")["message"]
    )


def test_kubectl_shows_the_numbers(wasteful: Scene) -> None:
    plan = wasteful.await_plan()

    header, row = columns(wasteful.cluster, "nodemixpolicies", wasteful.namespace)
    everything = wasteful.cluster.kubectl("get", "nodemix")
    assert header == POLICY_COLUMNS.split()
    assert row[:4] == [wasteful.namespace, "Recommend", "True", "6"]
    assert f"{plan['spec']['usdPerHourPlan']:g}" in row
    assert plan["metadata"]["name"] in everything


def columns(cluster: LocalCluster, plural: str, name: str) -> list[list[str]]:
    return [line.split() for line in cluster.kubectl("get", plural, name).splitlines()]


def test_event_tells_of_the_plan(wasteful: Scene) -> None:
    plan = wasteful.await_plan()
    name = plan["metadata"]["name"]
    about = f"regarding.name={wasteful.namespace}"

    events = wait_for(
        lambda: wasteful.cluster.get("events.v1.events.k8s.io", "--field-selector", about)["items"],
        lambda found: any(name in event["note"] for event in found),
    )

    (told,) = (event for event in events if event["reason"] == "PlanProposed")
    assert told["type"] == "Normal"
    assert f"{name}: 2.3040 -> " in told["note"]


def test_the_same_decision_keeps_its_plan(wasteful: Scene) -> None:
    first = wasteful.await_plan()
    decided_at = decision_time(wasteful)

    later = wasteful.await_object(
        "nodemixpolicies",
        wasteful.namespace,
        lambda seen: seen["status"]["decidedAt"] != decided_at,
    )

    assert datetime.fromisoformat(later["status"]["decidedAt"]) > datetime.fromisoformat(decided_at)
    assert later["status"]["planName"] == first["metadata"]["name"]
    assert plans_of(wasteful) == [first["metadata"]["name"]]


def decision_time(scene: Scene) -> str:
    policy = scene.cluster.get("nodemixpolicies", scene.namespace)
    decided_at: str = policy["status"]["decidedAt"]
    return decided_at


def plans_of(scene: Scene) -> list[str]:
    listed = scene.cluster.get("nodemixplans", "-l", f"nodemix.dev/policy={scene.namespace}")
    return [plan["metadata"]["name"] for plan in listed["items"]]


def test_more_pods_lead_to_another_plan(wasteful: Scene) -> None:
    first = wasteful.await_plan()

    wasteful.deploy("web", 40, cpu="500m", memory="1Gi")
    second = wasteful.await_plan(than=first["metadata"]["name"])

    assert second["spec"]["usdPerHourPlan"] > first["spec"]["usdPerHourPlan"]


def test_deleted_policy_takes_its_plans_and_its_figures_along(
    wasteful: Scene, running_operator: OperatorProcess
) -> None:
    wasteful.await_plan()
    series = f'nodemix_plan_cost_usd_per_hour{{policy="{wasteful.namespace}"}}'
    assert series in running_operator.metrics()

    wasteful.cluster.kubectl("delete", "nodemixpolicy", wasteful.namespace)

    assert wait_for(lambda: plans_of(wasteful), lambda plans: plans == []) == []
    assert series not in running_operator.metrics()
    assert len(wasteful.cluster.get("nodes", "-l", f"scene={wasteful.namespace}")["items"]) == 6


def test_paused_policy_keeps_its_plan_and_decides_no_more(wasteful: Scene) -> None:
    plan = wasteful.await_plan()

    wasteful.cluster.kubectl(
        "annotate", "nodemixpolicy", wasteful.namespace, "nodemix.dev/paused=true"
    )
    said = wasteful.await_condition("Paused", "PausedByOwner")

    assert said["status"] == "True"
    assert "annotation nodemix.dev/paused; remove it to go on" in said["message"]
    assert wasteful.await_plan()["metadata"]["name"] == plan["metadata"]["name"]


def test_operator_is_alive_and_ready(running_operator: OperatorProcess) -> None:
    ready = wait_for(lambda: running_operator.probe("readyz"), lambda answer: answer[0] == 200)

    assert ready == (200, {"cluster view": "ok", "worker": "ok", "lease": "ok"})
    assert running_operator.probe("healthz")[0] == 200


def test_every_log_line_is_json(running_operator: OperatorProcess) -> None:
    assert any(record["event"] == "Started" for record in running_operator.records())
