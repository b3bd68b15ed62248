"""Why a plan has as much room as it has, as much of it on spot, and these pools, in sentences."""

from collections.abc import Iterable

from nodemix.optimizer.plan import PoolChange
from nodemix.optimizer.plan_risk import CapacityChoice, Risk
from nodemix.optimizer.snapshot import CapacityType

SECONDS_PER_MINUTE = 60.0
WORTH_NAMING_SHARE = 0.005
"""What shows as 1 %."""
_NO_FORECAST = "covers today's pods alone: without a demand history nothing is known of more"


def capacity_sentence(choice: CapacityChoice, has_forecast: bool = True) -> str:
    """Which demand is covered, and why that much."""
    sentence = _demand_covered(choice) if has_forecast else _NO_FORECAST
    if choice.over_provision >= WORTH_NAMING_SHARE:
        sentence += (
            f"; {choice.over_provision:.0%} more places for pods that may run on spot, "
            "for nodes that the provider takes back"
        )
    return sentence


def _demand_covered(choice: CapacityChoice) -> str:
    return (
        f"covers the {_quantile(choice.level)} of the highest demand within "
        f"{_minutes(choice.lead_time_s)} ({_learned_from(choice.boots_seen)}): {_why_level(choice)}"
    )


def _why_level(choice: CapacityChoice) -> str:
    ratio = _quantile(choice.critical_ratio)
    if choice.level > choice.critical_ratio:
        return f"the {ratio} would be worth its cost, but fell short too often on fresh paths"
    odds = choice.critical_ratio / (1.0 - choice.critical_ratio)
    return f"lacking a place costs {odds:.3g} times as much as having one too many"


def share_sentence(choice: CapacityChoice, risk: Risk) -> str:
    """How much is on spot and what would be lost with it, against what was allowed."""
    if risk.spot_share <= 0.0:
        return "nothing is on spot" + (", the limit is 0 %" if choice.max_spot_share <= 0 else "")
    limit = _limit(risk.spot_share, choice.max_spot_share)
    pool_limit = "" if choice.max_pool_share is None else f" of {choice.max_pool_share:.0%} allowed"
    return (
        f"{risk.spot_share:.0%} of the vCPUs are on spot{limit}, at most "
        f"{risk.worst_pool_share:.0%} in one pool{pool_limit}; without the worst pool "
        f"{risk.worst_pool_loss:.0%} of the requests would have no place, and in the worst "
        f"{1.0 - risk.alpha:.0%} of scenarios {risk.cvar:.1%} of the demand"
    )


def _limit(share: float, most: float) -> str:
    if most >= 1.0:
        return ""
    binds = ", which binds" if share > most - WORTH_NAMING_SHARE else ""
    return f" of {most:.0%} allowed{binds}"


def pool_sentence(pool: PoolChange) -> str | None:
    """Why this pool and not the next best one; None where there is no other."""
    other = pool.margins.runner_up if pool.margins else None
    if other is None or pool.price_usd_per_hour is None:
        return None
    place = _pool(other.instance_type, other.zone, other.capacity_type)
    return (
        f"{_pool(*pool.key)} at {pool.price_usd_per_hour:.4f} $/h rather than {place} at "
        f"{other.price_usd_per_hour:.4f} $/h, which would win below "
        f"{other.break_even_usd_per_hour:.4f} $/h"
    )


def pool_sentences(pools: Iterable[PoolChange], most: int = 3) -> tuple[str, ...]:
    """Of the pools with most nodes that have a runner-up."""
    largest = sorted(pools, key=lambda pool: (-pool.nodes_plan, pool.key))
    return tuple(filter(None, map(pool_sentence, largest)))[:most]


def _pool(instance_type: str, zone: str, capacity_type: CapacityType) -> str:
    return f"{instance_type} {capacity_type} in {zone}"


def _quantile(level: float) -> str:
    return "highest path" if level >= 1.0 else f"{100.0 * level:.4g} % quantile"


def _minutes(seconds: float) -> str:
    return f"{seconds / SECONDS_PER_MINUTE:.3g} minutes"


def _learned_from(boots: int) -> str:
    return f"learned from {boots} boots of nodes" if boots else "as the policy says"
