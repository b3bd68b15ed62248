"""Whether a plan's risk is accepted, and what to ask of the next one where it is not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.policy import Policy, ServiceLevel
from nodemix.optimizer.problem.safety import Pool, Safety

MARGIN = 0.95
"""Of what is accepted, that a limit asks for: nodes are whole, and vCPUs are not requests."""
LEAST_POOL_SHARE = 0.02
MORE_PLACES = 2.0
"""Places added for each one that lacks in the tail: some go with their pool, some fit nothing."""
MOST_OVER_PROVISION = 0.1
"""Beyond it, less on spot is asked for: places on spot are taken back like the others."""


def starting_safety(policy: Policy) -> Safety:
    """What the policy itself asks for."""
    return Safety(
        level=policy.service_level.critical_ratio, over_provision=policy.spot.over_provision
    )


def complaints(risk: Risk, slo: ServiceLevel, slack: float = 1.0) -> tuple[str, ...]:
    """What the policy does not accept of a plan's risk, with figures and what it accepts.

    Args:
        slack: only what is above so many times the accepted figure counts.
    """
    found = []
    short, accepted = risk.shortfall_probability or 0.0, slo.shortfall_probability
    if short > slack * accepted:
        found.append(f"shortfall probability {short:.3f} is above the accepted {accepted}")
    if slo.max_cvar is not None and risk.cvar > slack * slo.max_cvar:
        found.append(f"CVaR {risk.cvar:.1%} of demand is above the accepted {slo.max_cvar:.1%}")
    if risk.worst_pool_loss > slack * slo.max_pool_loss:
        found.append(
            f"losing one spot pool would leave {risk.worst_pool_loss:.1%} of the requests without "
            f"a place, above the accepted {slo.max_pool_loss:.1%}"
        )
    return tuple(found)


PoolLimits = Callable[[float], Mapping[Pool, int]]
"""Most nodes of the pools that may be too large, for a share of the plan's room."""


def as_chosen_by(risk: Risk) -> Risk:
    """The risk that a choice looks at: a tail that is known roughly counts as heavier.

    What is chosen among several because its tail looks light is likely to have been lucky.
    """
    return replace(risk, cvar=risk.cvar + risk.cvar_standard_error)


def safer(safety: Safety, risk: Risk, slo: ServiceLevel, pool_limits: PoolLimits) -> Safety:
    """What to ask of the next plan, given the risk of this one; the same where all is accepted.

    A tail is looked at once demand alone is covered often enough: until then it is demand that is
    short, and less spot would not help.
    """
    falls_short = (risk.shortfall_probability or 0.0) > slo.shortfall_probability
    is_raised = falls_short and safety.level < 1.0
    if is_raised:
        safety = replace(safety, level=_next_level(safety.level, slo.critical_ratio))
    if risk.worst_pool_loss > slo.max_pool_loss:
        safety = _smaller_pools(safety, risk, slo.max_pool_loss, pool_limits)
    if slo.max_cvar is not None and risk.cvar > slo.max_cvar and not is_raised:
        safety = _thinner_tail(safety, risk, MARGIN * slo.max_cvar)
    return safety


def _next_level(level: float, critical_ratio: float) -> float:
    """The critical ratio, half-way to certainty, the highest path."""
    half_way = (1.0 + critical_ratio) / 2.0
    return half_way if level < half_way else 1.0


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
