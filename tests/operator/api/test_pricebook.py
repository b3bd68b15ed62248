from typing import Any

import pytest
from nodemix.operator.api.pricebook import MAX_INLINE_OFFERS, PriceBookSpec, PriceBookStatus
from pydantic import ValidationError


def offer(zone: str = "a", **fields: Any) -> dict[str, Any]:
    plain = {"instanceType": "m5.large", "capacityType": "spot", "usdPerHour": 0.1}
    return {**plain, "zone": zone, **fields}


def test_each_offer_is_listed_once() -> None:
    with pytest.raises(ValidationError, match=r"lists m5\.large/a/spot 2 times; keep one of them"):
        PriceBookSpec.model_validate({"offers": [offer(), offer("b"), offer(usdPerHour=0.2)]})


def test_offers_that_differ_in_the_market_alone_are_two() -> None:
    book = PriceBookSpec.model_validate({"offers": [offer(), offer(capacityType="on-demand")]})

    assert len(book.offers or ()) == 2


def test_price_of_zero_is_read_and_left_to_the_catalog() -> None:
    """Refusing the book for it would take all its other prices away."""
    book = PriceBookSpec.model_validate({"offers": [offer(usdPerHour=0)]})

    assert [o.usd_per_hour for o in book.offers or ()] == [0]


def test_book_larger_than_etcd_takes_is_refused() -> None:
    offers = [offer(f"z{n}") for n in range(MAX_INLINE_OFFERS + 1)]

    with pytest.raises(ValidationError, match=f"at most {MAX_INLINE_OFFERS} items"):
        PriceBookSpec.model_validate({"offers": offers})


@pytest.mark.parametrize("date", ["2026-7-1", "July", "2026-07-01T00:00:00Z", "\u0662026-07-01"])
def test_date_is_written_in_one_way(date: str) -> None:
    with pytest.raises(ValidationError):
        PriceBookSpec.model_validate({"source": {"bundled": {}}, "asOf": date})


@pytest.mark.parametrize("url", ["ftp://prices", "prices.csv", "http://", "http://a b"])
def test_url_is_one_of_http(url: str) -> None:
    with pytest.raises(ValidationError):
        PriceBookSpec.model_validate({"source": {"http": {"url": url}}})


def test_status_of_a_later_version_is_read_without_its_new_fields() -> None:
    status = PriceBookStatus.model_validate({"offers": 3, "colour": "red"})

    assert status.offers == 3
