"""From the objects of the API to what the optimizer understands."""

from nodemix.operator.api.capacity import CommitmentSpec, QuotaSpec
from nodemix.operator.api.policy import (
    ChurnSpec,
    FairnessSpec,
    NodeMixPolicySpec,
    OffersSpec,
    SelectorSpec,
    ServiceLevelSpec,
    SpotSpec,
)
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.policy import (
    Churn,
    Commitment,
    FairnessMode,
    FairnessRules,
    OfferFilter,
    Policy,
    Quota,
    ServiceLevel,
    SpotRules,
    WorkloadSelector,
)


def to_policy(name: str, spec: NodeMixPolicySpec) -> Policy:
    """The optimizer's view of a NodeMixPolicy."""
    objective = spec.objective
    return Policy(
        name=name,
        selector=_selector(spec.selector),
        service_level=_service_level(objective.slo),
        spot=_spot_rules(objective.spot),
        offers=_offer_filter(spec.offers),
        churn=_churn(objective.churn),
        budget_usd_per_hour=objective.budget.usd_per_hour if objective.budget else None,
        min_nodes=spec.limits.min_nodes,
        max_nodes=spec.limits.max_nodes,
        quotas=tuple(_quota(quota) for quota in spec.limits.quotas),
        commitments=tuple(_commitment(commitment) for commitment in spec.commitments),
        search_s=float(spec.search_seconds),
        placement=PlacementMode(spec.placement.lower()),
        fairness=_fairness(objective.fairness),
    )


def _selector(selector: SelectorSpec) -> WorkloadSelector:
    return WorkloadSelector(
        namespaces=selector.namespaces,
        match_labels=tuple(sorted(selector.match_labels.items())),
    )


def _service_level(slo: ServiceLevelSpec) -> ServiceLevel:
    return ServiceLevel(
        shortfall_probability=slo.shortfall_probability,
        under_cost_ratio=slo.under_cost_ratio,
        lead_time_s=slo.lead_time_seconds,
        max_cvar=None if slo.max_cvar >= 1.0 else slo.max_cvar,
        max_pool_loss=slo.max_pool_loss,
    )


def _churn(churn: ChurnSpec) -> Churn:
    return Churn(
        min_saving_share=churn.min_saving_share,
        node_change_usd=churn.node_change_usd,
        expected_life_hours=churn.expected_life_hours,
        no_return_hours=churn.no_return_hours,
    )


def _fairness(fairness: FairnessSpec) -> FairnessRules:
    return FairnessRules(
        mode=FairnessMode(fairness.mode.lower()),
        weights=tuple(sorted(fairness.weights.items())),
    )


def _spot_rules(spot: SpotSpec) -> SpotRules:
    left_for_spot = 1.0 - spot.min_on_demand_share
    return SpotRules(
        max_share=left_for_spot if spot.max_share is None else spot.max_share,
        min_on_demand_share=spot.min_on_demand_share,
        max_pool_share=spot.max_pool_share,
        max_family_share=spot.max_family_share,
        max_zone_share=spot.max_zone_share,
        over_provision=spot.over_provision,
        interruption_usd=spot.interruption_usd,
        return_hours=spot.return_hours,
        return_saving=spot.return_saving,
    )


def _offer_filter(offers: OffersSpec) -> OfferFilter:
    return OfferFilter(
        zones=offers.zones,
        categories=offers.categories,
        families=offers.families,
        architectures=tuple(a.value for a in offers.architectures),
        min_generation=offers.min_generation,
        max_vcpus=offers.max_vcpus,
        allow_metal=offers.allow_metal,
    )


def _quota(quota: QuotaSpec) -> Quota:
    return Quota(
        name=quota.name,
        limit=quota.limit,
        unit=quota.unit,
        categories=quota.categories,
        families=quota.families,
        instance_types=quota.instance_types,
        zones=quota.zones,
        capacity_type=quota.capacity_type,
    )


def _commitment(commitment: CommitmentSpec) -> Commitment:
    return Commitment(
        name=commitment.name,
        instance_type=commitment.instance_type,
        count=commitment.count,
        price_usd_per_hour=commitment.usd_per_hour,
        zone=commitment.zone,
        capacity_type=commitment.capacity_type,
        is_paid_anyway=commitment.paid_anyway,
    )
