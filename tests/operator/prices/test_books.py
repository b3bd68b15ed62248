import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from nodemix.operator.api.pricebook import PriceBookSpec
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.prices.books import (
    NAMED_NOTES,
    REFRESH_S,
    RETRY_S,
    PriceBooks,
    PriceReading,
)
from nodemix.operator.prices.freshness import DAY_S, LIST_PRICE_LIMIT_S, age_of_prices_s
from nodemix.operator.prices.load import PriceAccess
from nodemix.optimizer.errors import EmptyCatalogError

HEADER = "instance_type,zone,capacity_type,usd_h\n"
GOOD = HEADER + "m7i.large,us-east-1a,spot,0.05\n"
DEARER = HEADER + "m7i.large,us-east-1a,spot,0.06\n"
WORTHLESS = HEADER + "m7i.large,us-east-1a,spot,0\n"
NEW_YEAR_S = 1_767_225_600.0  # 2026-01-01


def http_book(**fields: Any) -> PriceBookSpec:
    source = {"http": {"url": "https://prices.example.com/offers.csv"}}
    return PriceBookSpec.model_validate({"source": source, **fields})


@dataclass
class Market:
    """A price server and a clock that the test turns."""

    text: str = GOOD
    now_s: float = NEW_YEAR_S
    is_down: bool = False
    asked: int = 0
    books: PriceBooks = field(init=False)

    def __post_init__(self) -> None:
        access = PriceAccess(transport=httpx.MockTransport(self.answer))
        self.books = PriceBooks(access, lambda: self.now_s)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(503) if self.is_down else httpx.Response(200, text=self.text)

    def read(self, spec: PriceBookSpec | None = None) -> PriceReading:
        return asyncio.run(self.books.read("aws", spec or http_book()))


def price(reading: PriceReading) -> float:
    return reading.catalog.offers[0].price_usd_per_hour


def test_a_fresh_book_is_not_read_again() -> None:
    market = Market()
    market.read()
    market.now_s += REFRESH_S - 1
    market.read()

    assert market.asked == 1


def test_an_older_book_is_read_again() -> None:
    market = Market()
    market.read()
    market.now_s += REFRESH_S
    market.text = DEARER

    assert price(market.read()) == 0.06


def test_a_changed_spec_is_read_at_once() -> None:
    market = Market()
    market.read()
    market.text = DEARER

    assert price(market.read(http_book(asOf="2026-01-01"))) == 0.06


@pytest.mark.parametrize("failure", [{"is_down": True}, {"text": WORTHLESS}, {"text": ""}])
def test_the_last_good_prices_stay_when_the_source_fails(failure: dict[str, Any]) -> None:
    market = Market()
    market.read()
    market.now_s += REFRESH_S
    for name, value in failure.items():
        setattr(market, name, value)

    reading = market.read()

    assert price(reading) == 0.05
    assert reading.read_at_s == NEW_YEAR_S
    assert reading.degraded[0].subject == "PriceBook aws"
    assert "read 300 s ago stay in use" in reading.degraded[0].fact


def test_a_book_that_was_never_read_raises_what_is_wrong() -> None:
    with pytest.raises(PriceSourceError, match="answered 503"):
        Market(is_down=True).read()
    with pytest.raises(EmptyCatalogError, match="its price is 0"):
        Market(text=WORTHLESS).read()


def test_a_source_that_is_down_is_not_asked_at_every_tick() -> None:
    market = Market()
    market.read()
    market.now_s += REFRESH_S
    market.is_down = True
    for _ in range(5):
        market.read()

    assert market.asked == 2


def test_a_source_that_came_back_is_used_after_the_retry_time() -> None:
    market = Market()
    market.read()
    market.now_s += REFRESH_S
    market.is_down = True
    market.read()
    market.is_down, market.text = False, DEARER
    market.now_s += RETRY_S

    reading = market.read()

    assert price(reading) == 0.06
    assert reading.degraded == ()


def test_a_corrected_spec_is_tried_at_once_after_a_failure() -> None:
    market = Market(text=WORTHLESS)
    with pytest.raises(EmptyCatalogError):
        market.read()
    market.text = GOOD

    assert price(market.read(http_book(asOf="2026-01-01"))) == 0.05


def test_ages_count_from_the_last_good_read() -> None:
    market = Market()
    market.read()
    market.now_s += 42

    assert market.books.ages_s() == {"aws": 42}


def test_a_forgotten_book_has_no_age() -> None:
    market = Market()
    market.read()

    market.books.forget("aws")

    assert market.books.ages_s() == {}


def test_entries_left_out_are_named_and_the_rest_counted() -> None:
    bad = "".join(f"m7i.large,z{i},spot,0\n" for i in range(NAMED_NOTES + 7))

    degraded = Market(text=GOOD + bad).read().degraded

    assert len(degraded) == NAMED_NOTES + 1
    assert degraded[0].subject == "offer m7i.large/z0/spot"
    assert "7 more entries" in degraded[-1].fact


def test_prices_of_an_old_date_are_flagged() -> None:
    market = Market(now_s=NEW_YEAR_S + LIST_PRICE_LIMIT_S + DAY_S)

    (note,) = market.read(http_book(asOf="2026-01-01")).degraded

    assert "its prices are of 2026-01-01, 181 days ago" in note.fact
    assert note.remedy == "refresh the price book"


def test_prices_of_a_recent_date_are_not_flagged() -> None:
    assert Market().read(http_book(asOf="2025-12-01")).degraded == ()


@pytest.mark.parametrize("as_of", ["", "2025", "last week"])
def test_prices_without_a_date_have_no_known_age(as_of: str) -> None:
    assert age_of_prices_s(as_of, NEW_YEAR_S) is None


def test_the_bundled_book_needs_no_network() -> None:
    market = Market(is_down=True)
    bundled = PriceBookSpec.model_validate({"source": {"bundled": {}}})

    assert len(market.read(bundled).catalog.offers) > 450
    assert market.asked == 0
