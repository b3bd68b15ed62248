"""The parts of a plan document that say what was chosen between: room, options and the front."""

from nodemix.operator.report.part import Count, Part, Share, Usd, usd
from nodemix.operator.report.placing import ModeEntry, mode_entry
from nodemix.operator.report.risk import RiskEntry, risk_entry
from nodemix.optimizer.plan_risk import CapacityChoice, FrontPoint, PlanOption
from nodemix.optimizer.snapshot import CapacityType
from pydantic import Field

CHOSEN = "chosen"
"""Name of the option that is the plan itself."""


class CapacityChoiceEntry(Part):
    """Why the plan has as much room as it has."""

    critical_ratio: Share = Field(
        description="under-cost ratio / (1 + under-cost ratio): the share of the paths of demand "
        "that is worth covering."
    )
    level: Share = Field(
        description="The share of the joint paths of demand that the plan covers; all where fewer "
        "fell short too often."
    )
    over_provision: float = Field(
        ge=0.0, description="Further places, as a share of the pods that may run on spot."
    )
    lead_time_s: float = Field(ge=0.0, description="Within which demand is covered.")
    boots_seen: Count = Field(
        description="Of nodes, that the lead time is learned from; 0 where the policy alone speaks."
    )
    max_pool_share: Share | None = Field(
        description="Of vCPUs, that one spot pool was allowed; null where nothing limited it."
    )
    max_spot_share: Share = Field(description="Likewise of all spot nodes.")
    why: str


class OptionPool(Part):
    """Nodes of an option in one pool, kept ones included."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    nodes: int = Field(ge=1)


class OptionEntry(Part):
    """The plan, or one that could be had instead."""

    name: str = Field(description="'chosen', 'cheaper', 'safer' or 'steadier'.")
    pools: tuple[OptionPool, ...]
    usd_per_hour: Usd
    placed: ModeEntry | None = Field(
        default=None,
        description="What to expect once its pods are placed in the policy's mode; today's nodes "
        "cost what they cost. Null in documents from before options were placed.",
    )
    changes_usd_per_hour: Usd
    expected_usd_per_hour: float = Field(
        description="What options are compared by: usd_per_hour of placed, changes_usd_per_hour, "
        "and interruption, recourse and shortage of its risk."
    )
    risk: RiskEntry
    nodes_changed: Count = Field(description="Nodes to buy and to let go.")
    meets_slo: bool = Field(description="Whether it keeps all that the policy accepts.")
    why: str


class FrontPointEntry(Part):
    """A mix of the front of cost and CVaR over pools, before pods are packed."""

    usd_per_hour: Usd
    cvar: Share
    nodes_changed: Count


def capacity_choice_entry(choice: CapacityChoice | None) -> CapacityChoiceEntry | None:
    """The entry; None where the plan was made without looking at risk."""
    if choice is None:
        return None
    return CapacityChoiceEntry(
        critical_ratio=choice.critical_ratio,
        level=choice.level,
        over_provision=choice.over_provision,
        lead_time_s=choice.lead_time_s,
        boots_seen=choice.boots_seen,
        max_pool_share=choice.max_pool_share,
        max_spot_share=choice.max_spot_share,
        why=choice.why,
    )


def option_entry(option: PlanOption) -> OptionEntry:
    """The entry, whose expected cost is the sum of the figures beside it."""
    placed, changes = mode_entry(option.placed), usd(option.changes_usd_per_hour)
    return OptionEntry(
        name=option.name,
        pools=tuple(
            OptionPool(instance_type=name, zone=zone, capacity_type=market, nodes=nodes)
            for (name, zone, market), nodes in option.pools
        ),
        usd_per_hour=usd(option.usd_per_hour),
        placed=placed,
        changes_usd_per_hour=changes,
        expected_usd_per_hour=usd(placed.usd_per_hour + changes + option.risk.usd_per_hour),
        risk=risk_entry(option.risk),
        nodes_changed=option.nodes_changed,
        meets_slo=option.meets_slo,
        why=option.why,
    )


def front_point_entry(point: FrontPoint) -> FrontPointEntry:
    """The entry of one point."""
    return FrontPointEntry(
        usd_per_hour=usd(point.usd_per_hour), cvar=point.cvar, nodes_changed=point.nodes_changed
    )
