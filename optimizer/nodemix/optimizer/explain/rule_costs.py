"""What the rules cost that a plan keeps: the relaxation solved with them, and without some.

Both linear programs start from what the search found. All rules of a kind are given up together,
and the rules of each workload alone; those that promise most come first, for as long as there is
time. Of a large cluster only the nodes that hold pods with the rule are looked at, as many as leave
a small problem, and the figure is that of their pods, scaled to all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.explain.rules import Rule, remedy_together, rules_of
from nodemix.optimizer.explain.types import RuleCost
from nodemix.optimizer.explain.without_rule import (
    Share,
    affected_rows,
    holding_without,
    only_offers,
    over_all_offers,
    share_of,
    warm_for,
    without,
)
from nodemix.optimizer.packed import Packing, Result
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.seeds import freeze, thaw
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.problem.build import Survey
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.problem.types import IntArray, Problem
from nodemix.optimizer.snapshot import WorkloadKey

LEAST_SHARE = 0.002
"""Of the plan's cost, that a rule must cost to be named."""

MOST_ROWS = 50
"""Of the problems looked at: rounds over many more leave no time for a second rule."""

MOST_RULES = 60
"""Looked at: those of the pods that are worth most."""

MOST_OFFERS, LEAST_OFFERS = 300, 24
"""The cheapest that are looked at beside the plan's: for all rows with the rule, for each of them.
One row needs many where each pool is limited."""

ROUNDS, SETTLED = 3, 2e-4
"""A relaxation has settled once so many rounds lower it by less than this share."""

PARAMS = GenerationParams(tree_nodes=(200,), exact_patterns=5)
"""Not to the last pattern: what is left is in both of two linear programs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Relaxation:
    """The cost of the relaxation, and what the next one can start from."""

    usd_per_hour: float
    warm: WarmStart


def rule_costs(
    survey: Survey, safety: Safety, built: BuiltProblem, result: Result, deadline: Deadline
) -> tuple[RuleCost, ...]:
    """What rules cost that the plan keeps, the dearest first; those that cost little are left out.

    Args:
        survey, safety: that ``built`` was made of.
        result: of a search of its problem.
    """
    if result.warm is None or not built.problem.rows:
        return ()
    rules = tuple(rules_of(survey))
    if not rules:
        return ()
    pricing = _Pricing(rules, survey, safety, built, result, result.warm, deadline)
    found = [cost for rules in pricing.wishes() if (cost := pricing.cost_of(rules))]
    return tuple(sorted(found, key=lambda c: (-c.usd_per_hour, c.kind, c.workloads)))


class _Pricing:
    """The rules of one plan."""

    def __init__(
        self,
        rules: Iterable[Rule],
        survey: Survey,
        safety: Safety,
        built: BuiltProblem,
        result: Result,
        warm: WarmStart,
        deadline: Deadline,
    ) -> None:
        self._survey, self._deadline = survey, deadline
        self._warm = warm
        self._worth: list[float] = (result.row_duals * built.problem.demand).tolist()
        self._rows: defaultdict[WorkloadKey, list[int]] = defaultdict(list)
        for i, row in enumerate(built.problem.rows):
            self._rows[row.workload].append(i)
        self._rules = [rule for rule in rules if self._rows.get(rule.workload)]
        self._problem, offers = over_all_offers(survey, built.problem, safety)
        nodes = (replace(n, offer=int(offers[n.offer])) for n in result.packing.nodes)
        self._packing = Packing(tuple(nodes), result.packing.cost_usd_per_hour)
        self._least = LEAST_SHARE * result.packing.cost_usd_per_hour
        self._whole: _Relaxation | None = None
        useful = set(warm.offer_keys)
        variants = (offer.variant for offer in self._problem.offers)
        self._bought = np.flatnonzero([variant in useful for variant in variants])

    def wishes(self) -> Iterator[tuple[Rule, ...]]:
        """Rules to give up together; those that promise most first, while there is time."""
        promise = {id(rule): 0.0 for rule in self._rules}
        for rule in sorted(self._rules, key=self._worth_of, reverse=True)[:MOST_RULES]:
            promise[id(rule)] = self._promise_of(rule)
        kinds: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
        for rule in self._rules:
            kinds[rule.kind, rule.label].append(rule)
        together = [tuple(rules) for rules in kinds.values() if len(rules) > 1]
        wishes = [*together, *((rule,) for rule in self._rules)]
        promises = [sum(promise[id(rule)] for rule in rules) for rules in wishes]
        for i in np.argsort(-np.array(promises), kind="stable").tolist():
            if promises[i] < self._least or self._deadline.has_passed:
                return
            yield wishes[i]

    def _worth_of(self, rule: Rule) -> float:
        """What the rule's pods are worth by the duals."""
        return sum(self._worth[i] for i in self._rows[rule.workload])

    def _promise_of(self, rule: Rule) -> float:
        """By how much its pods are worth more than their share of the cheapest node would cost."""
        problem, promise = self._problem, 0.0
        for i in self._rows[rule.workload]:
            holding = holding_without(problem.rows[i], rule, self._survey)
            new = holding & ~problem.compatible[i]
            able = new if new.any() else holding
            share = (problem.requests[i] / np.maximum(problem.room[able], 1)).max(axis=1)
            least = float((problem.price_usd_per_hour[able] * share).min(initial=np.inf))
            promise += max(0.0, self._worth[i] - problem.rows[i].pods * least)
        return promise

    def cost_of(self, rules: Sequence[Rule]) -> RuleCost | None:
        """What rules cost together; None where it is next to nothing, or time was too short."""
        affected = affected_rows(self._problem, rules)
        part = share_of(self._problem, self._packing, affected, MOST_ROWS)
        base = self._with_rules(part)
        if base is None or part.share <= 0.0:
            return None
        relaxed = without(part.problem, self._survey, rules)
        warm = warm_for(base.warm, part.problem, relaxed)
        rows = np.unique(relaxed.source[affected_rows(part.problem, rules)])
        offers = self._offers_for(relaxed.problem, rows)
        free = self._relaxation(only_offers(relaxed.problem, offers), warm)
        if free is None:
            return None
        saved = (base.usd_per_hour - free.usd_per_hour) / part.share
        if saved < self._least:
            return None
        return RuleCost(
            kind=rules[0].kind,
            workloads=tuple(sorted(str(rule.workload) for rule in rules)),
            pods=int(self._problem.demand[affected].sum()),
            usd_per_hour=saved,
            remedy=rules[0].remedy if len(rules) == 1 else remedy_together(rules[0]),
        )

    def _with_rules(self, part: Share) -> _Relaxation | None:
        """The relaxation of a part as it is; of the whole problem once for all rules."""
        if self._whole is not None and part.is_whole:
            return self._whole
        warm = replace(self._warm, plans=self._warm.plans[:0])
        found = self._relaxation(only_offers(part.problem, self._bought), warm)
        if part.is_whole:
            self._whole = found
        return found

    def _offers_for(self, problem: Problem, rows: IntArray) -> IntArray:
        """Those that the search found useful, and the cheapest for a pod of each of the rows."""
        most = max(LEAST_OFFERS, MOST_OFFERS // len(rows))
        cheapest = [_cheapest_for(problem, i)[:most] for i in rows.tolist()]
        return np.unique(np.concatenate([self._bought, *cheapest]))

    def _relaxation(self, problem: Problem, warm: WarmStart) -> _Relaxation | None:
        """The relaxation once it has settled; None where time is too short for that."""
        market = to_market(problem)
        seeds, pool = thaw(warm, problem, market), ColumnPool(market)
        pool.add_all(seeds.offers, seeds.pods)
        generation = Generation(market, pool, PARAMS)
        has_settled = _settle(generation, self._deadline)
        found = generation.relaxation
        if not has_settled or found is None or not found.is_met:
            return None
        useful = freeze(problem, market, pool, (), found.duals)
        return _Relaxation(found.cost_usd_per_hour, useful)


def _settle(generation: Generation, deadline: Deadline) -> bool:
    """Rounds until they hardly pay any more; whether there was time for that."""
    before = np.inf
    while not deadline.has_passed:
        if not all(generation.advance(deadline) for _ in range(ROUNDS)):
            return generation.is_converged
        now = generation.relaxation.cost_usd_per_hour if generation.relaxation else np.inf
        if before - now <= SETTLED * now:
            return True
        before = now
    return False


def _cheapest_for(problem: Problem, row: int) -> IntArray:
    """Offers that can hold a pod of the row, by what its share of a node costs."""
    able = np.flatnonzero(problem.compatible[row])
    share = (problem.requests[row] / np.maximum(problem.room[able], 1)).max(axis=1)
    return able[np.argsort(problem.price_usd_per_hour[able] * share, kind="stable")]
