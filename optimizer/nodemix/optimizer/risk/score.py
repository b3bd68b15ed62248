"""What can go wrong with a plan, on scenarios that it was not made for."""

from collections.abc import Iterable, Mapping

import numpy as np
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.plan_risk import PoolRisk, Risk
from nodemix.optimizer.problem.interruptions import Interruptions
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem
from nodemix.optimizer.risk.fleet_nodes import FleetNodes
from nodemix.optimizer.risk.outlook import Outlook, alive_nodes
from nodemix.optimizer.snapshot import CapacityType
from scipy.special import gammaincinv

ALPHA = 0.95
HOURS_PER_DAY = 24.0
MOST_SCENARIOS, FEWEST_HIT = 8_000, 400
WORK = 300_000_000
"""Nodes x rows x scenarios in which nodes are lost: less than half a second on one core."""

Offers = Mapping[tuple[str, str, CapacityType], Offer]


def plan_risk(
    nodes: FleetNodes,
    shown: Iterable[PlannedNodes],
    problem: Problem,
    outlook: Outlook,
    interruptions: Interruptions,
    offers: Offers,
    under_cost_ratio: float,
    scenarios: int | None = None,
) -> Risk:
    """The whole risk of a plan.

    Args:
        nodes: of the plan, kept ones included.
        shown: the same nodes in the words of the plan.
        offers: of every pool whose price is known.
        under_cost_ratio: cost of lacking a unit of capacity over the cost of having it.
        scenarios: how many to try; None for as many as half a second allows.
    """
    groups = tuple(shown)
    needed = nodes.with_kept_rows(outlook.needed(problem, nodes.kept_pods))
    calm = nodes.losses(needed, np.ones((len(needed), nodes.nodes), dtype=np.bool_))
    losses, pods = _losses(nodes, needed, calm, outlook, scenarios)
    scenarios = len(losses)
    tail = _tail(losses)
    pools = _pool_risks(nodes, outlook, interruptions, offers)
    low, mean, high = _interruptions_per_day(nodes, outlook)
    on_demand = _on_demand_usd_per_hour(groups, offers)
    recourse = float(losses.mean()) * on_demand
    return Risk(
        shortfall_probability=float(np.mean(calm[1] > 0)) if outlook.has_paths else None,
        **_shares(groups, offers),
        interruptions_per_day=mean,
        interruptions_per_day_low=low,
        interruptions_per_day_high=high,
        joint_shortfall_probability=float(np.mean(pods > 0)),
        cvar=float(tail.mean()),
        cvar_standard_error=_cvar_error(losses, tail),
        demand_cvar=float(_tail(calm[0]).mean()),
        cvar_error_of_paths=_cvar_error_of_paths(losses, tail, len(needed)),
        alpha=ALPHA,
        worst_pool_loss=max((pool.loss_if_reclaimed for pool in pools), default=0.0),
        mean_loss=float(losses.mean()),
        interruption_usd_per_hour=sum(pool.interruption_usd_per_hour for pool in pools),
        on_demand_usd_per_hour=on_demand,
        recourse_usd_per_hour=recourse,
        shortage_usd_per_hour=under_cost_ratio * recourse,
        scenarios=scenarios,
        scenarios_short=int((pods > 0).sum()),
        worst_losses=tuple(tail.tolist()),
        pools=pools,
    )


def _losses(
    nodes: FleetNodes,
    needed: IntArray,
    calm: tuple[FloatArray, IntArray],
    outlook: Outlook,
    scenarios: int | None,
) -> tuple[FloatArray, IntArray]:
    """Share of demand, and pods, without a place in each scenario.

    Where no pool loses a node, only the path of demand matters, and paths are few. So most
    scenarios cost nothing, and there can be many of them.

    Args:
        calm: both for each path, while every node stays.
    """
    surviving = outlook.surviving(nodes.pools, scenarios or MOST_SCENARIOS)
    hit = np.flatnonzero((surviving < 1.0).any(axis=1))
    most = max(FEWEST_HIT, WORK // max(1, nodes.nodes * len(nodes.demand)))
    if scenarios is None and len(hit) > most:
        surviving, hit = surviving[: hit[most]], hit[:most]
    paths = np.arange(len(surviving)) % len(needed)
    share, pods = calm[0][paths], calm[1][paths]
    alive = alive_nodes(surviving[hit], nodes.pool_of_node, outlook.seed)
    share[hit], pods[hit] = nodes.losses(needed[paths[hit]], alive)
    return share, pods


def _tail(losses: FloatArray) -> FloatArray:
    """The worst of them, descending."""
    return np.sort(losses)[::-1][: max(1, round((1.0 - ALPHA) * len(losses)))]


def _cvar_error(losses: FloatArray, tail: FloatArray) -> float:
    """Standard error of the tail's mean, the uncertainty of where the tail begins included.

    Source: Manistre and Hancock, Variance of the CTE estimator, North American Actuarial Journal 9
        (2005).
    """
    count, mean, edge = len(tail), tail.mean(), tail.min()
    variance = tail.var() + (1.0 - count / len(losses)) * (mean - edge) ** 2
    return float(np.sqrt(variance / count))


def _cvar_error_of_paths(losses: FloatArray, tail: FloatArray, paths: int) -> float:
    """Likewise if it is the paths of demand that are few, each in many of the scenarios.

    The influence of each scenario on the tail's mean, summed over those of a path. The tail begins
    above the next smaller loss: a single path may be all of it, and there might have been none.

    Args:
        paths: scenario ``i`` has path ``i`` modulo it.
    """
    if paths < 2:
        return 0.0
    share, mean = len(tail) / len(losses), tail.mean()
    edge = np.sort(losses)[::-1][min(len(tail), len(losses) - 1)]
    influence = edge + np.maximum(losses - edge, 0.0) / share - mean
    of_paths = np.bincount(np.arange(len(losses)) % paths, weights=influence)
    variance = paths / (paths - 1) * (of_paths**2).sum() / len(losses) ** 2
    return float(np.sqrt(variance))


def _shares(groups: tuple[PlannedNodes, ...], offers: Offers) -> dict[str, float]:
    """Shares of vCPUs on spot and in the largest spot pool."""
    by_pool: dict[tuple[str, str, CapacityType], float] = {}
    vcpus = {offer.instance.name: offer.instance.vcpus for offer in offers.values()}
    for group in groups:
        pool = (group.instance_type, group.zone, group.capacity_type)
        own = group.count * vcpus.get(group.instance_type, 0)
        by_pool[pool] = by_pool.get(pool, 0.0) + own
    total = max(1.0, sum(by_pool.values()))
    spot = [share for pool, share in by_pool.items() if pool[2] is CapacityType.SPOT]
    return {"spot_share": sum(spot) / total, "worst_pool_share": max(spot, default=0.0) / total}


def _pool_risks(
    nodes: FleetNodes, outlook: Outlook, interruptions: Interruptions, offers: Offers
) -> tuple[PoolRisk, ...]:
    risks = []
    for pool, count, loss in zip(nodes.pools, nodes.counts(), nodes.pool_losses(), strict=True):
        hazard = outlook.hazard(pool)
        low, high = hazard.interval_per_hour()
        offer = offers.get((pool.instance_type, pool.zone, CapacityType.SPOT))
        usd_per_node = interruptions.usd_per_node(offer) if offer else 0.0
        lost_per_hour = hazard.shocks_per_hour * hazard.share_lost
        risks.append(
            PoolRisk(
                instance_type=pool.instance_type,
                zone=pool.zone,
                nodes=int(count),
                shocks_per_hour=hazard.shocks_per_hour,
                shocks_per_hour_low=low,
                shocks_per_hour_high=high,
                share_lost=hazard.share_lost,
                loss_if_reclaimed=float(loss),
                interruption_usd_per_node=usd_per_node,
                interruption_usd_per_hour=int(count) * lost_per_hour * usd_per_node,
            )
        )
    return tuple(sorted(risks, key=lambda risk: -risk.loss_if_reclaimed))


def _interruptions_per_day(nodes: FleetNodes, outlook: Outlook) -> tuple[float, float, float]:
    """Expected nodes lost a day, between the ends of a 95 % interval for their rate.

    The sum of the pools' gamma laws, by the gamma law with its mean and variance.
    """
    mean = variance = 0.0
    for pool, count in zip(nodes.pools, nodes.counts(), strict=True):
        hazard = outlook.hazard(pool)
        weight = HOURS_PER_DAY * int(count) * hazard.share_lost
        mean += weight * hazard.shape / hazard.hours
        variance += weight**2 * hazard.shape / hazard.hours**2
    if mean <= 0.0:
        return 0.0, 0.0, 0.0
    shape, scale = mean**2 / variance, variance / mean
    low, high = (float(scale * gammaincinv(shape, p)) for p in (0.025, 0.975))
    return low, mean, high


def _on_demand_usd_per_hour(groups: Iterable[PlannedNodes], offers: Offers) -> float:
    """Of the nodes if each were bought on demand; at its own price where that is not sold."""
    total = 0.0
    for group in groups:
        twin = offers.get((group.instance_type, group.zone, CapacityType.ON_DEMAND))
        price = twin.price_usd_per_hour if twin else group.price_usd_per_hour or 0.0
        total += group.count * price
    return total
