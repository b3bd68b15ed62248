"""The parts of a plan document that say what can go wrong with the plan.

Only the two shares of vCPUs are rounded, so that the sums can be checked to the last digit.
"""

from nodemix.operator.report.part import Count, Part, Share
from nodemix.optimizer.plan_risk import PoolRisk, Risk
from pydantic import Field

SHARE_DECIMALS = 6


class PoolRiskEntry(Part):
    """A spot pool of the plan: how often it is hit, and what that would do."""

    instance_type: str
    zone: str
    nodes: int = Field(ge=1)
    shocks_per_hour: float = Field(ge=0.0, description="Posterior mean.")
    shocks_per_hour_low: float = Field(ge=0.0, description="Of the 95 % credible interval.")
    shocks_per_hour_high: float = Field(ge=0.0, description="Of the 95 % credible interval.")
    share_lost: Share = Field(description="Expected share of its nodes that a shock takes.")
    loss_if_reclaimed: Share = Field(
        description="Share of the pods' requests, of the scarcer of cores and memory, without a "
        "place if all its nodes go."
    )
    interruption_usd_per_node: float = Field(
        ge=0.0, description="What losing one of its nodes costs."
    )
    interruption_usd_per_hour: float = Field(
        ge=0.0,
        description="nodes x shocks_per_hour x share_lost x interruption_usd_per_node.",
    )


class RiskEntry(Part):
    """What can go wrong with the plan, on scenarios that no search has seen.

    A scenario is a path of demand together with what the provider takes back within the lead time.
    """

    shortfall_probability: Share | None = Field(
        description="Share of demand paths in which a pod finds no place within the lead time, "
        "every node staying; null without forecast."
    )
    spot_share: Share = Field(description="Share of the plan's vCPUs on spot.")
    worst_pool_share: Share = Field(description="Largest share of vCPUs in one spot pool.")
    interruptions_per_day: float = Field(
        ge=0.0, description="Spot nodes that the provider is expected to take back."
    )
    interruptions_per_day_low: float = Field(
        default=0.0, ge=0.0, description="Of a 95 % interval for what is not known of the rates."
    )
    interruptions_per_day_high: float = Field(
        default=0.0, ge=0.0, description="Of a 95 % interval for what is not known of the rates."
    )
    joint_shortfall_probability: Share = Field(
        default=0.0, description="scenarios_short / scenarios."
    )
    cvar: Share = Field(
        default=0.0,
        description="Mean share of demand without a place in the worst 1 - alpha of the scenarios.",
    )
    cvar_standard_error: float = Field(default=0.0, ge=0.0)
    alpha: Share = 0.95
    worst_pool_loss: Share = Field(
        default=0.0, description="Largest loss_if_reclaimed of the pools."
    )
    mean_loss: Share = Field(
        default=0.0, description="Mean share of demand without a place, over all scenarios."
    )
    interruption_usd_per_hour: float = Field(
        default=0.0, ge=0.0, description="Expected cost of losing spot nodes: the pools' sum."
    )
    on_demand_usd_per_hour: float = Field(
        default=0.0, ge=0.0, description="Of the plan's nodes if each were bought on demand."
    )
    recourse_usd_per_hour: float = Field(
        default=0.0,
        ge=0.0,
        description="Expected cost of on-demand nodes bought later for pods without a place: "
        "mean_loss x on_demand_usd_per_hour.",
    )
    shortage_usd_per_hour: float = Field(
        default=0.0,
        ge=0.0,
        description="What lacking them until then is worth: the policy's under-cost ratio x "
        "recourse_usd_per_hour.",
    )
    scenarios: Count = 0
    scenarios_short: Count = Field(
        default=0, description="Scenarios in which some pod has no place."
    )
    worst_losses: tuple[Share, ...] = Field(
        default=(),
        description="Share of demand without a place in each of the worst 1 - alpha of the "
        "scenarios, descending; cvar is their mean.",
    )
    pools: tuple[PoolRiskEntry, ...] = Field(
        default=(), description="The plan's spot pools, largest loss first."
    )


def risk_entry(risk: Risk) -> RiskEntry:
    """The entry of the plan's risk, or of an option's."""
    return RiskEntry(
        shortfall_probability=risk.shortfall_probability,
        spot_share=_share(risk.spot_share),
        worst_pool_share=_share(risk.worst_pool_share),
        interruptions_per_day=risk.interruptions_per_day,
        interruptions_per_day_low=risk.interruptions_per_day_low,
        interruptions_per_day_high=risk.interruptions_per_day_high,
        joint_shortfall_probability=risk.joint_shortfall_probability,
        cvar=risk.cvar,
        cvar_standard_error=risk.cvar_standard_error,
        alpha=risk.alpha,
        worst_pool_loss=risk.worst_pool_loss,
        mean_loss=risk.mean_loss,
        interruption_usd_per_hour=risk.interruption_usd_per_hour,
        on_demand_usd_per_hour=risk.on_demand_usd_per_hour,
        recourse_usd_per_hour=risk.recourse_usd_per_hour,
        shortage_usd_per_hour=risk.shortage_usd_per_hour,
        scenarios=risk.scenarios,
        scenarios_short=risk.scenarios_short,
        worst_losses=risk.worst_losses,
        pools=tuple(_pool_risk_entry(pool) for pool in risk.pools),
    )


def _share(value: float) -> float:
    """``value`` with the rounding error of a sum of shares taken off."""
    return min(1.0, round(value, SHARE_DECIMALS))


def _pool_risk_entry(pool: PoolRisk) -> PoolRiskEntry:
    return PoolRiskEntry(
        instance_type=pool.instance_type,
        zone=pool.zone,
        nodes=pool.nodes,
        shocks_per_hour=pool.shocks_per_hour,
        shocks_per_hour_low=pool.shocks_per_hour_low,
        shocks_per_hour_high=pool.shocks_per_hour_high,
        share_lost=pool.share_lost,
        loss_if_reclaimed=pool.loss_if_reclaimed,
        interruption_usd_per_node=pool.interruption_usd_per_node,
        interruption_usd_per_hour=pool.interruption_usd_per_hour,
    )
