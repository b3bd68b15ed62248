"""The engine: a plan at once, a better one for as long as there is time, and a bound on any."""

from itertools import count

import numpy as np
from nodemix.optimizer.catalog.types import InstanceType, Offer
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.genetic.placed_choice import ScoredPlan, choose_placed
from nodemix.optimizer.packed import Alternative, Result
from nodemix.optimizer.packing.alternatives import distinct_drafts
from nodemix.optimizer.packing.draft import to_packing
from nodemix.optimizer.packing.market import Market, to_market
from nodemix.optimizer.packing.search import Search, require_best
from nodemix.optimizer.packing.seeds import freeze, thaw
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.problem.types import IntArray, OfferCap, Problem, Row
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey

WARM_UP_READINGS = 2000
"""Readings of a clock that ticks at each of them; enough to enter every stage."""


PLACED_SHARE = {
    PlacementMode.OBSERVE: 0.55,
    PlacementMode.POOL: 0.55,
    PlacementMode.COHORT: 0.05,
}
"""Share of the time in which plans are bred for their placed cost. Cohorts leave next to nothing
pending, so that their plans are hardly more than scored, and pinned pods nothing at all."""


def solve(
    problem: Problem,
    deadline: Deadline,
    rng: np.random.Generator,
    warm: WarmStart | None = None,
    placement: PlacementMode | None = None,
    nodes_now: IntArray | None = None,
) -> Result:
    """The cheapest packing found until the deadline, with a certified lower bound.

    Args:
        warm: what an earlier search left (`Result.warm`), of this problem or one like it.
        placement: where given, the cheapest is that of least expected placed cost under this mode.
        nodes_now: today's nodes of each offer, shape (offers,); where given, and with a placement,
            alternatives that change fewer nodes are kept, too.

    Raises:
        InfeasiblePlanError: no packing within the caps exists, or none was found; the message says
            which, and names the caps.
    """
    market = to_market(problem)
    share = 0.0 if placement is None else PLACED_SHARE.get(placement, 0.0)
    seeds = None if warm is None else thaw(warm, problem, market)
    packed = Deadline(deadline.clock, deadline.at_s - share * max(deadline.left_s, 0.0))
    search = Search(market, packed, rng, seeds=seeds)
    search.run()
    best = require_best(search, [cap.name for cap in problem.caps])
    others = [*search.incumbent.elite, *search.others]
    if placement is not None and share > 0.0 and problem.rows:
        found = [best, *others]
        duals = search.duals
        chosen, shown = choose_placed(
            problem, market, found, duals, deadline, rng, placement, nodes_now
        )
    else:
        chosen = ScoredPlan(best)
        shown = [ScoredPlan(draft) for draft in distinct_drafts(market, best, others)]
    cost = chosen.draft.cost_usd_per_hour
    return Result(
        packing=to_packing(market, chosen.draft),
        lower_bound_usd_per_hour=min(search.lower_bound_usd_per_hour, cost),
        row_duals=search.duals.rows,
        cap_duals=search.duals.caps,
        alternatives=tuple(_alternative(market, plan) for plan in shown),
        progress=tuple(search.incumbent.milestones),
        seconds=search.incumbent.seconds,
        lp_value_usd_per_hour=search.lp_value_usd_per_hour,
        warm=freeze(problem, market, search.useful, search.incumbent.elite, search.duals),
        placed=chosen.placed,
    )


def _alternative(market: Market, plan: ScoredPlan) -> Alternative:
    return Alternative(
        to_packing(market, plan.draft),
        plan.draft.largest_pool_share(market),
        plan.placed,
        plan.nodes_changed,
    )


def warm_up() -> None:
    """Compile the kernels, or load them from the disk, before somebody waits for a plan."""
    readings = count()
    solve(
        _tiny_problem(),
        Deadline.after(lambda: float(next(readings)), WARM_UP_READINGS),
        np.random.default_rng(0),
        placement=PlacementMode.OBSERVE,
    )


def _tiny_problem() -> Problem:
    """Three rows, two offers and a cap: enough to pass through every stage."""
    demand = (7, 5, 3)
    requests = [[300, 700, 1], [500, 300, 1], [900, 1100, 1]]
    room = [[2000, 4000, 10], [3000, 3000, 10]]
    return Problem(
        dimensions=("cpu_milli", "memory_mib", "pods"),
        rows=tuple(
            Row(str(i), WorkloadKey("default", "Deployment", str(i)), n)
            for i, n in enumerate(demand)
        ),
        requests=np.array(requests, dtype=np.int64),
        max_per_node=np.array(demand, dtype=np.int64),
        offers=tuple(_tiny_offer(i, *held) for i, held in enumerate(room)),
        room=np.array(room, dtype=np.int64),
        price_usd_per_hour=np.array([0.1, 0.11]),
        compatible=np.ones((3, 2), dtype=np.bool_),
        caps=(OfferCap("maxNodes", np.ones(2), 100.0),),
    )


def _tiny_offer(number: int, cpu_milli: int, memory_mib: int, pods: int) -> Offer:
    allocatable = Resources.of({}, cpu_milli=cpu_milli, memory_mib=memory_mib, pods=pods)
    instance = InstanceType(
        name=f"tiny{number}.large",
        family=f"tiny{number}",
        category="t",
        generation=1,
        architecture="amd64",
        vcpus=cpu_milli // 1000,
        memory_mib=memory_mib,
        allocatable=allocatable,
        gpu_name=None,
        labels=(),
        taints=(),
    )
    return Offer(instance, "zone", CapacityType.ON_DEMAND, 0.1, 0.0)
