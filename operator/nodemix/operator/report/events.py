"""Events with numbers: what happened, for ``kubectl describe``."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nodemix.operator.api.values import API_VERSION
from nodemix.optimizer.plan import Recommendation

NOTE_LIMIT = 1024
COMPONENT = "nodemix"
EVENTS_NAMESPACE = "default"
"""Events of cluster-scoped objects live here; the API server accepts no other place."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something worth an event.

    Args:
        kind: ``Normal`` or ``Warning``.
        reason: CamelCase.
    """

    kind: str
    reason: str
    message: str


def plan_made(recommendation: Recommendation, name: str) -> Happening:
    """A changed decision, with its figures."""
    nodes = sum(group.count for group in recommendation.nodes)
    placed = recommendation.placed
    once_placed = (
        f"expected {placed.chosen.usd_per_hour:.4f} $/h once placed ({placed.mode}), "
        if placed
        else ""
    )
    message = (
        f"{name}: {recommendation.current_usd_per_hour:.4f} -> "
        f"{recommendation.plan_usd_per_hour:.4f} $/h on {nodes} nodes, {once_placed}"
        f"lower bound {recommendation.lower_bound_usd_per_hour:.4f} $/h, "
        f"gap {recommendation.gap:.2%}; nothing was changed"
    )
    return Happening("Normal", "PlanProposed", message)


def to_event(happening: Happening, policy: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The Event object about a policy."""
    metadata = policy["metadata"]
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}-", "namespace": EVENTS_NAMESPACE},
        "eventTime": stamp,
        "type": happening.kind,
        "reason": happening.reason,
        "action": "Decide",
        "note": happening.message[:NOTE_LIMIT],
        "reportingController": "nodemix.dev/operator",
        "reportingInstance": COMPONENT,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": "NodeMixPolicy",
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }
