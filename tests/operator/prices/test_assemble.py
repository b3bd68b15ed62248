import pytest
from nodemix.operator.prices.assemble import catalog_of, instance_facts
from nodemix.operator.prices.rows import PriceRows
from nodemix.optimizer.catalog.types import Catalog, InstanceType
from nodemix.optimizer.errors import EmptyCatalogError
from nodemix.optimizer.resources import Resources

SMALL = InstanceType("m7i.large", "m7i", "m", 7, "amd64", 2, 8192, Resources(1930, 7000, 29))
FACTS = {SMALL.name: SMALL}


def make_record(**cells: str) -> dict[str, str]:
    plain = {"instance_type": SMALL.name, "zone": "a", "capacity_type": "spot", "usd_h": "0.05"}
    return plain | cells


def assemble(*records: dict[str, str]) -> Catalog:
    return catalog_of(PriceRows(records), FACTS, "PriceBook test")


def test_an_offer_has_the_books_price_and_the_catalogs_facts() -> None:
    (offer,) = assemble(make_record()).offers

    assert (offer.price_usd_per_hour, offer.instance) == (0.05, SMALL)


@pytest.mark.parametrize("price", ["0", "-1", "", "nan", "inf", "cheap"])
def test_an_offer_without_a_usable_price_is_left_out_by_name(price: str) -> None:
    catalog = assemble(make_record(), make_record(zone="b", usd_h=price))

    assert [offer.zone for offer in catalog.offers] == ["a"]
    (note,) = catalog.notes
    assert note.subject == "offer m7i.large/b/spot"
    assert note.remedy


@pytest.mark.parametrize("rate", ["-0.1", "nan", "often"])
def test_an_offer_with_an_absurd_interruption_rate_is_left_out_by_name(rate: str) -> None:
    catalog = assemble(make_record(), make_record(zone="b", interruptions_per_hour=rate))

    assert [offer.zone for offer in catalog.offers] == ["a"]
    assert catalog.notes[0].subject == "offer m7i.large/b/spot"


def test_a_rate_per_hour_is_taken_as_it_is() -> None:
    (offer,) = assemble(make_record(interruptions_per_hour="0.25")).offers

    assert offer.interruptions_per_hour == 0.25


def test_a_monthly_probability_becomes_a_rate_per_hour() -> None:
    (offer,) = assemble(make_record(monthly_interruption_prob_mid="0.5")).offers

    assert offer.interruptions_per_hour == pytest.approx(0.6931 / 730, rel=1e-3)


def test_an_unknown_type_is_left_out_by_name() -> None:
    catalog = assemble(make_record(), make_record(instance_type="z99.huge"))

    assert "z99.huge" in catalog.notes[0].subject


def test_a_book_without_a_usable_offer_says_why() -> None:
    with pytest.raises(EmptyCatalogError, match=r"PriceBook test.*its price is 0"):
        assemble(make_record(usd_h="0"))


def test_a_book_without_offers_says_so() -> None:
    with pytest.raises(EmptyCatalogError, match="it lists none"):
        assemble()


def test_facts_of_a_catalog_are_found_by_type() -> None:
    assert instance_facts(assemble(make_record())) == FACTS
