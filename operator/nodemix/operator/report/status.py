"""A recommendation in the words of the custom resources."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from nodemix.operator.api.plan import (
    MAX_NODE_GROUPS,
    NodeGroupSpec,
    NodeMixPlanSpec,
    PlanSource,
    PolicyRef,
    PoolSpec,
    RiskSpec,
    UnplaceableSpec,
)
from nodemix.operator.api.policy import NodeMixPolicyStatus
from nodemix.operator.api.values import API_VERSION
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import PlannedNodes, PoolChange, Recommendation

PLAN_LIFETIME = timedelta(hours=1)
"""After an hour demand and prices have moved on; a plan still wanted is decided again."""

SENTENCE = 1024
HASH_DIGITS = 10


def percent(part: float, whole: float) -> float:
    """A share in percent; 0 of nothing."""
    return 100.0 * part / whole if whole > 0 else 0.0


def to_status(recommendation: Recommendation, plan_name: str | None) -> NodeMixPolicyStatus:
    """The numbers of a policy's status; conditions are set apart."""
    return NodeMixPolicyStatus(
        plan_name=plan_name,
        decided_at=datetime.fromtimestamp(recommendation.made_at_s, UTC),
        nodes_now=sum(pool.nodes_now for pool in recommendation.pools),
        nodes_plan=sum(nodes.count for nodes in recommendation.nodes),
        spot_percent=100.0 * recommendation.risk.spot_share,
        usd_per_hour_now=recommendation.current_usd_per_hour,
        usd_per_hour_plan=recommendation.plan_usd_per_hour,
        usd_per_hour_lower_bound=recommendation.lower_bound_usd_per_hour,
        saving_percent=_saving_percent(recommendation),
        gap_percent=100.0 * recommendation.gap,
        shortfall_probability=recommendation.risk.shortfall_probability,
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
        risk=_risk(recommendation),
        reasons=_sentences(recommendation.reasons, 100),
        assumptions=_sentences(recommendation.assumptions, 100),
        notes=_sentences((str(note) for note in recommendation.notes), 1000),
        unplaceable=tuple(
            UnplaceableSpec(workload=str(u.workload), pods=u.pods, why=u.why[:SENTENCE])
            for u in recommendation.unplaceable[:1000]
        ),
    )


def _risk(recommendation: Recommendation) -> RiskSpec:
    risk = recommendation.risk
    return RiskSpec(
        shortfall_probability=risk.shortfall_probability,
        spot_percent=100.0 * risk.spot_share,
        worst_pool_percent=100.0 * risk.worst_pool_share,
        interruptions_per_day=risk.interruptions_per_day,
    )


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
        )
        for group in nodes
    )


def _sentences(sentences: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(sentence[:SENTENCE] for sentence in sentences)[:limit]


def decision_hash(recommendation: Recommendation) -> str:
    """What tells two decisions apart: the target of each pool and what finds no place.

    Prices and probabilities move with every tick; they alone make no new plan.
    """
    target = sorted(
        (pool.instance_type, pool.zone, str(pool.capacity_type), pool.nodes_now, pool.nodes_plan)
        for pool in recommendation.pools
    )
    left_out = sorted((str(u.workload), u.pods) for u in recommendation.unplaceable)
    digest = hashlib.sha256(orjson.dumps([recommendation.policy, target, left_out]))
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
