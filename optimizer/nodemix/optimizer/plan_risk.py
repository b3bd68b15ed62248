"""What can go wrong with a plan, why it has as much room, and what could be had instead."""

from dataclasses import dataclass

from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.packed import PlacedCost


@dataclass(frozen=True, slots=True)
class PoolRisk:
    """A spot pool of the plan: how often it is hit, and what that would do.

    Args:
        shocks_per_hour: posterior mean, with the 95 % credible interval beside it.
        share_lost: expected share of the pool's nodes that a shock takes.
        loss_if_reclaimed: share of the pods' requests without a place if all its nodes go, by the
            scarcest resource.
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
        demand_cvar: the same while every node stays; what spot adds to it is the difference.
        cvar_error_of_paths: standard error of ``cvar`` because there are few paths of demand.
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
    demand_cvar: float = 0.0
    cvar_error_of_paths: float = 0.0
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
        critical_ratio: c_u / (c_u + c_o), the share of the paths of demand worth covering.
        level: share of the joint paths that the plan covers: what is worth it or what the accepted
            shortfall asks for, and all of them where that fell short too often.
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
        placed: with further nodes for pods that kube-scheduler is expected to find no place for,
            in the policy's placement mode. Today's nodes cost what they cost: no pod moves.
        changes_usd_per_hour: what the changes of nodes cost, at the policy's cost of one.
        nodes_changed: to buy and to let go.
        meets_slo: whether it keeps all that the policy accepts.
    """

    name: str
    pools: tuple[tuple[PoolKey, int], ...]
    usd_per_hour: float
    placed: PlacedCost
    changes_usd_per_hour: float
    risk: Risk
    nodes_changed: int
    meets_slo: bool
    why: str

    @property
    def hosting_usd_per_hour(self) -> float:
        """Of the further nodes that placing its pods takes."""
        return self.placed.usd_per_hour - self.usd_per_hour

    @property
    def expected_usd_per_hour(self) -> float:
        """What options are compared by: money once placed, changes, and what may be lost.

        The latter are interruptions, recourse and shortage. The search compares what it found by
        the same sum (`Candidate.expected_usd_per_hour`), on draws of its own.
        """
        return self.placed.usd_per_hour + self.changes_usd_per_hour + self.risk.usd_per_hour


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A mix of the front of cost and CVaR over pools, before pods are packed.

    Args:
        usd_per_hour: with the expected cost of interruptions.
    """

    usd_per_hour: float
    cvar: float
    nodes_changed: int
