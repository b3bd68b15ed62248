"""Inputs of a tick as plain data, with failures that a test can inject."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.metrics.sources import DemandOrigin, DemandReading
from nodemix.operator.prices.books import PriceReading
from nodemix.operator.reconcile import PolicyObject
from nodemix.operator.worker import DecisionOutcome, DecisionRequest
from nodemix.optimizer.plan import PlannedNodes, PoolChange, Recommendation, Unplaceable
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import Pod, Snapshot

from tests.builders import ON_DEMAND, SPOT, ZONE, make_catalog, make_pods, make_snapshot

T = TypeVar("T")


def make_policy_object(
    name: str = "default",
    created_at: str = "2026-01-01T00:00:00Z",
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> PolicyObject:
    metadata = {
        "name": name,
        "uid": f"uid-{name}",
        "generation": 3,
        "creationTimestamp": created_at,
        "annotations": annotations or {},
    }
    return PolicyObject.parse({"metadata": metadata, "spec": spec})


def make_recommendation(policy: str = "default", **fields: Any) -> Recommendation:
    """Ten m5.xlarge on demand become four on spot."""
    pods = tuple((pod.workload, 1) for pod in make_pods(1))
    price = {ON_DEMAND: 0.2, SPOT: 0.06}
    defaults: dict[str, Any] = {
        "policy": policy,
        "made_at_s": 1_800_000_000.0,
        "is_change": True,
        "nodes": (PlannedNodes("m5.xlarge", ZONE, SPOT, 4, pods, price[SPOT]),),
        "pools": (
            PoolChange("m5.xlarge", ZONE, ON_DEMAND, 10, 0, price[ON_DEMAND], "freed"),
            PoolChange("m5.xlarge", ZONE, SPOT, 0, 4, price[SPOT], "cheapest"),
        ),
        "current_usd_per_hour": 2.0,
        "plan_usd_per_hour": 0.24,
        "lower_bound_usd_per_hour": 0.18,
        "risk": Risk(0.004, 1.0, 1.0, 0.5),
        "reasons": ("0.2400 $/h saves 1.7600 $/h against today's nodes",),
        "forecast_model": "seasonal-naive",
    }
    return Recommendation(**{**defaults, **fields})


def make_unplaceable(name: str, pods: int, why: str) -> Unplaceable:
    return Unplaceable(make_pods(1, workload=name)[0].workload, pods, why)


@dataclass
class FakeSources:
    """Everything a tick asks for; an exception in a field is raised instead of returned."""

    cluster: Snapshot | Exception = field(default_factory=lambda: make_snapshot(make_pods(3)))
    price_reading: PriceReading | Exception = field(
        default_factory=lambda: PriceReading(make_catalog(), 0.0)
    )
    reading: DemandReading = field(
        default_factory=lambda: DemandReading(None, DemandOrigin.REQUESTS)
    )
    outcome: DecisionOutcome | Exception = field(
        default_factory=lambda: DecisionOutcome(make_recommendation())
    )
    requests: list[DecisionRequest] = field(default_factory=list)
    learned: Beliefs | None = None

    def snapshot(self) -> Snapshot:
        return _give(self.cluster)

    async def prices(self, spec: NodeMixPolicySpec) -> PriceReading:
        return _give(self.price_reading)

    async def demand(
        self, spec: NodeMixPolicySpec, pods: Sequence[Pod], now_s: float
    ) -> DemandReading:
        return self.reading

    def beliefs(self) -> Beliefs | None:
        return self.learned

    async def decide(self, request: DecisionRequest) -> DecisionOutcome:
        self.requests.append(request)
        return _give(self.outcome)


def _give(value: T | Exception) -> T:
    if isinstance(value, Exception):
        raise value
    return value
