"""The last look at the plans of a placed search, on draws that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.genetic.placed_plan import PlacedPlan
from nodemix.optimizer.genetic.placed_search import PlacedParams, PlacedSearch
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.packing.alternatives import distinct_drafts
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.trials import Trials
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem

JUDGED = 0.2
"""Share of the time kept for fresh draws; half of it compares the finalists, half scores."""
LEAST_JUDGED = 16
"""Draws that time is kept for in any case; where they take all of it there is no search."""
FINALISTS = 5
MOST_COMPARED, MOST_SCORED = 24, 32
"""Draws; the standard error of 32 was 0.2 to 0.6 % of the cost on instances d1 to d6."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPlan:
    """A plan with its cost on fresh draws.

    Args:
        placed: None without a placement mode, and where no time was left for a single draw.
        nodes_changed: None where today's nodes are unknown.
    """

    draft: Draft
    placed: PlacedCost | None = None
    nodes_changed: int | None = None


def choose_placed(
    problem: Problem,
    market: Market,
    seeds: Sequence[Draft],
    duals: Duals,
    deadline: Deadline,
    rng: np.random.Generator,
    mode: PlacementMode,
    nodes_now: IntArray | None = None,
) -> tuple[ScoredPlan, list[ScoredPlan]]:
    """The plan of least expected placed cost found, and others of the front worth showing.

    The first seed is the one to beat: where the plan found is not better on fresh draws, the seed
    is returned.

    Args:
        seeds: plans that hold everything within the caps, at least one, the cheapest first.
        nodes_now: of each offer of the problem, shape (offers,).
    """
    seconds = max(deadline.left_s, 0.0)
    search = PlacedSearch(problem, market, mode, duals, rng, PlacedParams(), nodes_now)
    judges = [
        Trials(problem, mode, int(seed), search.trials.hosting)
        for seed in rng.integers(2**31, size=2)
    ]
    incumbent = search.to_plan(seeds[0])
    run_s = search.try_out(incumbent, deadline)
    judged_s = max(JUDGED * seconds, LEAST_JUDGED * run_s)
    search.run(seeds, Deadline(deadline.clock, deadline.at_s - judged_s))
    ranked = sorted(search.population, key=PlacedPlan.placed_usd_per_hour)
    finalists = [plan for plan in ranked[:FINALISTS] if plan.key != incumbent.key]
    compared = Deadline(deadline.clock, deadline.at_s - judged_s / 2.0)
    winner = _best([incumbent, *finalists], judges[0], compared, run_s)
    shown = [winner] if winner is incumbent else [winner, incumbent]
    if deadline.left_s > LEAST_JUDGED / 2.0 * run_s:
        front = [incumbent.draft, *(plan.draft for plan in search.front())]
        others = distinct_drafts(market, winner.draft, front)
        shown += [search.to_plan(one) for one in others if one is not incumbent.draft]
    hosting = hosting_on_fresh_draws(shown, judges[1], deadline, MOST_SCORED, run_s)
    scored = [
        ScoredPlan(
            plan.draft,
            _placed_cost(plan, hosting[:, i], mode),
            None if nodes_now is None else plan.nodes_changed,
        )
        for i, plan in enumerate(shown)
    ]
    return _never_worse(scored, 0 if winner is incumbent else 1)


def _never_worse(scored: list[ScoredPlan], incumbent: int) -> tuple[ScoredPlan, list[ScoredPlan]]:
    """The winner, which comes first, or the incumbent where that is as good; and the others."""
    rival = scored[incumbent].placed
    first = scored[0].placed
    wins = first is not None and rival is not None and first.usd_per_hour < rival.usd_per_hour
    best = scored[0 if wins else incumbent]
    others = [one for one in scored if one is not best]
    return best, sorted(others, key=lambda one: one.draft.cost_usd_per_hour)


def _best(
    plans: Sequence[PlacedPlan], judge: Trials, deadline: Deadline, run_s: float
) -> PlacedPlan:
    """The plan of least placed cost on the judge's draws; the first where there is no time."""
    hosting = hosting_on_fresh_draws(plans, judge, deadline, MOST_COMPARED, run_s)
    if len(hosting) == 0:
        return plans[0]
    costs = [plan.draft.cost_usd_per_hour for plan in plans] + hosting.mean(axis=0)
    return plans[int(costs.argmin())]


def hosting_on_fresh_draws(
    plans: Sequence[PlacedPlan],
    judge: Trials,
    deadline: Deadline,
    most_draws: int,
    run_s: float = 0.0,
) -> FloatArray:
    """What is pending on each draw costs, the same draws for all plans, shape (draws, plans).

    Args:
        run_s: what one draw of one plan takes; a round that would end too late is not begun.
    """
    table: list[list[float]] = []
    longest_s = run_s * len(plans)
    while len(table) < most_draws and deadline.left_s > longest_s:
        started_s = deadline.clock()
        table.append([judge.hosting_usd_per_hour(plan.kinds, len(table)) for plan in plans])
        longest_s = max(longest_s, deadline.clock() - started_s)
    return np.array(table, dtype=np.float64).reshape(len(table), len(plans))


def _placed_cost(plan: PlacedPlan, hosting: FloatArray, mode: PlacementMode) -> PlacedCost | None:
    """The mean over draws, shape (draws,)."""
    return (
        PlacedCost.of_draws(mode, plan.draft.cost_usd_per_hour, hosting) if len(hosting) else None
    )
