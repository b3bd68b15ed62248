"""What a ``NodeMixPlan`` says of its risk, its spare room, and the plans to be had instead."""

from nodemix.operator.api.rules import ApiModel
from nodemix.operator.api.values import Count, Percent, Probability, Sentence, Usd, Word
from pydantic import Field

MAX_RISKY_POOLS = 20
"""Spot pools that a plan lists, those whose loss would hurt most first."""

MAX_OPTIONS = 4
MAX_OPTION_POOLS = 50


class PoolRiskSpec(ApiModel):
    """A spot pool of the plan: how often it is hit, and what that would do."""

    instance_type: Word
    """Instance type of the nodes."""
    zone: Word
    """Zone of the nodes."""
    nodes: Count
    """Nodes of the plan in it."""
    shocks_per_day: Probability
    """How often the provider is expected to take nodes of it back, a day."""
    shocks_per_day_low: Probability
    """Lower end of the 95 percent credible interval of shocksPerDay."""
    shocks_per_day_high: Probability
    """Upper end of the 95 percent credible interval of shocksPerDay."""
    nodes_lost_percent: Percent
    """Share of its nodes that one shock takes."""
    loss_percent: Percent
    """Share of the pods' requests without a place if all its nodes go."""
    interruption_usd_per_hour: Usd
    """Expected cost of its losses, all its nodes."""


class RiskSpec(ApiModel):
    """What can go wrong with the plan, on scenarios that the search has not seen."""

    shortfall_probability: Probability | None = None
    """Probability that demand outgrows the plan in the lead time; absent without a forecast."""
    joint_shortfall_probability: Probability | None = None
    """Likewise with what the provider may take back; absent where no scenario was tried."""
    cvar_percent: Percent | None = None
    """Mean share of demand without a place in the worst tailPercent of the scenarios."""
    cvar_standard_error_percent: Percent | None = None
    """Of cvarPercent, for the number of scenarios."""
    tail_percent: Percent | None = None
    """Share of the scenarios that cvarPercent looks at."""
    mean_loss_percent: Percent | None = None
    """Mean share of demand without a place, over all scenarios."""
    spot_percent: Percent
    """Share of the plan's vCPUs on spot."""
    worst_pool_percent: Percent
    """Largest share of the plan's vCPUs in one pool of instance type, zone and spot."""
    worst_pool_loss_percent: Percent | None = None
    """Share of the requests without a place if the provider takes the worst spot pool back."""
    interruptions_per_day: Probability
    """Spot nodes expected to be taken back a day."""
    interruptions_per_day_low: Probability | None = None
    """Lower end of the 95 percent interval of interruptionsPerDay."""
    interruptions_per_day_high: Probability | None = None
    """Upper end of the 95 percent interval of interruptionsPerDay."""
    interruption_usd_per_hour: Usd | None = None
    """Expected cost of losing spot nodes."""
    recourse_usd_per_hour: Usd | None = None
    """Expected cost of on-demand nodes bought later for pods without a place."""
    shortage_usd_per_hour: Usd | None = None
    """What lacking them until then is worth by the policy's underCostRatio."""
    scenarios: Count = 0
    """Scenarios of demand and reclaims that were tried."""
    pools: tuple[PoolRiskSpec, ...] = Field(default=(), max_length=MAX_RISKY_POOLS)
    """Spot pools of the plan, those whose loss would hurt most first."""
    pools_in_all: Count = 0
    """Spot pools of the plan, whether they are listed or not."""


class CapacitySpec(ApiModel):
    """Why the plan has as much room as it has."""

    critical_ratio: Probability
    """Quantile of demand that is worth covering by the policy's underCostRatio."""
    level: Probability
    """Quantile of demand that the plan covers."""
    over_provision_percent: Percent
    """Further places, as a share of the pods that may run on spot."""
    lead_time_seconds: Count
    """Time within which demand is covered."""
    boots_seen: Count
    """Boots of nodes that the lead time is learned from; 0 where the policy alone speaks."""
    max_pool_percent: Percent | None = None
    """Share of vCPUs that one spot pool was allowed; absent where nothing limited it."""
    max_spot_percent: Percent
    """Share of vCPUs that all spot nodes were allowed."""
    why: Sentence = ""
    """The same in words."""


class OptionSpec(ApiModel):
    """The plan, or one that could be had instead."""

    name: Word
    """chosen, cheaper, safer or steadier."""
    usd_per_hour: Usd
    """Cost of its nodes."""
    usd_per_hour_placed: Usd | None = None
    """Cost to expect once the pods are placed; absent in plans from before options were placed."""
    usd_per_hour_placed_error: Usd | None = None
    """Standard error of usdPerHourPlaced; 0 with a single draw, or with nothing to draw."""
    usd_per_hour_expected: Usd
    """What options are compared by: placed nodes, changes, interruptions, later nodes, shortage."""
    cvar_percent: Percent
    """Mean share of demand without a place in the worst of the scenarios."""
    shortfall_probability: Probability
    """Share of the scenarios, reclaims included, in which some pod finds no place."""
    worst_pool_loss_percent: Percent
    """Share of the requests without a place if its worst spot pool is taken back."""
    spot_percent: Percent
    """Share of its vCPUs on spot."""
    nodes_changed: Count
    """Nodes to buy and to let go."""
    meets_slo: bool
    """Whether it keeps the risk that the policy accepts."""
    why: Sentence = ""
    """What speaks for it, in words."""
    pools: dict[str, int] = Field(default_factory=dict, max_length=MAX_OPTION_POOLS)
    """Nodes of its largest pools, by ``<instance type>/<zone>/<capacity type>``."""
    pools_in_all: Count
    """Pools, whether they are listed or not."""
