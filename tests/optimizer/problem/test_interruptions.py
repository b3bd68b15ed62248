"""What reclaims are expected to cost, by hand."""

import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.policy import SpotRules
from nodemix.optimizer.problem.interruptions import (
    STEP_SHARE,
    Interruptions,
    count_interruptions,
    interruptions_of,
)
from nodemix.optimizer.risk.beliefs import pool_of
from nodemix.optimizer.risk.hazard import Hazard

from tests.builders import SPOT, ZONES, make_catalog, make_offer

TWIN = make_offer("m5.xlarge", 0.3)
SPOT_OFFER = make_offer("m5.xlarge", 0.1, capacity_type=SPOT)
LONELY = make_offer("c5.xlarge", 0.12, capacity_type=SPOT)
ELSEWHERE = make_offer("m5.xlarge", 0.1, capacity_type=SPOT, zone=ZONES[1])
CATALOG = make_catalog(TWIN, SPOT_OFFER, LONELY, ELSEWHERE)
# A shock in twenty hours, each of which takes 70 % of the nodes.
HAZARD = Hazard(1.0, 20.0, (2.1, 0.9), 1.0)
HAZARDS = {pool_of(offer): HAZARD for offer in (SPOT_OFFER, LONELY, ELSEWHERE)}


def interruptions(hit: tuple[Offer, ...] = (), **rules: float) -> Interruptions:
    """With ten minutes until a new node runs."""
    spot = SpotRules(**{"interruption_usd": 0.02, **rules})
    return interruptions_of(CATALOG, HAZARDS, spot, 600.0, [pool_of(o) for o in hit])


def test_a_lost_node_costs_what_the_policy_says_and_ten_minutes_on_demand() -> None:
    assert interruptions().usd_per_node(SPOT_OFFER) == pytest.approx(0.02 + 0.3 / 6)
    assert interruptions(interruption_usd=1.0).usd_per_node(SPOT_OFFER) == pytest.approx(1.05)


@pytest.mark.parametrize("offer", [LONELY, ELSEWHERE], ids=["its type", "its zone"])
def test_what_is_not_sold_on_demand_stands_in_at_its_own_price(offer: Offer) -> None:
    own = offer.price_usd_per_hour / 6

    assert interruptions().usd_per_node(offer) == pytest.approx(0.02 + own)


def test_a_node_hour_costs_its_chance_of_a_loss_times_the_loss() -> None:
    counted = interruptions()

    assert counted.lost_per_hour(SPOT_OFFER) == pytest.approx(0.05 * 0.7)
    assert counted.usd_per_node_hour(SPOT_OFFER) == pytest.approx(0.05 * 0.7 * 0.07)


def test_nobody_takes_back_nodes_on_demand() -> None:
    assert interruptions().usd_per_node_hour(TWIN) == 0.0


def test_a_spot_pool_of_which_nothing_is_believed_costs_nothing_more() -> None:
    unknown = make_offer("r5.xlarge", 0.1, capacity_type=SPOT)

    assert interruptions().usd_per_node_hour(unknown) == 0.0


def test_a_pool_that_was_hit_lately_counts_as_dearer_by_the_saving_that_a_return_asks() -> None:
    careful = interruptions((SPOT_OFFER,), return_saving=0.25)
    calm = interruptions((), return_saving=0.25)

    counted = careful.counted_usd_per_node_hour(SPOT_OFFER)
    assert counted == pytest.approx(calm.counted_usd_per_node_hour(SPOT_OFFER) + 0.025)
    assert careful.counted_usd_per_node_hour(LONELY) == calm.counted_usd_per_node_hour(LONELY)


def test_reclaims_count_in_steps_that_never_say_too_much() -> None:
    calm = interruptions(())
    step = STEP_SHARE * SPOT_OFFER.price_usd_per_hour

    counted = calm.counted_usd_per_node_hour(SPOT_OFFER)

    assert counted <= calm.usd_per_node_hour(SPOT_OFFER) < counted + step
    assert counted / step == pytest.approx(round(counted / step))


def test_a_hit_on_a_spot_pool_does_not_make_its_twin_on_demand_dearer() -> None:
    assert interruptions((SPOT_OFFER,)).counted_usd_per_node_hour(TWIN) == 0.0


def test_the_catalog_says_what_is_counted_and_keeps_its_prices() -> None:
    careful = interruptions((SPOT_OFFER,))

    counted = count_interruptions(CATALOG, careful.counted_usd_per_node_hour)

    assert [o.price_usd_per_hour for o in counted.offers] == [
        o.price_usd_per_hour for o in CATALOG.offers
    ]
    by_key = counted.by_key()
    assert by_key[TWIN.key].interruption_usd_per_hour == 0.0
    counted_cost = careful.counted_usd_per_node_hour(SPOT_OFFER)
    assert by_key[SPOT_OFFER.key].interruption_usd_per_hour == counted_cost > 0.01
    assert by_key[LONELY.key].interruption_usd_per_hour > 0.0


def test_a_longer_wait_makes_losses_dearer() -> None:
    costs = [
        interruptions_of(CATALOG, HAZARDS, SpotRules(), lead_time_s).usd_per_node_hour(SPOT_OFFER)
        for lead_time_s in (60.0, 600.0, 3600.0)
    ]

    assert costs == sorted(set(costs))
