"""The last look: no node stays on an offer when a cheaper one holds its pods."""

import pytest
from nodemix.optimizer.packing.exchange import on_cheapest_offers

from tests.optimizer.packing.markets import draft_of, make_market


def test_nodes_move_to_the_cheapest_offer_that_holds_their_pods() -> None:
    apart = [([1.0, 0.0, 0.0], 9.0), ([0.0, 1.0, 0.0], 9.0), ([0.0, 0.0, 1.0], 9.0)]
    market = make_market([(4, 1000)], [(2, 0.2), (1, 0.15), (2, 0.1)], caps=apart)

    better = on_cheapest_offers(market, draft_of(market, (0, [2], 2)))

    assert better.offers.tolist() == [2]
    assert better.cost_usd_per_hour == pytest.approx(0.2)


def test_caps_decide_how_many_of_them_move() -> None:
    market = make_market(
        [(6, 1000)], [(2, 0.2), (2, 0.1)], caps=[([0.0, 1.0], 2.0), ([1.0, 0.0], 9.0)]
    )

    better = on_cheapest_offers(market, draft_of(market, (0, [2], 3)))

    assert better.is_allowed(market)
    assert sorted(zip(better.offers.tolist(), better.counts.tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
    ]
    assert better.held.tolist() == [6]


def test_offer_without_room_or_right_is_no_host() -> None:
    market = make_market([(2, 2000)], [(2, 0.2), (1, 0.1)], caps=[([1.0, 0.0], 9.0)])
    draft = draft_of(market, (0, [1], 2))

    assert on_cheapest_offers(market, draft).cost_usd_per_hour == draft.cost_usd_per_hour
