"""What the same pods would cost if nodes were chosen Karpenter's way, with headroom tuned as safe.

There is a spot pool before an on-demand pool; their largest types are the best for today's pods, as
if somebody had tuned them, and so is the headroom: the same share of spare pods for every workload,
the least with which the nodes fall short no more often than the plan does on the same paths.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.explain.karpenter_nodes import Fleet, Market, SetUp, consolidate, provision
from nodemix.optimizer.explain.types import Baseline
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import IntArray, Problem

NAME = "karpenter-like"
FIRST_HEADROOM, MOST_HEADROOM = 0.05, 6.4
"""Shares of the pods: tried first, doubled while that falls short too often, and given up at."""
HALVINGS = 4
"""Of the interval between too little and enough headroom."""
SIZES_VCPUS = (np.inf, 96.0, 64.0, 48.0, 32.0, 16.0, 8.0)
"""Largest types among which each pool has its choice."""

Shortfall = Callable[[Packing], float]
Judge = Callable[[Baseline, Packing], Baseline]


@dataclass(frozen=True, slots=True)
class Kept:
    """Nodes that stay out of the problem and are paid in any plan."""

    nodes: int = 0
    usd_per_hour: float = 0.0


def karpenter_like(
    problem: Problem,
    pods_now: IntArray,
    deadline: Deadline,
    shortfall: Shortfall | None = None,
    accepted: float = 0.0,
    kept: Kept | None = None,
    judge: Judge | None = None,
    *,
    buys_spot: bool = True,
) -> Baseline | None:
    """What nodes for the pods cost with as much headroom as makes them as safe as the plan.

    Args:
        pods_now: pods of today of each row, shape (rows,).
        shortfall: how often a packing falls short on the paths that the plan was scored on; None
            without a forecast, then there is no headroom.
        accepted: how often the plan does.
        judge: fills in what the baseline's packing risks and costs once placed; None leaves both
            out.
        buys_spot: whether the policy allows any spot.

    Returns:
        None where the time did not suffice.
    """
    kept = kept or Kept()
    if not problem.rows or (not pods_now.any() and shortfall is None):
        return Baseline(NAME, 0.0, kept.usd_per_hour, kept.nodes, "no pod needs a new place")
    market = Market.of(problem, buys_spot=buys_spot)
    chosen = _cheapest_set_up(market, pods_now, deadline)
    if chosen is None:
        return None
    set_up, fleet = chosen
    if fleet is None:
        why = "some pods can only go on nodes that exist in a limited number"
        return Baseline(NAME, 0.0, None, 0, why)
    found = _Tuning(market, set_up, pods_now, shortfall, accepted).search(fleet, deadline)
    if found is None:
        return None
    baseline = _baseline(market, set_up, found, kept)
    if found.fleet is None or judge is None:
        return baseline
    return judge(baseline, market.to_packing(found.fleet))


@dataclass(frozen=True, slots=True, eq=False)
class _Tuned:
    """A fleet and the headroom it was made for; no fleet where no headroom was enough."""

    headroom: float
    fleet: Fleet | None
    shortfall: float | None


def _baseline(market: Market, set_up: SetUp, found: _Tuned, kept: Kept) -> Baseline:
    if found.fleet is None:
        why = f"even {found.headroom:.0%} of spare pods fall short more often than the plan"
        return Baseline(NAME, found.headroom, None, 0, why)
    why = f"first fit by falling size and consolidation; {set_up}"
    if found.shortfall is not None:
        why += f"; falls short on {found.shortfall:.3f} of the same paths"
    cost = market.cost_usd_per_hour(found.fleet) + kept.usd_per_hour
    nodes = len(found.fleet.offers) + kept.nodes
    return Baseline(NAME, found.headroom, cost, nodes, why)


def _cheapest_set_up(
    market: Market, pods: IntArray, deadline: Deadline
) -> tuple[SetUp, Fleet | None] | None:
    """The set-up that costs least for ``pods``, consolidated.

    Split pools share no pod, so that each has its best size by itself.
    """
    costs = np.full((len(SIZES_VCPUS), 2), np.inf)
    for size, line in zip(SIZES_VCPUS, costs, strict=True):
        fleet = provision(market, SetUp(size, size, is_split=True), pods)
        if fleet is None:
            return SetUp(size, size, is_split=True), None
        line[:] = market.cost_by_pool(fleet)
        if deadline.has_passed:
            return None
    spot, on_demand = (SIZES_VCPUS[i] for i in costs.argmin(axis=0))
    set_ups = [SetUp(spot, on_demand, is_split) for is_split in (True, False)]
    fleets = [(set_up, _nodes_for(market, set_up, pods)) for set_up in set_ups]
    return min(fleets, key=lambda one: market.cost_usd_per_hour(one[1]) if one[1] else np.inf)


def _nodes_for(market: Market, set_up: SetUp, pods: IntArray) -> Fleet | None:
    """Provisioned and consolidated; None where some pod has no place."""
    fleet = provision(market, set_up, pods)
    return None if fleet is None else consolidate(market, set_up, fleet)


@dataclass(frozen=True, slots=True, eq=False)
class _Tuning:
    """Looks for the least headroom that falls short no more often than the plan."""

    market: Market
    set_up: SetUp
    pods_now: IntArray
    shortfall: Shortfall | None
    accepted: float

    def search(self, fleet: Fleet, deadline: Deadline) -> _Tuned | None:
        """None where the time ends before any headroom was enough.

        Args:
            fleet: without headroom.
        """
        found = self._judge(0.0, fleet)
        if self._is_safe(found):
            return found
        too_little, headroom = 0.0, FIRST_HEADROOM
        while not self._is_safe(found := self._try(headroom)):
            if headroom >= MOST_HEADROOM:
                return _Tuned(headroom, None, found.shortfall)
            if deadline.has_passed:
                return None
            too_little, headroom = headroom, 2.0 * headroom
        return self._halve(too_little, found, deadline)

    def _halve(self, too_little: float, enough: _Tuned, deadline: Deadline) -> _Tuned:
        for _ in range(HALVINGS):
            if deadline.has_passed:
                break
            middle = self._try((too_little + enough.headroom) / 2.0)
            if self._is_safe(middle):
                enough = middle
            else:
                too_little = middle.headroom
        return enough

    def _is_safe(self, found: _Tuned) -> bool:
        return found.shortfall is None or found.shortfall <= self.accepted

    def _try(self, headroom: float) -> _Tuned:
        spare = np.ceil(headroom * np.maximum(self.pods_now, 1) - 1e-9).astype(np.int64)
        fleet = _nodes_for(self.market, self.set_up, self.pods_now + spare)
        # Spare pods of a row that committed nodes alone can hold may find no place.
        return _Tuned(headroom, None, np.inf) if fleet is None else self._judge(headroom, fleet)

    def _judge(self, headroom: float, fleet: Fleet) -> _Tuned:
        short = None if self.shortfall is None else self.shortfall(self.market.to_packing(fleet))
        return _Tuned(headroom, fleet, short)
