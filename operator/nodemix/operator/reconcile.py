"""One tick of one policy: observe, forecast, decide, and say what was found.

Nothing here writes. Whatever goes wrong becomes a finding that names the object and the remedy;
without a new recommendation the last good one stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from nodemix.forecasting.calibrate import CalibrationReport
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.types import DemandForecast, Horizon
from nodemix.operator.api.conditions import (
    Conditions,
    ConditionStatus,
    ConditionType,
    set_condition,
)
from nodemix.operator.api.policy import Mode, NodeMixPolicySpec
from nodemix.operator.api.rules import complaint
from nodemix.operator.api.translate import to_policy
from nodemix.operator.errors import (
    EmptySelectionError,
    OperatorError,
    PolicyConflictError,
    StaleViewError,
)
from nodemix.operator.metrics.known_events import with_events
from nodemix.operator.metrics.sources import DemandReading
from nodemix.operator.prices.books import PriceReading
from nodemix.operator.report.risk_finding import risk_verdict
from nodemix.operator.worker import DecisionOutcome, DecisionRequest
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.errors import CatalogError, OptimizerError
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.policy import Policy, ServiceLevel
from nodemix.optimizer.problem.scope import selects
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import Note, Pod, Snapshot
from pydantic import ValidationError

PAUSED_ANNOTATION = "nodemix.dev/paused"
DRAWS = 200
NAMED_AT_MOST = 5

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE


@dataclass(frozen=True, slots=True)
class PolicyObject:
    """A NodeMixPolicy as the API server holds it, parsed."""

    name: str
    created_at: str
    spec: NodeMixPolicySpec
    body: dict[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, body: dict[str, Any]) -> "PolicyObject":
        """Parse the object; pydantic's ValidationError names the field that is wrong."""
        metadata = body["metadata"]
        spec = NodeMixPolicySpec.model_validate(body.get("spec") or {})
        return cls(metadata["name"], metadata.get("creationTimestamp", ""), spec, body)

    @classmethod
    def unparsed(cls, body: dict[str, Any]) -> "PolicyObject":
        """A policy whose spec cannot be read, to say so in its status."""
        metadata = body["metadata"]
        created_at = metadata.get("creationTimestamp", "")
        return cls(metadata["name"], created_at, NodeMixPolicySpec(), body)

    @property
    def is_paused(self) -> bool:
        """Whether decisions are stopped by the spec or the annotation."""
        annotations = self.body["metadata"].get("annotations") or {}
        return self.spec.paused or annotations.get(PAUSED_ANNOTATION) == "true"

    @property
    def policy(self) -> Policy:
        """What the decision is told."""
        return to_policy(self.name, self.spec)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a condition will say."""

    kind: ConditionType
    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """What came of one tick.

    Args:
        recommendation: None keeps the last good one.
        catalog: what the recommendation was priced with.
        calibration: how well forecasts have kept their word; None where none was made.
    """

    findings: tuple[Finding, ...]
    recommendation: Recommendation | None = None
    forecast: DemandForecast | None = None
    catalog: Catalog | None = None
    calibration: CalibrationReport | None = None


class Sources(Protocol):
    """Where a tick gets its input, and who decides."""

    def snapshot(self) -> Snapshot:
        """The cluster as it is; raises StaleViewError when the view is too old."""
        ...

    async def prices(self, spec: NodeMixPolicySpec) -> PriceReading:
        """Offers on sale; raises CatalogError or PriceSourceError when there are none to trust."""
        ...

    async def demand(
        self, spec: NodeMixPolicySpec, pods: Sequence[Pod], now_s: float
    ) -> DemandReading:
        """Demand as far as it is known; never raises for a server that is down."""
        ...

    def beliefs(self) -> Beliefs | None:
        """What was learned of the cluster; None where nothing was yet."""
        ...

    async def decide(self, request: DecisionRequest) -> DecisionOutcome:
        """Forecast and decide; raises OptimizerError, ForecastError or DecisionFailedError."""
        ...


async def reconcile(
    policy: PolicyObject,
    others: Iterable[PolicyObject],
    sources: Sources,
    previous: DemandForecast | None,
    now_s: float,
    warm: WarmStart | None = None,
) -> Tick:
    """One tick of ``policy``; raises nothing that a bad input can cause.

    Args:
        previous: the last fresh forecast.
        warm: what the last decision left.
    """
    if policy.is_paused:
        return Tick((_paused(policy),))
    findings = [*_mode_findings(policy), _running()]
    try:
        return await _decide(policy, others, sources, (previous, warm), now_s, findings)
    except (OperatorError, OptimizerError, ForecastError) as err:
        return Tick((*findings, *_failure(err)))


async def _decide(
    policy: PolicyObject,
    others: Iterable[PolicyObject],
    sources: Sources,
    remembered: tuple[DemandForecast | None, WarmStart | None],
    now_s: float,
    findings: list[Finding],
) -> Tick:
    snapshot = sources.snapshot()
    findings.append(_data_finding(snapshot))
    pods = _selected(policy, others, snapshot)
    prices = await sources.prices(policy.spec)
    reading = await sources.demand(policy.spec, pods, now_s)
    request = _request(policy, snapshot, prices.catalog, reading, remembered, now_s)
    outcome = await sources.decide(replace(request, beliefs=sources.beliefs()))
    findings += _forecast_findings(reading, outcome)
    findings += _plan_findings(outcome.recommendation, prices.degraded)
    findings.append(_risk_finding(outcome.recommendation, request.policy.service_level))
    return Tick(
        tuple(findings),
        outcome.recommendation,
        outcome.forecast,
        prices.catalog,
        outcome.calibration,
    )


def _request(
    policy: PolicyObject,
    snapshot: Snapshot,
    catalog: Catalog,
    reading: DemandReading,
    remembered: tuple[DemandForecast | None, WarmStart | None],
    now_s: float,
) -> DecisionRequest:
    previous, warm = remembered
    forecast = policy.spec.forecast
    steps = max(1, forecast.horizon_seconds // forecast.step_seconds)
    return DecisionRequest(
        snapshot=snapshot,
        policy=policy.policy,
        catalog=catalog,
        history=with_events(reading.history, forecast),
        horizon=Horizon(steps=steps, draws=DRAWS),
        now_s=now_s,
        previous=previous,
        warm=warm,
    )


def _selected(
    policy: PolicyObject, others: Iterable[PolicyObject], snapshot: Snapshot
) -> list[Pod]:
    """The policy's pods.

    Raises:
        EmptySelectionError: there are none.
        PolicyConflictError: an older policy plans for some of them.
    """
    selector = policy.policy.selector
    pods = [pod for pod in snapshot.pods if selects(selector, pod.namespace, pod.template)]
    if not pods:
        raise EmptySelectionError(
            f"NodeMixPolicy/{policy.name}",
            f"spec.selector matches none of the cluster's {len(snapshot.pods)} pods",
            "correct namespaces and matchLabels, or create the workloads",
        )
    for other in others:
        if _is_older(other, policy):
            _refuse_overlap(policy, other, pods)
    return pods


def _is_older(other: PolicyObject, policy: PolicyObject) -> bool:
    """Of two policies over the same pods the older one plans; names settle a tie."""
    mine = (policy.created_at, policy.name)
    return not other.is_paused and (other.created_at, other.name) < mine


def _refuse_overlap(policy: PolicyObject, other: PolicyObject, pods: list[Pod]) -> None:
    selector = other.policy.selector
    shared = [pod for pod in pods if selects(selector, pod.namespace, pod.template)]
    if shared:
        raise PolicyConflictError(
            f"NodeMixPolicy/{policy.name}",
            f"{len(shared)} of its pods, e.g. {shared[0].namespace}/{shared[0].name}, belong to "
            f"the older NodeMixPolicy/{other.name}",
            "narrow one of the two selectors, or pause the older policy",
        )


def _paused(policy: PolicyObject) -> Finding:
    where = "spec.paused" if policy.spec.paused else f"annotation {PAUSED_ANNOTATION}"
    message = f"decisions are stopped by {where}; remove it to go on"
    return Finding(ConditionType.PAUSED, TRUE, "PausedByOwner", message)


def _running() -> Finding:
    return Finding(ConditionType.PAUSED, FALSE, "Running", "decisions are made")


def _mode_findings(policy: PolicyObject) -> list[Finding]:
    if policy.spec.mode is Mode.RECOMMEND:
        message = "mode Recommend: plans are proposed, nothing is changed"
        return [Finding(ConditionType.APPLIED, FALSE, "RecommendOnly", message)]
    message = (
        "mode Apply is not supported by this version: plans are proposed, nothing is changed; "
        "set spec.mode to Recommend"
    )
    return [Finding(ConditionType.APPLIED, FALSE, "ApplyNotSupported", message)]


def _data_finding(snapshot: Snapshot) -> Finding:
    """Fresh, unless objects of the cluster could not be read as they are."""
    bad = [note for note in snapshot.notes if note.severity == "error"]
    if bad:
        message = _listed(bad)
        return Finding(ConditionType.DATA_FRESH, FALSE, "UnreadableObjects", message)
    message = f"{len(snapshot.nodes)} nodes and {len(snapshot.pods)} pods are in view"
    return Finding(ConditionType.DATA_FRESH, TRUE, "ViewIsCurrent", message)


def _listed(notes: Sequence[Note]) -> str:
    """The first few in words, and how many more there are."""
    text = ". ".join(str(note) for note in notes[:NAMED_AT_MOST])
    more = len(notes) - NAMED_AT_MOST
    return text + (f". And {more} more" if more > 0 else "")


def _forecast_findings(reading: DemandReading, outcome: DecisionOutcome) -> list[Finding]:
    healthy, fallback = ConditionType.FORECAST_HEALTHY, ConditionType.FALLBACK
    trouble = _listed(reading.degraded)
    if outcome.forecast_failure:
        trouble = f"{outcome.forecast_failure}. {trouble}".rstrip(". ")
    if outcome.forecast is not None and not outcome.forecast_failure and not reading.degraded:
        message = f"on {reading.source} history {_speakers(outcome.forecast)}"
        spoken = Finding(healthy, TRUE, "ModelSpeaks", message)
        if outcome.calibration is not None and outcome.calibration.is_drifting:
            text = f"{outcome.calibration.why}; models are compared anew. {message}"
            spoken = Finding(healthy, FALSE, "ForecastDrifts", text)
        return [spoken, Finding(fallback, FALSE, "NotNeeded", "all inputs are at hand")]
    basis = _basis(reading, outcome)
    return [
        Finding(healthy, FALSE, "DegradedInput", trouble or basis),
        Finding(fallback, TRUE, "PlannedOnFallback", f"{basis}. {trouble}".rstrip(". ")),
    ]


def _speakers(forecast: DemandForecast) -> str:
    """Which models speak and why, those for most series first; then those that failed."""
    heard = sorted((v for v in forecast.verdicts if v.series), key=lambda v: -len(v.series))
    failed = [v for v in forecast.verdicts if not v.series and v.why.startswith("failed")]
    named = [f"{v.model} {v.why}" for v in (*heard[:NAMED_AT_MOST], *failed[:NAMED_AT_MOST])]
    more = max(0, len(heard) - NAMED_AT_MOST) + max(0, len(failed) - NAMED_AT_MOST)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _basis(reading: DemandReading, outcome: DecisionOutcome) -> str:
    if outcome.forecast is None:
        return "planned for the pods and requests as they are"
    if outcome.forecast_failure:
        return "planned on the last good forecast, held and widened"
    return f"planned on what {reading.source} knows"


def _plan_findings(
    recommendation: Recommendation, degraded_prices: Sequence[Note]
) -> list[Finding]:
    feasible, ready = ConditionType.PLAN_FEASIBLE, ConditionType.READY
    ready_now = Finding(ready, TRUE, "Decided", recommendation.reasons[0])
    if recommendation.unplaceable:
        text = ". ".join(
            f"{u.workload}: {u.pods} pods have no place: {u.why}"
            for u in recommendation.unplaceable[:NAMED_AT_MOST]
        )
        return [Finding(feasible, FALSE, "UnplaceablePods", text), ready_now]
    degraded = (*_unpriced_nodes(recommendation), *degraded_prices)
    if ignored := _ignored_entries(recommendation):
        text = "every pod has a place, but the policy is not followed in all: "
        text += _listed((*ignored, *degraded))
        return [Finding(feasible, TRUE, "PolicyEntriesLeftOut", text), ready_now]
    if degraded:
        text = "every pod has a place, but prices are degraded: " + _listed(degraded)
        return [Finding(feasible, TRUE, "PricesDegraded", text), ready_now]
    text = "every pod has a place in the plan"
    return [Finding(feasible, TRUE, "AllPodsPlaced", text), ready_now]


def _risk_finding(recommendation: Recommendation, accepted: ServiceLevel) -> Finding:
    verdict = risk_verdict(recommendation, accepted)
    return Finding(ConditionType.RISK_ACCEPTED, verdict.status, verdict.reason, verdict.message)


def _ignored_entries(recommendation: Recommendation) -> tuple[Note, ...]:
    """Entries of the policy that could not be used."""
    subject = f"NodeMixPolicy/{recommendation.policy}"
    return tuple(n for n in recommendation.notes if n.subject == subject and n.severity == "error")


def _unpriced_nodes(recommendation: Recommendation) -> tuple[Note, ...]:
    """Nodes of today that no figure counts."""
    unknown = [p for p in recommendation.pools if p.price_usd_per_hour is None and p.nodes_now]
    if not unknown:
        return ()
    nodes = sum(pool.nodes_now for pool in unknown)
    named = [f"{p.instance_type}/{p.zone}/{p.capacity_type}" for p in unknown[:NAMED_AT_MOST]]
    fact = f"{nodes} of today's nodes have no known price and are not counted in any cost"
    return (Note("prices", fact, f"add {', '.join(named)} to the PriceBook", "warning"),)


def _failure(error: OperatorError | OptimizerError | ForecastError) -> list[Finding]:
    """The condition that the error belongs to, and Ready; the last good plan stays."""
    reason = type(error).__name__.removesuffix("Error")
    message = f"{error}. The last good plan stays"
    kind = ConditionType.PLAN_FEASIBLE
    if isinstance(error, StaleViewError | CatalogError) or reason == "PriceSource":
        kind = ConditionType.DATA_FRESH
    if isinstance(error, ForecastError):
        kind = ConditionType.FORECAST_HEALTHY
    return [
        Finding(kind, FALSE, reason, message),
        Finding(ConditionType.READY, FALSE, reason, message),
    ]


def unreadable(policy: str, err: ValidationError) -> Tick:
    """The tick of a policy whose spec breaks a rule that the API server does not know."""
    message = f"NodeMixPolicy/{policy}: {complaint(err)}; correct it. The last good plan stays"
    return Tick((Finding(ConditionType.READY, FALSE, "UnreadableSpec", message),))


def crashed(policy: str, err: Exception) -> Tick:
    """The tick that a mistake of ours ended."""
    message = (
        f"NodeMixPolicy/{policy}: the decision crashed ({type(err).__name__}: {err}); report this "
        "with the operator's log. The last good plan stays"
    )
    return Tick((Finding(ConditionType.READY, FALSE, "Crashed", message),))


def to_conditions(
    former: Conditions, findings: Iterable[Finding], now_s: float, generation: int
) -> Conditions:
    """The conditions after a tick; what it said nothing about stays."""
    conditions = former
    for finding in findings:
        conditions = set_condition(
            conditions,
            finding.kind,
            finding.status,
            reason=finding.reason,
            message=finding.message,
            now=datetime.fromtimestamp(now_s, UTC),
            observed_generation=generation,
        )
    return conditions
