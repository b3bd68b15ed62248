"""``NodeMixPlan``: one immutable proposal."""

from nodemix.operator.api.conditions import Conditions, Moment
from nodemix.operator.api.rules import ApiModel, Rule, StatusModel
from nodemix.operator.api.values import (
    Count,
    DnsName,
    Percent,
    Probability,
    Sentence,
    Usd,
    Word,
    Workload,
)
from nodemix.optimizer.snapshot import CapacityType
from pydantic import Field
from pydantic.alias_generators import to_camel

MAX_NODE_GROUPS = 2000
"""Groups of equal nodes that a plan lists; a larger assignment is left out of the object."""


class PolicyRef(ApiModel):
    """The policy that asked for the plan."""

    name: DnsName
    """Name of the NodeMixPolicy."""
    generation: Count | None = None
    """Generation of the policy's spec when the plan was made."""


class PlanSource(ApiModel):
    """What the plan was made from."""

    snapshot_taken_at: Moment
    """When the cluster was seen as the plan assumes it."""
    catalog: Sentence
    """Where the prices came from."""
    catalog_as_of: str = Field(default="", max_length=64)
    """Date of the prices; empty where the source does not say."""
    forecast_model: str = Field(default="", max_length=253)
    """Empty without a forecast."""


class PoolSpec(ApiModel):
    """A pool of equal nodes today and in the plan."""

    instance_type: Word
    """Instance type of the nodes."""
    zone: Word
    """Zone of the nodes."""
    capacity_type: CapacityType
    nodes_now: Count
    """Nodes of the pool today."""
    nodes_plan: Count
    """Nodes of the pool in the plan."""
    price_usd_per_hour: Usd | None = None
    """Price of one node; absent where the catalog does not know it."""
    why: Sentence = ""
    """Why the pool grows, shrinks or stays."""


class NodeGroupSpec(ApiModel):
    """Equal nodes of the plan, each holding the same pods."""

    instance_type: Word
    """Instance type of the nodes."""
    zone: Word
    """Zone of the nodes."""
    capacity_type: CapacityType
    count: int = Field(ge=1)
    """How many nodes."""
    price_usd_per_hour: Usd | None = None
    """Price of one node; absent where the catalog does not know it."""
    pods: dict[str, int] = Field(default_factory=dict, max_length=1000)
    """Pods on each node, by ``<namespace>/<Kind>/<name>`` of their workload."""
    headroom: dict[str, int] = Field(default_factory=dict, max_length=1000)
    """Places on each node for pods that are forecast, likewise."""
    kept_nodes: tuple[DnsName, ...] = Field(default=(), max_length=5000)
    """Names of the nodes of today that stay as they are; empty for nodes to buy."""


class UnplaceableSpec(ApiModel):
    """Pods that no allowed offer can hold."""

    workload: Workload
    """``<namespace>/<Kind>/<name>`` of the workload."""
    pods: Count
    """Its pods that have no place."""
    why: Sentence
    """What keeps them from every offer, and what to do."""


class RiskSpec(ApiModel):
    """What can go wrong with the plan."""

    shortfall_probability: Probability | None = None
    """Probability that some pod finds no place in the lead time; absent without a forecast."""
    spot_percent: Percent
    """Share of the plan's vCPUs on spot."""
    worst_pool_percent: Percent
    """Largest share of the plan's vCPUs in one pool of instance type, zone and spot."""
    interruptions_per_day: Probability
    """Spot nodes expected to be taken back a day."""


class NodeMixPlanSpec(ApiModel):
    """What is proposed, why, and what it costs; only ``approved`` may change."""

    policy_ref: PolicyRef
    created_from: PlanSource
    expires_at: Moment
    """After this time the plan no longer fits the cluster it was made for."""
    pools: tuple[PoolSpec, ...] = Field(max_length=2000)
    """Today's and planned nodes of each pool."""
    nodes: tuple[NodeGroupSpec, ...] | None = Field(default=None, max_length=MAX_NODE_GROUPS)
    """Which pods the planned nodes hold; absent where the list would be too large."""
    nodes_now: Count
    """Nodes that hold the policy's pods today."""
    nodes_plan: Count
    """Nodes of the plan."""
    usd_per_hour_now: Usd
    """Cost of today's nodes whose price is known."""
    usd_per_hour_plan: Usd
    """Cost of the plan."""
    usd_per_hour_lower_bound: Usd
    """No plan under the policy can cost less."""
    saving_percent: Percent
    """What the plan saves of today's cost."""
    gap_percent: Percent
    """How far the plan can be above the optimum."""
    risk: RiskSpec
    reasons: tuple[Sentence, ...] = Field(default=(), max_length=100)
    """Why this plan."""
    assumptions: tuple[Sentence, ...] = Field(default=(), max_length=100)
    """What was taken for granted."""
    notes: tuple[Sentence, ...] = Field(default=(), max_length=1000)
    """What was left out or degraded, and the remedy."""
    unplaceable: tuple[UnplaceableSpec, ...] = Field(default=(), max_length=1000)
    """Pods that no allowed offer can hold."""
    approved: bool = False
    """True lets an Apply policy carry the plan out."""

    @classmethod
    def schema_rules(cls) -> tuple[Rule, ...]:
        """Every field but ``approved`` equals its former value."""
        frozen = {n: f for n, f in cls.model_fields.items() if n != "approved"}
        return tuple(_immutable(name, field.is_required()) for name, field in frozen.items())


def _immutable(field: str, is_required: bool) -> Rule:
    """``field`` equals its former value; ``self.?field`` would be shorter but has no cost bound."""
    now, then = f"self.{to_camel(field)}", f"oldSelf.{to_camel(field)}"
    equal = f"{now} == {then}"
    cel = equal if is_required else f"has({now}) == has({then}) && (!has({now}) || {equal})"
    message = "a plan never changes except spec.approved; wait for nodemix to propose a new one"
    return Rule(cel, message, None, field)


class NodeMixPlanStatus(StatusModel):
    """What became of the plan."""

    conditions: Conditions = Field(default=(), max_length=16)
    """What holds and what does not, each with its reason and what to do."""
