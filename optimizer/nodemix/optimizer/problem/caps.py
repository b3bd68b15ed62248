"""Limits of a policy on the mix, as linear caps over counts of offers."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.policy import Commitment, Policy, Quota, SpotRules
from nodemix.optimizer.problem.churn import InPlace
from nodemix.optimizer.problem.quotas import quota_use
from nodemix.optimizer.problem.safety import Pool, Safety
from nodemix.optimizer.problem.types import BoolArray, FloatArray, OfferCap, Problem

Group = TypeVar("Group", bound=Hashable)


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
    problem: Problem,
    policy: Policy,
    kept: KeptShare,
    in_place: Iterable[InPlace] = (),
    safety: Safety | None = None,
) -> Problem:
    """The problem with the policy's caps; what kept nodes use is taken off the limits.

    Args:
        safety: what is asked beyond the policy; None for nothing.

    Offers that exist in a limited number, because they are committed to or run already, are capped
    too.
    """
    safety = safety or Safety()
    caps = (
        *_budget(problem, policy, kept),
        *_node_limits(problem, policy, kept),
        *_spot_share(problem, policy.spot, safety, kept),
        *_pool_shares(problem, policy.spot.max_pool_share, kept),
        *_group_shares(problem, policy.spot, kept),
        *_safe_pools(problem, safety, kept),
        *_resting(problem, safety, kept),
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


def _spot_share(
    problem: Problem, spot: SpotRules, safety: Safety, kept: KeptShare
) -> Iterator[OfferCap]:
    """Spot vCPUs <= share x all vCPUs: the policy's, and a tighter one that safety asks for."""
    own = tightest_spot_share(spot)
    asked = ("slo.maxCvar", safety.max_spot_share)
    kept_spot = sum(vcpus for _, vcpus in kept.spot_vcpus)
    for name, share in (own, asked) if asked[1] < own[1] else (own,):
        if share < 1.0:
            coefficients = vcpus_of(problem) * (spot_mask(problem) - share)
            yield OfferCap(name, coefficients, share * kept.vcpus - kept_spot)


def tightest_spot_share(spot: SpotRules) -> tuple[str, float]:
    """The name of the binding rule and the largest share of vCPUs that may be spot."""
    by_minimum = 1.0 - spot.min_on_demand_share
    if by_minimum < spot.max_share:
        return "spot.minOnDemandShare", by_minimum
    return "spot.maxShare", spot.max_share


def _pool_shares(problem: Problem, share: float | None, kept: KeptShare) -> Iterator[OfferCap]:
    if share is not None and share < 1.0:
        pools = _spot_offers_by(problem, _place)
        taken = dict(kept.spot_vcpus)
        for pool, offers in pools.items():
            name = f"spot.maxPoolShare ({'/'.join(pool)})"
            yield _share_of_vcpus(problem, name, offers, share, kept, taken.get(pool, 0.0))


def _group_shares(problem: Problem, spot: SpotRules, kept: KeptShare) -> Iterator[OfferCap]:
    """Spot nodes of a family, and of a zone."""
    families = {offer.instance.name: offer.instance.family for offer in problem.offers}
    if (share := spot.max_family_share) is not None and share < 1.0:
        taken = defaultdict[str, float](float)
        for (instance, _), vcpus in kept.spot_vcpus:
            taken[families.get(instance, instance.partition(".")[0])] += vcpus
        for family, offers in _spot_offers_by(problem, lambda o: o.instance.family).items():
            name = f"spot.maxFamilyShare ({family})"
            yield _share_of_vcpus(problem, name, offers, share, kept, taken[family])
    if (share := spot.max_zone_share) is not None and share < 1.0:
        taken = defaultdict[str, float](float)
        for (_, zone), vcpus in kept.spot_vcpus:
            taken[zone] += vcpus
        for zone, offers in _spot_offers_by(problem, lambda o: o.zone).items():
            name = f"spot.maxZoneShare ({zone})"
            yield _share_of_vcpus(problem, name, offers, share, kept, taken[zone])


def _spot_offers_by(problem: Problem, group_of: Callable[[Offer], Group]) -> dict[Group, list[int]]:
    groups: dict[Group, list[int]] = {}
    for i in np.flatnonzero(spot_mask(problem)).tolist():
        groups.setdefault(group_of(problem.offers[i]), []).append(i)
    return groups


def _share_of_vcpus(
    problem: Problem,
    name: str,
    offers: list[int],
    share: float,
    kept: KeptShare,
    kept_vcpus: float,
) -> OfferCap:
    """VCPUs of the offers <= share x all vCPUs."""
    vcpus = vcpus_of(problem)
    coefficients = -share * vcpus
    coefficients[offers] += vcpus[offers]
    return OfferCap(name, coefficients, share * kept.vcpus - kept_vcpus)


def _safe_pools(problem: Problem, safety: Safety, kept: KeptShare) -> Iterator[OfferCap]:
    """The pools that were found too large for the accepted loss."""
    taken = dict(kept.spot_vcpus)
    limits = dict(safety.pool_limits)
    for pool, offers in _spot_offers_by(problem, _place).items():
        if pool in limits:
            own = np.zeros(len(problem.offers))
            own[offers] = 1.0
            running = taken.get(pool, 0.0) / problem.offers[offers[0]].instance.vcpus
            most = max(0.0, limits[pool] - running)
            yield OfferCap(f"slo.maxPoolLoss ({'/'.join(pool)})", own, most)


def _place(offer: Offer) -> Pool:
    return offer.instance.name, offer.zone


def _resting(problem: Problem, safety: Safety, kept: KeptShare) -> Iterator[OfferCap]:
    """No return to pools that a plan went away from, beyond the nodes that are still there."""
    taken = dict(kept.spot_vcpus)
    for pool, running in safety.resting:
        own = [i for i, offer in enumerate(problem.offers) if offer.key == pool]
        if own:
            offer = problem.offers[own[0]]
            stay = taken.get(_place(offer), 0.0) / offer.instance.vcpus if offer.is_spot else 0.0
            coefficients = np.zeros(len(problem.offers))
            coefficients[own] = 1.0
            most = max(0.0, running - stay)
            yield OfferCap(f"churn.noReturnHours ({'/'.join(pool)})", coefficients, most)


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
