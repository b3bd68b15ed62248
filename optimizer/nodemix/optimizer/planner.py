"""From an observed cluster and a forecast to a recommendation. No I/O."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer.candidate import Candidate, nodes_by_offer
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.choice import Found, choose
from nodemix.optimizer.deadline import Clock, Deadline
from nodemix.optimizer.explain.baseline import Kept, karpenter_like
from nodemix.optimizer.explain.blockers import blockers
from nodemix.optimizer.explain.capacity import capacity_sentence
from nodemix.optimizer.explain.margins import pool_margins
from nodemix.optimizer.explain.placing import lost_saving_note, placing_note
from nodemix.optimizer.explain.pools import pool_changes, with_margins
from nodemix.optimizer.explain.prices import resource_prices
from nodemix.optimizer.explain.savings import saving_sources
from nodemix.optimizer.explain.sentences import reasons
from nodemix.optimizer.explain.steering import planned_steering
from nodemix.optimizer.explain.terms import (
    churn_cost,
    commitment_uses,
    committed_in,
    money_bound_of,
)
from nodemix.optimizer.explain.types import Baseline, RuleCost
from nodemix.optimizer.options import plan_options
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan import (
    ChurnCost,
    PlacedCosts,
    PlannedNodes,
    Recommendation,
    WorkloadDemand,
)
from nodemix.optimizer.plan_risk import CapacityChoice, FrontPoint, PlanOption, Risk
from nodemix.optimizer.planned import planned_nodes
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.caps import tightest_spot_share
from nodemix.optimizer.problem.scope import in_scope
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.risk.fleet_nodes import kept_pods
from nodemix.optimizer.risk.shortfall import shortfall_probability
from nodemix.optimizer.safety import complaints
from nodemix.optimizer.setting import Setting, first_safety, setting_of
from nodemix.optimizer.snapshot import Note, Snapshot
from nodemix.optimizer.today import Today, nodes_of_today, today_of

if TYPE_CHECKING:  # compiled kernels
    from nodemix.optimizer.explain.placed import Placer

FRONT_SHARE, BASELINE_SHARE = 0.06, 0.06
"""Of the time, for the front over pools, and for what Karpenter would do."""

RULES_SHARE = 0.06
"""Likewise, beside the search, for what rules cost; none of it is used where there are no rules."""

KEPT_SLACK = 1.1
"""By how much the risk of today's nodes may be above what is accepted before they have to change;
estimates vary, and a cluster should not change back and forth with them."""

SAFETY_CAPS = ("slo.", "churn.")
"""How the names of caps begin that a policy does not set itself."""

TOLERANCE_USD_PER_HOUR = 1e-9
"""Prices within this are the same price."""


def decide(
    snapshot: Snapshot,
    forecast: DemandForecast | None,
    policy: Policy,
    catalog: Catalog,
    rng: np.random.Generator,
    clock: Clock,
    warm: WarmStart | None = None,
    beliefs: Beliefs | None = None,
) -> Recommendation:
    """The cheapest mix found that holds today's pods and the demand to expect, and why.

    Args:
        forecast: joint paths of demand; series are named like workloads
            (``namespace/Kind/name``). None plans for the requests as they are.
        catalog: every offer whose price is known; the policy's filter says which may be bought.
        clock: seconds, monotonic; bounds the search together with ``policy.search_s``.
        warm: what the last decision of this policy left (`Recommendation.warm`).
        beliefs: what was learned of spot pools, boot times and former moves; None knows the
            catalog's rates alone.

    Raises:
        EmptyCatalogError: no offer passes the policy's filter.
        InfeasiblePlanError: the policy's caps leave no plan.
    """
    started_s = clock()
    beliefs = beliefs or Beliefs()
    snapshot = in_scope(snapshot, policy.selector)
    setting = setting_of(snapshot, forecast, policy, catalog, beliefs, rng)
    deadline = Deadline.after(clock, policy.search_s)
    from nodemix.optimizer.explain.placed import (  # noqa: PLC0415 - compiled kernels
        Placer,
        draw_time_s,
    )

    draws_s = draw_time_s(policy.search_s, len(snapshot.pods))
    until = deadline.within((1.0 - FRONT_SHARE - BASELINE_SHARE) * policy.search_s - draws_s)
    found = choose(setting, first_safety(setting, beliefs), until, rng, warm)
    placer = Placer(policy.placement, int(rng.integers(2**62)), clock, policy.search_s)
    recommendation = _recommend(setting, found, placer, deadline, rng)
    built = found.chosen.built
    recommendation = replace(
        recommendation,
        capacity=_capacity(setting, found.chosen, beliefs),
        fairness=found.cut.fairness if found.cut else None,
        baseline=_baseline(setting, found.chosen, placer),
        blockers=blockers(snapshot, built, policy.selector, _let_go(recommendation, built)),
        rule_costs=_rule_costs(setting, found.chosen, clock),
        demand=_demand(built, setting),
        assumptions=(*built.assumptions, *_forecast_assumption(forecast)),
        notes=(
            *recommendation.notes,
            *placing_note(recommendation),
            *_cut_notes(found),
            *_forecast_notes(forecast),
        ),
        forecast_model=_models(forecast),
        warm=found.chosen.result.warm,
    )
    return replace(recommendation, reasons=reasons(recommendation), seconds=clock() - started_s)


def _cut_notes(found: Found) -> tuple[Note, ...]:
    return (found.cut.note,) if found.cut else ()


def _rule_costs(setting: Setting, candidate: Candidate, clock: Clock) -> tuple[RuleCost, ...]:
    """What the rules of workloads cost that the plan keeps."""
    from nodemix.optimizer.explain.rule_costs import rule_costs  # noqa: PLC0415 - kernels

    until = Deadline.after(clock, RULES_SHARE * setting.policy.search_s)
    return rule_costs(setting.survey, candidate.safety, candidate.built, candidate.result, until)


def _let_go(recommendation: Recommendation, built: BuiltProblem) -> frozenset[str]:
    """Names of the movable nodes that the plan does without."""
    if not recommendation.is_change:
        return frozenset()
    going_on = {name for group in recommendation.nodes for name in group.in_place}
    return frozenset(node.name for node in built.movable if node.name not in going_on)


def _baseline(setting: Setting, candidate: Candidate, placer: "Placer") -> Baseline | None:
    """What Karpenter's way to choose nodes would cost, as safe as the plan on the same paths."""
    built, outlook = candidate.built, setting.outlook
    problem = built.problem
    kept = Kept(sum(group.count for group in built.kept), built.kept_usd_per_hour)
    needed = outlook.needed(problem, kept_pods(built.kept))
    shortfall = partial(shortfall_probability, problem, needed=needed)
    until = Deadline.after(placer.clock, BASELINE_SHARE * setting.policy.search_s)

    def judged(baseline: Baseline, packing: Packing) -> Baseline:
        risk = setting.risk(problem, packing, built.kept, outlook)
        placed = placer.cost(problem, packing, baseline.usd_per_hour or 0.0)
        return replace(
            baseline,
            cvar=risk.cvar,
            worst_pool_loss=risk.worst_pool_loss,
            placed_usd_per_hour=placed.usd_per_hour,
        )

    return karpenter_like(
        problem,
        np.array(built.rows_now, dtype=np.int64),
        until,
        shortfall if outlook.has_paths else None,
        candidate.risk.shortfall_probability or 0.0,
        kept,
        judged,
        buys_spot=tightest_spot_share(setting.policy.spot)[1] > 0.0,
    )


def _recommend(
    setting: Setting,
    found: Found,
    placer: "Placer",
    deadline: Deadline,
    rng: np.random.Generator,
) -> Recommendation:
    """Propose the packing, or today's nodes where a change is not worth its trouble."""
    policy, candidate = setting.policy, found.chosen
    built, result = candidate.built, candidate.result
    plan_usd_per_hour = candidate.money_usd_per_hour()
    bound = max(money_bound_of(built, built.problem, result), candidate.money_bound_usd_per_hour)
    bound += built.kept_usd_per_hour
    today = today_of(built)
    keep_now, is_lost = _keeps_today(setting, candidate, today)
    if keep_now:
        nodes = nodes_of_today(setting.snapshot, setting.catalog, built)
        cost = built.current_usd_per_hour
        # Today's nodes may be roomier than the catalog says; a bound above their cost proves
        # nothing about them, and only the cost of the untouched nodes remains certain.
        bound = bound if bound <= cost + TOLERANCE_USD_PER_HOUR else built.kept_usd_per_hour
    else:
        nodes = (*planned_nodes(built, result), *built.kept)
        cost = plan_usd_per_hour
    pools = pool_changes(setting.snapshot.nodes, nodes, setting.catalog, committed_in(built))
    prices = resource_prices(built.problem, result)
    outlook = replace(setting.outlook, seed=int(rng.integers(2**62)))
    front = _front(setting, candidate, deadline, rng)
    placed = None if keep_now else _placed(placer, candidate, deadline)
    options = plan_options(
        setting, candidate, found.other, today, outlook, placer, keeps_today=keep_now
    )
    chosen = next(option for option in options if option.name == "chosen")
    return Recommendation(
        policy=policy.name,
        made_at_s=setting.snapshot.taken_at_s,
        is_change=not keep_now,
        nodes=nodes,
        pools=pools if keep_now else with_margins(pools, pool_margins(built.problem, result)),
        current_usd_per_hour=built.current_usd_per_hour,
        plan_usd_per_hour=cost,
        lower_bound_usd_per_hour=min(bound, cost),
        risk=chosen.risk,
        prices=prices,
        savings=None if keep_now else saving_sources(built, result, prices, setting.catalog),
        commitments=commitment_uses(built, nodes),
        churn=_churn(setting, candidate, nodes, cost, chosen.risk),
        options=options,
        front=front,
        placed=placed,
        steering=None
        if keep_now
        else planned_steering(built.problem, result.packing, policy.placement),
        unplaceable=built.unplaceable,
        notes=_notes(candidate, chosen, policy, is_lost=is_lost),
    )


def _churn(
    setting: Setting,
    candidate: Candidate,
    nodes: tuple[PlannedNodes, ...],
    usd_per_hour: float,
    risk: Risk,
) -> ChurnCost | None:
    """What the changes cost, beside the bound on what they are weighed with."""
    bound = _bound_on_expected_cost(setting, candidate)
    interruptions, rules = risk.interruption_usd_per_hour, setting.policy.churn
    return churn_cost(candidate.built, bound, nodes, usd_per_hour, interruptions, rules)


def _notes(
    candidate: Candidate, chosen: PlanOption, policy: Policy, *, is_lost: bool
) -> tuple[Note, ...]:
    """What was left out, what is risked beyond what is accepted, and what placing eats."""
    money, hosting = candidate.money_usd_per_hour(), candidate.hosting_usd_per_hour
    lost = lost_saving_note(policy, money, hosting, is_lost=is_lost)
    return (*candidate.built.notes, *_risk_notes(chosen, policy), *lost)


def _bound_on_expected_cost(setting: Setting, candidate: Candidate) -> float:
    """No packing's money, changes and interruptions are below it.

    Where a return to a pool is held back, the search counts more than is expected, and only its
    bound on money says something of that.
    """
    if setting.interruptions.recently_hit:
        return candidate.money_bound_usd_per_hour
    return candidate.result.lower_bound_usd_per_hour


def _breaks_more(today: Today, risk: Risk, candidate: Candidate, policy: Policy) -> bool:
    """Whether today's nodes break more of what the policy asks for than the plan does."""
    slo = policy.service_level
    broken = (*complaints(risk, slo, KEPT_SLACK), *_limits_of_policy(today))
    return len(broken) > len(complaints(candidate.risk, slo))


def _limits_of_policy(today: Today) -> list[str]:
    """Those that today's nodes break; what is only asked for safety shows in their risk."""
    return [name for name in today.broken_rules if not name.startswith(SAFETY_CAPS)]


def _front(
    setting: Setting, candidate: Candidate, deadline: Deadline, rng: np.random.Generator
) -> tuple[FrontPoint, ...]:
    """The front over pools, for the time that is left beside the draws."""
    from nodemix.optimizer.risk.mix import cost_cvar_front  # noqa: PLC0415 - heavy

    built = candidate.built
    until = Deadline.after(deadline.clock, FRONT_SHARE * setting.policy.search_s)
    return cost_cvar_front(
        built.problem,
        candidate.result.packing,
        setting.outlook,
        nodes_by_offer(built),
        kept_pods(built.kept),
        until,
        rng,
    )


def _capacity(setting: Setting, candidate: Candidate, beliefs: Beliefs) -> CapacityChoice:
    """Why there is so much room."""
    safety, policy = candidate.safety, setting.policy
    shares = [policy.spot.max_pool_share, safety.max_pool_share if safety.pool_limits else None]
    limits = [share for share in shares if share is not None]
    choice = CapacityChoice(
        critical_ratio=policy.service_level.critical_ratio,
        level=safety.level,
        over_provision=safety.over_provision,
        lead_time_s=setting.outlook.lead_time_s,
        boots_seen=len(beliefs.boots.seconds),
        max_pool_share=min(limits, default=None),
        max_spot_share=min(safety.max_spot_share, tightest_spot_share(policy.spot)[1]),
        why="",
    )
    return replace(choice, why=capacity_sentence(choice, setting.outlook.has_paths))


def _placed(placer: "Placer", candidate: Candidate, deadline: Deadline) -> PlacedCosts:
    """What the plan costs once its pods are placed."""
    problem, packing = candidate.built.problem, candidate.result.packing
    usd_per_hour = candidate.money_usd_per_hour()
    return PlacedCosts(placer.mode, placer.by_mode(problem, packing, usd_per_hour, deadline))


def _keeps_today(setting: Setting, candidate: Candidate, today: Today) -> tuple[bool, bool]:
    """Whether today's nodes stay, and whether it is placing alone that eats the saving.

    They stay where they hold all that the plan holds, break no more of the policy, and the saving
    is too small: in money and the expected cost of risk, with changes and placing on the plan's
    side.
    """
    policy, built = setting.policy, candidate.built
    if not today.holds_everything:
        return False, False
    risk_now = setting.risk(today.problem, today.packing, today.kept, setting.outlook)
    if _breaks_more(today, risk_now, candidate, policy):
        return False, False
    changes = candidate.changes_usd_per_hour(policy)
    saving = built.current_usd_per_hour - candidate.money_usd_per_hour() - changes
    saving += risk_now.usd_per_hour - candidate.risk.usd_per_hour
    least = policy.churn.min_saving_share * built.current_usd_per_hour
    least = max(least, TOLERANCE_USD_PER_HOUR)
    keeps = saving - candidate.hosting_usd_per_hour < least
    return keeps, keeps and saving >= least


def _demand(built: BuiltProblem, setting: Setting) -> tuple[WorkloadDemand, ...]:
    """Pods now and planned of each selected workload."""
    planned = dict(built.pods_planned)
    forecast = set(setting.paths.workloads)
    return tuple(
        WorkloadDemand(key, pods, planned[key], "forecast" if key in forecast else "requests")
        for key, pods in built.pods_now
    )


def _risk_notes(chosen: PlanOption, policy: Policy) -> tuple[Note, ...]:
    """Say so where the plan risks more than is accepted, and nothing better was found."""
    remedy = "accept more under objective.slo, or let the policy buy more kinds of offers"
    return tuple(
        Note(f"NodeMixPolicy/{policy.name}", fact, remedy, "warning")
        for fact in complaints(chosen.risk, policy.service_level)
    )


def _forecast_assumption(forecast: DemandForecast | None) -> tuple[str, ...]:
    if forecast is None:
        return ("no demand history: planned for the pods and requests as they are",)
    return ("pods never go below today's: scaling workloads down is their autoscaler's decision",)


def _forecast_notes(forecast: DemandForecast | None) -> tuple[Note, ...]:
    warnings = forecast.warnings if forecast else ()
    return tuple(Note("demand forecast", warning, "", "warning") for warning in warnings)


def _models(forecast: DemandForecast | None) -> str:
    """Names of the models that speak, each once."""
    if forecast is None:
        return ""
    return ", ".join(sorted({verdict.model for verdict in forecast.verdicts if verdict.series}))
