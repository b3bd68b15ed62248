"""Under caps and with many offers, the costly stages look at the best offers only."""

import numpy as np
import pytest
from nodemix.optimizer.packing.draft import to_packing
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.part import only_offers
from nodemix.optimizer.packing.search import Search, StageParams

from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import draft_of, make_market


def one_pool_each_at_most(pools: int) -> Market:
    """Eight pods of a core; equal pools, dearer one by one, of which each may give two nodes."""
    return make_market(
        workloads=[(8, 1000)],
        offers=[(1, 0.1 + 0.01 * i) for i in range(pools)],
        caps=[([float(i == own) for i in range(pools)], 2.0) for own in range(pools)],
    )


def searched(market: Market, most_offers: int) -> Search:
    params = StageParams(most_offers=most_offers)
    search = Search(market, ticking(2_000), np.random.default_rng(0), params)
    search.run()
    return search


def test_plan_of_the_best_offers_is_one_of_the_whole_market() -> None:
    market = one_pool_each_at_most(6)

    search = searched(market, most_offers=4)

    assert search.incumbent.best is not None
    assert search.incumbent.cost_usd_per_hour == pytest.approx(2 * (0.1 + 0.11 + 0.12 + 0.13))
    assert to_packing(market, search.incumbent.best).cost_usd_per_hour == pytest.approx(0.92)


def test_bound_stays_that_of_all_offers() -> None:
    """Four nodes of the two best pools cannot hold eight pods; a bound for these would be wrong."""
    market = one_pool_each_at_most(6)

    search = searched(market, most_offers=2)

    assert search.lower_bound_usd_per_hour <= 0.92 + 1e-9
    assert search.incumbent.best is not None


def test_lifted_draft_names_the_offers_of_the_whole() -> None:
    market = one_pool_each_at_most(6)
    part = only_offers(market, np.array([2, 5]))

    lifted = part.lift(draft_of(part.market, (1, [1], 2)))

    assert lifted.offers.tolist() == [5]
    assert lifted.cost_usd_per_hour == pytest.approx(0.3)


@pytest.mark.parametrize("readings", [0, 1, 5, 10, 20, 40])
def test_search_of_too_little_time_to_tell_the_best_offers_has_a_plan(readings: int) -> None:
    params = StageParams(most_offers=4)
    search = Search(one_pool_each_at_most(6), ticking(readings), np.random.default_rng(0), params)

    search.run()

    assert search.incumbent.best is not None
