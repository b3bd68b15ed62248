"""Which pods are planned for where the policy's limits leave no plan for all that are wanted.

Today's pods stay; room for pods that are forecast is cut until a plan exists: fairly where the
policy enforces that, else from the dearest place on (`shares.cheapest_first`), as a plan that looks
at cost alone would. The cut is found with greedy plans, which are there at once and cost a few
per cent more than the search's; a short search of what they leave then tells by how much, so that a
second cut uses the limits up.

**The price of fairness.** Let ``c(x)`` be the money of the greedy plan for today's pods and a cut
``x``, ``c0`` that without any forecast pod, and ``h(x)`` the dominant shares of the forecast pods
in ``x``, summed pod by pod. The price is

    (c(fair) - c0) - (c(cheapest) - c0) * h(fair) / h(cheapest),

what the headroom of the fair cut costs beyond what the same amount of headroom costs at the rate of
the cheapest-first one; 0 where that is negative. Under a budget both spend the same, and it is the
share of the headroom that is lost to fairness, in the money of headroom.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from nodemix.optimizer.deadline import Clock, Deadline
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.fairness.limits import Limits
from nodemix.optimizer.fairness.report import fairness_report
from nodemix.optimizer.fairness.shares import (
    Claim,
    Order,
    Pods,
    cheapest_first,
    fill,
    plus,
    poorest_first,
    shares_of,
    wanted_amounts,
)
from nodemix.optimizer.fairness.types import Fairness
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.greedy import share_values
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.policy import FairnessMode, Policy
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import Note, Snapshot, WorkloadKey

FILLING_SHARE = 0.25
"""Of the time, for each cut: the first, one or two after a search, and that without fairness."""
LEEWAYS = (1.0, 0.5)
"""Shares of what greedy plans need beyond a search that are tried as further room for them."""
MOST_IN_VAIN = 8
"""Claims refused one after the other, after which nobody is expected to get more."""
NOT_RESOURCES = ("pods", "ephemeral_mib")

Build = Callable[[Mapping[WorkloadKey, int]], BuiltProblem]
Solve = Callable[[BuiltProblem, WarmStart | None], Result]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What is planned for instead of all that is wanted.

    Args:
        pods: to hold, of each workload.
        built: the problem of these pods.
        result: a first plan of it within the limits.
        fairness: None where the policy asks for none.
    """

    pods: Mapping[WorkloadKey, int]
    built: BuiltProblem
    result: Result
    fairness: Fairness | None
    note: Note


def cut_headroom(
    snapshot: Snapshot,
    built: BuiltProblem,
    policy: Policy,
    build: Build,
    solve: Solve,
    clock: Clock,
    seconds: float,
) -> Cut:
    """The most forecast pods beside today's for which the policy's limits leave a plan.

    Args:
        built: the problem of all that is wanted, which has no plan.
        build: the problem of other pods.
        solve: a short search, from what an earlier one left; raises InfeasiblePlanError where it
            finds no plan. It is asked for one to four.
        seconds: for everything but the searches.

    Raises:
        InfeasiblePlanError: there is no plan even for today's pods.
    """
    claims = claims_of(snapshot, built)
    limits, order = Limits(built, claims), _order(policy, claims)
    made = _Made(policy, dict(built.pods_planned), claims, build, solve)
    filling = _Filling(limits, clock, seconds, first_step=_first_step(claims))
    given = filling.on(limits.today, order)
    cut = made.plan(given)
    if cut is None:
        given = limits.today
        cut = made.plan_or_raise(given)
    caps = sorted(_binding(limits, order, given))
    limits.learn(given, _used(cut), caps)
    for leeway in LEEWAYS:
        limits.set_leeway(leeway)
        more = filling.on(given, order)
        better = made.plan(more, cut.result.warm) if more != given else None
        if better is not None:
            given, cut = more, better
            break
    price = price_of_fairness(filling, claims, given) if _is_enforced(policy) else 0.0
    fairness = _fairness(policy, resources_of(built), claims, given, caps, price)
    return replace(cut, fairness=fairness, note=_note(policy, claims, given, caps))


def _first_step(claims: tuple[Claim, ...]) -> int:
    """Pods added at once at first: no more than a few per cent of what is wanted."""
    return max(1, sum(c.pods_wanted - c.pods_now for c in claims) // 32)


def _is_enforced(policy: Policy) -> bool:
    return policy.fairness.mode is FairnessMode.ENFORCE


@dataclass(frozen=True, slots=True)
class _Filling:
    """Adds pods within limits, a share of the time each time."""

    limits: Limits
    clock: Clock
    seconds: float
    first_step: int

    def on(self, start: Pods, order: Order) -> Pods:
        """What fits on top of ``start``."""
        until = Deadline.after(self.clock, FILLING_SHARE * self.seconds)
        return fill(start, order, self.limits.hold, until, MOST_IN_VAIN, self.first_step)


def _used(cut: Cut) -> dict[str, float]:
    """What a plan uses of each limit, by name."""
    problem = cut.built.problem
    counts = np.zeros(len(problem.offers))
    for nodes in cut.result.packing.nodes:
        counts[nodes.offer] += nodes.count
    return {cap.name: float(cap.coefficients @ counts) for cap in problem.caps}


def _binding(limits: Limits, order: Order, given: Pods) -> set[str]:
    """Names of the limits that stand in the way of the next pods in line, as few as break one."""
    ahead, pods = order(given, ()), list[int]()
    while more := list(islice(ahead, max(1, len(pods)))):
        pods += more
        if names := limits.broken_by(plus(given, pods)):
            return names
    return set()


def claims_of(snapshot: Snapshot, built: BuiltProblem) -> tuple[Claim, ...]:
    """What each workload has and wants of what the problem and the nodes that stay can hold.

    Pods without a place in any plan are left out: no limit keeps them from one.
    """
    headroom = _sum_by_workload(built, built.problem.demand - np.array(built.rows_now, np.int64))
    prices = _usd_per_pod_hour(built)
    stranded = {one.workload: 0 for one in built.unplaceable}
    for one in built.unplaceable:
        stranded[one.workload] += one.pods
    resources = resources_of(built)
    requests = {pod.workload: pod.template.requests for pod in snapshot.pods}
    claims = []
    for workload, planned in built.pods_planned:
        wanted = planned - stranded.get(workload, 0)
        claims.append(
            Claim(
                workload,
                wanted - int(headroom.get(workload, 0)),
                wanted,
                _amounts(requests[workload], resources),
                prices.get(workload, 0.0),
            )
        )
    return tuple(claims)


def resources_of(built: BuiltProblem) -> tuple[str, ...]:
    """Over which shares are taken: cores, memory, and what else pods ask for in units."""
    return tuple(d for d in built.problem.dimensions if d not in NOT_RESOURCES)


def _amounts(requests: Resources, resources: Iterable[str]) -> tuple[float, ...]:
    return tuple(float(requests.amount(resource)) for resource in resources)


def _sum_by_workload(
    built: BuiltProblem, of_rows: IntArray | FloatArray
) -> dict[WorkloadKey, float]:
    totals: dict[WorkloadKey, float] = {}
    for row, value in zip(built.problem.rows, of_rows.tolist(), strict=True):
        totals[row.workload] = totals.get(row.workload, 0.0) + value
    return totals


def _usd_per_pod_hour(built: BuiltProblem) -> dict[WorkloadKey, float]:
    """The cheapest price of a pod's share of a node, mean over the workload's pods."""
    market = to_market(built.problem)
    demand = built.problem.demand
    worth = _sum_by_workload(built, share_values(market) * demand)
    pods = _sum_by_workload(built, demand)
    return {workload: worth[workload] / pods[workload] for workload in pods}


def _order(policy: Policy, claims: tuple[Claim, ...]) -> Order:
    totals = wanted_amounts(claims)
    if _is_enforced(policy):
        return poorest_first(claims, totals, dict(policy.fairness.weights))
    return cheapest_first(claims, totals)


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """Turns a cut into a problem and a plan."""

    policy: Policy
    planned: Mapping[WorkloadKey, int]
    claims: tuple[Claim, ...]
    build: Build
    solve: Solve

    def plan(self, given: Pods, warm: WarmStart | None = None) -> Cut | None:
        """None where the search finds no plan."""
        try:
            return self.plan_or_raise(given, warm)
        except InfeasiblePlanError:
            return None

    def plan_or_raise(self, given: Pods, warm: WarmStart | None = None) -> Cut:
        """The problem of these pods, and a first plan of it."""
        pods = dict(self.planned)
        for claim, n in zip(self.claims, given, strict=True):
            pods[claim.workload] -= claim.pods_wanted - n
        built = self.build(pods)
        return Cut(pods, built, self.solve(built, warm), None, Note("", ""))


def _fairness(
    policy: Policy,
    resources: Sequence[str],
    claims: tuple[Claim, ...],
    given: Pods,
    caps: Sequence[str],
    price_usd_per_hour: float,
) -> Fairness | None:
    rules = policy.fairness
    if rules.mode is FairnessMode.OFF:
        return None
    weights = dict(rules.weights)
    return fairness_report(rules.mode, caps, claims, given, resources, weights, price_usd_per_hour)


def price_of_fairness(filling: _Filling, claims: tuple[Claim, ...], fair: Pods) -> float:
    """USD per hour, as the head of this file defines it."""
    totals, limits = wanted_amounts(claims), filling.limits
    cheapest = filling.on(limits.today, cheapest_first(claims, totals))
    gained = _headroom(claims, cheapest, totals)
    if gained <= 0.0:
        return 0.0
    today, paid, least = map(limits.usd_per_hour, (limits.today, fair, cheapest))
    rate = (least - today) / gained
    return max(0.0, paid - today - rate * _headroom(claims, fair, totals))


def _headroom(claims: tuple[Claim, ...], given: Pods, totals: tuple[float, ...]) -> float:
    """Dominant shares of the forecast pods, summed pod by pod."""
    return sum(
        (n - claim.pods_now) * max(shares_of(claim, totals), default=0.0)
        for claim, n in zip(claims, given, strict=True)
    )


def _note(policy: Policy, claims: tuple[Claim, ...], given: Pods, caps: Sequence[str]) -> Note:
    wanted = sum(claim.pods_wanted - claim.pods_now for claim in claims)
    room = sum(given) - sum(claim.pods_now for claim in claims)
    names = ", ".join(caps) or "the policy's limits"
    how = "shared fairly" if _is_enforced(policy) else "the cheapest first"
    fact = f"{names}: room for {room} of {wanted} pods that are forecast, {how}; today's pods fit"
    return Note(f"NodeMixPolicy/{policy.name}", fact, "raise the limit to cover them", "warning")
