"""The plan document: what a recommendation looks like outside of this process.

Its JSON is what ``nodemix plan -o json`` prints; the text and HTML reports show the same document,
so that nobody reads two different truths.
"""

from datetime import UTC, datetime
from typing import Literal

import yaml
from nodemix.operator.report.capacity import (
    ChurnEntry,
    CommitmentEntry,
    churn_entry,
    commitment_entry,
)
from nodemix.operator.report.comparison import (
    BaselineEntry,
    BlockerEntry,
    FairnessEntry,
    RuleCostEntry,
    baseline_entry,
    blocker_entry,
    fairness_entry,
    rule_cost_entry,
)
from nodemix.operator.report.options import (
    CapacityChoiceEntry,
    FrontPointEntry,
    OptionEntry,
    capacity_choice_entry,
    front_point_entry,
    option_entry,
)
from nodemix.operator.report.part import USD_DECIMALS, Count, Part, Usd, usd, usd_down
from nodemix.operator.report.placing import (
    PlacedEntry,
    SteeringEntry,
    placed_entry,
    steering_entry,
)
from nodemix.operator.report.risk import RiskEntry, risk_entry
from nodemix.optimizer.plan import (
    PlannedNodes,
    PoolChange,
    Prices,
    Recommendation,
    RunnerUp,
    Savings,
    Unplaceable,
    WorkloadDemand,
)
from nodemix.optimizer.snapshot import CapacityType, Note
from pydantic import AwareDatetime, Field

SCHEMA_VERSION = "nodemix.dev/plan/v1"


class NodesEntry(Part):
    """``count`` equal nodes of the plan."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    count: int = Field(ge=1)
    pods: dict[str, int] = Field(
        description="Pods of today on each of these nodes, by owner: '<namespace>/<Kind>/<name>'."
    )
    price_usd_per_hour: float | None = Field(
        description="Of one node; null where the catalog does not know it."
    )
    kept_nodes: tuple[str, ...] = Field(
        default=(), description="Names of nodes of today that stay as they are."
    )
    headroom: dict[str, int] = Field(
        default_factory=dict,
        description="Places on each of these nodes for pods that are forecast, by owner.",
    )
    terms: str = Field(
        default="", description="Commitment that pays for them; empty at the price of the market."
    )
    in_place: tuple[str, ...] = Field(
        default=(), description="Names of nodes of today that go on, with these pods."
    )
    cohort: str = Field(
        default="",
        description="Value of the label nodemix.dev/cohort; empty for nodes that stay as they are.",
    )


class RunnerUpEntry(Part):
    """The next best offer that could take the place of any new node of a pool, with its pods."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    price_usd_per_hour: float = Field(description="Of one node.")
    break_even_usd_per_hour: float = Field(
        description="Below this price of one node it would be the better one."
    )


class PoolEntry(Part):
    """A pool (instance type, zone, market) now and in the plan."""

    instance_type: str
    zone: str
    capacity_type: CapacityType
    nodes_now: Count
    nodes_plan: Count
    price_usd_per_hour: float | None = Field(
        description="Of one node; null where the catalog does not know it."
    )
    why: str
    node_more_usd_per_hour: float | None = Field(
        default=None,
        description="Marginal change of the plan's cost with one node more, by the relaxation; "
        "null where the plan buys none.",
    )
    node_less_usd_per_hour: float | None = Field(
        default=None,
        description="Likewise with one node less, its pods elsewhere; negative where that saves.",
    )
    runner_up: RunnerUpEntry | None = Field(
        default=None,
        description="Null where the plan buys none, or no other type or market could do.",
    )


class UnplaceableEntry(Part):
    """Pods that no allowed offer can hold."""

    workload: str = Field(description="'<namespace>/<Kind>/<name>' of the owner.")
    pods: int = Field(ge=1)
    why: str


class DemandEntry(Part):
    """How many pods of a workload the plan has room for."""

    workload: str = Field(description="'<namespace>/<Kind>/<name>' of the owner.")
    pods_now: Count
    pods_planned: Count
    source: str = Field(description="'forecast' or 'requests'.")


class CapPrice(Part):
    """A limit that binds, and what one more unit of it would save."""

    name: str
    saving_usd_per_hour: float


class PricesEntry(Part):
    """What one more unit would cost, by the duals of the relaxation; null where nobody asks.

    Prices of cores, GiB and GPUs are not rounded: they may be tiny, and savings follow from them.
    """

    usd_per_core_hour: float | None = None
    usd_per_gib_hour: float | None = None
    usd_per_gpu_hour: float | None = None
    caps: tuple[CapPrice, ...] = ()


class SavingsEntry(Part):
    """The saving by its source; the parts, not rounded, sum to it. Negative where it costs more."""

    spot_usd_per_hour: float = Field(description="From spot instead of on-demand nodes.")
    shape_usd_per_hour: float = Field(
        description="From instance types that give more for the same money."
    )
    packing_usd_per_hour: float = Field(description="From fewer and fuller nodes.")
    waiting_usd_per_hour: float = Field(
        description="For pods that wait today or whose nodes have no known price."
    )
    headroom_usd_per_hour: float = Field(description="For pods that are forecast.")
    commitments_usd_per_hour: float = Field(
        default=0.0, description="From nodes at a commitment's price instead of the market's."
    )


class NoteEntry(Part):
    """Something the reader should know about one object."""

    subject: str
    fact: str
    remedy: str = ""
    severity: str = Field(default="info", description="'info', 'warning' or 'error'.")


class PlanDocument(Part):
    """A recommendation, its proof and its reasons."""

    schema_version: Literal["nodemix.dev/plan/v1"] = Field(
        default="nodemix.dev/plan/v1", alias="schemaVersion"
    )
    policy: str
    cluster: str = Field(
        default="", description="What was looked at: a snapshot's file or an API server."
    )
    made_at: AwareDatetime
    is_change: bool = Field(description="Whether acting on the plan is proposed.")
    current_usd_per_hour: Usd
    plan_usd_per_hour: Usd
    saving_usd_per_hour: Usd
    lower_bound_usd_per_hour: Usd = Field(
        description="No plan for these pods is cheaper; certified, rounded down. What changes of "
        "nodes cost (churn) is on neither side."
    )
    fixed_usd_per_hour: Usd = Field(
        default=0.0,
        description="Paid for commitments in any case: in today's cost, the plan's and the bound.",
    )
    gap: float = Field(ge=0.0, le=1.0, description="(plan - lower bound) / plan.")
    nodes: tuple[NodesEntry, ...]
    unplaceable: tuple[UnplaceableEntry, ...] = ()
    pools: tuple[PoolEntry, ...] = ()
    risk: RiskEntry
    prices: PricesEntry = PricesEntry()
    savings: SavingsEntry | None = Field(
        default=None, description="Where the saving comes from; null where today's nodes are kept."
    )
    commitments: tuple[CommitmentEntry, ...] = ()
    churn: ChurnEntry | None = Field(
        default=None, description="Null where the policy gives no cost for a change of a node."
    )
    placed: PlacedEntry | None = Field(
        default=None,
        description="Cost to expect once the pods are placed; null where today's nodes are kept.",
    )
    steering: SteeringEntry | None = Field(
        default=None,
        description="What leads pods to their places; null where today's nodes are kept.",
    )
    demand: tuple[DemandEntry, ...] = ()
    capacity: CapacityChoiceEntry | None = Field(
        default=None, description="Why so much room; null where risk was not looked at."
    )
    options: tuple[OptionEntry, ...] = Field(
        default=(),
        description="The plan ('chosen') and up to three others to be had, cheapest first.",
    )
    front: tuple[FrontPointEntry, ...] = Field(
        default=(), description="Cost against CVaR over pools, ascending cost."
    )
    fairness: FairnessEntry | None = Field(
        default=None, description="Null where no cap binds, or the policy asks for none."
    )
    baseline: BaselineEntry | None = Field(
        default=None, description="Null where there was no time to compare."
    )
    blockers: tuple[BlockerEntry, ...] = Field(
        default=(), description="What keeps nodes that a plan could do without, dearest first."
    )
    rule_costs: tuple[RuleCostEntry, ...] = Field(
        default=(),
        description="What rules of workloads cost that the plan keeps, dearest first; those that "
        "cost something and for which there was time.",
    )
    reasons: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[NoteEntry, ...] = ()
    forecast_model: str = Field(default="", description="Empty where nothing was forecast.")
    search_seconds: float = Field(default=0.0, ge=0.0)

    @property
    def saving_share(self) -> float:
        """The saving as a share of today's cost; 0 where nothing runs."""
        now = self.current_usd_per_hour
        return self.saving_usd_per_hour / now if now > 0 else 0.0

    def to_json(self, indent: int | None = 2) -> str:
        """The document as JSON text, in the order of the schema."""
        return self.model_dump_json(by_alias=True, indent=indent)

    def to_yaml(self) -> str:
        """The document as YAML text, in the order of the schema."""
        fields = self.model_dump(mode="json", by_alias=True)
        text: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=100)
        return text


def to_document(recommendation: Recommendation, cluster: str = "") -> PlanDocument:
    """The document of ``recommendation``; nothing of it is left out.

    Args:
        cluster: what was looked at, for people.
    """
    current = usd(recommendation.current_usd_per_hour)
    plan = usd(recommendation.plan_usd_per_hour)
    saving = usd(current - plan)
    bound = usd_down(recommendation.lower_bound_usd_per_hour)
    return PlanDocument(
        policy=recommendation.policy,
        cluster=cluster,
        made_at=datetime.fromtimestamp(recommendation.made_at_s, UTC),
        is_change=recommendation.is_change,
        current_usd_per_hour=current,
        plan_usd_per_hour=plan,
        saving_usd_per_hour=saving,
        lower_bound_usd_per_hour=bound,
        gap=_gap(plan, bound),
        nodes=tuple(_nodes_entry(nodes) for nodes in recommendation.nodes),
        unplaceable=tuple(_unplaceable_entry(entry) for entry in recommendation.unplaceable),
        pools=tuple(_pool_entry(pool) for pool in recommendation.pools),
        risk=risk_entry(recommendation.risk),
        prices=_prices_entry(recommendation.prices),
        fixed_usd_per_hour=usd(recommendation.fixed_usd_per_hour),
        savings=_savings_entry(recommendation.savings, saving),
        commitments=tuple(commitment_entry(use) for use in recommendation.commitments),
        churn=churn_entry(recommendation.churn),
        placed=placed_entry(recommendation),
        steering=steering_entry(recommendation.steering),
        demand=tuple(_demand_entry(entry) for entry in recommendation.demand),
        capacity=capacity_choice_entry(recommendation.capacity),
        options=tuple(option_entry(option) for option in recommendation.options),
        front=tuple(front_point_entry(point) for point in recommendation.front),
        fairness=fairness_entry(recommendation.fairness),
        baseline=baseline_entry(recommendation.baseline),
        blockers=tuple(blocker_entry(blocker) for blocker in recommendation.blockers),
        rule_costs=tuple(rule_cost_entry(cost) for cost in recommendation.rule_costs),
        reasons=recommendation.reasons,
        assumptions=recommendation.assumptions,
        notes=tuple(_note_entry(note) for note in recommendation.notes),
        forecast_model=recommendation.forecast_model,
        search_seconds=round(recommendation.seconds, 3),
    )


def document_schema() -> dict[str, object]:
    """JSON schema (2020-12) of the document as it is written."""
    schema: dict[str, object] = PlanDocument.model_json_schema(by_alias=True, mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://{SCHEMA_VERSION}",
        **schema,
    }


def _gap(plan_usd_per_hour: float, bound_usd_per_hour: float) -> float:
    """Of the figures as they are shown, so that a reader finds the same."""
    if plan_usd_per_hour <= 0.0:
        return 0.0
    more = max(0.0, plan_usd_per_hour - bound_usd_per_hour)
    return round(more / plan_usd_per_hour, USD_DECIMALS)


def _known_usd(amount: float | None) -> float | None:
    return None if amount is None else usd(amount)


def _nodes_entry(nodes: PlannedNodes) -> NodesEntry:
    return NodesEntry(
        instance_type=nodes.instance_type,
        zone=nodes.zone,
        capacity_type=nodes.capacity_type,
        count=nodes.count,
        pods={str(workload): pods for workload, pods in nodes.pods},
        price_usd_per_hour=_known_usd(nodes.price_usd_per_hour),
        kept_nodes=nodes.kept_nodes,
        headroom={str(workload): pods for workload, pods in nodes.headroom},
        terms=nodes.terms,
        in_place=nodes.in_place,
        cohort=nodes.cohort,
    )


def _pool_entry(pool: PoolChange) -> PoolEntry:
    margins = pool.margins
    return PoolEntry(
        instance_type=pool.instance_type,
        zone=pool.zone,
        capacity_type=pool.capacity_type,
        nodes_now=pool.nodes_now,
        nodes_plan=pool.nodes_plan,
        price_usd_per_hour=_known_usd(pool.price_usd_per_hour),
        why=pool.why,
        node_more_usd_per_hour=_known_usd(margins.node_more_usd_per_hour if margins else None),
        node_less_usd_per_hour=_known_usd(margins.node_less_usd_per_hour if margins else None),
        runner_up=_runner_up_entry(margins.runner_up if margins else None),
    )


def _runner_up_entry(runner_up: RunnerUp | None) -> RunnerUpEntry | None:
    if runner_up is None:
        return None
    return RunnerUpEntry(
        instance_type=runner_up.instance_type,
        zone=runner_up.zone,
        capacity_type=runner_up.capacity_type,
        price_usd_per_hour=usd(runner_up.price_usd_per_hour),
        break_even_usd_per_hour=usd(runner_up.break_even_usd_per_hour),
    )


def _savings_entry(savings: Savings | None, saving_usd_per_hour: float) -> SavingsEntry | None:
    """The parts as they are; packing closes the sum, whose total is rounded."""
    if savings is None:
        return None
    others = savings.total_usd_per_hour - savings.packing_usd_per_hour
    return SavingsEntry(
        spot_usd_per_hour=savings.spot_usd_per_hour,
        shape_usd_per_hour=savings.shape_usd_per_hour,
        packing_usd_per_hour=saving_usd_per_hour - others,
        waiting_usd_per_hour=savings.waiting_usd_per_hour,
        headroom_usd_per_hour=savings.headroom_usd_per_hour,
        commitments_usd_per_hour=savings.commitments_usd_per_hour,
    )


def _unplaceable_entry(entry: Unplaceable) -> UnplaceableEntry:
    return UnplaceableEntry(workload=str(entry.workload), pods=entry.pods, why=entry.why)


def _demand_entry(entry: WorkloadDemand) -> DemandEntry:
    return DemandEntry(
        workload=str(entry.workload),
        pods_now=entry.pods_now,
        pods_planned=entry.pods_planned,
        source=entry.source,
    )


def _prices_entry(prices: Prices) -> PricesEntry:
    caps = tuple(CapPrice(name=name, saving_usd_per_hour=usd(dual)) for name, dual in prices.caps)
    return PricesEntry(
        usd_per_core_hour=prices.usd_per_core_hour,
        usd_per_gib_hour=prices.usd_per_gib_hour,
        usd_per_gpu_hour=prices.usd_per_gpu_hour,
        caps=caps,
    )


def _note_entry(note: Note) -> NoteEntry:
    return NoteEntry(
        subject=note.subject, fact=note.fact, remedy=note.remedy, severity=note.severity
    )
