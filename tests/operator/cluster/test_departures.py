from typing import Any

import pytest
from nodemix.operator.cluster.departures import Departure, departure_of

from tests.api_objects import make_node_object

NONE, RECLAIMED, LET_GO = Departure.NONE, Departure.RECLAIMED, Departure.LET_GO
SPOT_TAINT = "aws-node-termination-handler/spot-itn"


def judged(*taints: str, **fields: Any) -> Departure:
    marks = [{"key": key, "value": "", "effect": "NoSchedule"} for key in taints]
    return departure_of(make_node_object(taints=marks, **fields))


@pytest.mark.parametrize(
    "taint",
    [
        SPOT_TAINT,
        "cloud.google.com/impending-node-termination",
        "node.cloudprovider.kubernetes.io/shutdown",
        "node.kubernetes.io/out-of-service",
    ],
)
def test_taints_of_nodes_that_the_provider_takes_or_stopped(taint: str) -> None:
    assert judged(taint) is RECLAIMED


@pytest.mark.parametrize(
    "taint",
    [
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        "ToBeDeletedByClusterAutoscaler",
        "node.kubernetes.io/unschedulable",
        "aws-node-termination-handler/scheduled-maintenance",
        "aws-node-termination-handler/asg-lifecycle-termination",
        "aws-node-termination-handler/rebalance-recommendation",
    ],
)
def test_taints_of_nodes_that_are_let_go(taint: str) -> None:
    assert judged(taint) is LET_GO


@pytest.mark.parametrize(
    "taint",
    [
        "kubernetes.azure.com/scalesetpriority",  # every spot node of AKS, all its life
        "DeletionCandidateOfClusterAutoscaler",  # comes and goes
        "node.kubernetes.io/unreachable",
        "node.kubernetes.io/not-ready",
        "nvidia.com/gpu",
    ],
)
def test_taints_of_nodes_that_stay(taint: str) -> None:
    assert judged(taint) is NONE


def test_node_without_marks_stays() -> None:
    assert judged() is NONE
    assert departure_of({"metadata": {"name": "bare"}}) is NONE


def test_cordon_and_deletion_let_a_node_go() -> None:
    assert judged(unschedulable=True) is LET_GO
    assert judged(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}) is LET_GO


def test_notice_is_believed_above_all() -> None:
    """Karpenter taints, and handlers cordon, in answer to a notice."""
    assert judged(SPOT_TAINT, "karpenter.sh/disrupted", unschedulable=True) is RECLAIMED


def test_machine_that_stopped_after_somebody_let_it_go_was_not_taken() -> None:
    stopped = "node.cloudprovider.kubernetes.io/shutdown"

    assert judged(stopped, "ToBeDeletedByClusterAutoscaler") is LET_GO


def test_handler_that_does_not_taint_names_the_notice_in_a_label() -> None:
    label = "aws-node-termination-handler/event-id"
    notice, maintenance = {label: "spot-itn-7f3a"}, {label: "asg-lifecycle-term-77"}

    assert judged(labels=notice, unschedulable=True) is RECLAIMED
    assert judged(labels=maintenance, unschedulable=True) is LET_GO


def test_azure_says_it_in_a_condition_or_in_the_value_of_a_taint() -> None:
    by_type = {"type": "PreemptScheduled", "status": "True"}
    by_reason = {"type": "VMEventScheduled", "status": "True", "reason": "PreemptScheduled"}
    no_longer = {**by_type, "status": "False"}
    node = make_node_object()

    def with_condition(condition: dict[str, str]) -> Departure:
        conditions = [*node["status"]["conditions"], condition]
        return departure_of({**node, "status": {"conditions": conditions}})

    draining = {"key": "cloudprovider.azure.microsoft.com/draining", "effect": "NoSchedule"}
    evicted = make_node_object(taints=[{**draining, "value": "spot-eviction"}])
    assert [with_condition(c) for c in (by_type, by_reason, no_longer)] == [
        RECLAIMED,
        RECLAIMED,
        NONE,
    ]
    assert departure_of(evicted) is RECLAIMED
    assert departure_of(make_node_object(taints=[{**draining, "value": "other"}])) is LET_GO
