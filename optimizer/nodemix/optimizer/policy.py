"""What the owner of a cluster asks of a plan."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.snapshot import CapacityType


def _require_share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ParameterError(f"{name} must lie in [0, 1], got {value}")


def _require_amount(name: str, value: float) -> None:
    if not 0.0 <= value < math.inf:
        raise ParameterError(f"{name} must be a number of 0 or more, got {value}")


def _require_own_names(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ParameterError(f"{kind}: the name {name} is given twice; rename one of them")
        seen.add(name)


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How much shortage is acceptable.

    Args:
        shortfall_probability: accepted probability that some pod finds no place within the lead
            time; 0.01 is the usual two-nines promise of a batch-and-web cluster.
        under_cost_ratio: cost of lacking a unit of capacity over the cost of having one too many
            (newsvendor); 19 asks for the .95 quantile.
        lead_time_s: time from deciding to buy a node until pods run on it; where boots of nodes
            have been seen they speak, too.
        max_cvar: accepted mean share of demand without a place in the worst 5 % of what may
            happen within the lead time, reclaims of spot nodes included; None for no limit.
        max_pool_loss: accepted share of today's requests without a place if the provider takes a
            whole spot pool back.
    """

    shortfall_probability: float = 0.01
    under_cost_ratio: float = 19.0
    lead_time_s: int = 600
    max_cvar: float | None = 0.1
    max_pool_loss: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 < self.shortfall_probability < 1.0:
            raise ParameterError(
                f"shortfall_probability must lie in (0, 1), got {self.shortfall_probability}"
            )
        if self.under_cost_ratio <= 0:
            raise ParameterError(f"under_cost_ratio must be positive, got {self.under_cost_ratio}")
        _require_share("max_pool_loss", self.max_pool_loss)
        if self.max_cvar is not None:
            _require_share("max_cvar", self.max_cvar)

    @property
    def critical_ratio(self) -> float:
        """The quantile of demand worth covering: c_u / (c_u + c_o)."""
        return self.under_cost_ratio / (1.0 + self.under_cost_ratio)

    @property
    def covered_share(self) -> float:
        """Share of the paths of demand to cover: what is worth it, and what is asked for."""
        return max(self.critical_ratio, 1.0 - self.shortfall_probability)


@dataclass(frozen=True, slots=True)
class SpotRules:
    """How much of the plan may be taken back by the provider. Shares are shares of vCPUs.

    Args:
        max_share: of the whole plan, on spot.
        max_pool_share: of the whole plan, in one (type, zone, spot) pool; None for no limit.
        max_family_share: of the whole plan, on spot in one instance family; None for no limit.
        max_zone_share: of the whole plan, on spot in one zone; None for no limit.
        over_provision: further places for pods that may run on spot, as a share of them.
        interruption_usd: what the loss of one spot node costs beside its replacement (work lost,
            pods started anew).
        return_hours: for so long after a pool lost nodes it must be cheaper by ``return_saving``
            than what is counted for it to be bought again.
        return_saving: see ``return_hours``.
    """

    max_share: float = 1.0
    min_on_demand_share: float = 0.0
    max_pool_share: float | None = None
    max_family_share: float | None = None
    max_zone_share: float | None = None
    over_provision: float = 0.0
    interruption_usd: float = 0.02
    return_hours: float = 6.0
    return_saving: float = 0.1

    def __post_init__(self) -> None:
        _require_share("spot.max_share", self.max_share)
        _require_share("spot.min_on_demand_share", self.min_on_demand_share)
        for name in ("max_pool_share", "max_family_share", "max_zone_share"):
            share = getattr(self, name)
            if share is not None:
                _require_share(f"spot.{name}", share)
        for name in ("over_provision", "interruption_usd", "return_hours"):
            _require_amount(f"spot.{name}", getattr(self, name))
        _require_share("spot.return_saving", self.return_saving)


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which offers may be bought. Empty tuples and None mean no limit.

    Args:
        max_vcpus: of a type without GPUs.
    """

    zones: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    min_generation: int | None = None
    max_vcpus: int | None = None
    allow_metal: bool = False


@dataclass(frozen=True, slots=True)
class WorkloadSelector:
    """Which pods the policy plans for. Empty selects everything.

    Args:
        match_labels: labels the pod must carry.
    """

    namespaces: tuple[str, ...] = ()
    match_labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Churn:
    """When a change is worth its trouble.

    Args:
        min_saving_share: smallest saving, as a share of the current cost, worth proposing.
        node_change_usd: what putting a new node in the place of a running one costs once (boot,
            drain, cold caches); the search adds it to the price of new nodes.
        expected_life_hours: over which ``node_change_usd`` is spread.
        no_return_hours: pools that a followed plan went away from are not bought again for so
            long, unless the pods need it.
    """

    min_saving_share: float = 0.02
    node_change_usd: float = 0.05
    expected_life_hours: float = 24.0
    no_return_hours: float = 24.0

    def __post_init__(self) -> None:
        _require_share("churn.min_saving_share", self.min_saving_share)
        _require_amount("churn.node_change_usd", self.node_change_usd)
        _require_amount("churn.no_return_hours", self.no_return_hours)
        if not 0.0 < self.expected_life_hours < math.inf:
            raise ParameterError(
                f"churn.expected_life_hours must be positive, got {self.expected_life_hours}"
            )

    @property
    def usd_per_node_hour(self) -> float:
        """What a change costs in each hour of a new node's life."""
        return self.node_change_usd / self.expected_life_hours


class QuotaUnit(StrEnum):
    """What a quota counts."""

    VCPUS = "vcpus"
    NODES = "nodes"
    GPUS = "gpus"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so much of some offers, as clouds limit it per account and region.

    Empty tuples and None select everything. Nodes outside of the policy's scope do not count.
    """

    name: str
    limit: float
    unit: QuotaUnit = QuotaUnit.VCPUS
    categories: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    capacity_type: CapacityType | None = None

    def __post_init__(self) -> None:
        _require_amount(f"quotas ({self.name}).limit", self.limit)


@dataclass(frozen=True, slots=True)
class Commitment:
    """Up to ``count`` nodes that the owner has, or has committed to, at a price of their own.

    Args:
        price_usd_per_hour: of one node; 0 or the running cost for machines of one's own.
        zone: None for any zone.
        is_paid_anyway: the whole count is paid whether it is used or not, as a reservation is;
            then one node more or less of it changes nothing.
    """

    name: str
    instance_type: str
    count: int
    price_usd_per_hour: float
    zone: str | None = None
    capacity_type: CapacityType = CapacityType.ON_DEMAND
    is_paid_anyway: bool = False

    def __post_init__(self) -> None:
        _require_amount(f"commitments ({self.name}).price_usd_per_hour", self.price_usd_per_hour)
        if self.count < 0:
            raise ParameterError(f"commitments ({self.name}).count is negative: {self.count}")

    @property
    def marginal_usd_per_hour(self) -> float:
        """What using one node of it adds to the bill."""
        return 0.0 if self.is_paid_anyway else self.price_usd_per_hour

    @property
    def fixed_usd_per_hour(self) -> float:
        """What is paid whether it is used or not."""
        return self.count * self.price_usd_per_hour if self.is_paid_anyway else 0.0


class FairnessMode(StrEnum):
    """What is done about unequal treatment where a cap leaves less than is wanted."""

    OFF = "off"
    REPORT = "report"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class FairnessRules:
    """Weighted dominant-resource fairness over namespaces, where a cap binds.

    Args:
        weights: (namespace, weight); 1 for those that are not named.
    """

    mode: FairnessMode = FairnessMode.REPORT
    weights: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        _require_own_names("fairness.weights", (name for name, _ in self.weights))
        for name, weight in self.weights:
            if not 0.0 < weight < math.inf:
                raise ParameterError(f"fairness.weights ({name}) must be positive, got {weight}")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the owner of a cluster asks of a plan.

    Args:
        budget_usd_per_hour: the plan may not cost more; None for no limit.
        min_nodes, max_nodes: of the whole plan; None for no limit.
        quotas, commitments: each name once.
        search_s: seconds the search may take.
        placement: how firmly pods are to be led to the places the plan has for them.
    """

    name: str = "default"
    selector: WorkloadSelector = field(default_factory=WorkloadSelector)
    service_level: ServiceLevel = field(default_factory=ServiceLevel)
    spot: SpotRules = field(default_factory=SpotRules)
    offers: OfferFilter = field(default_factory=OfferFilter)
    churn: Churn = field(default_factory=Churn)
    budget_usd_per_hour: float | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    quotas: tuple[Quota, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    search_s: float = 5.0
    placement: PlacementMode = PlacementMode.OBSERVE
    fairness: FairnessRules = field(default_factory=FairnessRules)

    def __post_init__(self) -> None:
        _require_own_names(f"{self.name}: quotas", (quota.name for quota in self.quotas))
        _require_own_names(f"{self.name}: commitments", (c.name for c in self.commitments))
        if self.budget_usd_per_hour is not None and self.budget_usd_per_hour <= 0:
            raise ParameterError(
                f"{self.name}: budget_usd_per_hour must be positive, got {self.budget_usd_per_hour}"
            )
        if (
            self.min_nodes is not None
            and self.max_nodes is not None
            and self.min_nodes > self.max_nodes
        ):
            raise ParameterError(
                f"{self.name}: min_nodes {self.min_nodes} is above max_nodes {self.max_nodes}"
            )
