"""Events with numbers: what happened, for ``kubectl describe``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nodemix.operator.api.values import API_VERSION
from nodemix.operator.report.status_risk import worst_pool
from nodemix.optimizer.plan import PlacedCosts, Recommendation
from nodemix.optimizer.plan_risk import Risk

NOTE_LIMIT = 1024
COMPONENT = "nodemix"
NOTHING_CHANGED = "nothing was changed"
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
    figures = (
        f"{_change(recommendation)} on {nodes} nodes",
        *_once_placed(recommendation.placed),
        f"lower bound {recommendation.lower_bound_usd_per_hour:.4f} $/h",
        f"gap {recommendation.gap:.2%}",
        *_risk(recommendation.risk),
    )
    return Happening("Normal", "PlanProposed", f"{name}: {', '.join(figures)}; {NOTHING_CHANGED}")


def _change(recommendation: Recommendation) -> str:
    now, plan = recommendation.current_usd_per_hour, recommendation.plan_usd_per_hour
    share = abs(now - plan) / now if now > 0 else 0.0
    return f"{now:.4f} -> {plan:.4f} $/h ({share:.1%} {'less' if plan <= now else 'more'})"


def _once_placed(placed: PlacedCosts | None) -> Iterator[str]:
    if placed is not None:
        yield f"expected {placed.chosen.usd_per_hour:.4f} $/h once placed ({placed.mode})"


def _risk(risk: Risk) -> Iterator[str]:
    """CVaR, and what the loss of the worst pool would do, where it was tried."""
    if risk.scenarios:
        yield f"CVaR {risk.cvar:.2%} of demand"
    if worst := worst_pool(risk):
        yield (
            f"worst pool {worst.instance_type}/{worst.zone} "
            f"{worst.loss_if_reclaimed:.1%} of requests"
        )


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
