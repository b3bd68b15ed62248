"""How a plan is chosen: made safer until its risk is accepted, then searched for longer."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.candidate import Candidate, plan, sketch
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.fairness.cut import Cut, cut_headroom
from nodemix.optimizer.options import much_safer
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.pool_limits import first_pool_limits
from nodemix.optimizer.problem.build import problem_of
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.safety import (
    MARGIN,
    as_chosen_by,
    is_tail_of_spot,
    safer,
    with_pool_limits,
)
from nodemix.optimizer.setting import Setting
from nodemix.optimizer.snapshot import WorkloadKey

ROUNDS = 6
"""A plan whose risk is not accepted is made anew for more safety, at most this often."""

ROUND_SHARE, CAREFUL_SHARE, PAPER_SHARE = 0.08, 0.06, 0.3
"""Of the time that is left: for a round, for the safer alternative, and for a longer search that
looks at the cost on paper alone."""

CUT_SHARE = 0.1
"""Of the time that is left, for dealing out what limits leave."""

CLEARLY = 0.95
"""Share of the expected cost of a plan, below which another one is clearly cheaper."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the search found.

    Args:
        chosen: the plan.
        other: a plan made for more safety, or for less where more was better; None where there is
            none.
        cut: what was taken off the headroom, because limits leave no plan for all that is wanted.
    """

    chosen: Candidate
    other: Candidate | None
    cut: Cut | None = None


def choose(
    setting: Setting,
    safety: Safety,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> Found:
    """Plan, ask for more safety while the risk is not accepted, then search for longer.

    The safety is found by short searches; most of the time goes into a long one. Each starts from
    what the one before it found.
    """
    cut = None
    try:
        best = _accepted(setting, safety, deadline, rng, warm)
    except InfeasiblePlanError:
        cut = _cut(setting, safety, deadline, rng)
        setting = replace(setting, granted=cut.pods)
        best = _accepted(setting, safety, deadline, rng, cut.result.warm)
    careful = None
    if not deadline.has_passed:
        until = deadline.within(CAREFUL_SHARE * deadline.left_s)
        wanted = much_safer(best, setting.policy)
        careful = _if_feasible(setting, wanted, until, rng, best.result.warm)
    other = careful
    if careful is not None and _is_clearly_better(careful, best, setting.policy):
        best, other = careful, best
    if deadline.has_passed:
        return Found(best, other, cut)
    with suppress(InfeasiblePlanError):  # none was found in the time; there is one
        best = _searched_for_longer(setting, best, deadline, rng)
    return Found(best, other, cut)


def _cut(setting: Setting, safety: Safety, deadline: Deadline, rng: np.random.Generator) -> Cut:
    """As much of the headroom as the policy's limits leave a plan for.

    Raises:
        InfeasiblePlanError: they leave none even for today's pods.
    """
    from nodemix.optimizer.packing.solve import solve  # noqa: PLC0415 - compiled kernels

    def build(pods: Mapping[WorkloadKey, int]) -> BuiltProblem:
        return problem_of(setting.survey, pods, safety)

    def search(built: BuiltProblem, warm: WarmStart | None) -> Result:
        until = deadline.within(ROUND_SHARE * deadline.left_s)
        return solve(built.problem, until, rng, warm)

    wanted = build(setting.pods(safety))
    seconds = CUT_SHARE * max(0.0, deadline.left_s)
    return cut_headroom(
        setting.snapshot, wanted, setting.policy, build, search, deadline.clock, seconds
    )


def _searched_for_longer(
    setting: Setting, best: Candidate, deadline: Deadline, rng: np.random.Generator
) -> Candidate:
    """A better plan, or ``best`` where the risk of what is found is worse.

    A long search finds pools that the short ones did not; a search on paper shows them, so that
    they are limited, too, before the plan is made for its placement.
    """
    until = deadline.within(PAPER_SHARE * deadline.left_s)
    longer = sketch(setting, best.safety, until, rng, best.result.warm)
    wanted = _safer_than(longer, setting)
    last, safety = longer, best.safety
    if wanted != best.safety:
        until = deadline.within(ROUND_SHARE * deadline.left_s)
        another = _if_feasible(setting, wanted, until, rng, longer.result.warm)
        if another is not None:
            last, safety = another, wanted
    final = plan(setting, safety, deadline, rng, last.result.warm)
    if _breaks_less(last, final, setting.policy):
        final = _with_bounds(last, final)
    return best if _breaks_less(best, final, setting.policy) else final


def _accepted(
    setting: Setting,
    safety: Safety,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> Candidate:
    """The best of the short searches, of which each asks for more safety than the one before.

    Where none of them keeps what is accepted, last resorts are tried. What the last decision
    left was made for the safety that was found then: each starts from it where there is one.
    """
    until = deadline.within(ROUND_SHARE * deadline.left_s)
    best = made = _first(setting, safety, until, rng, warm)
    for _ in range(ROUNDS - 1):
        more = _safer_than(made, setting)
        if more == made.safety or deadline.has_passed:
            break
        until = deadline.within(ROUND_SHARE * deadline.left_s)
        another = _if_feasible(setting, more, until, rng, warm or made.result.warm)
        if another is None:
            break
        made = another
        best = min(best, made, key=lambda one: one.badness(setting.policy))
    for last in _last_resorts(best, setting.policy):
        if best.broken(setting.policy) == 0 or best.risk.spot_share == 0.0:
            break
        until = deadline.within(ROUND_SHARE * deadline.left_s)
        other = _if_feasible(setting, last, until, rng, warm or best.result.warm)
        if other is not None and _breaks_less(other, best, setting.policy):
            best = other
    return best


def _last_resorts(best: Candidate, policy: Policy) -> Iterator[Safety]:
    """Every pool limited, so that none is too large; then nothing on spot, where spot hurts."""
    slo, risk = policy.service_level, as_chosen_by(best.risk)
    is_pool_too_large = risk.worst_pool_loss > slo.max_pool_loss
    if is_pool_too_large:
        limits = best.limits_of_all_pools
        yield with_pool_limits(best.safety, MARGIN * slo.max_pool_loss, limits)
    if is_pool_too_large or is_tail_of_spot(risk, slo):
        yield replace(best.safety, max_spot_share=0.0)


def _first(
    setting: Setting,
    safety: Safety,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> Candidate:
    """With pools limited to what may be lost, and without a return, where that leaves a plan."""
    accepted = setting.policy.service_level.max_pool_loss
    if accepted < 1.0:
        problem = problem_of(setting.survey, setting.pods(safety), safety).problem
        limited = with_pool_limits(
            safety, MARGIN * accepted, lambda share: first_pool_limits(problem, share)
        )
        made = _if_feasible(setting, limited, deadline, rng, warm)
        if made is not None:
            return made
    made = _if_feasible(setting, safety, deadline, rng, warm)
    return made or sketch(setting, replace(safety, resting=()), deadline, rng, warm)


def _if_feasible(
    setting: Setting,
    safety: Safety,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> Candidate | None:
    """A plan from a short search; None where the caps that safety asks for leave none."""
    try:
        return sketch(setting, safety, deadline, rng, warm)
    except InfeasiblePlanError:
        return None


def _safer_than(made: Candidate, setting: Setting) -> Safety:
    risk, slo = as_chosen_by(made.risk), setting.policy.service_level
    return safer(
        made.safety, risk, slo, made.pool_limits, lambda safety: _roomier(safety, made, setting)
    )


def _roomier(safety: Safety, made: Candidate, setting: Setting) -> Safety:
    """With room for what paths lack on the plan's nodes.

    First for as many paths as the policy has covered; where that was not enough, for all of them
    and a little more than any of them asks for.
    """
    built, packing = made.built, made.result.packing
    if not safety.extra_pods:
        lacking = setting.lacking(built.problem, packing, built.kept, safety.level)
        if lacking:
            return safety.with_extra(lacking)
    lacking = setting.lacking(built.problem, packing, built.kept, 1.0)
    more = safety.with_extra(setting.a_little_more(safety))
    return replace(more, level=1.0).with_extra(lacking)


def _with_bounds(chosen: Candidate, longer: Candidate) -> Candidate:
    """A plan with the bounds of a longer search for the same safety."""
    bounds = [one.result.lower_bound_usd_per_hour for one in (chosen, longer)]
    return replace(
        chosen,
        result=replace(chosen.result, lower_bound_usd_per_hour=max(bounds)),
        money_bound_usd_per_hour=longer.money_bound_usd_per_hour,
        frugal=longer.frugal,
    )


def _is_clearly_better(careful: Candidate, best: Candidate, policy: Policy) -> bool:
    """Whether it breaks less, or as little and is expected to cost clearly less."""
    if _breaks_less(careful, best, policy):
        return True
    expected = CLEARLY * best.expected_usd_per_hour
    is_cheap = careful.expected_usd_per_hour < expected
    return is_cheap and not _breaks_less(best, careful, policy)


def _breaks_less(one: Candidate, other: Candidate, policy: Policy) -> bool:
    return one.broken(policy) < other.broken(policy)
