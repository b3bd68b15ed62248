"""The plan and what could be had instead: cheaper, safer, or with fewer changes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nodemix.optimizer.candidate import Candidate
from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.packed import Packing, PlacedCost
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.plan_risk import PlanOption
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.churn import new_nodes
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.risk.outlook import Outlook
from nodemix.optimizer.safety import LEAST_POOL_SHARE, complaints, with_pool_limits
from nodemix.optimizer.setting import Setting
from nodemix.optimizer.today import Today

if TYPE_CHECKING:  # compiled kernels
    from nodemix.optimizer.explain.placed import Placer

SAFER_CVAR_SHARE, SAFER_POOL_SHARE = 0.5, 0.6
"""What the safer alternative asks for, as shares of what the plan itself risks."""

DEAR_RISK = 0.25
"""Share of the money of a plan, above which what it risks is worth buying off."""

LEAST_DIFFERENCE = 1e-6
"""Relative; alternatives that are cheaper or safer by less are no choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Offered:
    """Nodes that could be had, before they are an option.

    Args:
        kept: nodes outside of the problem.
        usd_per_hour: money of all of them.
        is_today: nothing is changed, so that no pod needs a new place.
    """

    name: str
    built: BuiltProblem
    packing: Packing
    kept: tuple[PlannedNodes, ...]
    usd_per_hour: float
    why: str
    is_today: bool = False


def much_safer(candidate: Candidate, policy: Policy) -> Safety:
    """Half the tail and smaller pools than a plan has; where its risk is dear, nothing on spot."""
    safety, risk = candidate.safety, candidate.risk
    share = min(safety.max_pool_share, SAFER_POOL_SHARE * risk.worst_pool_share)
    places = safety.over_provision + (1.0 - SAFER_CVAR_SHARE) * risk.cvar
    if candidate.risk.usd_per_hour > DEAR_RISK * candidate.money_usd_per_hour():
        return replace(safety, max_spot_share=0.0, over_provision=policy.spot.over_provision)
    wanted = replace(safety, over_provision=places)
    return with_pool_limits(wanted, max(LEAST_POOL_SHARE, share), candidate.pool_limits)


def plan_options(
    setting: Setting,
    chosen: Candidate,
    other: Candidate | None,
    today: Today,
    outlook: Outlook,
    placer: "Placer",
    *,
    keeps_today: bool,
) -> tuple[PlanOption, ...]:
    """The plan as ``chosen``, and up to three others, by ascending cost before placing.

    Args:
        other: made for more safety, or for less; None where there is none.
        outlook: with scenarios that nothing was chosen on.
        placer: says what each of those that are shown costs once placed.
        keeps_today: the plan is to change nothing.
    """
    plan = _bought("chosen", chosen, chosen.result.packing, "the cheapest plan found")
    cost = chosen.built.current_usd_per_hour
    as_today = replace(chosen.built, problem=today.problem)
    why = "today's nodes stay"
    now = Offered("chosen", as_today, today.packing, today.kept, cost, why, is_today=True)
    proposed = now if keeps_today else plan
    first = _honest(to_option(setting, proposed, outlook))
    others = [
        (offered, to_option(setting, offered, outlook))
        for offered in _others(chosen, other, plan, now, today, keeps_today=keeps_today)
    ]
    shown = [(proposed, first), *(pair for pair in others if _is_a_choice(first, pair[1]))]
    options = [
        replace(option, placed=_placed(offered, setting.policy, placer))
        for offered, option in shown
    ]
    told = (_told_if_dear(option, options[0]) for option in options)
    return tuple(sorted(told, key=lambda option: option.usd_per_hour))


def _honest(chosen: PlanOption) -> PlanOption:
    if chosen.meets_slo:
        return chosen
    return replace(chosen, why=f"{chosen.why}; none was found that keeps all that is accepted")


def _told_if_dear(option: PlanOption, chosen: PlanOption) -> PlanOption:
    """Say so where placing takes what a cheaper one would save."""
    if option.name != "cheaper" or option.placed.usd_per_hour < chosen.placed.usd_per_hour:
        return option
    return replace(option, why=f"{option.why}; no cheaper once its pods are placed")


def _others(
    chosen: Candidate,
    other: Candidate | None,
    plan: Offered,
    now: Offered,
    today: Today,
    *,
    keeps_today: bool,
) -> Iterator[Offered]:
    """What may be worth showing beside the plan."""
    is_bolder = other is not None and other.risk.cvar > chosen.risk.cvar
    if keeps_today:
        yield replace(plan, name="cheaper", why="the cheapest plan found, for a small saving")
    elif is_bolder and other is not None:
        yield _bought("cheaper", other, other.result.packing, "less money, and more at risk")
    elif chosen.frugal is not None:
        why = "the least money on paper, whatever reclaims and placing cost"
        yield _bought("cheaper", chosen, chosen.frugal, why)
    if other is not None and not is_bolder:
        yield _bought("safer", other, other.result.packing, _why_safer(other))
    if not keeps_today:
        yield from _steadier(chosen, now, today)


def _why_safer(candidate: Candidate) -> str:
    if candidate.safety.max_spot_share <= 0.0:
        return "nothing on spot"
    return "smaller pools and more room, found without a look at placing"


def _steadier(chosen: Candidate, now: Offered, today: Today) -> Iterator[Offered]:
    """Today's nodes where they do, else the alternative that changes fewest nodes."""
    if today.holds_everything:
        yield replace(now, name="steadier")
        return
    built = chosen.built
    packings = [alternative.packing for alternative in chosen.result.alternatives]
    if packings:
        fewest = min(packings, key=lambda packing: nodes_changed(built, packing, built.kept))
        yield _bought("steadier", chosen, fewest, "fewer nodes change")


def _bought(name: str, candidate: Candidate, packing: Packing, why: str) -> Offered:
    """A packing of the candidate's problem, beside the nodes that are kept."""
    cost = candidate.money_usd_per_hour(packing)
    return Offered(name, candidate.built, packing, candidate.built.kept, cost, why)


def _is_a_choice(chosen: PlanOption, other: PlanOption) -> bool:
    """Whether it is better than the plan in what its name says."""
    tolerance = 1.0 - LEAST_DIFFERENCE
    match other.name:
        case "cheaper":
            return other.usd_per_hour < tolerance * chosen.usd_per_hour
        case "safer":
            mine, its = chosen.risk, other.risk
            return its.cvar < tolerance * mine.cvar or (
                its.worst_pool_loss < tolerance * mine.worst_pool_loss
            )
        case _:
            return other.nodes_changed < chosen.nodes_changed


def to_option(setting: Setting, offered: Offered, outlook: Outlook) -> PlanOption:
    """Cost and risk of nodes that could be had, as if each pod found its place."""
    problem, packing, policy = offered.built.problem, offered.packing, setting.policy
    risk = setting.risk(problem, packing, offered.kept, outlook)
    return PlanOption(
        name=offered.name,
        pools=tuple(sorted(pool_counts(offered.built, packing, offered.kept).items())),
        usd_per_hour=offered.usd_per_hour,
        placed=PlacedCost.certain(policy.placement, offered.usd_per_hour),
        changes_usd_per_hour=_changes(offered, policy),
        risk=risk,
        nodes_changed=nodes_changed(offered.built, packing, offered.kept),
        meets_slo=not complaints(risk, policy.service_level),
        why=offered.why,
    )


def _placed(offered: Offered, policy: Policy, placer: "Placer") -> PlacedCost:
    """What it costs once its pods are placed in the policy's mode."""
    if offered.is_today:
        return PlacedCost.certain(policy.placement, offered.usd_per_hour)
    return placer.cost(offered.built.problem, offered.packing, offered.usd_per_hour)


def _changes(offered: Offered, policy: Policy) -> float:
    if nodes_changed(offered.built, offered.packing, offered.kept) == 0:
        return 0.0
    return new_nodes(offered.built.problem, offered.packing) * policy.churn.usd_per_node_hour


def pool_counts(
    built: BuiltProblem, packing: Packing, kept: Iterable[PlannedNodes]
) -> Counter[PoolKey]:
    """Nodes of each pool."""
    counts: Counter[PoolKey] = Counter()
    for packed in packing.nodes:
        counts[built.problem.offers[packed.offer].key] += packed.count
    for group in kept:
        counts[group.instance_type, group.zone, group.capacity_type] += group.count
    return counts


def nodes_changed(built: BuiltProblem, packing: Packing, kept: Iterable[PlannedNodes]) -> int:
    """Nodes to buy and to let go.

    Args:
        kept: nodes beside the packing; those that the problem keeps are among them.
    """
    plan = pool_counts(built, packing, kept)
    now = pool_counts(built, Packing((), 0.0), built.kept)
    for current in built.current:
        node = current.node
        now[node.instance_type or "unknown", node.zone or "unknown", node.capacity_type] += 1
    return sum(abs(plan[pool] - now[pool]) for pool in {*plan, *now})
