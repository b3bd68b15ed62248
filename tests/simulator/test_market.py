import math

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.risk.beliefs import pool_of
from nodemix.optimizer.risk.hazard import Hazard
from nodemix.simulator.market import Market, PriceChange, Reclaim, drawn_reclaims

from tests.simulator.scenes import CHEAP, OFFERS, OTHER, PLAIN


def price(market: Market, at_s: float) -> float:
    index = [offer.key for offer in market.catalog.offers].index(CHEAP)
    return float(market.prices_at(at_s)[index])


def test_a_price_holds_from_its_change_on() -> None:
    market = Market(
        OFFERS, changes=(PriceChange(100.0, CHEAP, 0.5), PriceChange(200.0, CHEAP, 0.3))
    )

    assert [price(market, at_s) for at_s in (0.0, 99.0, 100.0, 250.0)] == [0.08, 0.08, 0.5, 0.3]
    assert market.catalog_at(150.0).by_key()[CHEAP].price_usd_per_hour == 0.5
    assert market.catalog_at(150.0).by_key()[PLAIN].price_usd_per_hour == 0.2
    assert market.next_price_change_s(100.0) == 200.0
    assert market.next_price_change_s(200.0) == math.inf


def test_only_reclaims_of_held_pools_matter() -> None:
    market = Market(OFFERS, (Reclaim(10.0, OTHER, 1.0), Reclaim(20.0, CHEAP, 1.0)))

    assert market.next_reclaim_s(0.0, 100.0, {CHEAP}) == 20.0
    assert market.next_reclaim_s(0.0, 15.0, {CHEAP}) == 15.0
    assert market.next_reclaim_s(20.0, 100.0, {CHEAP, OTHER}) == 100.0
    assert [r.pool for r in market.reclaims_between(10.0, 20.0)] == [OTHER]


@pytest.mark.parametrize(
    ("share", "nodes", "lost"), [(1.0, 5, 5), (0.5, 4, 2), (0.01, 3, 1), (0.7, 1, 1), (0.5, 0, 0)]
)
def test_a_reclaim_takes_a_node_at_least(share: float, nodes: int, lost: int) -> None:
    assert Reclaim(0.0, CHEAP, share).nodes_of(nodes) == lost


@pytest.mark.parametrize("share", [0.0, 1.1, math.nan])
def test_a_share_outside_is_refused(share: float) -> None:
    with pytest.raises(ParameterError):
        Reclaim(0.0, CHEAP, share)


def test_events_must_ascend() -> None:
    with pytest.raises(ParameterError, match="reclaims must ascend"):
        Market(OFFERS, (Reclaim(2.0, CHEAP, 1.0), Reclaim(1.0, CHEAP, 1.0)))


def test_reclaims_are_as_frequent_and_as_deep_as_believed() -> None:
    """A steady pool with a known rate of 2 an hour, half of it each time."""
    hazards = {
        pool_of(offer): Hazard(2e6, 1e6, (5e5, 5e5), steadiness=1e6)
        for offer in OFFERS.offers
        if offer.is_spot
    }
    hours = 2_000.0

    drawn = drawn_reclaims(OFFERS.offers, hazards, 0.0, 3600.0 * hours, np.random.default_rng(5))

    times = [r.at_s for r in drawn]
    assert {r.pool for r in drawn} == {CHEAP, OTHER}
    assert times == sorted(times)
    expected = 2 * 2.0 * hours
    assert abs(len(drawn) - expected) < 5 * math.sqrt(expected)
    assert np.mean([r.share for r in drawn]) == pytest.approx(0.5, abs=0.01)


def test_the_same_seed_draws_the_same_reclaims() -> None:
    hazards = {pool_of(o): Hazard(0.5, 5.0, (2.1, 0.9), 0.5) for o in OFFERS.offers if o.is_spot}

    first, second, other = (
        drawn_reclaims(OFFERS.offers, hazards, 0.0, 1e6, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )

    assert first == second != other
