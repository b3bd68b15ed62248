import asyncio
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from nodemix.operator.api.pricebook import HttpSource, PriceBookSpec
from nodemix.operator.errors import ConnectionFailedError, PriceSourceError
from nodemix.operator.prices.http_source import MAX_BYTES, http_rows
from nodemix.operator.prices.load import PriceAccess, load_prices
from nodemix.operator.prices.static_file import file_catalog
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.errors import CatalogError, EmptyCatalogError

CSV = "instance_type,zone,capacity_type,usd_h\nm7i.large,us-east-1a,spot,0.05\n"
URL = "https://prices.example.com/offers.csv"
HTTP_BOOK = {"source": {"http": {"url": URL}}}
MAP_BOOK = {"source": {"configMap": {"namespace": "nodemix", "name": "prices"}}}
INLINE_OFFER = {
    "instanceType": "m7i.large",
    "zone": "us-east-1a",
    "capacityType": "spot",
    "usdPerHour": 0.05,
}


class FakeApi:
    def __init__(self, objects: dict[str, dict[str, Any]], down: bool = False) -> None:
        self.objects = objects
        self.down = down

    async def get(self, path: str) -> dict[str, Any] | None:
        if self.down:
            raise ConnectionFailedError("api", "403 forbidden", "grant it")
        return self.objects.get(path)


def load(
    book: dict[str, Any],
    api: FakeApi | None = None,
    answer: Callable[[httpx.Request], httpx.Response] | None = None,
) -> Catalog:
    access = PriceAccess(api, httpx.MockTransport(answer) if answer else None)
    return asyncio.run(load_prices("aws", PriceBookSpec.model_validate(book), access))


def prices_of(catalog: Catalog) -> dict[str, float]:
    return {str(offer): offer.price_usd_per_hour for offer in catalog.offers}


EXPECTED = {"m7i.large/us-east-1a/spot": 0.05}


def test_inline_offers_become_a_catalog() -> None:
    catalog = load({"offers": [INLINE_OFFER], "asOf": "2026-01-02"})

    assert prices_of(catalog) == EXPECTED
    assert (catalog.source, catalog.as_of) == ("PriceBook aws", "2026-01-02")


def test_inline_offer_of_price_zero_is_left_out_by_name() -> None:
    catalog = load({"offers": [INLINE_OFFER, INLINE_OFFER | {"zone": "b", "usdPerHour": 0}]})

    assert prices_of(catalog) == EXPECTED
    assert catalog.notes[0].subject == "offer m7i.large/b/spot"


def test_bundled_book_is_the_bundled_catalog() -> None:
    assert load({"source": {"bundled": {}}}) is bundled_catalog()


def test_config_map_is_read_by_its_key() -> None:
    path = "/api/v1/namespaces/nodemix/configmaps/prices"
    api = FakeApi({path: {"data": {"offers.csv": CSV}}})

    assert prices_of(load(MAP_BOOK, api)) == EXPECTED


@pytest.mark.parametrize(
    ("objects", "fact"),
    [
        ({}, "does not exist"),
        ({"/api/v1/namespaces/nodemix/configmaps/prices": {}}, "has no key 'offers.csv'"),
    ],
)
def test_config_map_that_is_not_there_is_named(objects: dict[str, Any], fact: str) -> None:
    with pytest.raises(PriceSourceError, match=f"ConfigMap nodemix/prices: {fact}"):
        load(MAP_BOOK, FakeApi(objects))


def test_config_map_that_may_not_be_read_says_what_to_grant() -> None:
    with pytest.raises(PriceSourceError, match=r"403 forbidden; let nodemix get configmaps"):
        load(MAP_BOOK, FakeApi({}, down=True))


def test_config_map_without_a_cluster_is_an_error_in_words() -> None:
    with pytest.raises(PriceSourceError, match="there is no cluster"):
        load(MAP_BOOK)


def test_http_source_is_read() -> None:
    catalog = load(HTTP_BOOK, answer=lambda _: httpx.Response(200, text=CSV))

    assert prices_of(catalog) == EXPECTED


def test_http_json_tells_the_date_of_its_prices() -> None:
    body = {"asOf": "2026-03-04", "offers": [INLINE_OFFER]}

    catalog = load(HTTP_BOOK, answer=lambda _: httpx.Response(200, json=body))

    assert (prices_of(catalog), catalog.as_of) == (EXPECTED, "2026-03-04")


def test_http_source_that_refuses_is_named() -> None:
    with pytest.raises(PriceSourceError, match=f"{URL}: answered 500"):
        load(HTTP_BOOK, answer=lambda _: httpx.Response(500))


def test_http_source_that_is_down_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(PriceSourceError, match=r"no answer \(ConnectError: refused\)"):
        load(HTTP_BOOK, answer=refuse)


def test_http_source_that_serves_no_text_is_named() -> None:
    with pytest.raises(PriceSourceError, match="serves no text"):
        load(HTTP_BOOK, answer=lambda _: httpx.Response(200, content=b"\xff\xfe\x80"))


def test_http_source_that_never_ends_is_cut() -> None:
    served = []

    def endless() -> Any:
        class Stream(httpx.AsyncByteStream):
            async def __aiter__(self) -> Any:
                while True:
                    served.append(2**20)
                    yield b"x" * 2**20

        return httpx.Response(200, stream=Stream())

    with pytest.raises(PriceSourceError, match="serves more than 32 MiB"):
        asyncio.run(http_rows(HttpSource(url=URL), httpx.MockTransport(lambda _: endless())))
    assert sum(served) <= MAX_BYTES + 2**20


def test_offers_file_takes_its_facts_from_the_bundled_catalog(tmp_path: Path) -> None:
    offers = tmp_path / "offers.csv"
    offers.write_text(CSV)

    assert prices_of(file_catalog(offers)) == EXPECTED


def test_offers_file_without_a_usable_offer_raises(tmp_path: Path) -> None:
    offers = tmp_path / "offers.csv"
    offers.write_text(CSV.replace("0.05", "0"))

    with pytest.raises(EmptyCatalogError, match=r"offers\.csv"):
        file_catalog(offers)


def test_absent_offers_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"absent\.csv"):
        file_catalog(tmp_path / "absent.csv")


def test_real_aws_offers_are_read_with_their_own_catalog(nodemix_data: Path) -> None:
    folder = nodemix_data / "optimizer"

    catalog = file_catalog(folder / "offers_us_east_1.csv", folder / "catalog_aws.csv")

    with (folder / "offers_us_east_1.csv").open() as lines:
        listed = sum(float(row["usd_h"]) > 0 for row in csv.DictReader(lines))
    assert len(catalog.offers) == listed


def test_real_aws_offers_as_a_config_map_have_the_prices_of_the_file(nodemix_data: Path) -> None:
    text = (nodemix_data / "optimizer" / "offers_us_east_1.csv").read_text()
    path = "/api/v1/namespaces/nodemix/configmaps/prices"

    catalog = load(MAP_BOOK, FakeApi({path: {"data": {"offers.csv": text}}}))

    listed = {
        f"{row['instance_type']}/{row['zone']}/{row['capacity_type']}": float(row["usd_h"])
        for row in csv.DictReader(text.splitlines())
    }
    assert len(catalog.offers) > 1000
    assert all(listed[name] == price for name, price in prices_of(catalog).items())
