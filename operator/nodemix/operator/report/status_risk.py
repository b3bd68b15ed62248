"""Risk, options and what explains a plan, in the words of the custom resources.

What only explains is listed up to a limit: an object that grew with the cluster would be refused.
"""

from typing import Any

from nodemix.operator.api.plan import (
    MAX_BESIDE,
    BaselineSpec,
    BlockerSpec,
    NamespaceShareSpec,
    RuleCostSpec,
    SharingSpec,
)
from nodemix.operator.api.plan_risk import (
    MAX_OPTION_POOLS,
    MAX_OPTIONS,
    MAX_RISKY_POOLS,
    CapacitySpec,
    OptionSpec,
    PoolRiskSpec,
    RiskSpec,
)
from nodemix.operator.api.policy import FairnessMode
from nodemix.operator.report.options import CHOSEN
from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.explain.types import Baseline, Blocker, RuleCost
from nodemix.optimizer.fairness.types import Fairness, NamespaceShare
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.plan_risk import CapacityChoice, PlanOption, PoolRisk, Risk

SENTENCE = 1024
HOURS_PER_DAY = 24.0


def chosen_option(recommendation: Recommendation) -> PlanOption | None:
    """The plan among its options; None where it was made without looking at risk."""
    return next((option for option in recommendation.options if option.name == CHOSEN), None)


def worst_pool(risk: Risk) -> PoolRisk | None:
    """The spot pool whose loss would hurt most; None for a plan without one."""
    return max(risk.pools, key=lambda pool: pool.loss_if_reclaimed, default=None)


def risk_spec(risk: Risk) -> RiskSpec:
    """What is known of the risk; figures of scenarios are absent where none was tried."""
    return RiskSpec(
        shortfall_probability=risk.shortfall_probability,
        spot_percent=100.0 * risk.spot_share,
        worst_pool_percent=100.0 * risk.worst_pool_share,
        interruptions_per_day=risk.interruptions_per_day,
        **(_tried(risk) if risk.scenarios else {}),
    )


def _tried(risk: Risk) -> dict[str, Any]:
    """What scenarios told, by the names of the fields."""
    return {
        "joint_shortfall_probability": risk.joint_shortfall_probability,
        "cvar_percent": 100.0 * risk.cvar,
        "cvar_standard_error_percent": 100.0 * risk.cvar_standard_error,
        "tail_percent": 100.0 * (1.0 - risk.alpha),
        "mean_loss_percent": 100.0 * risk.mean_loss,
        "worst_pool_loss_percent": 100.0 * risk.worst_pool_loss,
        "interruptions_per_day_low": risk.interruptions_per_day_low,
        "interruptions_per_day_high": risk.interruptions_per_day_high,
        "interruption_usd_per_hour": risk.interruption_usd_per_hour,
        "recourse_usd_per_hour": risk.recourse_usd_per_hour,
        "shortage_usd_per_hour": risk.shortage_usd_per_hour,
        "scenarios": risk.scenarios,
        "pools": tuple(map(_pool_risk, risk.pools[:MAX_RISKY_POOLS])),
        "pools_in_all": len(risk.pools),
    }


def _pool_risk(pool: PoolRisk) -> PoolRiskSpec:
    return PoolRiskSpec(
        instance_type=pool.instance_type,
        zone=pool.zone,
        nodes=pool.nodes,
        shocks_per_day=HOURS_PER_DAY * pool.shocks_per_hour,
        shocks_per_day_low=HOURS_PER_DAY * pool.shocks_per_hour_low,
        shocks_per_day_high=HOURS_PER_DAY * pool.shocks_per_hour_high,
        nodes_lost_percent=100.0 * pool.share_lost,
        loss_percent=100.0 * pool.loss_if_reclaimed,
        interruption_usd_per_hour=pool.interruption_usd_per_hour,
    )


def capacity_spec(choice: CapacityChoice | None) -> CapacitySpec | None:
    """Why so much room; None where the plan was made without looking at risk."""
    if choice is None:
        return None
    share = choice.max_pool_share
    return CapacitySpec(
        critical_ratio=choice.critical_ratio,
        level=choice.level,
        over_provision_percent=100.0 * choice.over_provision,
        lead_time_seconds=round(choice.lead_time_s),
        boots_seen=choice.boots_seen,
        max_pool_percent=None if share is None else 100.0 * share,
        max_spot_percent=100.0 * choice.max_spot_share,
        why=choice.why[:SENTENCE],
    )


def option_specs(options: tuple[PlanOption, ...]) -> tuple[OptionSpec, ...]:
    """The options in the order they have."""
    return tuple(map(_option, options[:MAX_OPTIONS]))


def _option(option: PlanOption) -> OptionSpec:
    risk = option.risk
    return OptionSpec(
        name=option.name,
        usd_per_hour=option.usd_per_hour,
        usd_per_hour_placed=option.placed.usd_per_hour,
        usd_per_hour_placed_error=option.placed.standard_error_usd_per_hour,
        usd_per_hour_expected=option.expected_usd_per_hour,
        cvar_percent=100.0 * risk.cvar,
        shortfall_probability=risk.joint_shortfall_probability,
        worst_pool_loss_percent=100.0 * risk.worst_pool_loss,
        spot_percent=100.0 * risk.spot_share,
        nodes_changed=option.nodes_changed,
        meets_slo=option.meets_slo,
        why=option.why[:SENTENCE],
        pools=_option_pools(option.pools),
        pools_in_all=len(option.pools),
    )


def _option_pools(pools: tuple[tuple[PoolKey, int], ...]) -> dict[str, int]:
    largest_first = sorted(pools, key=lambda entry: (-entry[1], entry[0]))
    return {"/".join(pool): nodes for pool, nodes in largest_first[:MAX_OPTION_POOLS]}


def sharing_spec(fairness: Fairness | None) -> SharingSpec | None:
    """Who gets how much, those that lack most pods first; None where nobody lacks anything."""
    if fairness is None:
        return None
    lacking = sorted(fairness.namespaces, key=lambda n: (n.pods_given - n.pods_wanted, n.namespace))
    return SharingSpec(
        mode=FairnessMode(fairness.mode.capitalize()),
        binding=tuple(cap[:SENTENCE] for cap in fairness.binding_caps[:MAX_BESIDE]),
        jain=fairness.jain,
        usd_per_hour=fairness.price_usd_per_hour,
        namespaces=tuple(map(_namespace_share, lacking[:MAX_BESIDE])),
        namespaces_in_all=len(fairness.namespaces),
    )


def _namespace_share(share: NamespaceShare) -> NamespaceShareSpec:
    return NamespaceShareSpec(
        namespace=share.namespace,
        weight=share.weight,
        pods_wanted=share.pods_wanted,
        pods_given=share.pods_given,
        dominant_resource=share.dominant_resource,
        dominant_percent=100.0 * share.dominant_share,
        wanted_percent=100.0 * share.wanted_share,
    )


def baseline_spec(baseline: Baseline | None) -> BaselineSpec | None:
    """What the same pods would cost otherwise."""
    if baseline is None:
        return None
    return BaselineSpec(
        name=baseline.name,
        usd_per_hour=baseline.usd_per_hour,
        nodes=baseline.nodes,
        headroom_percent=100.0 * baseline.headroom,
        why=baseline.why[:SENTENCE],
    )


def blocker_specs(blockers: tuple[Blocker, ...]) -> tuple[BlockerSpec, ...]:
    """What keeps nodes, in the order it has."""
    return tuple(map(_blocker, blockers[:MAX_BESIDE]))


def _blocker(blocker: Blocker) -> BlockerSpec:
    return BlockerSpec(
        kind=blocker.kind,
        subject=blocker.subject[:SENTENCE],
        nodes=blocker.nodes[:MAX_BESIDE],
        nodes_in_all=len(blocker.nodes),
        usd_per_hour=blocker.usd_per_hour,
        remedy=blocker.remedy[:SENTENCE],
    )


def rule_cost_specs(costs: tuple[RuleCost, ...]) -> tuple[RuleCostSpec, ...]:
    """What rules cost, in the order it has."""
    return tuple(
        RuleCostSpec(
            kind=cost.kind,
            subject=cost.subject[:SENTENCE],
            workloads=len(cost.workloads),
            pods=cost.pods,
            usd_per_hour=cost.usd_per_hour,
            remedy=cost.remedy[:SENTENCE],
        )
        for cost in costs[:MAX_BESIDE]
    )
