import random

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.placed_choice import ScoredPlan, choose_placed
from nodemix.optimizer.genetic.placed_plan import PlacedPlan, nodes_to_change
from nodemix.optimizer.genetic.placed_search import PlacedParams, PlacedSearch
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft, to_packing
from nodemix.optimizer.packing.greedy import share_values
from nodemix.optimizer.packing.market import Market, to_market
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.trials import Trials, kinds_of
from nodemix.optimizer.problem.types import Problem

from tests.builders import make_offer, make_pods, make_problem
from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import draft_of

FRESH_DRAWS = 100


def tempting() -> tuple[Problem, Market, Draft]:
    """Small pods that the big nodes tempt: one full big node and two full small ones.

    With big nodes only, all pods always find a place, for a little more money.
    """
    big = make_pods(2, workload="big", cpu_milli=4000, memory_mib=8192)
    small = make_pods(8, workload="small", cpu_milli=1000, memory_mib=2048)
    offers = [
        make_offer("m5.2xlarge", price=0.41, vcpus=8, memory_gib=16),
        make_offer("m5.xlarge", price=0.2, vcpus=4, memory_gib=8),
    ]
    problem = make_problem([*big, *small], offers)
    market = to_market(problem)
    return problem, market, draft_of(market, (0, [2, 0], 1), (1, [0, 4], 2))


def chosen(
    mode: PlacementMode = PlacementMode.OBSERVE, readings: int = 900, seed: int = 0
) -> tuple[ScoredPlan, list[ScoredPlan]]:
    problem, market, draft = tempting()
    duals = Duals(share_values(market), np.zeros(0))
    rng = np.random.default_rng(seed)
    return choose_placed(problem, market, [draft], duals, ticking(readings), rng, mode)


def placed_usd_per_hour(draft: Draft) -> float:
    problem, market, _ = tempting()
    trials = Trials(problem, PlacementMode.OBSERVE, 12345)
    kinds = kinds_of(to_packing(market, draft), market.rows)
    hosting = [trials.hosting_usd_per_hour(kinds, draw) for draw in range(FRESH_DRAWS)]
    return draft.cost_usd_per_hour + float(np.mean(hosting))


def test_search_finds_a_plan_that_costs_less_once_placed() -> None:
    *_, seed = tempting()

    best, _ = chosen()

    assert best.draft.cost_usd_per_hour >= seed.cost_usd_per_hour
    assert placed_usd_per_hour(best.draft) < 0.98 * placed_usd_per_hour(seed)


def test_the_plan_to_beat_is_shown_beside_the_one_that_beat_it() -> None:
    *_, seed = tempting()
    best, others = chosen()

    assert seed.cost_usd_per_hour in [one.draft.cost_usd_per_hour for one in others]
    assert best.placed is not None
    for one in others:
        assert one.placed is not None
        assert one.placed.draws == best.placed.draws
        if one.draft is seed or one.draft.cost_usd_per_hour == seed.cost_usd_per_hour:
            assert best.placed.usd_per_hour <= one.placed.usd_per_hour


def test_where_nothing_stays_pending_the_placed_cost_is_the_plan_s() -> None:
    *_, seed = tempting()

    best, _ = chosen(PlacementMode.COHORT)

    assert best.draft.cost_usd_per_hour <= seed.cost_usd_per_hour
    assert best.placed is not None
    assert best.placed.usd_per_hour == pytest.approx(best.draft.cost_usd_per_hour)


def test_without_time_the_first_seed_comes_back_unscored() -> None:
    *_, seed = tempting()

    best, _ = chosen(readings=0)

    assert best.draft.cost_usd_per_hour == seed.cost_usd_per_hour
    assert best.placed is None


def test_same_seed_same_choice_whatever_the_global_generators_say() -> None:
    random.seed(1)
    first, first_others = chosen(seed=5)
    random.seed(2)
    second, second_others = chosen(seed=5)

    assert first.placed == second.placed
    assert [one.placed for one in first_others] == [one.placed for one in second_others]


def test_nodes_to_buy_and_to_let_go_both_count() -> None:
    problem, market, draft = tempting()
    kinds = PlacedPlan(market, draft, 0).kinds

    assert len(problem.offers) == 2
    assert nodes_to_change(kinds, np.array([3, 0])) == 4
    assert nodes_to_change(kinds, np.array([1, 2])) == 0


def test_a_child_that_falls_behind_is_drawn_only_once() -> None:
    problem, market, seed = tempting()
    duals = Duals(share_values(market), np.zeros(0))
    rng, deadline = np.random.default_rng(0), ticking(10**6)
    search = PlacedSearch(problem, market, PlacementMode.OBSERVE, duals, rng, PlacedParams())
    search.run([seed], ticking(600))
    dear = search.to_plan(draft_of(market, (0, [1, 0], 2), (1, [0, 1], 8)))

    assert not search._race(dear, deadline)
    assert len(dear.hosting) <= 1


@pytest.mark.parametrize(("field", "value"), [("elite", 3), ("population", 5), ("draws", 0)])
def test_settings_out_of_range_are_refused(field: str, value: int) -> None:
    with pytest.raises(ParameterError):
        PlacedParams(**{field: value})
