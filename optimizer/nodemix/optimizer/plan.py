"""What the engine returns and what people are shown."""

from dataclasses import dataclass, field

from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import PlannedSteering
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.snapshot import CapacityType, Note, WorkloadKey

PoolKey = tuple[str, str, CapacityType]
"""Instance type, zone and market."""


@dataclass(frozen=True, slots=True)
class PackedNodes:
    """``count`` equal nodes of one offer, each holding the same pods.

    Args:
        offer: index into the problem's offers.
        pods: (row index, pods of that row on each node), ascending, no zeros.
        count: at least 1.
    """

    offer: int
    pods: tuple[tuple[int, int], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Packing:
    """Nodes that together hold every pod of a problem once."""

    nodes: tuple[PackedNodes, ...]
    cost_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Milestone:
    """When the search found a better packing, and by which stage."""

    seconds: float
    stage: str
    cost_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class PlacedCost:
    """What a packing is expected to cost once kube-scheduler has placed its pods.

    Estimated on draws of arrival and node order that no search has seen.

    Args:
        usd_per_hour: the packing and the hosting of what the scheduler leaves pending, mean.
        standard_error_usd_per_hour: of that mean; 0 with a single draw.
    """

    mode: PlacementMode
    usd_per_hour: float
    standard_error_usd_per_hour: float
    draws: int

    @classmethod
    def of_draws(
        cls, mode: PlacementMode, packing_usd_per_hour: float, hosting_usd_per_hour: FloatArray
    ) -> "PlacedCost":
        """The mean over what hosting cost on each draw, shape (draws,), at least one."""
        draws = len(hosting_usd_per_hour)
        error = float(hosting_usd_per_hour.std(ddof=1)) / draws**0.5 if draws > 1 else 0.0
        return cls(mode, packing_usd_per_hour + float(hosting_usd_per_hour.mean()), error, draws)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another packing of the Pareto front, with what it is good at.

    Args:
        placed: None where the search ran without a placement mode.
        nodes_changed: nodes to buy and to let go against today's; None where those are unknown.
        largest_pool_share: share of its price spent on one offer, in (0, 1].
    """

    packing: Packing
    largest_pool_share: float
    placed: PlacedCost | None = None
    nodes_changed: int | None = None

    @property
    def cost_usd_per_hour(self) -> float:
        """Of the packing, before any pod is placed."""
        return self.packing.cost_usd_per_hour


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The engine's answer.

    Args:
        packing: the best packing found: of least plan cost, or of least expected placed cost where
            the search was given a placement mode.
        lower_bound_usd_per_hour: no packing of this problem is cheaper; certified, never a guess.
        row_duals: marginal price of one more pod of each row, USD per hour, shape (rows,).
        cap_duals: marginal saving of one more unit of each cap's limit, shape (caps,), >= 0.
        alternatives: other packings of the Pareto front of plan cost, placed cost, nodes changed
            and concentration that are worth showing, cheapest first, without ``packing``.
        progress: how the incumbent fell over time.
        lp_value_usd_per_hour: of the relaxation over the patterns found, a measure of rounding
            only: patterns not found could still lower it. None where it was not solved.
        warm: what the search of a problem like this one can start from.
        placed: of ``packing``; None where the search ran without a placement mode (or with
            ``pinned``, which costs what the packing costs), or had no time for a single draw.
    """

    packing: Packing
    lower_bound_usd_per_hour: float
    row_duals: FloatArray
    cap_duals: FloatArray
    alternatives: tuple[Alternative, ...] = ()
    progress: tuple[Milestone, ...] = ()
    seconds: float = 0.0
    lp_value_usd_per_hour: float | None = None
    warm: WarmStart | None = field(default=None, repr=False)
    placed: PlacedCost | None = None

    @property
    def gap(self) -> float:
        """How far the cost can be above the optimum: (cost - bound) / cost, in [0, 1)."""
        cost = self.packing.cost_usd_per_hour
        return max(0.0, cost - self.lower_bound_usd_per_hour) / cost if cost > 0 else 0.0


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
class PoolRisk:
    """A spot pool of the plan: how often it is hit, and what that would do.

    Args:
        shocks_per_hour: posterior mean, with the 95 % credible interval beside it.
        share_lost: expected share of the pool's nodes that a shock takes.
        loss_if_reclaimed: share of the pods' requests without a place if all its nodes go, by the
            scarcer of cores and memory.
        interruption_usd_per_node: cost of losing one of its nodes.
        interruption_usd_per_hour: expected cost of its losses, all its nodes: nodes x shocks x
            share lost x cost of one.
    """

    instance_type: str
    zone: str
    nodes: int
    shocks_per_hour: float
    shocks_per_hour_low: float
    shocks_per_hour_high: float
    share_lost: float
    loss_if_reclaimed: float
    interruption_usd_per_node: float
    interruption_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Risk:
    """What can go wrong with the plan, on scenarios that no search has seen.

    A scenario is a path of demand together with what the provider takes back within the lead time.

    Args:
        shortfall_probability: share of demand paths in which some pod finds no place within the
            lead time while every node stays; None without a forecast.
        spot_share: of the plan's vCPUs.
        worst_pool_share: largest share of the plan's vCPUs in one (type, zone, spot) pool.
        interruptions_per_day: expected spot nodes taken back a day, with the ends of a 95 %
            interval beside it, for what is not known of the rates.
        joint_shortfall_probability: share of scenarios in which some pod finds no place.
        cvar: mean share of demand without a place in the worst ``1 - alpha`` of the scenarios.
        worst_pool_loss: largest of the pools' ``loss_if_reclaimed``.
        mean_loss: mean share of demand without a place, over all scenarios.
        interruption_usd_per_hour: expected cost of losing spot nodes, over ``pools``.
        on_demand_usd_per_hour: of the plan's nodes if each were bought on demand.
        recourse_usd_per_hour: expected cost of the on-demand nodes that are bought later for pods
            without a place: ``mean_loss`` x ``on_demand_usd_per_hour``.
        shortage_usd_per_hour: what lacking them until then is worth: the policy's under-cost ratio
            x ``recourse_usd_per_hour``.
        scenarios, scenarios_short: how many were tried, and in how many some pod has no place.
        worst_losses: share of demand without a place in each of the worst ``1 - alpha`` of the
            scenarios, descending; ``cvar`` is their mean.
        pools: the plan's spot pools, largest loss first.
    """

    shortfall_probability: float | None
    spot_share: float
    worst_pool_share: float
    interruptions_per_day: float
    interruptions_per_day_low: float = 0.0
    interruptions_per_day_high: float = 0.0
    joint_shortfall_probability: float = 0.0
    cvar: float = 0.0
    cvar_standard_error: float = 0.0
    alpha: float = 0.95
    worst_pool_loss: float = 0.0
    mean_loss: float = 0.0
    interruption_usd_per_hour: float = 0.0
    on_demand_usd_per_hour: float = 0.0
    recourse_usd_per_hour: float = 0.0
    shortage_usd_per_hour: float = 0.0
    scenarios: int = 0
    scenarios_short: int = 0
    worst_losses: tuple[float, ...] = ()
    pools: tuple[PoolRisk, ...] = ()

    @property
    def usd_per_hour(self) -> float:
        """What is expected to be lost, and bought later: interruptions, recourse and shortage."""
        later = self.recourse_usd_per_hour + self.shortage_usd_per_hour
        return self.interruption_usd_per_hour + later


@dataclass(frozen=True, slots=True)
class CapacityChoice:
    """Why the plan has as much room as it has.

    Args:
        critical_ratio: c_u / (c_u + c_o), the demand quantile that is worth covering.
        level: the quantile that the plan covers; above the ratio where that fell short too often.
        over_provision: further places, as a share of the pods that may run on spot.
        lead_time_s: within which demand is covered.
        boots_seen: of nodes, that the lead time is learned from; 0 where the policy alone speaks.
        max_pool_share: of vCPUs, that one spot pool was allowed; None where nothing limited it.
        max_spot_share: likewise of all spot nodes.
        why: one sentence.
    """

    critical_ratio: float
    level: float
    over_provision: float
    lead_time_s: float
    boots_seen: int
    max_pool_share: float | None
    max_spot_share: float
    why: str


@dataclass(frozen=True, slots=True)
class PlanOption:
    """The plan, or one that could be had instead.

    Args:
        name: ``chosen``, ``cheaper``, ``safer``, ``steadier`` (fewer nodes change).
        pools: (pool, nodes), kept nodes included, sorted.
        usd_per_hour: money of its nodes.
        changes_usd_per_hour: what the changes of nodes cost, at the policy's cost of one.
        nodes_changed: to buy and to let go.
        meets_slo: whether it keeps all that the policy accepts.
    """

    name: str
    pools: tuple[tuple[PoolKey, int], ...]
    usd_per_hour: float
    changes_usd_per_hour: float
    risk: Risk
    nodes_changed: int
    meets_slo: bool
    why: str

    @property
    def expected_usd_per_hour(self) -> float:
        """What options are compared by: money, changes, interruptions, recourse and shortage."""
        risk = self.risk
        later = risk.recourse_usd_per_hour + risk.shortage_usd_per_hour
        return (
            self.usd_per_hour + self.changes_usd_per_hour + risk.interruption_usd_per_hour + later
        )


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A mix of the front of cost and CVaR over pools, before pods are packed.

    Args:
        usd_per_hour: with the expected cost of interruptions.
    """

    usd_per_hour: float
    cvar: float
    nodes_changed: int


@dataclass(frozen=True, slots=True)
class NamespaceShare:
    """What a namespace wants and gets.

    Args:
        dominant_share: largest share, over resources, of all that is wanted, that it gets.
        wanted_share: likewise of what it wants.
    """

    namespace: str
    weight: float
    pods_wanted: int
    pods_given: int
    dominant_resource: str
    dominant_share: float
    wanted_share: float


@dataclass(frozen=True, slots=True)
class Fairness:
    """How equally namespaces are treated where a cap leaves less than is wanted.

    Args:
        mode: ``report`` or ``enforce``.
        binding_caps: names of the caps that bind.
        jain: index of the satisfied, weighted dominant shares, in (0, 1]; 1 is equal.
        price_usd_per_hour: what the headroom costs beyond what as much of it costs without
            fairness, see `nodemix.optimizer.fairness.cut`; 0 in ``report``.
    """

    mode: str
    binding_caps: tuple[str, ...]
    jain: float
    price_usd_per_hour: float
    namespaces: tuple[NamespaceShare, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the same pods would cost with another way to choose nodes.

    Args:
        name: e.g. ``karpenter-like``.
        headroom: of spare room it would need, as a share of the pods, to fall short no more often
            than the plan does on the same paths.
        usd_per_hour: None where it finds no place for some pod; ``why`` says so.
        cvar, worst_pool_loss: its risk, as of a plan; None where there are no nodes.
    """

    name: str
    headroom: float
    usd_per_hour: float | None
    nodes: int
    why: str
    cvar: float | None = None
    worst_pool_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Blocker:
    """What keeps nodes as they are and so costs money.

    Args:
        kind: ``PodDisruptionBudget``, ``do-not-disrupt``, ``spread``, ``unsupported``, ...
        subject: the object that says so, e.g. ``shop/PodDisruptionBudget/cart``.
        nodes: names, sorted.
        usd_per_hour: of these nodes; an upper end of what could be saved on them.
    """

    kind: str
    subject: str
    nodes: tuple[str, ...]
    usd_per_hour: float
    remedy: str


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
