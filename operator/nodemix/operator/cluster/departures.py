"""What the marks on a node say of its end: taken back by its provider, or let go on purpose.

Karpenter, cluster-autoscaler and people mark a node before they drain it. Termination handlers mark
a node that the provider is about to take back. Who deletes a node without any mark leaves no word.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

Json = dict[str, Any]

_NOTICE_TAINTS: Final = (
    "aws-node-termination-handler/spot-itn",
    "cloud.google.com/impending-node-termination",
)
_AZURE_TAINT: Final = ("cloudprovider.azure.microsoft.com/draining", "spot-eviction")
_NOTICE_LABEL: Final = ("aws-node-termination-handler/event-id", "spot-itn")
"""AWS's handler taints only where it is told to; its label names the notice in any case."""
_NOTICE_CONDITION: Final = "PreemptScheduled"
"""Azure's node-problem-detector: a condition of this type, or the reason of another one."""
_LET_GO_TAINTS: Final = (
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "ToBeDeletedByClusterAutoscaler",
    "node.kubernetes.io/unschedulable",
    "aws-node-termination-handler/",
    "cloudprovider.azure.microsoft.com/draining",
)
_DEAD_TAINTS: Final = (
    "node.cloudprovider.kubernetes.io/shutdown",
    "node.kubernetes.io/out-of-service",
)


NOTICE_REASONS: Final = frozenset({"SpotInterrupted", "SpotInterruption", "PreemptScheduled"})
"""Of events about nodes: Karpenter's, AWS's handler's and Azure's."""


class Departure(StrEnum):
    """Why a node is about to leave."""

    NONE = "none"
    RECLAIMED = "reclaimed"
    LET_GO = "let-go"


def departure_of(node: Json) -> Departure:
    """What the marks on a Node object say.

    A notice of the provider is believed above all. A machine that stopped was taken back unless
    somebody had let it go.
    """
    spec = node.get("spec") or {}
    keys = tuple(str(taint.get("key")) for taint in spec.get("taints") or ())
    if _has_notice(node, keys):
        return Departure.RECLAIMED
    is_deleted = bool(node["metadata"].get("deletionTimestamp"))
    if spec.get("unschedulable") or is_deleted or _any_of(keys, _LET_GO_TAINTS):
        return Departure.LET_GO
    return Departure.RECLAIMED if _any_of(keys, _DEAD_TAINTS) else Departure.NONE


def _has_notice(node: Json, keys: Iterable[str]) -> bool:
    label, beginning = _NOTICE_LABEL
    labels = node["metadata"].get("labels") or {}
    is_labelled = str(labels.get(label) or "").startswith(beginning)
    return is_labelled or _any_of(keys, _NOTICE_TAINTS) or _azure_notice(node)


def _azure_notice(node: Json) -> bool:
    key, value = _AZURE_TAINT
    taints = (node.get("spec") or {}).get("taints") or ()
    if any(taint.get("key") == key and taint.get("value") == value for taint in taints):
        return True
    conditions = (node.get("status") or {}).get("conditions") or ()
    holding = (c for c in conditions if c.get("status") == "True")
    return any(_NOTICE_CONDITION in (c.get("type"), c.get("reason")) for c in holding)


def _any_of(keys: Iterable[str], beginnings: tuple[str, ...]) -> bool:
    return any(key.startswith(beginnings) for key in keys)
