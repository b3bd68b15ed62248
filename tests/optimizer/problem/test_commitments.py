"""Which commitments can be used, what they add to the market, and who runs on them today."""

from collections.abc import Sequence

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.policy import Commitment
from nodemix.optimizer.problem.commitments import (
    committed_offers,
    put_under_terms,
    sound_commitments,
)
from nodemix.optimizer.problem.kept import NodeFate, Obstacle

from tests.builders import (
    SPOT,
    ZONES,
    make_catalog,
    make_node,
    make_offer,
    make_policy,
)

A, B = (make_offer("m5.xlarge", 0.2, zone=zone) for zone in ZONES[:2])
DEAR_B = make_offer("m5.xlarge", 0.3, zone=ZONES[1])
A_SPOT = make_offer("m5.xlarge", 0.05, capacity_type=SPOT, interruptions_per_hour=0.01)


def own(name: str = "own", count: int = 1, price: float = 0.0, **fields: object) -> Commitment:
    return Commitment(name, "m5.xlarge", count, price, **fields)  # type: ignore[arg-type]  # test


def fate(name: str, offer: Offer, *, stays: bool = False) -> NodeFate:
    obstacle = Obstacle("stays") if stays else None
    return NodeFate(make_node(name, offer), offer, obstacle)


def terms(
    fates: Sequence[NodeFate], commitments: Sequence[Commitment], *on_sale: Offer
) -> dict[str, str]:
    """The commitment of each node that is under one."""
    offers = committed_offers(commitments, make_catalog(*(on_sale or (A, B))), ZONES[:2])
    found = put_under_terms(fates, commitments, offers)
    return {f.node.name: f.offer.terms for f in found if f.offer and f.offer.terms}


def test_an_unknown_type_or_zone_leaves_out_one_commitment_and_says_what_to_do() -> None:
    entries = (
        Commitment("typo", "m5.xlrage", 1, 0.0),
        own("far", zone="mars-1a"),
        own("good", zone=ZONES[0]),
    )

    sound, notes = sound_commitments(make_policy(name="shop", commitments=entries), make_catalog(A))

    assert [commitment.name for commitment in sound] == ["good"]
    assert [str(note) for note in notes] == [
        (
            "NodeMixPolicy/shop: commitment typo is left out: the catalog knows no instance type "
            "m5.xlrage; correct instanceType, or add the type to the PriceBook with its shape"
        ),
        (
            "NodeMixPolicy/shop: commitment far is left out: the catalog has no offer in zone "
            "mars-1a; name one of us-east-1a, or none for any zone"
        ),
    ]


def test_a_commitment_without_a_zone_is_offered_in_each_at_its_own_price() -> None:
    offers = committed_offers([own(price=0.07)], make_catalog(A, B), ZONES[:2])

    assert [(offer.zone, offer.price_usd_per_hour, offer.terms) for offer in offers] == [
        (ZONES[0], 0.07, "own"),
        (ZONES[1], 0.07, "own"),
    ]


def test_a_node_that_is_paid_anyway_adds_nothing_to_the_bill() -> None:
    (offer,) = committed_offers(
        [own(price=0.07, is_paid_anyway=True, zone=ZONES[0])], make_catalog(A), ZONES
    )

    assert offer.price_usd_per_hour == 0.0


def test_committed_spot_nodes_are_taken_back_as_often_as_others() -> None:
    (offer,) = committed_offers([own(capacity_type=SPOT)], make_catalog(A_SPOT), ZONES[:1])

    assert offer.interruptions_per_hour == 0.01


def test_nodes_that_stay_are_paid_for_before_others() -> None:
    fates = [fate("a", A), fate("b", A), fate("z", A, stays=True)]

    assert terms(fates, [own(count=2)]) == {"a": "own", "z": "own"}


def test_commitments_are_dealt_out_so_that_the_bill_is_smallest() -> None:
    """One for any zone goes where the other one cannot."""
    fates = [fate("a", A), fate("b", DEAR_B)]
    commitments = [own("anywhere", price=0.01), own("in-a", price=0.05, zone=ZONES[0])]

    found = terms(fates, commitments, A, DEAR_B)

    assert found == {"a": "in-a", "b": "anywhere"}


def test_a_commitment_dearer_than_the_market_pays_for_no_node() -> None:
    assert terms([fate("a", A)], [own(price=0.25)]) == {}


def test_a_node_that_no_market_sells_stays_unless_a_commitment_pays_for_it() -> None:
    (offer,) = committed_offers([own(count=1)], make_catalog(A_SPOT), ZONES[:1])
    fates = [fate("a", offer), fate("b", offer)]

    first, second = put_under_terms(fates, [own(count=1)], [offer])

    assert (first.offer, first.obstacle) == (offer, None)
    assert second.offer is None
    assert second.obstacle is not None
    assert "no price" in second.obstacle.fact
