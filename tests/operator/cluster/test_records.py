from typing import Any

import pytest
from nodemix.operator.cluster.records import (
    NodeRecord,
    Owner,
    PodRecord,
    WorkloadRecord,
    budget_record,
    daemon_set_record,
    job_record,
    node_record,
    notice_record,
    pod_record,
    refusal_record,
    workload_record,
)
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import CapacityType, Selector, Taint, WorkloadKey

from tests.api_objects import (
    make_budget_object,
    make_daemon_set_object,
    make_job_object,
    make_node_object,
    make_pod_object,
    make_refusal_object,
    make_workload_object,
)

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def read_pod(**fields: Any) -> PodRecord:
    record = pod_record(make_pod_object(**fields))
    assert record is not None
    return record


def read_node(**fields: Any) -> NodeRecord:
    return node_record(make_node_object(**fields))


def test_pod_knows_its_node_and_its_owner() -> None:
    record = read_pod(name="web-abc-1", owner=("StatefulSet", "web"), node_name="node-1")

    assert (record.namespace, record.name, record.node_name) == ("default", "web-abc-1", "node-1")
    assert record.owner == Owner("StatefulSet", "web")
    assert not record.is_terminating


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pod_needs_no_place(phase: str) -> None:
    assert pod_record(make_pod_object(phase=phase)) is None


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
def test_unfinished_pod_needs_a_place(phase: str) -> None:
    assert read_pod(phase=phase).node_name is None


def test_deleted_pod_is_terminating() -> None:
    assert read_pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}).is_terminating


def test_owner_that_is_no_controller_does_not_count() -> None:
    reference = {"kind": "Widget", "name": "w", "controller": False}

    assert read_pod(metadata={"ownerReferences": [reference]}).owner is None


def test_name_of_a_replica_set_hints_at_its_deployment() -> None:
    record = read_pod(
        owner=("ReplicaSet", "web-6d4"), metadata={"labels": {"pod-template-hash": "6d4"}}
    )

    assert record.owner == Owner("ReplicaSet", "web-6d4", deployment="web")


def test_replica_set_without_the_hash_in_its_name_hints_at_nothing() -> None:
    record = read_pod(owner=("ReplicaSet", "bare"), metadata={"labels": {"pod-template-hash": "1"}})

    assert record.owner == Owner("ReplicaSet", "bare")


def test_waiting_daemon_pod_belongs_to_the_node_it_waits_for() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["node-7"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    assert read_pod(owner=("DaemonSet", "agent"), affinity=affinity).node_name == "node-7"
    assert read_pod(owner=("Job", "job"), affinity=affinity).node_name is None


def test_node_offers_its_allocatable_rounded_down() -> None:
    room = {"cpu": "3920m", "memory": "15842420Ki", "pods": "58", "nvidia.com/gpu": "1"}
    node = read_node(allocatable={**room, "ephemeral-storage": "18242267924"}).node

    assert node.allocatable == Resources.of(
        {"nvidia.com/gpu": 1}, cpu_milli=3920, memory_mib=15471, pods=58, ephemeral_mib=17397
    )


def test_room_that_cannot_be_read_counts_as_none_and_is_said() -> None:
    record = read_node(allocatable={"cpu": "four", "memory": "1Gi"})

    assert record.node.allocatable.cpu_milli == 0
    assert record.faults[0].startswith("allocatable cpu: quantity 'four'")


def test_node_without_a_status_offers_nothing_and_is_not_ready() -> None:
    node = node_record({"metadata": {"name": "new"}}).node

    assert (node.allocatable, node.is_ready) == (Resources(), False)


def test_node_tells_type_and_zone_by_either_generation_of_labels() -> None:
    new = {
        "node.kubernetes.io/instance-type": "m5.large",
        "topology.kubernetes.io/zone": "a",
        "beta.kubernetes.io/instance-type": "old",
    }
    old = {
        "beta.kubernetes.io/instance-type": "m5.large",
        "failure-domain.beta.kubernetes.io/zone": "a",
    }

    assert [(n.instance_type, n.zone) for n in (read_node(labels=new).node,)] == [("m5.large", "a")]
    assert [(n.instance_type, n.zone) for n in (read_node(labels=old).node,)] == [("m5.large", "a")]
    assert read_node().node.instance_type is None


@pytest.mark.parametrize(
    ("label", "value", "capacity_type"),
    [
        ("karpenter.sh/capacity-type", "spot", SPOT),
        ("karpenter.sh/capacity-type", "on-demand", ON_DEMAND),
        ("eks.amazonaws.com/capacityType", "SPOT", SPOT),
        ("eks.amazonaws.com/capacityType", "ON_DEMAND", ON_DEMAND),
        ("cloud.google.com/gke-spot", "true", SPOT),
        ("cloud.google.com/gke-preemptible", "true", SPOT),
        ("kubernetes.azure.com/scalesetpriority", "spot", SPOT),
        ("team", "spot", ON_DEMAND),
    ],
)
def test_market_of_a_node_by_the_labels_of_each_cloud(
    label: str, value: str, capacity_type: CapacityType
) -> None:
    assert read_node(labels={label: value}).node.capacity_type is capacity_type


def test_node_is_not_ready_until_its_kubelet_says_so() -> None:
    assert read_node().node.is_ready
    assert not read_node(is_ready=False).node.is_ready


def test_cordoned_node_is_leaving() -> None:
    assert read_node(unschedulable=True).node.is_leaving
    assert not read_node().node.is_leaving


def test_deleted_node_is_leaving() -> None:
    assert read_node(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}).node.is_leaving


@pytest.mark.parametrize(
    ("key", "leaving"),
    [
        ("karpenter.sh/disrupted", True),
        ("ToBeDeletedByClusterAutoscaler", True),
        ("aws-node-termination-handler/spot-itn", True),
        ("nvidia.com/gpu", False),
        ("node.kubernetes.io/not-ready", False),
    ],
)
def test_taint_of_a_farewell_marks_a_leaving_node(key: str, leaving: bool) -> None:
    node = read_node(taints=[{"key": key, "effect": "NoSchedule"}]).node

    assert node.is_leaving is leaving
    assert node.taints == (Taint(key, "", "NoSchedule"),)


def test_daemon_set_tolerates_what_its_controller_adds() -> None:
    record = daemon_set_record(make_daemon_set_object(requests={"cpu": "100m"}))

    template = record.daemon_set.template
    assert record.daemon_set.key == WorkloadKey("default", "DaemonSet", "agent")
    assert template.requests.cpu_milli == 100
    assert template.tolerates((Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"),))
    assert template.tolerates((Taint("node.kubernetes.io/not-ready", "", "NoExecute"),))
    assert not template.tolerates(
        (Taint("node.kubernetes.io/network-unavailable", "", "NoSchedule"),)
    )
    assert not template.tolerates((Taint("nvidia.com/gpu", "true", "NoSchedule"),))


def test_daemon_set_on_the_host_network_does_not_wait_for_the_network() -> None:
    record = daemon_set_record(make_daemon_set_object(hostNetwork=True))

    missing = Taint("node.kubernetes.io/network-unavailable", "", "NoSchedule")
    assert record.daemon_set.template.tolerates((missing,))


@pytest.mark.parametrize(("replicas", "expected"), [(None, 1), (0, 0), (7, 7)])
def test_workload_without_a_number_wants_one_pod(replicas: int | None, expected: int) -> None:
    assert (
        workload_record("Deployment", make_workload_object(replicas=replicas)).replicas == expected
    )


def test_annotation_of_a_workload_keeps_its_pods_off_spot() -> None:
    manifest = make_workload_object(metadata={"annotations": {"nodemix.dev/spot": "deny"}})

    assert workload_record("Deployment", manifest).spot_denied == "nodemix.dev/spot: deny"


def wanted_by(status: dict[str, Any] | None = None, **spec: Any) -> int | None:
    record = job_record(make_job_object(status=status, **spec))
    return record.replicas if isinstance(record, WorkloadRecord) else None


@pytest.mark.parametrize(
    ("spec", "status", "wanted"),
    [
        ({}, {}, 1),
        ({"parallelism": 5}, {}, 5),
        ({"parallelism": 0}, {}, 0),
        ({"parallelism": 5, "completions": 3}, {}, 3),
        ({"parallelism": 5, "completions": 10}, {"succeeded": 8}, 2),
        ({"parallelism": 5, "completions": 10}, {"succeeded": 12}, 0),
        ({"parallelism": 5, "suspend": True}, {}, 0),
    ],
)
def test_job_wants_what_it_still_runs_at_once(
    spec: dict[str, Any], status: dict[str, Any], wanted: int
) -> None:
    assert wanted_by(status, **spec) == wanted


@pytest.mark.parametrize("kind", ["Complete", "Failed"])
def test_finished_job_is_gone(kind: str) -> None:
    assert wanted_by({"conditions": [{"type": kind, "status": "True"}]}) is None
    assert wanted_by({"conditions": [{"type": kind, "status": "False"}]}) == 1


def test_budget_keeps_what_the_api_server_allows() -> None:
    budget = budget_record(make_budget_object(selector={"matchLabels": {"app": "web"}}))

    assert budget is not None
    assert (budget.name, budget.disruptions_allowed) == ("budget", 1)
    assert budget.selector.matches({"app": "web"})


def test_budget_without_a_status_allows_nothing() -> None:
    budget = budget_record(make_budget_object(selector={}, disruptions_allowed=None))

    assert budget is not None
    assert (budget.selector, budget.disruptions_allowed) == (Selector(), 0)


def test_budget_without_a_selector_selects_nothing() -> None:
    assert budget_record(make_budget_object(selector=None)) is None


def test_node_tells_when_it_joined_and_since_when_it_is_ready() -> None:
    node = make_node_object(metadata={"uid": "u1", "creationTimestamp": "2026-01-01T00:00:10Z"})
    node["status"]["conditions"][0]["lastTransitionTime"] = "2026-01-01T00:00:52Z"
    record = node_record(node)

    assert record.uid == "u1"
    assert record.created_at_s is not None
    assert record.ready_since_s is not None
    assert record.ready_since_s - record.created_at_s == 42.0
    node["status"]["conditions"][0]["status"] = "Unknown"
    assert node_record(node).ready_since_s is None


@pytest.mark.parametrize("moment", [None, "", "soon", 17])
def test_time_that_is_none_costs_no_node(moment: object) -> None:
    record = node_record(make_node_object("n", metadata={"creationTimestamp": moment}))

    assert (record.created_at_s, record.uid) == (None, "n")


def make_event(reason: str = "SpotInterrupted", **fields: Any) -> dict[str, Any]:
    about = {"kind": "Node", "name": "node-1", "uid": "u1"}
    stamp = {"lastTimestamp": "2026-01-01T00:01:00Z"}
    return {"metadata": {"name": "e"}, "reason": reason, "involvedObject": about, **stamp, **fields}


@pytest.mark.parametrize("reason", ["SpotInterrupted", "SpotInterruption", "PreemptScheduled"])
def test_event_tells_of_a_node_that_is_taken_back(reason: str) -> None:
    record = notice_record(make_event(reason))

    assert record is not None
    assert record.node_name == "node-1"
    assert record.is_about(node_record(make_node_object()))


@pytest.mark.parametrize(
    "event",
    [
        make_event("NodeNotReady"),
        make_event(involvedObject={"kind": "NodeClaim", "name": "node-1"}),
        make_event(involvedObject=None),
    ],
)
def test_other_events_tell_nothing(event: dict[str, Any]) -> None:
    assert notice_record(event) is None


def test_refusal_has_a_new_key_when_it_is_said_again() -> None:
    first = refusal_record(make_refusal_object("gpu-1", "no capacity"))
    again = {"lastObservedTime": "2026-01-01T00:07:00.5Z"}
    later = refusal_record(make_refusal_object("gpu-1", "no capacity", series=again))

    assert first is not None
    assert later is not None
    assert (first.claim_name, first.message, first.claim) == ("gpu-1", "no capacity", None)
    assert later.at_s is not None
    assert first.at_s is not None
    assert later.at_s - first.at_s == 360.5
    assert first.key != later.key


@pytest.mark.parametrize(
    "fields", [{"reason": "NodeClassNotReady"}, {"involvedObject": {"kind": "Pod", "name": "p"}}]
)
def test_events_of_other_reasons_and_objects_are_no_refusals(fields: dict[str, Any]) -> None:
    assert refusal_record(make_refusal_object("gpu-1", "no capacity", **fields)) is None


def test_event_is_not_about_a_later_node_of_the_same_name() -> None:
    record = notice_record(make_event())
    silent = notice_record(make_event(lastTimestamp=None, eventTime="2026-01-01T00:01:00.5Z"))
    assert record is not None
    assert silent is not None

    def born(moment: str) -> NodeRecord:
        return node_record(make_node_object(metadata={"creationTimestamp": moment}))

    assert record.is_about(born("2026-01-01T00:01:00Z"))
    assert not record.is_about(born("2026-01-01T00:01:01Z"))
    assert silent.is_about(born("2026-01-01T00:01:00Z"))


@pytest.mark.parametrize(
    ("key", "value", "is_kept"),
    [
        ("karpenter.sh/do-not-disrupt", "true", True),
        ("cluster-autoscaler.kubernetes.io/scale-down-disabled", "true", True),
        ("karpenter.sh/do-not-disrupt", "false", False),
    ],
)
def test_annotation_that_keeps_autoscalers_off_a_node(key: str, value: str, is_kept: bool) -> None:
    node = read_node(metadata={"annotations": {key: value}}).node

    assert node.do_not_disrupt == (f"{key}: {value}" if is_kept else None)
