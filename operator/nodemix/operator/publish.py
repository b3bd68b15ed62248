"""What a tick leaves behind: status, a plan where the decision changed, events, metrics."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from nodemix.forecasting.types import DemandForecast
from nodemix.operator.api.conditions import Conditions, parse_conditions
from nodemix.operator.errors import ConnectionFailedError
from nodemix.operator.objects import NODEMIX_API, ObjectWriter
from nodemix.operator.reconcile import PolicyObject, Tick, to_conditions
from nodemix.operator.report.events import EVENTS_NAMESPACE, Happening, plan_made, to_event
from nodemix.operator.report.exporter import Exporter, ForecastPods
from nodemix.operator.report.status import PLAN_LIFETIME, plan_name, to_plan_object, to_status
from nodemix.optimizer.packing.warm import WarmStart

POLICIES = "nodemixpolicies"
PLANS_PATH = f"{NODEMIX_API}/nodemixplans"
EVENTS_PATH = f"/apis/events.k8s.io/v1/namespaces/{EVENTS_NAMESPACE}/events"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Standing:
    """What is remembered of a policy between ticks.

    Args:
        plan: name of the last plan, and when it was made.
        forecast: the last one made from fresh history.
        warm: what the last decision left to the next one.
        is_gone: whether the policy itself was deleted, which kopf may have missed.
    """

    conditions: Conditions = ()
    plan: tuple[str, float] | None = None
    forecast: DemandForecast | None = field(default=None, repr=False)
    warm: WarmStart | None = field(default=None, repr=False)
    is_gone: bool = False

    @classmethod
    def from_status(cls, body: dict[str, Any]) -> "Standing":
        """What an earlier process left in the object."""
        return cls(parse_conditions((body.get("status") or {}).get("conditions") or ()))


@dataclass(frozen=True, slots=True)
class Publisher:
    """Writes what a tick found.

    Every write raises ConnectionFailedError where the API server refuses, and NotLeadingError
    where the lease is lost; the next tick tries again.

    Args:
        plans_kept: of a policy; older ones that nobody approved are removed.
    """

    writer: ObjectWriter
    exporter: Exporter
    plans_kept: int

    async def publish(
        self, policy: PolicyObject, tick: Tick, standing: Standing, now_s: float
    ) -> Standing:
        """Write status, plan and events; the standing after it."""
        generation = policy.body["metadata"].get("generation", 0)
        conditions = to_conditions(standing.conditions, tick.findings, now_s, generation)
        plan = await self._propose(policy, tick, standing, now_s)
        if not await self._write_status(policy, tick, conditions, plan):
            return Standing(is_gone=True)
        self._measure(policy, tick, conditions)
        happenings = _changes(standing.conditions, conditions)
        if plan is not None and plan != standing.plan and plan[1] == now_s:
            happenings = [*_proposals(tick, plan[0]), *happenings]
            await self._prune(policy, plan[0], now_s)
        await self._tell(policy, happenings, now_s)
        warm = standing.warm if tick.recommendation is None else tick.recommendation.warm
        return Standing(conditions, plan, _last_fresh(tick, standing), warm)

    async def _propose(
        self, policy: PolicyObject, tick: Tick, standing: Standing, now_s: float
    ) -> tuple[str, float] | None:
        """Create the plan unless the same decision stands already and has not expired.

        Returns:
            Name of the plan that stands now and when it was made; None if there never was one.
        """
        recommendation = tick.recommendation
        if recommendation is None or tick.catalog is None:
            return standing.plan
        name = plan_name(recommendation)
        lifetime_s = PLAN_LIFETIME.total_seconds()
        if standing.plan and standing.plan[0] == name and now_s - standing.plan[1] < lifetime_s:
            return standing.plan
        body = to_plan_object(recommendation, tick.catalog, policy.body)
        if await self.writer.create(PLANS_PATH, body) is None:
            made_at_s = await self._made_at_s(policy, name)
            if made_at_s is not None and now_s - made_at_s < lifetime_s:
                return name, made_at_s
            await self.writer.delete(f"{PLANS_PATH}/{name}")
            await self.writer.create(PLANS_PATH, body)
        return name, now_s

    async def _plans_of(self, policy: PolicyObject) -> list[dict[str, Any]]:
        query = f"{PLANS_PATH}?labelSelector=nodemix.dev/policy={policy.name[:63]}"
        listed = await self.writer.get(query) or {}
        return list(listed.get("items") or ())

    async def _made_at_s(self, policy: PolicyObject, name: str) -> float | None:
        """When an earlier process made the plan; None where it is gone by now."""
        for plan in await self._plans_of(policy):
            if plan["metadata"]["name"] == name:
                expires_at = datetime.fromisoformat(plan["spec"]["expiresAt"])
                return (expires_at - PLAN_LIFETIME).timestamp()
        return None

    async def _write_status(
        self,
        policy: PolicyObject,
        tick: Tick,
        conditions: Conditions,
        plan: tuple[str, float] | None,
    ) -> bool:
        """Write the status; whether the policy is still there."""
        status: dict[str, object] = {}
        if tick.recommendation is not None:
            numbers = to_status(tick.recommendation, plan[0] if plan else None)
            status = numbers.model_dump(mode="json", by_alias=True)
            status.pop("conditions")
        status["conditions"] = [c.model_dump(mode="json", by_alias=True) for c in conditions]
        status["observedGeneration"] = policy.body["metadata"].get("generation", 0)
        return await self.writer.patch_status(POLICIES, policy.name, status)

    async def _tell(
        self, policy: PolicyObject, happenings: Iterable[Happening], now_s: float
    ) -> None:
        """Write events; one that is refused is lost, the status says the same."""
        now = datetime.fromtimestamp(now_s, UTC)
        for happening in happenings:
            log.info(happening.reason, policy=policy.name, message=happening.message)
            try:
                await self.writer.create(EVENTS_PATH, to_event(happening, policy.body, now))
            except ConnectionFailedError as err:
                log.warning("EventLost", policy=policy.name, message=str(err))

    async def _prune(self, policy: PolicyObject, newest: str, now_s: float) -> None:
        """Remove expired and surplus plans that nobody approved."""
        plans = [p for p in await self._plans_of(policy) if not p["spec"].get("approved")]
        plans.sort(key=lambda plan: plan["metadata"]["creationTimestamp"], reverse=True)
        for position, plan in enumerate(plans):
            expires = datetime.fromisoformat(plan["spec"]["expiresAt"]).timestamp()
            is_newest = plan["metadata"]["name"] == newest
            if not is_newest and (expires < now_s or position >= self.plans_kept):
                await self.writer.delete(f"{PLANS_PATH}/{plan['metadata']['name']}")

    def _measure(self, policy: PolicyObject, tick: Tick, conditions: Conditions) -> None:
        self.exporter.record_accepted(policy.policy)
        self.exporter.record_conditions(policy.name, {c.type: str(c.status) for c in conditions})
        if tick.recommendation is not None:
            self.exporter.record(tick.recommendation, _forecast_pods(tick, policy))
            self.exporter.record_calibration(policy.name, tick.calibration)
        elif not policy.is_paused:
            self.exporter.count_decision(policy.name, "failed")


def _proposals(tick: Tick, plan: str) -> list[Happening]:
    return [] if tick.recommendation is None else [plan_made(tick.recommendation, plan)]


def _changes(before: Conditions, after: Conditions) -> list[Happening]:
    """An event for every condition whose status or reason moved, except at the first good one."""
    known = {condition.type: (condition.status, condition.reason) for condition in before}
    good = {"Applied": "False", "Fallback": "False", "Paused": "False"}
    happenings = []
    for condition in after:
        is_good = str(condition.status) == good.get(condition.type, "True")
        was = known.get(condition.type)
        if was == (condition.status, condition.reason) or (was is None and is_good):
            continue
        kind = "Normal" if is_good else "Warning"
        happenings.append(Happening(kind, condition.reason, condition.message))
    return happenings


def _last_fresh(tick: Tick, standing: Standing) -> DemandForecast | None:
    """The newest forecast made from fresh history; a held one would forget its age."""
    if tick.forecast is None or tick.forecast.is_held:
        return standing.forecast
    return tick.forecast


def _forecast_pods(tick: Tick, policy: PolicyObject) -> ForecastPods | None:
    """The 5, 50 and 95 % quantiles of the highest total of pods within the lead time."""
    forecast = tick.forecast
    if forecast is None or "pods" not in forecast.indicators:
        return None
    column = forecast.indicators.index("pods")
    lead_time_s = policy.spec.objective.slo.lead_time_seconds
    steps = max(1, round(lead_time_s / forecast.step_s))
    totals = forecast.samples[:, :, :steps, column].sum(axis=1).max(axis=1)
    totals.sort()
    return ForecastPods(*(float(totals[int(level * len(totals))]) for level in (0.05, 0.5, 0.95)))
