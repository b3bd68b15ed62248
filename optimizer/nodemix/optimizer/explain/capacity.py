"""Why a plan has as much room as it has, and as much of it on spot, in sentences."""

from nodemix.optimizer.plan_risk import CapacityChoice, Risk

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
        f"covers {_paths(choice.level)} of the highest demand within "
        f"{_minutes(choice.lead_time_s)} ({_learned_from(choice.boots_seen)}): {_why_level(choice)}"
    )


def _why_level(choice: CapacityChoice) -> str:
    if choice.level > choice.critical_ratio:
        worth = f"{100.0 * choice.critical_ratio:.4g} %"
        return f"{worth} would be worth their cost, but the accepted shortfall asks for more"
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


def _paths(level: float) -> str:
    share = "all" if level >= 1.0 else f"{100.0 * level:.4g} % of the"
    return f"{share} joint paths"


def _minutes(seconds: float) -> str:
    return f"{seconds / SECONDS_PER_MINUTE:.3g} minutes"


def _learned_from(boots: int) -> str:
    return f"learned from {boots} boots of nodes" if boots else "as the policy says"
