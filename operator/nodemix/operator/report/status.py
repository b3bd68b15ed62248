"""A recommendation in the words of the custom resources."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from nodemix.operator.api.plan import (
    MAX_NODE_GROUPS,
    MAX_STEERED,
    AffinitySpec,
    ModeCostSpec,
    NodeGroupSpec,
    NodeMixPlanSpec,
    PinsSpec,
    PlacedSpec,
    PlanSource,
    PolicyRef,
    PoolSpec,
    QuotaSpec,
    ReleaseSpec,
    SteeringSpec,
    UnplaceableSpec,
)
from nodemix.operator.api.policy import NodeMixPolicyStatus, Placement
from nodemix.operator.api.values import API_VERSION
from nodemix.operator.report.placing import values_by_label
from nodemix.operator.report.status_risk import (
    SENTENCE,
    baseline_spec,
    blocker_specs,
    capacity_spec,
    chosen_option,
    option_specs,
    risk_spec,
    rule_cost_specs,
    sharing_spec,
)
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import (
    CohortPins,
    CohortQuota,
    PlannedSteering,
    WorkloadAffinity,
)
from nodemix.optimizer.plan import PlannedNodes, PoolChange, Recommendation

PLAN_LIFETIME = timedelta(hours=1)
"""After an hour demand and prices have moved on; a plan still wanted is decided again."""

HASH_DIGITS = 10


def percent(part: float, whole: float) -> float:
    """A share in percent; 0 of nothing."""
    return 100.0 * part / whole if whole > 0 else 0.0


def to_status(recommendation: Recommendation, plan_name: str | None) -> NodeMixPolicyStatus:
    """The numbers of a policy's status; conditions are set apart."""
    placed, risk = recommendation.placed, recommendation.risk
    chosen, baseline = chosen_option(recommendation), recommendation.baseline
    return NodeMixPolicyStatus(
        plan_name=plan_name,
        decided_at=datetime.fromtimestamp(recommendation.made_at_s, UTC),
        nodes_now=sum(pool.nodes_now for pool in recommendation.pools),
        nodes_plan=sum(nodes.count for nodes in recommendation.nodes),
        spot_percent=100.0 * risk.spot_share,
        usd_per_hour_now=recommendation.current_usd_per_hour,
        usd_per_hour_plan=recommendation.plan_usd_per_hour,
        usd_per_hour_placed=placed.chosen.usd_per_hour if placed else None,
        usd_per_hour_lower_bound=recommendation.lower_bound_usd_per_hour,
        usd_per_hour_expected=chosen.expected_usd_per_hour if chosen else None,
        usd_per_hour_baseline=baseline.usd_per_hour if baseline else None,
        saving_percent=_saving_percent(recommendation),
        gap_percent=100.0 * recommendation.gap,
        shortfall_probability=risk.shortfall_probability,
        cvar_percent=100.0 * risk.cvar if risk.scenarios else None,
        worst_pool_loss_percent=100.0 * risk.worst_pool_loss if risk.scenarios else None,
        forecast_model=recommendation.forecast_model or None,
        unplaceable_pods=sum(entry.pods for entry in recommendation.unplaceable),
    )


def _saving_percent(recommendation: Recommendation) -> float:
    return percent(recommendation.saving_usd_per_hour, recommendation.current_usd_per_hour)


def to_plan_spec(
    recommendation: Recommendation, catalog: Catalog, generation: int
) -> NodeMixPlanSpec:
    """The whole proposal as it is stored."""
    made_at = datetime.fromtimestamp(recommendation.made_at_s, UTC)
    return NodeMixPlanSpec(
        policy_ref=PolicyRef(name=recommendation.policy, generation=generation),
        created_from=PlanSource(
            snapshot_taken_at=made_at,
            catalog=catalog.source[:SENTENCE],
            catalog_as_of=catalog.as_of,
            forecast_model=recommendation.forecast_model,
        ),
        expires_at=made_at + PLAN_LIFETIME,
        pools=tuple(_pool(pool) for pool in recommendation.pools),
        nodes=_node_groups(recommendation.nodes),
        nodes_now=sum(pool.nodes_now for pool in recommendation.pools),
        nodes_plan=sum(nodes.count for nodes in recommendation.nodes),
        usd_per_hour_now=recommendation.current_usd_per_hour,
        usd_per_hour_plan=recommendation.plan_usd_per_hour,
        usd_per_hour_lower_bound=recommendation.lower_bound_usd_per_hour,
        saving_percent=_saving_percent(recommendation),
        gap_percent=100.0 * recommendation.gap,
        placed=_placed(recommendation),
        steering=_steering(recommendation.steering),
        risk=risk_spec(recommendation.risk),
        capacity=capacity_spec(recommendation.capacity),
        options=option_specs(recommendation.options),
        fairness=sharing_spec(recommendation.fairness),
        baseline=baseline_spec(recommendation.baseline),
        blockers=blocker_specs(recommendation.blockers),
        rule_costs=rule_cost_specs(recommendation.rule_costs),
        reasons=_sentences(recommendation.reasons, 100),
        assumptions=_sentences(recommendation.assumptions, 100),
        notes=_sentences((str(note) for note in recommendation.notes), 1000),
        unplaceable=tuple(
            UnplaceableSpec(workload=str(u.workload), pods=u.pods, why=u.why[:SENTENCE])
            for u in recommendation.unplaceable[:1000]
        ),
    )


def _placed(recommendation: Recommendation) -> PlacedSpec | None:
    placed, kept = recommendation.placed, recommendation.saving_kept_share
    if placed is None:
        return None
    return PlacedSpec(
        mode=_placement(placed.mode),
        usd_per_hour=placed.chosen.usd_per_hour,
        saving_kept_percent=None if kept is None else 100.0 * kept,
        modes=tuple(
            ModeCostSpec(
                mode=_placement(cost.mode), usd_per_hour=cost.usd_per_hour, draws=cost.draws
            )
            for cost in placed.by_mode
        ),
    )


def _placement(mode: PlacementMode) -> Placement:
    return Placement(mode.capitalize())


def _steering(steering: PlannedSteering | None) -> SteeringSpec | None:
    """The whole steering where it is small enough for an object, else how large it is."""
    if steering is None:
        return None
    entries, mode = _entries(steering), _placement(steering.mode)
    if entries > MAX_STEERED:
        return SteeringSpec(mode=mode, entries=entries)
    release = (ReleaseSpec(workload=str(w), pods=pods) for w, pods in steering.release)
    return SteeringSpec(
        mode=mode,
        entries=entries,
        affinities=tuple(map(_affinity, steering.affinities)) or None,
        release=tuple(release) or None,
        quotas=tuple(map(_quota, steering.quotas)) or None,
        pins=tuple(map(_pins, steering.pins)) or None,
    )


def _entries(steering: PlannedSteering) -> int:
    """Values of affinities, releases, quotas and pins."""
    values = sum(
        len(requirement.values)
        for affinity in steering.affinities
        for term in affinity.terms
        for requirement in term.requirements
    )
    pins = sum(len(pins.pods) for pins in steering.pins)
    return values + len(steering.release) + len(steering.quotas) + pins


def _affinity(affinity: WorkloadAffinity) -> AffinitySpec:
    terms = tuple(values_by_label(term) for term in affinity.terms)
    return AffinitySpec(workload=str(affinity.workload), terms=terms)


def _quota(quota: CohortQuota) -> QuotaSpec:
    return QuotaSpec(workload=str(quota.workload), cohort=quota.cohort, pods=quota.pods)


def _pins(pins: CohortPins) -> PinsSpec:
    pods = {str(workload): count for workload, count in pins.pods}
    return PinsSpec(cohort=pins.cohort, nodes=pins.nodes, pods=pods)


def _pool(pool: PoolChange) -> PoolSpec:
    return PoolSpec(
        instance_type=pool.instance_type,
        zone=pool.zone,
        capacity_type=pool.capacity_type,
        nodes_now=pool.nodes_now,
        nodes_plan=pool.nodes_plan,
        price_usd_per_hour=pool.price_usd_per_hour,
        why=pool.why[:SENTENCE],
    )


def _node_groups(nodes: tuple[PlannedNodes, ...]) -> tuple[NodeGroupSpec, ...] | None:
    if len(nodes) > MAX_NODE_GROUPS:
        return None
    return tuple(
        NodeGroupSpec(
            instance_type=group.instance_type,
            zone=group.zone,
            capacity_type=group.capacity_type,
            count=group.count,
            price_usd_per_hour=group.price_usd_per_hour,
            pods={str(workload): pods for workload, pods in group.pods},
            headroom={str(workload): pods for workload, pods in group.headroom},
            kept_nodes=group.kept_nodes,
            cohort=group.cohort,
        )
        for group in nodes
    )


def _sentences(sentences: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(sentence[:SENTENCE] for sentence in sentences)[:limit]


def decision_hash(recommendation: Recommendation) -> str:
    """What tells two decisions apart: the target of each pool, what finds no place, the placement.

    Prices and probabilities move with every tick; they alone make no new plan.
    """
    target = sorted(
        (pool.instance_type, pool.zone, str(pool.capacity_type), pool.nodes_now, pool.nodes_plan)
        for pool in recommendation.pools
    )
    left_out = sorted((str(u.workload), u.pods) for u in recommendation.unplaceable)
    mode = None if recommendation.steering is None else str(recommendation.steering.mode)
    digest = hashlib.sha256(orjson.dumps([recommendation.policy, target, left_out, mode]))
    return digest.hexdigest()[:HASH_DIGITS]


def plan_name(recommendation: Recommendation) -> str:
    """Name of the plan of this decision; the same decision has the same name."""
    return f"{recommendation.policy[:200]}-{decision_hash(recommendation)}"


def to_plan_object(
    recommendation: Recommendation, catalog: Catalog, policy: dict[str, Any]
) -> dict[str, Any]:
    """The NodeMixPlan to create, owned by its policy so that it goes with it."""
    metadata = policy["metadata"]
    spec = to_plan_spec(recommendation, catalog, metadata.get("generation", 0))
    owner = {
        "apiVersion": API_VERSION,
        "kind": "NodeMixPolicy",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "NodeMixPlan",
        "metadata": {
            "name": plan_name(recommendation),
            "labels": {"nodemix.dev/policy": metadata["name"][:63]},
            "ownerReferences": [owner],
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
