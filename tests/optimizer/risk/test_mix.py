"""Cost against CVaR over pools: what safety costs before pods are packed."""

from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.decision import PodPaths
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.plan_risk import FrontPoint
from nodemix.optimizer.policy import SpotRules
from nodemix.optimizer.problem.caps import KeptShare, cap_problem
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.risk.beliefs import pool_of
from nodemix.optimizer.risk.hazard import Hazard
from nodemix.optimizer.risk.mix import MOST_POINTS, MOST_SHORT, cost_cvar_front
from nodemix.optimizer.risk.outlook import Outlook

from tests.builders import SPOT, make_offer, make_pods, make_policy, make_problem, make_workload_key

WEB = make_workload_key("web")
SPOTS = [make_offer(f"m{i}.xlarge", 0.05 + 0.01 * i, capacity_type=SPOT) for i in (5, 6, 7)]
SAFE = make_offer("r5.xlarge", 0.3)
# A shock in two hours: within ten minutes every twelfth scenario loses most of a pool.
RESTLESS = Hazard(2.0, 4.0, (2.1, 0.9), 1.0)
READINGS_PER_S = 8
"""Of a clock that ticks at each look; the front takes at most two of its seconds."""


def problem_of(pods: int = 40, offers: list[Offer] | None = None) -> Problem:
    return make_problem(make_pods(pods), offers or [*SPOTS, SAFE])


def front(
    problem: Problem,
    seconds: float = 10.0,
    nodes_now: dict[int, int] | None = None,
    paths: PodPaths | None = None,
    kept: int = 0,
) -> tuple[FrontPoint, ...]:
    hazards = {pool_of(offer): RESTLESS for offer in problem.offers if offer.is_spot}
    ticks = count()
    paths = paths or PodPaths((), np.zeros((0, 0), dtype=np.int64))
    now = np.zeros(len(problem.offers), dtype=np.int64)
    for offer, nodes in (nodes_now or {}).items():
        now[offer] = nodes
    return cost_cvar_front(
        problem,
        Packing((PackedNodes(0, ((0, 4),), 10),), 1.0),
        Outlook(paths, hazards, 600.0, 1),
        now,
        {WEB: kept},
        Deadline.after(lambda: next(ticks) / READINGS_PER_S, seconds),
        np.random.default_rng(0),
    )


def test_whoever_pays_more_risks_less() -> None:
    points = front(problem_of())

    assert 2 <= len(points) <= MOST_POINTS
    for before, after in pairwise(points):
        assert after.usd_per_hour >= before.usd_per_hour
        assert after.cvar < before.cvar
    assert all(0.0 <= point.cvar < MOST_SHORT for point in points)


def test_the_safest_mix_costs_no_more_than_all_on_demand() -> None:
    """Ten nodes on demand hold forty pods and lose nothing."""
    safest = front(problem_of())[-1]

    assert safest.usd_per_hour <= 10 * 0.3 + 1e-3


def test_without_spot_only_what_is_not_bought_lacks() -> None:
    """Each node fewer than ten leaves a tenth of forty pods without a place."""
    points = front(problem_of(offers=[SAFE]))

    assert points[-1].usd_per_hour == pytest.approx(3.0, rel=1e-3)
    assert (points[-1].cvar, points[-1].nodes_changed) == (0.0, 10)
    for point in points:
        assert point.cvar == pytest.approx(1.0 - point.nodes_changed / 10, abs=1e-6)


def test_caps_of_the_policy_hold_on_the_front() -> None:
    capped = cap_problem(problem_of(), make_policy(spot=SpotRules(max_share=0.0)), KeptShare(), ())

    for point in front(capped):
        assert point.usd_per_hour == pytest.approx(3.0 * (1.0 - point.cvar), rel=1e-3)


def test_the_cost_counts_reclaims() -> None:
    free = problem_of()
    feared = replace(
        free, offers=tuple(replace(o, interruption_usd_per_hour=0.5) for o in free.offers)
    )

    assert front(feared)[0].usd_per_hour > front(free)[0].usd_per_hour + 4.0


def test_paths_of_more_demand_ask_for_more_nodes() -> None:
    """The last mix of each covers what it loses least of; pods that are kept need no node."""
    steady = PodPaths((WEB,), np.full((10, 1), 40))
    twice = PodPaths((WEB,), np.full((10, 1), 80))
    offers = [SAFE]

    assert front(problem_of(offers=offers), paths=steady)[-1].nodes_changed == 10
    assert front(problem_of(offers=offers), paths=twice)[-1].nodes_changed == 20
    assert front(problem_of(offers=offers), paths=twice, kept=40)[-1].nodes_changed == 10


def test_nodes_that_no_mix_goes_on_with_are_let_go_in_each() -> None:
    """Of five kinds on demand the three cheapest are looked at; seven nodes run of the dearest."""
    offers = [make_offer(f"r{i}.xlarge", 0.1 * i) for i in (5, 6, 7, 8, 9)]

    points = front(problem_of(offers=offers), nodes_now={4: 7})

    assert points[-1].nodes_changed == 7 + 10


def test_no_time_and_no_pods_no_front() -> None:
    problem = problem_of()
    empty = replace(
        problem,
        rows=(),
        requests=problem.requests[:0],
        max_per_node=problem.max_per_node[:0],
        compatible=problem.compatible[:0],
    )

    assert front(problem, seconds=0.0) == ()
    assert front(empty) == ()


def test_the_same_seed_and_clock_give_the_same_front() -> None:
    assert front(problem_of()) == front(problem_of())
