import gzip
from pathlib import Path

import pytest
from nodemix.forecasting.errors import HistoryError
from nodemix.operator.backtest.inputs import from_files
from nodemix.operator.offline import Terms, read_terms
from nodemix.optimizer.snapshot import CapacityType

from tests.operator.small_files import CHEAP, WEB, ZONE, write_history

SPOT_POOL = (CHEAP, ZONE, CapacityType.SPOT)
RECLAIMS = "timestamp,instance_type,zone,share"
PRICES = "timestamp,instance_type,zone,capacity_type,usd_h"


@pytest.fixture
def terms() -> Terms:
    return read_terms(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_history(tmp_path / "demand.csv", pods=3, end_s=1_790_000_100, steps=10)
    return tmp_path


def test_a_folder_needs_only_its_demand(folder: Path, terms: Terms) -> None:
    recording = from_files(folder, terms)

    assert recording.history.series == (WEB,)
    assert recording.reclaims is None
    assert recording.changes == ()


def test_one_file_alone_will_do(folder: Path, terms: Terms) -> None:
    assert from_files(folder / "demand.csv", terms).history.steps == 10


def test_packed_demand_is_read(folder: Path, terms: Terms) -> None:
    plain = folder / "demand.csv"
    (folder / "demand.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()

    assert from_files(folder, terms).history.steps == 10


def test_reclaims_and_prices_are_read_in_order_of_time(folder: Path, terms: Terms) -> None:
    rows = [RECLAIMS, f"200,{CHEAP},{ZONE},0.5", f"1970-01-01T00:01:40Z,{CHEAP},{ZONE},1"]
    (folder / "reclaims.csv").write_text("\n".join(rows))
    (folder / "prices.csv").write_text(f"{PRICES}\n300,{CHEAP},{ZONE},spot,0.05\n")

    recording = from_files(folder, terms)

    assert recording.reclaims is not None
    assert [(r.at_s, r.pool, r.share) for r in recording.reclaims] == [
        (100.0, SPOT_POOL, 1.0),
        (200.0, SPOT_POOL, 0.5),
    ]
    assert [(c.at_s, c.pool, c.usd_per_hour) for c in recording.changes] == [
        (300.0, SPOT_POOL, 0.05)
    ]


def test_reclaims_that_are_recorded_as_none_are_none(folder: Path, terms: Terms) -> None:
    (folder / "reclaims.csv").write_text(f"{RECLAIMS}\n")

    assert from_files(folder, terms).reclaims == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("reclaims.csv", "timestamp,zone\n", "column instance_type, share is missing"),
        ("reclaims.csv", f"{RECLAIMS}\n1,{CHEAP},{ZONE},2\n", "reclaims.csv line 2: .*share"),
        ("reclaims.csv", f"{RECLAIMS}\nsoon,{CHEAP},{ZONE},1\n", "reclaims.csv line 2"),
        ("prices.csv", f"{PRICES}\n1,{CHEAP},{ZONE},spot,0\n", "line 2: usd_h must be positive"),
        ("prices.csv", f"{PRICES}\n1,{CHEAP},{ZONE},cheap,1\n", "prices.csv line 2: .*cheap"),
    ],
)
def test_a_bad_line_is_named(
    folder: Path, terms: Terms, name: str, text: str, message: str
) -> None:
    (folder / name).write_text(text)

    with pytest.raises(HistoryError, match=message):
        from_files(folder, terms)


def test_a_folder_without_demand_says_what_to_write(tmp_path: Path, terms: Terms) -> None:
    with pytest.raises(HistoryError, match=r"holds no demand\.csv; write one"):
        from_files(tmp_path, terms)
