import pytest
from nodemix.operator.api.pricebook import OfferSpec, ShapeSpec
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.prices.rows import rows_of_offers, rows_of_text
from nodemix.optimizer.snapshot import CapacityType

CSV = "instance_type,zone,capacity_type,usd_h\nm7i.large,a,spot,0.05\n"
RECORD = {"instance_type": "m7i.large", "zone": "a", "capacity_type": "spot", "usd_h": "0.05"}


def test_csv_gives_one_record_a_line() -> None:
    assert rows_of_text(CSV, "book").records == (RECORD,)


def test_csv_may_use_the_field_names_of_a_price_book() -> None:
    text = "instanceType,zone,capacityType,usdPerHour\nm7i.large,a,spot,0.05\n"

    assert rows_of_text(text, "book").records == (RECORD,)


def test_a_byte_order_mark_before_csv_does_no_harm() -> None:
    assert rows_of_text("\ufeff" + CSV, "book").records == (RECORD,)


def test_csv_with_windows_line_ends_is_read() -> None:
    assert rows_of_text(CSV.replace("\n", "\r\n"), "book").records == (RECORD,)


def test_a_short_line_has_empty_cells() -> None:
    text = "instance_type,zone,capacity_type,usd_h\nm7i.large,a\n"

    assert rows_of_text(text, "book").records[0]["usd_h"] == ""


def test_json_list_of_offers_is_read() -> None:
    text = '[{"instanceType":"m7i.large","zone":"a","capacityType":"spot","usdPerHour":0.05}]'

    assert rows_of_text(text, "book").records == (RECORD,)


def test_json_object_says_of_which_date_its_prices_are() -> None:
    rows = rows_of_text('{"asOf":"2026-01-02","offers":[]}', "book")

    assert (rows.as_of, rows.records) == ("2026-01-02", ())


def test_json_offer_may_describe_its_own_shape() -> None:
    text = '[{"instanceType":"own","shape":{"cpuMilli":1000,"memoryMib":2048}}]'

    assert rows_of_text(text, "book").shapes["own"].cpu_milli == 1000


@pytest.mark.parametrize("entry", ["5", '{"shape":{"cpuMilli":0,"memoryMib":1}}', '{"shape":3}'])
def test_json_entry_that_is_no_offer_is_named_and_the_others_stay(entry: str) -> None:
    good = '{"instanceType":"m7i.large","zone":"a","capacityType":"spot","usdPerHour":0.05}'

    rows = rows_of_text(f"[{entry},{good}]", "book")

    assert rows.records == (RECORD,)
    assert rows.notes[0].subject == "book offer 0"


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("[1,", "is no valid JSON"),
        ('{"prices": 1}', "holds no list of offers"),
        ("instance_type,zone\nm7i.large,a\n", "column capacity_type, usd_h is missing"),
        ("<html>404</html>", "column instance_type"),
    ],
)
def test_text_that_is_no_price_list_names_source_fact_and_remedy(text: str, fact: str) -> None:
    with pytest.raises(PriceSourceError, match=fact) as caught:
        rows_of_text(text, "book")

    assert caught.value.subject == "book"
    assert "write CSV with the columns" in caught.value.remedy


def test_inline_offers_keep_every_digit_of_their_price() -> None:
    offer = OfferSpec(
        instance_type="own",
        zone="a",
        capacity_type=CapacityType.SPOT,
        usd_per_hour=0.1234567890123,
        shape=ShapeSpec(cpu_milli=1000, memory_mib=1024),
    )

    rows = rows_of_offers([offer], "2026-01-02")

    assert rows.records[0]["usd_h"] == "0.1234567890123"
    assert rows.shapes == {"own": offer.shape}
