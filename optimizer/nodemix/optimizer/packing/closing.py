"""The last step to a proof: all patterns that a better plan could use, and the best mix of them.

Where the list is complete and the program over it is solved to its end, no plan is cheaper than
the cheaper of the incumbent and the program's optimum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.enumeration import EnumerationParams, enumerate_patterns
from nodemix.optimizer.packing.greedy import share_values
from nodemix.optimizer.packing.knapsack import Knapsacks
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.restricted import MipParams, restricted_mix

_FREE = 1e-7
"""Share of its crude value that a pod with a dual of zero is given: only then are all its places
listed, and what that costs the bound is below any price's digits."""
_ROUNDING = 3e-7
"""Share of the cost by which the gap is widened, for what the duals lack to be feasible."""


_TO_THE_END = MipParams(max_patterns=2 * EnumerationParams().max_patterns, relative_gap=1e-7)
"""Nothing may be left out of a complete list, and it is worth proving the last digit."""


@dataclass(frozen=True, slots=True, eq=False)
class Closing:
    """What came of it.

    Args:
        draft: the best mix; None where none was found in time.
        lower_bound_usd_per_hour: on any plan; 0 where the list or the program was cut short.
    """

    draft: Draft | None
    lower_bound_usd_per_hour: float


def close_gap(
    market: Market,
    knapsacks: Knapsacks,
    relaxation: Relaxation,
    elite: Sequence[Draft],
    deadline: Deadline,
) -> Closing:
    """List what a plan cheaper than the first of ``elite`` could use, and solve over it."""
    relaxation = _without_free_pods(market, relaxation)
    floor, cost = relaxation.cost_usd_per_hour, elite[0].cost_usd_per_hour
    gap = _widened(cost) - floor
    listed = enumerate_patterns(market, knapsacks, relaxation, gap, deadline, EnumerationParams())
    excess = _excess(market, listed.pool, relaxation)
    for draft in elite:
        listed.pool.add_draft(draft)
    solve = partial(restricted_mix, market, listed.pool, relaxation, deadline)
    quick = solve(MipParams(), _widened(cost)).draft
    if not listed.is_complete:
        return Closing(quick, 0.0)
    if quick is not None:
        cost = min(cost, quick.cost_usd_per_hour)
    mix = solve(_TO_THE_END, _widened(cost))
    best = min((one for one in (quick, mix.draft) if one is not None), key=_cost, default=None)
    bound = min(_widened(cost) - excess, mix.lower_bound_usd_per_hour, cost)
    return Closing(best, max(0.0, bound))


def _widened(cost_usd_per_hour: float) -> float:
    return cost_usd_per_hour * (1.0 + _ROUNDING)


def _cost(draft: Draft) -> float:
    return draft.cost_usd_per_hour


def _without_free_pods(market: Market, relaxation: Relaxation) -> Relaxation:
    """The relaxation with a value for every pod; its cost is what the duals say."""
    values = np.maximum(relaxation.duals.rows, _FREE * share_values(market))
    duals = Duals(values, relaxation.duals.caps)
    cost = float(duals.rows @ market.demand - duals.caps @ market.cap_limits)
    return replace(relaxation, duals=duals, cost_usd_per_hour=cost)


def _excess(market: Market, pool: ColumnPool, relaxation: Relaxation) -> float:
    """By how much the duals promise too much: they must not value a pattern above its price."""
    duals = relaxation.duals
    charged = np.maximum(duals.charged(market)[pool.offers], 1e-9)
    ratio = float((pool.pods @ duals.rows / charged).max(initial=1.0))
    return (1.0 - 1.0 / ratio) * float(duals.rows @ market.demand)
