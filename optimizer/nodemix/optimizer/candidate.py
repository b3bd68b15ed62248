"""A plan for one cluster: made for a level of safety, and scored on what may happen."""

from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.explain.terms import money_bound_of
from nodemix.optimizer.packed import Packing, Result
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.build import problem_of
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.caps import spot_mask
from nodemix.optimizer.problem.churn import has_extras, money_of, new_nodes, price_money
from nodemix.optimizer.problem.safety import Pool, Safety
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
from nodemix.optimizer.risk.fleet_nodes import is_amount
from nodemix.optimizer.safety import as_chosen_by, complaints
from nodemix.optimizer.setting import Setting
from scipy.optimize import nnls

MONEY_SHARE = 0.2
"""Of the time, for a search in which nothing but money counts: its bound on the money of a plan is
far tighter than what follows from the other one, and its patterns are what that starts from."""

MOST_NODES = 1_000_000
"""More than any plan has."""

NEXT_POOLS = 160
"""Limited along with a pool that is too large; limits on all of hundreds would slow the search."""


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
        problem = self.built.problem
        nothing = np.zeros(len(problem.dimensions), dtype=np.int64)
        bought = self.result.packing.nodes
        total: IntArray = sum((g.count * problem.room[g.offer] for g in bought), start=nothing)
        worth = _worth_of_resources(problem, self.result)
        offers = np.array([group.offer for group in bought], dtype=np.int64)
        return _most_nodes(
            problem, share * total.astype(np.float64), _likely(problem, worth, offers)
        )

    def limits_of_all_pools(self, share: float) -> dict[Pool, int]:
        """Likewise of every spot pool; slower to search under, and nothing is left to chance."""
        problem = self.built.problem
        total = (problem.demand @ problem.requests).astype(np.float64)
        return _most_nodes(problem, share * total, np.flatnonzero(spot_mask(problem)))

    def badness(self, policy: Policy) -> tuple[int, float]:
        """Orders candidates: those whose risk is accepted first, then by expected cost."""
        return self.broken(policy), self.expected_usd_per_hour

    def broken(self, policy: Policy) -> int:
        """How much of what the policy accepts it breaks, as far as its risk is known."""
        return len(complaints(as_chosen_by(self.risk), policy.service_level))


def first_pool_limits(problem: Problem, share: float) -> dict[Pool, int]:
    """Likewise before there is a plan: no pool has room for more than a share of the demand.

    Which pools are likely depends on what is scarce; those that are good at one thing are taken in.
    """
    total = (problem.demand @ problem.requests).astype(np.float64)
    worth = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    none = np.array([], dtype=np.int64)
    blends = [worth, *(worth * one for one in np.eye(len(worth)))]
    offers = [_likely(problem, blend, none) for blend in blends]
    return _most_nodes(problem, share * total, np.unique(np.concatenate(offers)))


def _likely(problem: Problem, worth: FloatArray, bought: IntArray) -> IntArray:
    """Spot offers that are bought, and those that give most for their price.

    The latter would be bought next, lest pools only trade places.

    Args:
        worth: of a unit of each dimension, shape (dimensions,).
    """
    value = problem.room @ np.where(_counted(problem), worth, 0.0)
    is_spot = spot_mask(problem)
    spot = np.flatnonzero(is_spot & (value > 0.0))
    rate = problem.price_usd_per_hour[spot] / value[spot]
    best = spot[np.argsort(rate, kind="stable")[:NEXT_POOLS]]
    return np.union1d(bought[is_spot[bought]], best).astype(np.int64)


def _most_nodes(problem: Problem, room: FloatArray, offers: IntArray) -> dict[Pool, int]:
    """Nodes of each offer's pool that fit into ``room`` in every dimension that can be short."""
    counted = _counted(problem)
    limits = {}
    for i in offers.tolist():
        own = most_held(problem, i)[counted]
        nodes = room[counted][own > 0] / own[own > 0]
        offer = problem.offers[i]
        limits[offer.instance.name, offer.zone] = int(nodes.min(initial=float(MOST_NODES)))
    return limits


def most_held(problem: Problem, offer: int) -> FloatArray:
    """The most that pods on a node of an offer can ask for in each dimension, shape (dimensions,).

    Often less than its room: where one dimension is full, the others hold no more than what the
    pods that want most of them bring along.
    """
    asked = problem.requests[problem.compatible[:, offer]].astype(np.float64)
    room = problem.room[offer].astype(np.float64)
    per, brought = asked[:, :, None], asked[:, None, :]
    unlimited = np.where(brought > 0.0, np.inf, np.zeros_like(per))
    ratio = np.divide(brought, per, out=unlimited, where=per > 0.0).max(axis=0, initial=0.0)
    brings = np.full(ratio.shape, np.inf)
    np.multiply(room[:, None], ratio, out=brings, where=np.isfinite(ratio))
    most: FloatArray = np.minimum(brings.min(axis=0), room)
    return most


def _counted(problem: Problem) -> BoolArray:
    """Dimensions in which something can be short, shape (dimensions,)."""
    counted: BoolArray = (problem.requests.sum(axis=0) > 0) & is_amount(problem)
    return counted


def _worth_of_resources(problem: Problem, result: Result) -> FloatArray:
    """Price of a unit of each dimension, fitted to the rows' duals, shape (dimensions,)."""
    weights = np.sqrt(problem.demand)
    asked = problem.requests * weights[:, None]
    scale = np.maximum(asked.max(axis=0, initial=0.0), 1.0)
    fitted, _ = nnls(asked / scale, result.row_duals * weights)
    worth: FloatArray = fitted / scale
    return worth


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
