"""``NodeMixPlan``: one immutable proposal."""

from typing import Annotated

from nodemix.operator.api.conditions import Conditions, Moment
from nodemix.operator.api.plan_risk import MAX_OPTIONS, CapacitySpec, OptionSpec, RiskSpec
from nodemix.operator.api.policy import FairnessMode, Placement
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


MAX_STEERED = 2000
"""Entries of a steering that a plan lists; of a larger one only their number is stored."""

MAX_BESIDE = 20
"""Entries of each list that only explains; how many there are in all is said beside it."""

LabelValues = Annotated[tuple[Word, ...], Field(max_length=MAX_STEERED)]


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
    cohort: str = Field(default="", max_length=63)
    """Value of the label nodemix.dev/cohort; empty for nodes that stay as they are."""


class UnplaceableSpec(ApiModel):
    """Pods that no allowed offer can hold."""

    workload: Workload
    """``<namespace>/<Kind>/<name>`` of the workload."""
    pods: Count
    """Its pods that have no place."""
    why: Sentence
    """What keeps them from every offer, and what to do."""


class NamespaceShareSpec(ApiModel):
    """What a namespace wants and gets."""

    namespace: DnsName
    """The namespace."""
    weight: float
    """Its weight in the policy."""
    pods_wanted: Count
    """Pods it has or is expected to have."""
    pods_given: Count
    """Pods of these that the plan holds."""
    dominant_resource: Sentence = ""
    """The resource of which it gets the largest share."""
    dominant_percent: Percent
    """That share of all that is given out."""
    wanted_percent: Percent
    """The largest share that it wants."""


class SharingSpec(ApiModel):
    """How equally namespaces are treated where a limit leaves less than is wanted."""

    mode: FairnessMode
    """What the policy asks for."""
    binding: tuple[Sentence, ...] = Field(max_length=MAX_BESIDE)
    """Limits that leave less than is wanted."""
    jain: Probability
    """Jain's index of what namespaces get of what they want, by weight; 1 is equal."""
    usd_per_hour: Usd
    """What fairness costs against the plan without it; 0 in mode Report."""
    namespaces: tuple[NamespaceShareSpec, ...] = Field(default=(), max_length=MAX_BESIDE)
    """Those that lack most pods first."""
    namespaces_in_all: Count
    """Namespaces, whether they are listed or not."""


class BaselineSpec(ApiModel):
    """What the same pods would cost with another way to choose nodes."""

    name: Word
    """Which way, e.g. karpenter-like."""
    usd_per_hour: Usd | None = None
    """What its nodes cost; absent where it finds no place for some pod."""
    nodes: Count
    """Nodes that it buys."""
    headroom_percent: Percent
    """Spare room that it needs to fall short no more often than the plan."""
    why: Sentence = ""
    """How it was compared."""


class BlockerSpec(ApiModel):
    """What keeps nodes as they are and so costs money."""

    kind: Word
    """What kind of thing, e.g. PodDisruptionBudget."""
    subject: Sentence
    """The object that keeps them."""
    nodes: tuple[DnsName, ...] = Field(default=(), max_length=MAX_BESIDE)
    """Some of the nodes."""
    nodes_in_all: Count
    """Nodes that it keeps, whether they are listed or not."""
    usd_per_hour: Usd
    """What these nodes cost, the most that could be saved on them."""
    remedy: Sentence
    """What to do."""


class RuleCostSpec(ApiModel):
    """What a rule that the plan keeps costs."""

    kind: Word
    """What kind of rule, e.g. on-demand-only."""
    subject: Sentence
    """The workload, or how many have the rule where theirs are given up together."""
    workloads: Count
    """That have it."""
    pods: Count
    """Of them, that the plan places anew."""
    usd_per_hour: Usd
    """About what would be saved without it; those of several rules do not add up."""
    remedy: Sentence
    """What to do."""


class ModeCostSpec(ApiModel):
    """The plan's cost in one placement mode."""

    mode: Placement
    """The placement mode."""
    usd_per_hour: Usd
    """Expected cost once the pods are placed."""
    draws: Count
    """Draws of arrival and node order behind it; 0 where nothing is left to chance."""


class PlacedSpec(ApiModel):
    """What the plan is expected to cost once kube-scheduler has placed its pods."""

    mode: Placement
    """The policy's placement."""
    usd_per_hour: Usd
    """The plan's nodes, and further ones for pods that find no place on them."""
    saving_kept_percent: Percent | None = None
    """Share of the saving that is left; absent where nothing is saved."""
    modes: tuple[ModeCostSpec, ...] = Field(default=(), max_length=4)
    """Every mode that there was time for."""


class AffinitySpec(ApiModel):
    """A required node affinity of every pod of a workload."""

    workload: Workload
    """``<namespace>/<Kind>/<name>`` of the workload."""
    terms: tuple[Annotated[dict[str, LabelValues], Field(max_length=3)], ...] = Field(
        max_length=MAX_STEERED
    )
    """Values of labels; of one term every label must have one of its values."""


class ReleaseSpec(ApiModel):
    """Pods that are let in after those before them."""

    workload: Workload
    """``<namespace>/<Kind>/<name>`` of the workload."""
    pods: Count
    """How many pods."""


class QuotaSpec(ApiModel):
    """Pods of a workload that belong on the nodes of one cohort, whichever of them."""

    workload: Workload
    """``<namespace>/<Kind>/<name>`` of the workload."""
    cohort: Word
    """Value of the label nodemix.dev/cohort."""
    pods: Count
    """How many pods."""


class PinsSpec(ApiModel):
    """What belongs on each node of a cohort."""

    cohort: Word
    """Value of the label nodemix.dev/cohort."""
    nodes: Count
    """Nodes of the cohort."""
    pods: dict[str, int] = Field(max_length=1000)
    """Pods on each node, by ``<namespace>/<Kind>/<name>`` of their workload."""


class SteeringSpec(ApiModel):
    """What leads pods to their places; lists that would be too large are absent."""

    mode: Placement
    """The policy's placement."""
    entries: Count
    """Affinities, releases, quotas and pins in all, whether they are listed or not."""
    affinities: tuple[AffinitySpec, ...] | None = Field(default=None, max_length=MAX_STEERED)
    """Where pods may go; in mode Cohort those beyond the quotas."""
    release: tuple[ReleaseSpec, ...] | None = Field(default=None, max_length=MAX_STEERED)
    """The order in which pods are let in; absent where they come as they come."""
    quotas: tuple[QuotaSpec, ...] | None = Field(default=None, max_length=MAX_STEERED)
    """Pods of a workload for each cohort, in mode Cohort."""
    pins: tuple[PinsSpec, ...] | None = Field(default=None, max_length=MAX_STEERED)
    """Pods of each node, in mode Pinned."""


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
    placed: PlacedSpec | None = None
    """Cost to expect once the pods are placed; absent where today's nodes are kept."""
    steering: SteeringSpec | None = None
    """What leads pods to their places; absent where today's nodes are kept."""
    risk: RiskSpec
    capacity: CapacitySpec | None = None
    """Why the plan has as much room as it has."""
    options: tuple[OptionSpec, ...] = Field(default=(), max_length=MAX_OPTIONS)
    """The plan and what could be had instead, cheapest first."""
    fairness: SharingSpec | None = None
    """Who gets how much; absent where no limit leaves less than is wanted."""
    baseline: BaselineSpec | None = None
    """What the same pods would cost otherwise; absent where there was no time to compare."""
    blockers: tuple[BlockerSpec, ...] = Field(default=(), max_length=MAX_BESIDE)
    """What keeps nodes that a plan could do without, dearest first."""
    rule_costs: tuple[RuleCostSpec, ...] = Field(default=(), max_length=MAX_BESIDE)
    """What rules of workloads cost that the plan keeps, dearest first."""
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
