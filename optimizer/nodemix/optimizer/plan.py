"""What the engine returns and what people are shown."""

from dataclasses import dataclass, field

from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.explain.types import Baseline, Blocker, RuleCost
from nodemix.optimizer.fairness.types import Fairness
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import PlannedSteering
from nodemix.optimizer.plan_risk import CapacityChoice, FrontPoint, PlanOption, Risk
from nodemix.optimizer.snapshot import CapacityType, Note, WorkloadKey


@dataclass(frozen=True, slots=True)
class PlannedNodes:
    """``count`` equal nodes of the plan.

    Args:
        pods: (workload, pods of it on each node), sorted, no zeros; pods of the snapshot only.
        headroom: (workload, places on each node for pods that are forecast), sorted, no zeros.
        price_usd_per_hour: what one node adds to the bill; None where the catalog does not know it.
        kept_nodes: names of the nodes of today that stay as they are; empty for new nodes.
        terms: name of the commitment that pays for them; empty at the price of the market.
        in_place: names of the nodes of today that go on, with these pods.
        cohort: value of the label ``nodemix.dev/cohort`` of new nodes; those that differ only in
            which of their places are taken today share it. Empty for nodes of today.
    """

    instance_type: str
    zone: str
    capacity_type: CapacityType
    count: int
    pods: tuple[tuple[WorkloadKey, int], ...]
    price_usd_per_hour: float | None
    kept_nodes: tuple[str, ...] = ()
    headroom: tuple[tuple[WorkloadKey, int], ...] = ()
    terms: str = ""
    in_place: tuple[str, ...] = ()
    cohort: str = ""


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The next best offer that could take the place of any new node of a pool, with its pods.

    Args:
        price_usd_per_hour: of one node.
        break_even_usd_per_hour: below this price it would be the better one.
    """

    instance_type: str
    zone: str
    capacity_type: CapacityType
    price_usd_per_hour: float
    break_even_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class PoolMargins:
    """What a small change of a pool would do, by the duals of the relaxation.

    Args:
        node_more_usd_per_hour: by how much one more node would change the plan's cost.
        node_less_usd_per_hour: likewise of one node less; negative where that would save.
        runner_up: None where no other type or market could hold the same pods.
    """

    node_more_usd_per_hour: float
    node_less_usd_per_hour: float
    runner_up: RunnerUp | None = None


@dataclass(frozen=True, slots=True)
class PoolChange:
    """One row of the recommendation: a pool now and in the plan.

    Args:
        price_usd_per_hour: of one node; None where the catalog does not know it.
        why: one sentence.
        margins: None where the plan buys no node of the pool.
    """

    instance_type: str
    zone: str
    capacity_type: CapacityType
    nodes_now: int
    nodes_plan: int
    price_usd_per_hour: float | None
    why: str
    margins: PoolMargins | None = None

    @property
    def key(self) -> PoolKey:
        """What tells two pools apart."""
        return (self.instance_type, self.zone, self.capacity_type)

    @property
    def delta_nodes(self) -> int:
        """Nodes to add (positive) or to let go (negative)."""
        return self.nodes_plan - self.nodes_now


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """Pods that no allowed offer can hold."""

    workload: WorkloadKey
    pods: int
    why: str


@dataclass(frozen=True, slots=True)
class WorkloadDemand:
    """How many pods of a workload the plan holds, and why.

    Args:
        pods_now: pods that hold or wait for a place.
        pods_planned: pods the plan has room for.
        source: ``forecast``, ``requests``.
    """

    workload: WorkloadKey
    pods_now: int
    pods_planned: int
    source: str


@dataclass(frozen=True, slots=True)
class Prices:
    """What one more unit would cost by the duals of the relaxation.

    Args:
        usd_per_core_hour, usd_per_gib_hour, usd_per_gpu_hour: fitted to the rows' duals; None
            where no row asks for it.
        caps: (name of a binding cap, saving in USD per hour for one more unit of its limit).
    """

    usd_per_core_hour: float | None = None
    usd_per_gib_hour: float | None = None
    usd_per_gpu_hour: float | None = None
    caps: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Savings:
    """The saving by its source; the parts sum to it. Negative where a part costs more.

    What each is exactly: see `nodemix.optimizer.explain.savings`.

    Args:
        spot_usd_per_hour: from spot instead of on-demand nodes.
        shape_usd_per_hour: from instance types that give more for the same money.
        packing_usd_per_hour: from fewer and fuller nodes.
        waiting_usd_per_hour: for pods that no node of known price holds today; never positive.
        headroom_usd_per_hour: for pods that are forecast; never positive.
        commitments_usd_per_hour: from nodes at the price of a commitment instead of the market's.
    """

    spot_usd_per_hour: float
    shape_usd_per_hour: float
    packing_usd_per_hour: float
    waiting_usd_per_hour: float
    headroom_usd_per_hour: float
    commitments_usd_per_hour: float = 0.0

    @property
    def total_usd_per_hour(self) -> float:
        """The whole saving."""
        parts = (self.spot_usd_per_hour, self.shape_usd_per_hour, self.packing_usd_per_hour)
        new_places = self.waiting_usd_per_hour + self.headroom_usd_per_hour
        return sum(parts) + new_places + self.commitments_usd_per_hour


@dataclass(frozen=True, slots=True)
class CommitmentUse:
    """How much of a commitment is used now and in the plan.

    Args:
        zone: None for any zone.
        price_usd_per_hour: of one node.
        is_paid_anyway: the cost of the whole count is in today's cost, the plan's and the bound.
    """

    name: str
    instance_type: str
    zone: str | None
    capacity_type: CapacityType
    count: int
    nodes_now: int
    nodes_plan: int
    price_usd_per_hour: float
    is_paid_anyway: bool


@dataclass(frozen=True, slots=True)
class ChurnCost:
    """What the plan's changes of nodes cost, at the policy's cost of one.

    Args:
        nodes_in_place: names of the movable nodes of today that go on, sorted.
        nodes_let_go: names of those that do not, sorted.
        nodes_new: nodes that do not run yet.
        change_usd: once, for all of ``nodes_new``.
        usd_per_hour: ``change_usd`` over the expected life of a node.
        objective_usd_per_hour: what the search minimised: the plan's cost, ``usd_per_hour``, and
            what reclaims of its spot nodes are expected to cost.
        objective_lower_bound_usd_per_hour: no plan has a smaller objective; certified.
    """

    nodes_in_place: tuple[str, ...]
    nodes_let_go: tuple[str, ...]
    nodes_new: int
    change_usd: float
    usd_per_hour: float
    objective_usd_per_hour: float
    objective_lower_bound_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class PlacedCosts:
    """What the whole plan, kept nodes included, is expected to cost once its pods are placed.

    Args:
        by_mode: the modes in their order; one for which the time did not suffice is missing, but
            never the chosen one.
    """

    mode: PlacementMode
    by_mode: tuple[PlacedCost, ...]

    def of(self, mode: PlacementMode) -> PlacedCost | None:
        """The cost in ``mode``; None where the time did not suffice."""
        return next((cost for cost in self.by_mode if cost.mode is mode), None)

    @property
    def chosen(self) -> PlacedCost:
        """The cost in the mode that the policy asks for."""
        return next(cost for cost in self.by_mode if cost.mode is self.mode)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What is shown, stored in a NodeMixPlan and, only in Apply mode, carried out.

    Args:
        is_change: False where keeping today's nodes is best or the saving is too small.
        nodes: the plan, every pod of the snapshot exactly once except ``unplaceable``.
        current_usd_per_hour: of today's nodes whose price is known.
        lower_bound_usd_per_hour: certified, kept nodes included; for the money of any plan, what
            changes cost (``churn``) disregarded.
        savings: None where today's nodes are kept.
        churn: None where the policy gives no cost for a change.
        placed: likewise.
        steering: likewise.
        reasons: plain sentences, most important first.
        assumptions: what was taken for granted (spot by default, no history, ...).
        notes: what was left out or degraded, with the remedy.
        capacity: why so much room; None where the plan was made without looking at risk.
        options: the plan (``chosen``) and up to three that could be had instead, cheapest first.
        front: cost against CVaR over pools, ascending cost; empty where there was no time.
        fairness: None where no cap binds, or the policy asks for none.
        baseline: None where there was no time to compare.
        blockers: what keeps nodes that a plan could do without, dearest first.
        rule_costs: what rules of workloads cost that the plan keeps, dearest first; those for
            which there was time.
        warm: what the policy's next decision can start from; kept in memory, in no document.
    """

    policy: str
    made_at_s: float
    is_change: bool
    nodes: tuple[PlannedNodes, ...]
    pools: tuple[PoolChange, ...]
    current_usd_per_hour: float
    plan_usd_per_hour: float
    lower_bound_usd_per_hour: float
    risk: Risk
    prices: Prices = field(default_factory=Prices)
    savings: Savings | None = None
    commitments: tuple[CommitmentUse, ...] = ()
    churn: ChurnCost | None = None
    placed: PlacedCosts | None = None
    steering: PlannedSteering | None = None
    demand: tuple[WorkloadDemand, ...] = ()
    unplaceable: tuple[Unplaceable, ...] = ()
    reasons: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    forecast_model: str = ""
    seconds: float = 0.0
    capacity: CapacityChoice | None = None
    options: tuple[PlanOption, ...] = ()
    front: tuple[FrontPoint, ...] = ()
    fairness: Fairness | None = None
    baseline: Baseline | None = None
    blockers: tuple[Blocker, ...] = ()
    rule_costs: tuple[RuleCost, ...] = ()
    warm: WarmStart | None = field(default=None, compare=False, repr=False)

    @property
    def fixed_usd_per_hour(self) -> float:
        """What is paid for commitments in any case; in today's cost, the plan's and the bound."""
        paid = (use for use in self.commitments if use.is_paid_anyway)
        return sum(use.count * use.price_usd_per_hour for use in paid)

    @property
    def saving_usd_per_hour(self) -> float:
        """What the plan saves against today's nodes; negative when it costs more."""
        return self.current_usd_per_hour - self.plan_usd_per_hour

    @property
    def saving_kept_share(self) -> float | None:
        """Share of the saving that is left in the chosen mode; negative where placing costs more.

        None where today's nodes are kept or nothing is saved.
        """
        if self.placed is None or self.saving_usd_per_hour <= 0.0:
            return None
        left = self.current_usd_per_hour - self.placed.chosen.usd_per_hour
        return left / self.saving_usd_per_hour

    @property
    def gap(self) -> float:
        """How far the plan can be above the optimum: (cost - bound) / cost, in [0, 1)."""
        cost = self.plan_usd_per_hour
        return max(0.0, cost - self.lower_bound_usd_per_hour) / cost if cost > 0 else 0.0
