from typing import Any

import pytest
from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.prices.books import PriceBooks
from nodemix.operator.prices.load import PriceAccess

from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio


def make_catalogs() -> Catalogs:
    clock = FakeClock()
    return Catalogs(PriceBooks(PriceAccess(), clock), clock)


def make_book(price: float = 0.2, **metadata: Any) -> dict[str, Any]:
    offer = {"instanceType": "m5.xlarge", "zone": "us-east-1a", "capacityType": "on-demand"}
    return {
        "metadata": {"name": "aws", "generation": 4, **metadata},
        "spec": {"offers": [{**offer, "usdPerHour": price}]},
    }


def buying_from(name: str) -> NodeMixPolicySpec:
    return NodeMixPolicySpec.model_validate({"catalogRef": {"name": name}})


async def test_policy_without_a_reference_buys_from_the_bundled_catalog() -> None:
    reading = await make_catalogs().read(NodeMixPolicySpec())

    assert "bundled" in reading.catalog.source
    assert reading.read_at_s == 1000.0


async def test_policy_buys_from_the_book_it_names() -> None:
    catalogs = make_catalogs()
    catalogs.update(make_book(0.17))

    reading = await catalogs.read(buying_from("aws"))

    assert [offer.price_usd_per_hour for offer in reading.catalog.offers] == [0.17]


async def test_changed_book_is_read_anew() -> None:
    catalogs = make_catalogs()
    catalogs.update(make_book(0.17))
    await catalogs.read(buying_from("aws"))
    catalogs.update(make_book(0.19))

    reading = await catalogs.read(buying_from("aws"))

    assert reading.catalog.offers[0].price_usd_per_hour == 0.19


def test_only_another_spec_is_a_change() -> None:
    catalogs = make_catalogs()

    assert catalogs.update(make_book(0.17))
    assert not catalogs.update({**make_book(0.17), "status": {"offers": 1}})
    assert catalogs.update(make_book(0.19))
    assert catalogs.names == ("aws",)
    assert (catalogs.generation("aws"), catalogs.generation("none")) == (4, None)


async def test_absent_book_is_named_with_the_remedy() -> None:
    with pytest.raises(PriceSourceError, match="PriceBook/gcp: does not exist; create it"):
        await make_catalogs().read(buying_from("gcp"))


async def test_deleted_book_is_absent_and_its_prices_are_forgotten() -> None:
    catalogs = make_catalogs()
    catalogs.update(make_book())
    await catalogs.read(buying_from("aws"))
    catalogs.remove("aws")

    with pytest.raises(PriceSourceError, match="does not exist"):
        await catalogs.read(buying_from("aws"))
    assert catalogs.books.ages_s() == {}


async def test_spec_that_cannot_be_read_is_named() -> None:
    catalogs = make_catalogs()
    catalogs.update({"metadata": {"name": "aws"}, "spec": {"offers": [], "source": {}}})

    with pytest.raises(PriceSourceError, match=r"PriceBook/aws: spec\.source: ") as caught:
        await catalogs.read(buying_from("aws"))

    assert "give exactly one of configMap, http and bundled" in str(caught.value)
