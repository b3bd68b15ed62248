"""The engine: a plan at once, a better one for as long as there is time, and a bound on any."""

from itertools import count

import numpy as np
from nodemix.optimizer.catalog.types import InstanceType, Offer
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.alternatives import distinct_drafts
from nodemix.optimizer.packing.draft import to_packing
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.search import Search, require_best
from nodemix.optimizer.plan import Result
from nodemix.optimizer.problem.types import OfferCap, Problem, Row
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey

WARM_UP_READINGS = 2000
"""Readings of a clock that ticks at each of them; enough to enter every stage."""


def solve(problem: Problem, deadline: Deadline, rng: np.random.Generator) -> Result:
    """The cheapest packing found until the deadline, with a certified lower bound.

    Raises:
        InfeasiblePlanError: no packing within the caps was found; the message names the cap.
    """
    market = to_market(problem)
    search = Search(market, deadline, rng)
    search.run()
    best = require_best(search, [cap.name for cap in problem.caps])
    others = distinct_drafts(market, best, [*search.incumbent.elite, *search.others])
    return Result(
        packing=to_packing(market, best),
        lower_bound_usd_per_hour=min(search.lower_bound_usd_per_hour, best.cost_usd_per_hour),
        row_duals=search.duals.rows,
        cap_duals=search.duals.caps,
        alternatives=tuple(to_packing(market, draft) for draft in others),
        progress=tuple(search.incumbent.milestones),
        seconds=search.incumbent.seconds,
        lp_value_usd_per_hour=search.lp_value_usd_per_hour,
    )


def warm_up() -> None:
    """Compile the kernels, or load them from the disk, before somebody waits for a plan."""
    readings = count()
    solve(
        _tiny_problem(),
        Deadline.after(lambda: float(next(readings)), WARM_UP_READINGS),
        np.random.default_rng(0),
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
