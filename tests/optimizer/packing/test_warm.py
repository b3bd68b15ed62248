"""A search that starts from what an earlier one left."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.seeds import Seeds, thaw
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import make_offer, make_pods, make_problem
from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import random_problem
from tests.packing_checker import complaints

FEW_READINGS = 12
"""Of the clock; cold, that is hardly more than the greedy."""
LARGE, SMALL = make_offer("m5.xlarge", 0.2), make_offer("m5.large", 0.15, vcpus=2)


def solved(problem: Problem, warm: WarmStart | None = None, readings: int = 300) -> Result:
    return solve(problem, ticking(readings), np.random.default_rng(0), warm)


def small_problem(
    web: int = 8, api: int = 3, offers: Sequence[Offer] = (LARGE, SMALL), cpu_milli: int = 1000
) -> Problem:
    """Pods of a core (web) and of half a node (api)."""
    demand = [
        *make_pods(web, workload="web", cpu_milli=cpu_milli, memory_mib=1),
        *make_pods(api, workload="api", cpu_milli=2000, memory_mib=1),
    ]
    return make_problem(demand, offers)


def left_of(problem: Problem) -> WarmStart:
    warm = solved(problem).warm
    assert warm is not None
    return warm


def thawed(warm: WarmStart, problem: Problem) -> Seeds:
    return thaw(warm, problem, to_market(problem))


def with_other_demand(problem: Problem, seed: int) -> Problem:
    """Each row with up to a tenth more or fewer pods."""
    factors = np.random.default_rng(seed).uniform(0.9, 1.1, len(problem.rows))
    pairs = zip(problem.rows, factors.tolist(), strict=True)
    rows = tuple(replace(row, pods=max(1, round(row.pods * factor))) for row, factor in pairs)
    return replace(
        problem, rows=rows, max_per_node=np.array([row.pods for row in rows], dtype=np.int64)
    )


def test_same_problem_starts_with_the_plan_that_was_found() -> None:
    problem = random_problem(rows=20, offers=20, pods=200)
    first = solved(problem)

    again = solved(problem, first.warm, readings=0)

    assert again.progress[0].stage == "earlier plan"
    assert again.packing.cost_usd_per_hour <= first.packing.cost_usd_per_hour * (1.0 + 1e-9)


def test_earlier_plan_gets_nodes_for_the_pods_that_came() -> None:
    result = solved(small_problem(web=9), left_of(small_problem(web=8)), readings=0)

    assert result.progress[0].stage == "earlier plan"
    assert complaints(small_problem(web=9), result.packing) == []


def test_rows_and_offers_are_known_by_name_whatever_their_place() -> None:
    """The second problem has its rows and its offers the other way round."""
    problem = small_problem()
    turned = replace(
        problem,
        rows=problem.rows[::-1],
        requests=problem.requests[::-1],
        max_per_node=problem.max_per_node[::-1],
        offers=problem.offers[::-1],
        room=problem.room[::-1],
        price_usd_per_hour=problem.price_usd_per_hour[::-1],
        compatible=problem.compatible[::-1, ::-1],
    )
    first = solved(problem)
    assert first.warm is not None

    seeds = thawed(first.warm, turned)

    assert seeds.plans[0].cost_usd_per_hour == pytest.approx(first.packing.cost_usd_per_hour)
    assert seeds.plans[0].held.tolist() == [3, 8]
    assert seeds.duals.rows == pytest.approx(first.row_duals[::-1])


def test_pods_that_do_not_fit_any_more_are_taken_off_their_node() -> None:
    seeds = thawed(left_of(small_problem()), small_problem(cpu_milli=1500))

    assert len(seeds.offers) > 0
    market = to_market(small_problem(cpu_milli=1500))
    assert (seeds.pods @ market.requests <= market.room[seeds.offers]).all()


def test_nodes_of_an_offer_that_is_gone_are_left_out() -> None:
    """Three large nodes and a small one; only the small one is still to be had."""
    warm = left_of(small_problem())
    changed = small_problem(offers=[SMALL])

    assert thawed(warm, changed).plans[0].counts.tolist() == [1]
    assert complaints(changed, solved(changed, warm).packing) == []


def test_nodes_of_an_offer_that_became_dear_move_to_the_one_that_beats_it() -> None:
    dear, cheap = make_offer("m5.xlarge", 0.3), make_offer("m5a.xlarge", 0.1)

    seeds = thawed(left_of(small_problem()), small_problem(offers=[dear, cheap]))

    market = to_market(small_problem(offers=[dear, cheap]))
    assert market.offers[seeds.offers].tolist() == [1] * len(seeds.offers)
    assert len(seeds.offers) > 0


def test_rows_and_caps_that_are_new_get_prices_of_their_own() -> None:
    warm = left_of(small_problem())
    grown = make_problem(
        [
            *make_pods(8, workload="web", memory_mib=1),
            *make_pods(3, workload="api", cpu_milli=2000, memory_mib=1),
            *make_pods(2, workload="new", memory_mib=1),
        ],
        [LARGE, SMALL],
        [OfferCap("maxNodes", np.ones(2), 50.0)],
    )

    seeds = thawed(warm, grown)

    assert seeds.duals.rows[2] > 0.0
    assert seeds.duals.caps.tolist() == [0.0]


def test_in_little_time_a_warm_start_is_worth_its_while() -> None:
    """The median of five; most of them are several percent cheaper."""
    first = random_problem(rows=60, offers=40, pods=900)
    warm = left_of(first)
    ratios = []
    for seed in range(5):
        problem = with_other_demand(first, seed)
        cold, ahead = solved(problem, None, FEW_READINGS), solved(problem, warm, FEW_READINGS)
        assert complaints(problem, ahead.packing) == []
        ratios.append(ahead.packing.cost_usd_per_hour / cold.packing.cost_usd_per_hour)

    assert np.median(ratios) <= 1.0
