"""``NodeMixPolicy``: what the owner of a cluster asks for, and what nodemix found."""

from enum import StrEnum
from typing import Annotated, ClassVar

from nodemix.operator.api.capacity import (
    BY_NAME,
    MAX_ENTRIES,
    CommitmentSpec,
    QuotaSpec,
    not_negative,
    require_own_names,
)
from nodemix.operator.api.conditions import Conditions, Moment
from nodemix.operator.api.rules import ApiModel, Rule, StatusModel, field_rule, positive, share
from nodemix.operator.api.values import (
    Count,
    DnsName,
    HttpUrl,
    Percent,
    Probability,
    Usd,
    Word,
    Workload,
)
from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel


class Mode(StrEnum):
    """Whether a plan is only shown or also carried out."""

    RECOMMEND = "Recommend"
    APPLY = "Apply"


class Placement(StrEnum):
    """How firmly pods are led to the places that a plan has for them."""

    OBSERVE = "Observe"
    POOL = "Pool"
    COHORT = "Cohort"
    PINNED = "Pinned"


class FairnessMode(StrEnum):
    """What is done about unequal treatment where a cap leaves less than is wanted."""

    OFF = "Off"
    REPORT = "Report"
    ENFORCE = "Enforce"


class Architecture(StrEnum):
    """``kubernetes.io/arch`` of a node."""

    AMD64 = "amd64"
    ARM64 = "arm64"


class Indicator(StrEnum):
    """What is measured of a workload."""

    PODS = "pods"
    CPU_MILLI = "cpu_milli"
    MEMORY_MIB = "memory_mib"


class SelectorSpec(ApiModel):
    """Which pods the policy plans for; empty selects every pod."""

    namespaces: tuple[DnsName, ...] = Field(default=(), max_length=1000)
    """Namespaces to plan for; empty means all."""
    match_labels: dict[str, Annotated[str, Field(max_length=63)]] = Field(
        default_factory=dict, max_length=64
    )
    """Labels that a pod must carry."""


class ServiceLevelSpec(ApiModel):
    """How much shortage is acceptable."""

    rules: ClassVar[tuple[Rule, ...]] = (
        field_rule(
            "shortfall_probability",
            "({0} > 0.0 && {0} < 1.0)",
            lambda value: 0 < value < 1,
            "shortfallProbability must lie strictly between 0 and 1; 0.01 is a good start",
        ),
        positive("under_cost_ratio", "19 asks for the 95 percent quantile of demand"),
        share("max_cvar", "1 sets no limit"),
        share("max_pool_loss", "1 sets no limit"),
    )

    shortfall_probability: float = 0.01
    """Accepted probability that some pod finds no place within the lead time."""
    under_cost_ratio: float = 19.0
    """Cost of lacking a unit of capacity over the cost of having one too many."""
    lead_time_seconds: int = Field(default=600, ge=1, le=86_400)
    """Time from deciding to buy a node until pods run on it; boots that were seen count, too."""
    max_cvar: float = 0.1
    """Accepted mean share of demand without a place in the worst 5 percent of what may happen
    within the lead time, reclaims of spot nodes included; 1 sets no limit."""
    max_pool_loss: float = 0.2
    """Accepted share of today's requests without a place if a whole spot pool is taken back."""


def _limit(field: str) -> Rule:
    """The number is a share that leaves room for something; absence, not 1, is no limit."""
    message = f"{to_camel(field)} must lie in (0, 1]; leave it out for no limit"
    cel = "({0} > 0.0 && {0} <= 1.0)"
    return field_rule(field, cel, lambda value: 0 < value <= 1, message)


def _spot_and_on_demand_agree(spot: "SpotSpec") -> bool:
    return spot.max_share is None or spot.max_share + spot.min_on_demand_share <= 1.000001


class SpotSpec(ApiModel):
    """How much of the plan the provider may take back. Shares are shares of vCPUs."""

    rules: ClassVar[tuple[Rule, ...]] = (
        share("max_share"),
        share("min_on_demand_share"),
        *(_limit(field) for field in ("max_pool_share", "max_family_share", "max_zone_share")),
        share("over_provision", "0.1 holds a tenth more places for pods that may run on spot"),
        not_negative("interruption_usd", "0 counts nothing but the node that takes its place"),
        not_negative("return_hours", "0 buys a pool again as soon as it is cheapest"),
        share("return_saving"),
        Rule(
            "!has(self.maxShare) || self.maxShare + self.minOnDemandShare <= 1.000001",
            "maxShare and minOnDemandShare contradict each other, their sum is above 1; "
            "lower one of them, or leave maxShare out",
            _spot_and_on_demand_agree,
            "max_share",
        ),
    )

    max_share: float | None = None
    """Largest share of the plan on spot; absent means all that minOnDemandShare leaves."""
    min_on_demand_share: float = 0.0
    """Smallest share of the plan on demand."""
    max_pool_share: float | None = None
    """Largest share of the plan in one pool of instance type, zone and spot."""
    max_family_share: float | None = None
    """Largest share of the plan on spot in one instance family."""
    max_zone_share: float | None = None
    """Largest share of the plan on spot in one zone."""
    over_provision: float = 0.0
    """Further places for pods that may run on spot, as a share of them."""
    interruption_usd: float = 0.02
    """What the loss of one spot node costs beside its replacement: work lost, pods started anew."""
    return_hours: float = 6.0
    """For so long after a pool lost nodes it must save returnSaving more to be bought again."""
    return_saving: float = 0.1
    """By how much such a pool must be cheaper than what is counted for it, as a share."""


class BudgetSpec(ApiModel):
    """What the plan may cost."""

    rules: ClassVar[tuple[Rule, ...]] = (
        positive("usd_per_hour", "leave objective.budget out for no limit"),
    )

    usd_per_hour: float
    """Most that the nodes may cost, USD per hour."""


class ChurnSpec(ApiModel):
    """When a change is worth its trouble."""

    rules: ClassVar[tuple[Rule, ...]] = (
        share("min_saving_share"),
        not_negative("node_change_usd", "0 lets nodes be replaced for any saving"),
        positive("expected_life_hours", "24 spreads the cost of a change over a day"),
        not_negative("no_return_hours", "0 lets plans go back at once"),
    )

    min_saving_share: float = 0.02
    """Smallest saving worth proposing, as a share of the current cost."""
    node_change_usd: float = 0.05
    """What a new node in the place of a running one costs once: boot, drain, cold caches."""
    expected_life_hours: float = 24.0
    """Hours over which nodeChangeUsd is spread."""
    no_return_hours: float = 24.0
    """For so long a followed plan does not go back to the pools it left, unless pods need it."""


def _weights_are_positive(weights: dict[str, float]) -> bool:
    return all(weight > 0 for weight in weights.values())


class FairnessSpec(ApiModel):
    """How namespaces share what a binding limit leaves: weighted dominant-resource fairness."""

    rules: ClassVar[tuple[Rule, ...]] = (
        field_rule(
            "weights",
            "{0}.all(name, {0}[name] > 0.0)",
            _weights_are_positive,
            "each of weights must be above 0; leave a namespace out to give it 1",
        ),
    )

    mode: FairnessMode = FairnessMode.REPORT
    """Off says nothing, Report shows who gets how much, Enforce plans for equal shares."""
    weights: dict[str, float] = Field(default_factory=dict, max_length=1000)
    """Weight of each namespace; 1 for those that are not named."""


class ObjectiveSpec(ApiModel):
    """What a good plan is."""

    slo: ServiceLevelSpec = Field(default_factory=ServiceLevelSpec)
    spot: SpotSpec = Field(default_factory=SpotSpec)
    budget: BudgetSpec | None = None
    churn: ChurnSpec = Field(default_factory=ChurnSpec)
    fairness: FairnessSpec = Field(default_factory=FairnessSpec)


def _bounds_agree(limits: "LimitsSpec") -> bool:
    if limits.min_nodes is None or limits.max_nodes is None:
        return True
    return limits.min_nodes <= limits.max_nodes


class LimitsSpec(ApiModel):
    """Bounds of the whole plan."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.minNodes) || !has(self.maxNodes) || self.minNodes <= self.maxNodes",
            "minNodes is above maxNodes; raise maxNodes or lower minNodes",
            _bounds_agree,
            "min_nodes",
        ),
    )

    min_nodes: int | None = Field(default=None, ge=0)
    """Fewest nodes that a plan may have."""
    max_nodes: int | None = Field(default=None, ge=1)
    """Most nodes that a plan may have."""
    quotas: tuple[QuotaSpec, ...] = Field(
        default=(), max_length=MAX_ENTRIES, json_schema_extra=BY_NAME
    )
    """Limits on some of the offers, each name once."""

    @model_validator(mode="after")
    def _names_each_quota_once(self) -> "LimitsSpec":
        require_own_names("quotas", self.quotas)
        return self


class OffersSpec(ApiModel):
    """Which offers may be bought; what is empty or absent sets no limit."""

    zones: tuple[Word, ...] = Field(default=(), max_length=100)
    """Zones to buy in, e.g. us-east-1a."""
    categories: tuple[Word, ...] = Field(default=(), max_length=100)
    """Instance categories, e.g. c, m, r, g."""
    families: tuple[Word, ...] = Field(default=(), max_length=500)
    """Instance families, e.g. m7g."""
    architectures: tuple[Architecture, ...] = Field(default=(), max_length=2)
    """Values of the label kubernetes.io/arch."""
    min_generation: int | None = Field(default=None, ge=1)
    """Oldest generation to buy, e.g. 6 for m6i and its successors."""
    max_vcpus: int | None = Field(default=None, ge=1)
    """Largest instance without GPUs, in vCPUs."""
    allow_metal: bool = False
    """True also buys whole machines without a hypervisor."""


class QueryLabels(ApiModel):
    """Which labels of a query's result name the workload."""

    namespace: Word = "namespace"
    """Label that holds the namespace."""
    name: Word = "name"
    """Label that holds the name."""


class QuerySpec(ApiModel):
    """A PromQL query that replaces a default one."""

    indicator: Indicator
    """What the query measures; the unit is in the name."""
    kind: Word = "Deployment"
    """Kind of the workloads it measures."""
    query: str = Field(min_length=1, max_length=4096)
    """PromQL giving one series per workload; $step becomes the grid's step, e.g. 300s."""
    labels: QueryLabels = Field(default_factory=QueryLabels)


class EventSpec(ApiModel):
    """Something known in advance that moves demand: a sale, a nightly batch, a load test."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.start < self.end",
            "end is not after start; exchange them, or correct the one that is wrong",
            lambda event: event.start.timestamp() < event.end.timestamp(),
            "end",
        ),
    )

    name: Word
    """Of the kind of event; earlier ones of the same name are what is learnt from."""
    start: Moment
    """When it begins."""
    end: Moment
    """When it is over."""
    workloads: tuple[Workload, ...] = Field(default=(), max_length=100)
    """Which workloads it moves, e.g. shop/Deployment/cart; empty for all."""


def _quantiles_are_inside(quantiles: tuple[float, ...]) -> bool:
    return all(0 < quantile < 1 for quantile in quantiles)


class ForecastSpec(ApiModel):
    """How demand is read and forecast."""

    rules: ClassVar[tuple[Rule, ...]] = (
        field_rule(
            "quantiles",
            "{}.all(q, q > 0.0 && q < 1.0)",
            _quantiles_are_inside,
            "each of quantiles must lie strictly between 0 and 1; write 0.95 for 95 percent",
        ),
        Rule(
            "self.stepSeconds <= self.horizonSeconds",
            "stepSeconds is above horizonSeconds; raise horizonSeconds to at least one step",
            lambda forecast: forecast.step_seconds <= forecast.horizon_seconds,
            "step_seconds",
        ),
        Rule(
            "self.horizonSeconds <= self.lookbackSeconds",
            "lookbackSeconds is below horizonSeconds; a forecast needs at least as much past",
            lambda forecast: forecast.horizon_seconds <= forecast.lookback_seconds,
            "lookback_seconds",
        ),
    )

    horizon_seconds: int = Field(default=3600, ge=60, le=604_800)
    """How far ahead demand is forecast."""
    lookback_seconds: int = Field(default=1_209_600, ge=600, le=7_776_000)
    """How much history is read; the default of two weeks shows weekly seasons."""
    step_seconds: int = Field(default=300, ge=60, le=3600)
    """Grid of the history and of the forecast."""
    quantiles: tuple[float, ...] = Field(default=(0.05, 0.5, 0.95), min_length=1, max_length=20)
    """Quantiles of the forecast that are reported."""
    queries: tuple[QuerySpec, ...] = Field(default=(), max_length=30)
    """PromQL that replaces the default queries of the same indicator and kind."""
    events: tuple[EventSpec, ...] = Field(default=(), max_length=100)
    """What is known to happen, past and future; demand in it is forecast from earlier ones."""


class PrometheusSpec(ApiModel):
    """Where the demand history comes from."""

    url: HttpUrl
    """Root of the HTTP API, e.g. http://prometheus.monitoring:9090."""


class CatalogRef(ApiModel):
    """The PriceBook to buy from."""

    name: DnsName
    """Name of the PriceBook."""


class NodeMixPolicySpec(ApiModel):
    """What the owner of a cluster asks for; ``{}`` is a complete policy."""

    mode: Mode = Mode.RECOMMEND
    """Recommend only shows plans; Apply also carries them out."""
    placement: Placement = Placement.OBSERVE
    """Observe leaves pods to the scheduler, Pool binds a workload to pools of nodes, Cohort to sets
    of equal nodes, Pinned each pod to its node; plans are made for it and say what it takes."""
    selector: SelectorSpec = Field(default_factory=SelectorSpec)
    objective: ObjectiveSpec = Field(default_factory=ObjectiveSpec)
    limits: LimitsSpec = Field(default_factory=LimitsSpec)
    offers: OffersSpec = Field(default_factory=OffersSpec)
    commitments: tuple[CommitmentSpec, ...] = Field(
        default=(), max_length=MAX_ENTRIES, json_schema_extra=BY_NAME
    )
    """Nodes at a price of their own, each name once; spec.offers does not limit them."""
    forecast: ForecastSpec = Field(default_factory=ForecastSpec)
    prometheus: PrometheusSpec | None = None
    """Absent means the operator's own setting, or planning without a history."""
    catalog_ref: CatalogRef | None = None
    """Absent means the catalog that ships with nodemix."""
    interval_seconds: int = Field(default=60, ge=5, le=86_400)
    """Time between two decisions."""
    search_seconds: int = Field(default=5, ge=1, le=600)
    """Time that one search for a plan may take."""
    paused: bool = False
    """True stops decisions; the last plan stays."""

    @model_validator(mode="after")
    def _names_each_commitment_once(self) -> "NodeMixPolicySpec":
        require_own_names("commitments", self.commitments)
        return self


class NodeMixPolicyStatus(StatusModel):
    """What nodemix found; None means unknown or never decided."""

    conditions: Conditions = Field(default=(), max_length=16)
    """What holds and what does not, each with its reason and what to do."""
    observed_generation: Count | None = None
    """Generation of the spec that this status speaks about."""
    plan_name: DnsName | None = None
    """The NodeMixPlan of the last changed decision."""
    decided_at: Moment | None = None
    """When the figures below were found."""
    nodes_now: Count | None = None
    """Nodes that hold the policy's pods today."""
    nodes_plan: Count | None = None
    """Nodes of the plan."""
    spot_percent: Percent | None = None
    """Share of the plan's vCPUs on spot."""
    usd_per_hour_now: Usd | None = None
    """Cost of today's nodes whose price is known."""
    usd_per_hour_plan: Usd | None = None
    """Cost of the plan."""
    usd_per_hour_placed: Usd | None = None
    """Cost to expect once the pods are placed; absent where today's nodes are kept."""
    usd_per_hour_lower_bound: Usd | None = None
    """No plan under this policy can cost less."""
    usd_per_hour_expected: Usd | None = None
    """Cost of the plan once placed, with changes, interruptions, later nodes and shortage."""
    usd_per_hour_baseline: Usd | None = None
    """Cost of the same pods under a Karpenter-like choice of nodes with tuned headroom."""
    saving_percent: Percent | None = None
    """What the plan saves of today's cost."""
    gap_percent: Percent | None = None
    """How far the plan can be above the optimum."""
    shortfall_probability: Probability | None = None
    """Absent without a forecast."""
    cvar_percent: Percent | None = None
    """Mean share of demand without a place in the worst 5 percent of what may happen."""
    worst_pool_loss_percent: Percent | None = None
    """Share of the requests without a place if the provider takes the worst spot pool back."""
    forecast_model: str | None = Field(default=None, max_length=253)
    """Model that spoke last; absent without a forecast."""
    unplaceable_pods: Count | None = None
    """Pods that no allowed offer can hold."""
