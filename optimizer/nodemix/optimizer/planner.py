"""From an observed cluster and a forecast to a recommendation. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.deadline import Clock, Deadline
from nodemix.optimizer.decision import (
    PodPaths,
    never_below_now,
    planned_pods,
    pod_paths,
    pods_by_workload,
)
from nodemix.optimizer.explain.margins import pool_margins
from nodemix.optimizer.explain.placing import lost_saving_note, placing_note
from nodemix.optimizer.explain.pools import pool_changes, with_margins
from nodemix.optimizer.explain.prices import resource_prices
from nodemix.optimizer.explain.risk import plan_risk
from nodemix.optimizer.explain.savings import saving_sources
from nodemix.optimizer.explain.sentences import reasons
from nodemix.optimizer.explain.steering import planned_steering
from nodemix.optimizer.explain.terms import (
    churn_cost,
    commitment_uses,
    committed_in,
    money_bound_of,
    names_in_place,
)
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.placement.steering import cohort_name
from nodemix.optimizer.plan import (
    PackedNodes,
    PlacedCosts,
    PlannedNodes,
    Recommendation,
    Result,
    WorkloadDemand,
)
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.build import build_problem
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.churn import money_of, new_nodes, price_changes
from nodemix.optimizer.problem.scope import in_scope
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.risk.shortfall import shortfall_probability, spread_over_rows
from nodemix.optimizer.snapshot import Note, Snapshot, WorkloadKey
from nodemix.optimizer.today import holds_everything, nodes_of_today

# A plan that misses the policy's shortfall probability is made again at a higher quantile, at
# most this often: each round costs a search, and the last one asks for the highest path.
CAPACITY_ROUNDS = 3

# Share of the time that is left which a round may use; the level that is found gets the rest.
ROUND_SHARE = 0.2

# Where changes of nodes cost something, the share of the time for a search in which they are free:
# its bound on the money of a plan is far tighter than what follows from the other one, and its
# patterns are what the other search starts from.
MONEY_SHARE = 0.3

# Prices within this are the same price.
TOLERANCE_USD_PER_HOUR = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A packing for one level of demand, and how often it falls short.

    Args:
        money_bound_usd_per_hour: no packing's money is below it; 0 where only the result's bound
            is known.
    """

    built: BuiltProblem
    result: Result
    shortfall: float | None
    money_bound_usd_per_hour: float = 0.0


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
    paths = _paths(snapshot, forecast, policy.service_level.lead_time_s)
    deadline = Deadline.after(clock, policy.search_s)
    from nodemix.optimizer.explain.placed import draw_time_s  # noqa: PLC0415 - compiled kernels

    draws_s = draw_time_s(policy.search_s, len(snapshot.pods))
    until = deadline.within(policy.search_s - draws_s)
    candidate = _capacity_search(snapshot, paths, policy, catalog, until, rng, warm)
    recommendation = _recommend(snapshot, candidate, policy, catalog)
    if recommendation.is_change:
        recommendation = _placed(recommendation, candidate, policy, deadline, rng)
    return replace(
        recommendation,
        reasons=reasons(recommendation),
        demand=_demand(candidate.built, paths),
        assumptions=(*candidate.built.assumptions, *_forecast_assumption(forecast)),
        notes=(*recommendation.notes, *_forecast_notes(forecast)),
        forecast_model=_models(forecast),
        seconds=clock() - started_s,
        warm=candidate.result.warm,
    )


def _paths(snapshot: Snapshot, forecast: DemandForecast | None, lead_time_s: float) -> PodPaths:
    """Highest pods within the lead time, for the forecast workloads that are in the cluster."""
    if forecast is None:
        return PodPaths((), np.zeros((0, 0), dtype=np.int64))
    present = {str(key): key for key in pods_by_workload(snapshot)}
    columns = [i for i, series in enumerate(forecast.series) if series in present]
    keys = tuple(present[forecast.series[i]] for i in columns)
    highest = forecast.maximum_within(lead_time_s)[:, columns]
    return pod_paths(keys, highest, _per_pod(snapshot, keys, forecast.indicators))


def _per_pod(
    snapshot: Snapshot, keys: tuple[WorkloadKey, ...], indicators: tuple[str, ...]
) -> FloatArray:
    """What one pod of each workload serves of each indicator, shape (workloads, indicators).

    A forecast of pods counts them and then speaks alone; else cores and memory are covered by what
    the pods request. Usage beside a count would ask for pods that nobody starts.
    """
    requests = {pod.workload: pod.template.requests for pod in snapshot.pods}
    served = np.full((len(keys), len(indicators)), np.inf)
    spoken = ("pods",) if "pods" in indicators else indicators
    for column, indicator in enumerate(indicators):
        if indicator not in spoken:
            continue
        for row, key in enumerate(keys):
            amount = 1 if indicator == "pods" else requests[key].amount(indicator)
            served[row, column] = amount or np.inf
    return served


def _capacity_search(
    snapshot: Snapshot,
    paths: PodPaths,
    policy: Policy,
    catalog: Catalog,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> _Candidate:
    """Plan at the newsvendor quantile, or above it while fresh paths fall short too often.

    The level is found by short searches; the time that is left goes into a long one at that level.
    Each search starts from what the one before it found.
    """
    decision_paths, fresh_paths = paths.halves()
    accepted = policy.service_level.shortfall_probability

    def plan_at(level: float, until: Deadline, warm: WarmStart | None) -> _Candidate:
        pods = never_below_now(planned_pods(decision_paths, level), pods_by_workload(snapshot))
        return _plan(snapshot, pods, fresh_paths, (policy, catalog), (until, rng, warm))

    if not paths.workloads:
        return plan_at(1.0, deadline, warm)
    best: tuple[float, _Candidate] | None = None
    for round_ in range(CAPACITY_ROUNDS):
        level = _level(policy.service_level.critical_ratio, round_)
        candidate = plan_at(level, deadline.within(ROUND_SHARE * deadline.left_s), warm)
        warm = candidate.result.warm
        if best is None or _shortage(candidate) < _shortage(best[1]):
            best = level, candidate
        if _shortage(best[1]) <= accepted or deadline.has_passed:
            break
    assert best is not None  # noqa: S101 - at least one round runs
    level, found = best
    if deadline.has_passed:
        return found
    return _better(found, plan_at(level, deadline, found.result.warm), accepted)


def _shortage(candidate: _Candidate) -> float:
    return candidate.shortfall or 0.0


def _better(found: _Candidate, other: _Candidate, accepted: float) -> _Candidate:
    """Of two plans for one level the cheaper, unless it alone falls short too often.

    The bound of either holds for both, so that the tighter one stays.
    """
    bound = max(found.result.lower_bound_usd_per_hour, other.result.lower_bound_usd_per_hour)
    costs_less = _cost_once_placed(other.result) < _cost_once_placed(found.result)
    falls_short = _shortage(other) > max(accepted, _shortage(found))
    chosen = other if costs_less and not falls_short else found
    return replace(
        chosen,
        result=replace(chosen.result, lower_bound_usd_per_hour=bound),
        money_bound_usd_per_hour=max(
            found.money_bound_usd_per_hour, other.money_bound_usd_per_hour
        ),
    )


def _cost_once_placed(result: Result) -> float:
    """What the search minimised: the packing's cost where its mode leaves nothing to chance."""
    return result.placed.usd_per_hour if result.placed else result.packing.cost_usd_per_hour


def _level(critical_ratio: float, round_: int) -> float:
    """The quantile of each round: the critical ratio, half-way to certainty, the highest path."""
    return (critical_ratio, (1.0 + critical_ratio) / 2.0, 1.0)[round_]


def _plan(
    snapshot: Snapshot,
    pods: Mapping[WorkloadKey, int],
    fresh_paths: PodPaths,
    terms: tuple[Policy, Catalog],
    search: tuple[Deadline, np.random.Generator, WarmStart | None],
) -> _Candidate:
    """Build the problem for these pods, solve it, and score it on paths it has not seen."""
    # The engine pulls in the solver and its compiled kernels; who only reads records need not.
    from nodemix.optimizer.packing.solve import solve  # noqa: PLC0415

    policy, catalog = terms
    built = build_problem(snapshot, catalog, policy, pods)
    deadline, rng, warm = search
    money_bound = 0.0
    if policy.churn.node_change_usd > 0:
        until = deadline.within(MONEY_SHARE * deadline.left_s)
        free = price_changes(built.problem, 0.0)
        cheapest = solve(free, until, rng, warm)
        money_bound, warm = money_bound_of(built, free, cheapest), cheapest.warm
    now = _nodes_by_offer(built)
    result = solve(built.problem, deadline, rng, warm, policy.placement, now)
    shortfall = _shortfall(built.problem, result, fresh_paths) if fresh_paths.workloads else None
    return _Candidate(built, result, shortfall, money_bound)


def _nodes_by_offer(built: BuiltProblem) -> IntArray:
    """Today's movable nodes of each offer, shape (offers,)."""
    offers = [current.offer for current in built.current if current.offer is not None]
    return np.bincount(np.array(offers, dtype=np.int64), minlength=len(built.problem.offers))


def _shortfall(problem: Problem, result: Result, paths: PodPaths) -> float:
    columns = {key: column for column, key in enumerate(paths.workloads)}
    by_row = tuple(columns.get(row.workload, -1) for row in problem.rows)
    needed = spread_over_rows(problem, paths.pods, by_row)
    return shortfall_probability(problem, result.packing, needed)


def _recommend(
    snapshot: Snapshot, candidate: _Candidate, policy: Policy, catalog: Catalog
) -> Recommendation:
    """Propose the packing, or today's nodes where a change is not worth its trouble."""
    built, result = candidate.built, candidate.result
    plan_usd_per_hour = money_of(built.problem, result.packing) + built.kept_usd_per_hour
    bound = max(money_bound_of(built, built.problem, result), candidate.money_bound_usd_per_hour)
    bound += built.kept_usd_per_hour
    changes = new_nodes(built.problem, result.packing) * policy.churn.usd_per_node_hour
    paper_usd_per_hour = plan_usd_per_hour + changes
    hosting_usd_per_hour = _cost_once_placed(result) - result.packing.cost_usd_per_hour
    keep_now = _keeps_today(built, paper_usd_per_hour + hosting_usd_per_hour, policy)
    is_lost = keep_now and not _keeps_today(built, paper_usd_per_hour, policy)
    if keep_now:
        nodes = nodes_of_today(snapshot, catalog, built)
        cost = built.current_usd_per_hour
        # Today's nodes may be roomier than the catalog says; a bound above their cost proves
        # nothing about them, and only the cost of the untouched nodes remains certain.
        bound = bound if bound <= cost + TOLERANCE_USD_PER_HOUR else built.kept_usd_per_hour
    else:
        nodes = (*_planned_nodes(built, result), *built.kept)
        cost = plan_usd_per_hour
    pools = pool_changes(snapshot.nodes, nodes, catalog, committed_in(built))
    prices = resource_prices(built.problem, result)
    return Recommendation(
        policy=policy.name,
        made_at_s=snapshot.taken_at_s,
        is_change=not keep_now,
        nodes=nodes,
        pools=pools if keep_now else with_margins(pools, pool_margins(built.problem, result)),
        current_usd_per_hour=built.current_usd_per_hour,
        plan_usd_per_hour=cost,
        lower_bound_usd_per_hour=min(bound, cost),
        risk=plan_risk(nodes, catalog, candidate.shortfall),
        prices=prices,
        savings=None if keep_now else saving_sources(built, result, prices, catalog),
        commitments=commitment_uses(built, nodes),
        churn=churn_cost(built, result, nodes, cost, policy.churn),
        unplaceable=built.unplaceable,
        notes=(
            *built.notes,
            *_shortfall_note(candidate, policy),
            *lost_saving_note(policy, plan_usd_per_hour, hosting_usd_per_hour, is_lost=is_lost),
        ),
    )


def _placed(
    recommendation: Recommendation,
    candidate: _Candidate,
    policy: Policy,
    deadline: Deadline,
    rng: np.random.Generator,
) -> Recommendation:
    """Say what the plan costs once its pods are placed, and what leads them to their places."""
    from nodemix.optimizer.explain.placed import placed_costs  # noqa: PLC0415 - likewise

    problem, packing = candidate.built.problem, candidate.result.packing
    costs = placed_costs(problem, packing, policy.placement, deadline, rng)
    kept_usd_per_hour = recommendation.plan_usd_per_hour - packing.cost_usd_per_hour
    placed = replace(
        recommendation,
        placed=PlacedCosts(
            policy.placement,
            tuple(replace(c, usd_per_hour=c.usd_per_hour + kept_usd_per_hour) for c in costs),
        ),
        steering=planned_steering(problem, packing, policy.placement),
    )
    return replace(placed, notes=(*placed.notes, *placing_note(placed)))


def _keeps_today(built: BuiltProblem, plan_usd_per_hour: float, policy: Policy) -> bool:
    """Whether today's nodes hold all that the plan holds and the saving is too small.

    Args:
        plan_usd_per_hour: once its pods are placed and its nodes changed; today's pods are placed.
    """
    if not holds_everything(built):
        return False
    saving = built.current_usd_per_hour - plan_usd_per_hour
    return saving < max(
        policy.churn.min_saving_share * built.current_usd_per_hour, TOLERANCE_USD_PER_HOUR
    )


def _planned_nodes(built: BuiltProblem, result: Result) -> tuple[PlannedNodes, ...]:
    """The packing in the words of workloads: places for today's pods first, the rest headroom."""
    left = dict(enumerate(built.rows_now))
    planned: list[PlannedNodes] = []
    running = names_in_place(built.in_place)
    for group, packed in enumerate(result.packing.nodes):
        names = running.get(built.problem.offers[packed.offer], iter(()))
        for nodes in _deal_out(built.problem, packed, left):
            in_place = tuple(islice(names, nodes.count))
            planned.append(replace(nodes, cohort=cohort_name(group), in_place=in_place))
    return tuple(planned)


def _deal_out(
    problem: Problem, packed: PackedNodes, left: dict[int, int]
) -> Iterable[PlannedNodes]:
    """Split equal nodes by which of their places today's pods take; uses up ``left``, by row."""
    offer = problem.offers[packed.offer]
    groups: Counter[tuple[int, ...]] = Counter()
    for _ in range(packed.count):
        taken = tuple(min(pods, left[row]) for row, pods in packed.pods)
        for (row, _pods), pods in zip(packed.pods, taken, strict=True):
            left[row] -= pods
        groups[taken] += 1
    rows = [row for row, _ in packed.pods]
    for taken, count in groups.items():
        spare = [pods - used for (_, pods), used in zip(packed.pods, taken, strict=True)]
        used, headroom = (_by_workload(problem, rows, pods) for pods in (taken, spare))
        price = offer.price_usd_per_hour
        yield PlannedNodes(*offer.key, count, used, price, headroom=headroom, terms=offer.terms)


def _by_workload(
    problem: Problem, rows: Iterable[int], pods: Iterable[int]
) -> tuple[tuple[WorkloadKey, int], ...]:
    """Pods of rows as pods of workloads, sorted, no zeros."""
    totals: Counter[WorkloadKey] = Counter()
    for row, count in zip(rows, pods, strict=True):
        totals[problem.rows[row].workload] += count
    return tuple(sorted((key, count) for key, count in totals.items() if count))


def _demand(built: BuiltProblem, paths: PodPaths) -> tuple[WorkloadDemand, ...]:
    """Pods now and planned of each selected workload."""
    planned = dict(built.pods_planned)
    forecast = set(paths.workloads)
    return tuple(
        WorkloadDemand(key, pods, planned[key], "forecast" if key in forecast else "requests")
        for key, pods in built.pods_now
    )


def _shortfall_note(candidate: _Candidate, policy: Policy) -> tuple[Note, ...]:
    """Say so where even the highest quantile leaves the shortage above what is accepted."""
    accepted = policy.service_level.shortfall_probability
    if candidate.shortfall is None or candidate.shortfall <= accepted:
        return ()
    fact = f"shortfall probability {candidate.shortfall:.3f} is above the accepted {accepted}"
    remedy = "raise objective.slo.shortfallProbability or let more history accumulate"
    return (Note(f"NodeMixPolicy/{policy.name}", fact, remedy, "warning"),)


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
