import random

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.evolve import Evolution, SearchParams, evolve
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.market import Market

from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import draft_of, make_market

SMALL = SearchParams(population=6, patience=3, polish=32)


def mixed_market() -> Market:
    return make_market(
        workloads=[(14, 1700), (9, 2300), (20, 600), (7, 3100)],
        offers=[(4, 0.2), (8, 0.37), (16, 0.7), (2, 0.12)],
    )


def duals_of(market: Market) -> Duals:
    return Duals(share_values(market), np.zeros(len(market.cap_limits)))


def seeds_of(market: Market) -> list[Draft]:
    greedy = greedy_draft(market, share_values(market))
    assert greedy is not None
    return [greedy]


def evolved(
    market: Market, seeds: list[Draft], seed: int = 0, params: SearchParams = SMALL
) -> list[Draft]:
    rng = np.random.default_rng(seed)
    return evolve(market, seeds, duals_of(market), ticking(2000), rng, params)


def wasteful_seed() -> tuple[Market, Draft]:
    """Ten pods of 1 core on ten nodes of 4 cores."""
    market = make_market(workloads=[(10, 1000)], offers=[(4, 0.2)])
    return market, draft_of(market, (0, [1], 10))


def test_search_finds_what_a_wasteful_seed_misses() -> None:
    market, seed = wasteful_seed()

    assert evolved(market, [seed])[0].cost_usd_per_hour == pytest.approx(0.6)


def test_the_cheapest_plan_is_never_above_the_seeds() -> None:
    market = mixed_market()
    seeds = seeds_of(market)

    assert evolved(market, seeds)[0].cost_usd_per_hour <= seeds[0].cost_usd_per_hour


def test_the_incumbent_stays_in_every_population() -> None:
    market = mixed_market()
    params = SearchParams(population=4, patience=3, polish=0)
    rng = np.random.default_rng(1)
    evolution = Evolution(market, seeds_of(market), duals_of(market), rng, params)
    for _ in range(5):
        evolution.advance(ticking(500))

        costs = [one.cost_usd_per_hour for one in evolution.population]
        assert evolution.cheapest.cost_usd_per_hour == pytest.approx(min(costs))


def test_every_plan_of_the_archive_holds_every_pod_once() -> None:
    market = mixed_market()
    drafts = evolved(market, seeds_of(market))

    assert len(drafts) > 1
    for draft in drafts:
        assert (draft.held == market.demand).all()
        assert (draft.pods @ market.requests <= market.room[draft.offers]).all()


def test_archive_holds_no_plan_twice_and_is_sorted_by_cost() -> None:
    market = mixed_market()
    drafts = evolved(market, seeds_of(market))

    costs = [draft.cost_usd_per_hour for draft in drafts]
    assert costs == sorted(costs)
    plans = {frozenset(zip(d.offers, map(tuple, d.pods), d.counts, strict=True)) for d in drafts}
    assert len(plans) == len(drafts)


def test_archive_offers_less_concentrated_plans_too() -> None:
    """Two kinds of nodes at nearly one price: a mix of both is worth keeping."""
    market = make_market(
        workloads=[(12, 1000), (12, 1001)],
        offers=[(4, 0.2), (8, 0.41)],
        caps=[([1.0, 0.0], 100.0), ([0.0, 1.0], 100.0)],
    )
    drafts = evolved(market, seeds_of(market), params=SearchParams(population=12, patience=10))

    assert max(len(set(draft.offers.tolist())) for draft in drafts) == 2


def test_caps_hold_in_every_plan() -> None:
    market = make_market(
        workloads=[(30, 1000)], offers=[(4, 0.2), (8, 0.3)], caps=[([0.0, 1.0], 2.0)]
    )
    drafts = evolved(market, seeds_of(market))

    assert all(draft.is_allowed(market) for draft in drafts)


def test_same_seed_gives_the_same_plans_whatever_the_global_generators_say() -> None:
    market = mixed_market()
    random.seed(1)
    first = evolved(market, seeds_of(market), seed=7)
    random.seed(2)
    second = evolved(market, seeds_of(market), seed=7)

    assert [d.cost_usd_per_hour for d in first] == [d.cost_usd_per_hour for d in second]
    assert all((a.pods == b.pods).all() for a, b in zip(first, second, strict=True))


def test_without_seeds_there_is_nothing_to_breed() -> None:
    assert evolved(mixed_market(), []) == []


def test_without_time_the_seeds_come_back() -> None:
    market = mixed_market()
    seeds = seeds_of(market)
    rng = np.random.default_rng(0)

    drafts = evolve(market, seeds, duals_of(market), ticking(0), rng, SMALL)

    assert [draft.cost_usd_per_hour for draft in drafts] == [seeds[0].cost_usd_per_hour]


@pytest.mark.parametrize(
    ("field", "value"),
    [("population", 3), ("patience", 0), ("crossed", 1.5), ("noise", -0.1), ("most_ruined", 2.0)],
)
def test_settings_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ParameterError, match=field):
        SearchParams(**{field: value})  # type: ignore[arg-type] # one field at a time
