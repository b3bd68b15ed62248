"""A plan for one cluster: made for a level of safety, and scored on what may happen."""

from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.explain.terms import money_bound_of
from nodemix.optimizer.packed import Packing, Result
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.pool_limits import limits_of_all_pools, pool_limits_of
from nodemix.optimizer.problem.build import problem_of
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.churn import has_extras, money_of, new_nodes, price_money
from nodemix.optimizer.problem.safety import Pool, Safety
from nodemix.optimizer.problem.types import IntArray
from nodemix.optimizer.safety import as_chosen_by, breaches
from nodemix.optimizer.setting import Setting

MONEY_SHARE = 0.2
"""Of the time, for a search in which nothing but money counts: its bound on the money of a plan is
far tighter than what follows from the other one, and its patterns are what that starts from."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A packing made for a level of safety.

    Args:
        risk: on the scenarios of the setting.
        money_bound_usd_per_hour: no packing's money is below it; 0 where only the result's bound
            is known.
        frugal: the packing that a search for money alone found; None where it was not made.
    """

    safety: Safety
    built: BuiltProblem
    result: Result
    risk: Risk
    money_bound_usd_per_hour: float = 0.0
    frugal: Packing | None = None

    def money_usd_per_hour(self, packing: Packing | None = None) -> float:
        """What its nodes and the kept ones add to the bill; of another packing where given."""
        own = money_of(self.built.problem, packing or self.result.packing)
        return own + self.built.kept_usd_per_hour

    def changes_usd_per_hour(self, policy: Policy, packing: Packing | None = None) -> float:
        """What its new nodes cost, at the policy's cost of a change."""
        new = new_nodes(self.built.problem, packing or self.result.packing)
        return new * policy.churn.usd_per_node_hour

    @property
    def hosting_usd_per_hour(self) -> float:
        """Of further nodes for pods that the scheduler is expected to find no place for."""
        return cost_once_placed(self.result) - self.result.packing.cost_usd_per_hour

    @property
    def expected_usd_per_hour(self) -> float:
        """What candidates are compared by: what the search counted, and what may be lost beside.

        The search counts money, changes, interruptions, and what holds back from a pool that was
        hit lately.
        """
        later = self.risk.recourse_usd_per_hour + self.risk.shortage_usd_per_hour
        return cost_once_placed(self.result) + self.built.kept_usd_per_hour + later

    def pool_limits(self, share: float) -> dict[Pool, int]:
        """Most nodes of each likely pool, so that none has more than a share of the plan's room."""
        return pool_limits_of(self.built.problem, self.result, share)

    def limits_of_all_pools(self, share: float) -> dict[Pool, int]:
        """Likewise of every spot pool; slower to search under, and nothing is left to chance."""
        return limits_of_all_pools(self.built.problem, share)

    def badness(self, policy: Policy) -> tuple[int, float]:
        """Orders candidates: those whose risk is accepted first, then by expected cost."""
        return self.broken(policy), self.expected_usd_per_hour

    def broken(self, policy: Policy) -> int:
        """How far it breaks what the policy accepts, in sum, as far as its risk is known."""
        found = breaches(as_chosen_by(self.risk), policy.service_level)
        return sum(breach.steps for breach in found)


def cost_once_placed(result: Result) -> float:
    """What the search minimised: the packing's cost where its mode leaves nothing to chance."""
    return result.placed.usd_per_hour if result.placed else result.packing.cost_usd_per_hour


def nodes_by_offer(built: BuiltProblem) -> IntArray:
    """Today's movable nodes of each offer, shape (offers,)."""
    offers = [current.offer for current in built.current if current.offer is not None]
    return np.bincount(np.array(offers, dtype=np.int64), minlength=len(built.problem.offers))


def sketch(
    setting: Setting,
    safety: Safety,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> Candidate:
    """A plan from a short search that looks at the cost on paper alone."""
    from nodemix.optimizer.packing.solve import solve  # noqa: PLC0415 - compiled kernels

    built = _built(setting, safety)
    result = solve(built.problem, deadline, rng, warm)
    return _scored(setting, safety, built, result)


def plan(
    setting: Setting,
    safety: Safety,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None,
) -> Candidate:
    """A plan from a long search, with a bound on its money, made for the policy's placement."""
    from nodemix.optimizer.packing.solve import solve  # noqa: PLC0415 - compiled kernels

    built = _built(setting, safety)
    money_bound, frugal = 0.0, None
    if has_extras(built.problem):
        until = deadline.within(MONEY_SHARE * deadline.left_s)
        problem = price_money(built.problem)
        cheapest = solve(problem, until, rng, warm)
        money_bound, warm = money_bound_of(built, problem, cheapest), cheapest.warm
        frugal = cheapest.packing
    placement = setting.policy.placement
    result = solve(built.problem, deadline, rng, warm, placement, nodes_by_offer(built))
    made = _scored(setting, safety, built, result)
    return replace(made, money_bound_usd_per_hour=money_bound, frugal=frugal)


def _built(setting: Setting, safety: Safety) -> BuiltProblem:
    return problem_of(setting.survey, setting.pods(safety), safety)


def _scored(setting: Setting, safety: Safety, built: BuiltProblem, result: Result) -> Candidate:
    risk = setting.risk(built.problem, result.packing, built.kept, setting.outlook)
    return Candidate(safety, built, result, risk)
