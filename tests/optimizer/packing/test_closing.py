"""A plan that is proven optimal ends the search."""

import numpy as np
import pytest
from nodemix.optimizer.packing.closing import Closing, close_gap
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.search import Search

from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import draft_of, make_market

MANY_READINGS = 100_000


def thirds() -> Market:
    """Pods of a third and of a half of a node; the optimum is above the relaxation."""
    return make_market(workloads=[(4, 1300), (3, 2000)], offers=[(4, 0.2), (2, 0.15)])


def closed(market: Market, incumbent: Draft, readings: int = MANY_READINGS) -> Closing:
    generation = Generation(market, ColumnPool(market), GenerationParams())
    generation.run(ticking(MANY_READINGS))
    assert generation.relaxation is not None
    return close_gap(
        market, generation.knapsacks, generation.relaxation, [incumbent], ticking(readings)
    )


def searched(market: Market) -> Search:
    search = Search(market, ticking(MANY_READINGS), np.random.default_rng(0))
    search.run()
    return search


def test_complete_list_lifts_the_bound_to_the_optimum() -> None:
    closing = closed(thirds(), draft_of(thirds(), (0, [1, 0], 4), (0, [0, 1], 3)))

    assert closing.draft is not None
    assert closing.draft.cost_usd_per_hour == pytest.approx(0.6)
    assert closing.lower_bound_usd_per_hour == pytest.approx(0.6, rel=1e-6)


def test_list_that_was_cut_short_proves_nothing() -> None:
    closing = closed(thirds(), draft_of(thirds(), (0, [1, 0], 4), (0, [0, 1], 3)), readings=0)

    assert closing.lower_bound_usd_per_hour == 0.0


def test_pods_that_cost_nothing_are_listed_in_all_their_places() -> None:
    """Memory is free here; one more pod of no cores is worth nothing and still needs a place."""
    market = make_market(workloads=[(3, 2000), (9, 1)], offers=[(2, 0.1), (4, 0.21)])

    closing = closed(market, draft_of(market, (1, [1, 3], 3)))

    assert closing.lower_bound_usd_per_hour == pytest.approx(0.1 * 3 + 0.1, rel=1e-6)


def test_search_ends_when_its_plan_is_proven() -> None:
    search = searched(thirds())

    assert search.is_proven
    assert search.incumbent.cost_usd_per_hour == pytest.approx(0.6)
    assert search.incumbent.seconds < 0.2 * MANY_READINGS


def test_caps_count_in_the_proof() -> None:
    """Two of the cheap nodes at most: without that cap three would do."""
    market = make_market(
        workloads=[(12, 1000)], offers=[(4, 0.2), (4, 0.1)], caps=[([0.0, 1.0], 2.0)]
    )

    search = searched(market)

    assert search.is_proven
    assert search.incumbent.cost_usd_per_hour == pytest.approx(0.2 + 2 * 0.1)
