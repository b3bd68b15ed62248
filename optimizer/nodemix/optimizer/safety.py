"""Whether a plan's risk is accepted, and what to ask of the next one where it is not."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.policy import Policy, ServiceLevel
from nodemix.optimizer.problem.safety import Pool, Safety

MARGIN = 0.95
"""Of what is accepted, that a limit asks for: nodes are whole, and vCPUs are not requests."""
LEAST_POOL_SHARE = 0.02
MORE_PLACES = 2.0
"""Places added for each one that lacks in the tail: some go with their pool, some fit nothing."""
MOST_OVER_PROVISION = 0.5
"""Beyond it, less on spot is asked for: places on spot are taken back like the others."""
MOST_STEPS = 20
"""Of a breach; a thousand times what is accepted."""


def starting_safety(policy: Policy) -> Safety:
    """What the policy itself asks for."""
    return Safety(
        level=policy.service_level.covered_share, over_provision=policy.spot.over_provision
    )


@dataclass(frozen=True, slots=True)
class Breach:
    """A figure of a plan's risk above what the policy accepts.

    Args:
        says: with both figures.
    """

    figure: float
    accepted: float
    says: str

    @property
    def steps(self) -> int:
        """How far above, in steps of which two double the figure, at least 1."""
        if self.accepted <= 0.0:
            return MOST_STEPS
        return min(MOST_STEPS, math.ceil(2.0 * math.log2(self.figure / self.accepted)))


def breaches(risk: Risk, slo: ServiceLevel, slack: float = 1.0) -> tuple[Breach, ...]:
    """What the policy does not accept of a plan's risk.

    Args:
        slack: only what is above so many times the accepted figure counts.
    """
    found = []
    short, accepted = risk.shortfall_probability or 0.0, slo.shortfall_probability
    if short > slack * accepted:
        says = f"shortfall probability {short:.3f} is above the accepted {accepted}"
        found.append(Breach(short, accepted, says))
    if slo.max_cvar is not None and risk.cvar > slack * slo.max_cvar:
        says = f"CVaR {risk.cvar:.1%} of demand is above the accepted {slo.max_cvar:.1%}"
        found.append(Breach(risk.cvar, slo.max_cvar, says))
    if risk.worst_pool_loss > slack * slo.max_pool_loss:
        says = (
            f"losing one spot pool would leave {risk.worst_pool_loss:.1%} of the requests without "
            f"a place, above the accepted {slo.max_pool_loss:.1%}"
        )
        found.append(Breach(risk.worst_pool_loss, slo.max_pool_loss, says))
    return tuple(found)


def complaints(risk: Risk, slo: ServiceLevel, slack: float = 1.0) -> tuple[str, ...]:
    """The same in words."""
    return tuple(breach.says for breach in breaches(risk, slo, slack))


PoolLimits = Callable[[float], Mapping[Pool, int]]
"""Most nodes of the pools that may be too large, for a share of the plan's room."""


def as_chosen_by(risk: Risk) -> Risk:
    """The risk that a choice looks at: a tail that is known roughly counts as heavier.

    What is chosen among several because its tail looks light is likely to have been lucky.
    """
    error = max(risk.cvar_standard_error, risk.cvar_error_of_paths)
    return replace(risk, cvar=risk.cvar + error)


def safer(
    safety: Safety,
    risk: Risk,
    slo: ServiceLevel,
    pool_limits: PoolLimits,
    roomier: Callable[[Safety], Safety],
) -> Safety:
    """What to ask of the next plan, given the risk of this one; the same where all is accepted.

    A tail that demand alone makes too heavy asks for room, not for less spot.

    Args:
        roomier: the same with room for more paths of demand.
    """
    falls_short = (risk.shortfall_probability or 0.0) > slo.shortfall_probability
    if falls_short or is_tail_of_demand(risk, slo):
        safety = roomier(safety)
    if risk.worst_pool_loss > slo.max_pool_loss:
        safety = _smaller_pools(safety, risk, slo.max_pool_loss, pool_limits)
    if slo.max_cvar is not None and is_tail_of_spot(risk, slo):
        safety = _thinner_tail(safety, risk, MARGIN * slo.max_cvar)
    return safety


def is_tail_of_demand(risk: Risk, slo: ServiceLevel) -> bool:
    """Whether the tail is too heavy even if the provider takes nothing back."""
    return slo.max_cvar is not None and risk.demand_cvar > slo.max_cvar


def is_tail_of_spot(risk: Risk, slo: ServiceLevel) -> bool:
    """Whether it is reclaims that make the tail too heavy."""
    is_heavy = slo.max_cvar is not None and risk.cvar > slo.max_cvar
    return is_heavy and not is_tail_of_demand(risk, slo)


def _smaller_pools(safety: Safety, risk: Risk, accepted: float, pool_limits: PoolLimits) -> Safety:
    """Limit the pools that may be too large; where the largest had a limit, more tightly."""
    share = min(safety.max_pool_share, MARGIN * accepted)
    worst = risk.pools[0]
    if (worst.instance_type, worst.zone) in dict(safety.pool_limits):
        share *= MARGIN * accepted / risk.worst_pool_loss
    return with_pool_limits(safety, max(LEAST_POOL_SHARE, share), pool_limits)


def with_pool_limits(safety: Safety, share: float, pool_limits: PoolLimits) -> Safety:
    """No pool larger than a share of the room; limits that were tighter stay."""
    former = dict(safety.pool_limits)
    limits = {pool: min(most, former.get(pool, most)) for pool, most in pool_limits(share).items()}
    return replace(
        safety, max_pool_share=share, pool_limits=tuple(sorted({**former, **limits}.items()))
    )


def _thinner_tail(safety: Safety, risk: Risk, wanted: float) -> Safety:
    """A few more places, which cost little on spot; where many would be needed, less on spot."""
    places = safety.over_provision + MORE_PLACES * (risk.cvar - wanted)
    if places <= MOST_OVER_PROVISION:
        return replace(safety, over_provision=places)
    share = min(safety.max_spot_share, risk.spot_share)
    return replace(safety, max_spot_share=share * wanted / risk.cvar)
