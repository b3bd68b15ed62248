"""Limits of a policy on the mix, as linear caps over counts of offers."""

from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.policy import Policy, SpotRules
from nodemix.optimizer.problem.types import BoolArray, FloatArray, OfferCap, Problem

Pool = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KeptShare:
    """What the kept nodes already use of a policy's limits.

    Args:
        spot_vcpus: by (instance type, zone).
    """

    nodes: int = 0
    usd_per_hour: float = 0.0
    vcpus: float = 0.0
    spot_vcpus: tuple[tuple[Pool, float], ...] = ()


def cap_problem(problem: Problem, policy: Policy, kept: KeptShare) -> Problem:
    """The problem with the policy's caps; what kept nodes use is taken off the limits."""
    caps = (
        *_budget(problem, policy, kept),
        *_node_limits(problem, policy, kept),
        *_spot_share(problem, policy.spot, kept),
        *_pool_shares(problem, policy.spot.max_pool_share, kept),
    )
    return replace(problem, caps=caps)


def _budget(problem: Problem, policy: Policy, kept: KeptShare) -> list[OfferCap]:
    if policy.budget_usd_per_hour is None:
        return []
    left = policy.budget_usd_per_hour - kept.usd_per_hour
    return [OfferCap("budget.usdPerHour", problem.price_usd_per_hour.copy(), left)]


def _node_limits(problem: Problem, policy: Policy, kept: KeptShare) -> list[OfferCap]:
    ones = np.ones(len(problem.offers))
    caps = []
    if policy.max_nodes is not None:
        caps.append(OfferCap("maxNodes", ones, float(policy.max_nodes - kept.nodes)))
    if policy.min_nodes is not None and policy.min_nodes > kept.nodes:
        caps.append(OfferCap("minNodes", -ones, float(kept.nodes - policy.min_nodes)))
    return caps


def vcpus_of(problem: Problem) -> FloatArray:
    """VCPUs of each offer, shape (offers,)."""
    return np.array([offer.instance.vcpus for offer in problem.offers], dtype=np.float64)


def spot_mask(problem: Problem) -> BoolArray:
    """Whether each offer is a spot offer, shape (offers,)."""
    return np.array([offer.is_spot for offer in problem.offers], dtype=np.bool_)


def _spot_share(problem: Problem, spot: SpotRules, kept: KeptShare) -> list[OfferCap]:
    """Spot vCPUs <= share x all vCPUs; of the two ways to say it, the tighter."""
    name, share = tightest_spot_share(spot)
    if share >= 1.0:
        return []
    coefficients = vcpus_of(problem) * (spot_mask(problem) - share)
    kept_spot = sum(vcpus for _, vcpus in kept.spot_vcpus)
    return [OfferCap(name, coefficients, share * kept.vcpus - kept_spot)]


def tightest_spot_share(spot: SpotRules) -> tuple[str, float]:
    """The name of the binding rule and the largest share of vCPUs that may be spot."""
    by_minimum = 1.0 - spot.min_on_demand_share
    if by_minimum < spot.max_share:
        return "spot.minOnDemandShare", by_minimum
    return "spot.maxShare", spot.max_share


def _pool_shares(problem: Problem, share: float | None, kept: KeptShare) -> list[OfferCap]:
    if share is None or share >= 1.0:
        return []
    vcpus = vcpus_of(problem)
    taken = dict(kept.spot_vcpus)
    caps = []
    for i in np.flatnonzero(spot_mask(problem)).tolist():
        offer = problem.offers[i]
        coefficients = -share * vcpus
        coefficients[i] += vcpus[i]
        left = share * kept.vcpus - taken.get((offer.instance.name, offer.zone), 0.0)
        name = f"spot.maxPoolShare ({offer.instance.name}/{offer.zone})"
        caps.append(OfferCap(name, coefficients, left))
    return caps
