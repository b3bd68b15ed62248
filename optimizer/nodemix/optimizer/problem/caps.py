"""Limits of a policy on the mix, as linear caps over counts of offers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.policy import Commitment, Policy, Quota, SpotRules
from nodemix.optimizer.problem.churn import InPlace
from nodemix.optimizer.problem.quotas import quota_use
from nodemix.optimizer.problem.types import BoolArray, FloatArray, OfferCap, Problem

Pool = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KeptShare:
    """What the kept nodes already use of a policy's limits.

    Args:
        spot_vcpus: by (instance type, zone).
        quotas: (name, what they use of it).
        terms: (name of a commitment, nodes under it).
    """

    nodes: int = 0
    usd_per_hour: float = 0.0
    vcpus: float = 0.0
    spot_vcpus: tuple[tuple[Pool, float], ...] = ()
    quotas: tuple[tuple[str, float], ...] = ()
    terms: tuple[tuple[str, int], ...] = ()


def cap_problem(
    problem: Problem, policy: Policy, kept: KeptShare, in_place: Iterable[InPlace] = ()
) -> Problem:
    """The problem with the policy's caps; what kept nodes use is taken off the limits.

    Offers that exist in a limited number, because they are committed to or run already, are capped
    too.
    """
    caps = (
        *_budget(problem, policy, kept),
        *_node_limits(problem, policy, kept),
        *_spot_share(problem, policy.spot, kept),
        *_pool_shares(problem, policy.spot.max_pool_share, kept),
        *_quotas(problem, policy.quotas, dict(kept.quotas)),
        *_commitments(problem, policy.commitments, dict(kept.terms)),
        *_in_place(problem, in_place),
    )
    return replace(problem, caps=caps)


def _budget(problem: Problem, policy: Policy, kept: KeptShare) -> list[OfferCap]:
    if policy.budget_usd_per_hour is None:
        return []
    left = policy.budget_usd_per_hour - kept.usd_per_hour
    return [OfferCap("budget.usdPerHour", problem.money_usd_per_hour, left)]


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
    pools: dict[Pool, list[int]] = {}
    for i in np.flatnonzero(spot_mask(problem)).tolist():
        offer = problem.offers[i]
        pools.setdefault((offer.instance.name, offer.zone), []).append(i)
    caps = []
    for pool, offers in pools.items():
        coefficients = -share * vcpus
        coefficients[offers] += vcpus[offers]
        left = share * kept.vcpus - taken.get(pool, 0.0)
        caps.append(OfferCap(f"spot.maxPoolShare ({'/'.join(pool)})", coefficients, left))
    return caps


def _quotas(
    problem: Problem, quotas: Iterable[Quota], kept: Mapping[str, float]
) -> Iterator[OfferCap]:
    """Nodes that stay may use more than a quota allows; then nothing more of it is bought."""
    for quota in quotas:
        use = [quota_use(quota, offer) for offer in problem.offers]
        left = max(0.0, quota.limit - kept.get(quota.name, 0.0))
        if any(use):
            yield OfferCap(f"quotas ({quota.name})", np.array(use, dtype=np.float64), left)


def commitment_cap(name: str) -> str:
    """The cap on the nodes under a commitment."""
    return f"commitments ({name})"


def _commitments(
    problem: Problem, commitments: Iterable[Commitment], kept: Mapping[str, int]
) -> Iterator[OfferCap]:
    for commitment in commitments:
        own = np.array([offer.terms == commitment.name for offer in problem.offers], np.float64)
        left = float(commitment.count - kept.get(commitment.name, 0))
        if own.any():
            yield OfferCap(commitment_cap(commitment.name), own, left)


def _in_place(problem: Problem, groups: Iterable[InPlace]) -> Iterator[OfferCap]:
    for group in groups:
        own = np.array([o.is_in_place and o in group.offers for o in problem.offers], np.float64)
        if own.any():
            yield OfferCap(str(group), own, float(len(group.names)), is_rule=False)
