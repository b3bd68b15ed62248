"""Catalogs from CSV files: bad entries are left out and named, good ones are read in full."""

import gzip
from pathlib import Path

import pytest
from nodemix.optimizer.catalog.csv_files import interruptions_per_hour, load_catalog, parse_price
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.errors import CatalogError, EmptyCatalogError
from nodemix.optimizer.snapshot import CapacityType

INSTANCE_HEADER = (
    "instance_type,family,category,generation,arch,vcpu,memory_mib,alloc_cpu_m,alloc_memory_mib,"
    "max_pods_eks,gpu_count,gpu_resource,gpu_name,accel,alloc_ephemeral_gib"
)
M5 = "m5.large,m5,m,5,amd64,2,8192,1930,7000,29,,,,,17.0"
T4 = "g4dn.xlarge,g4dn,g,4,amd64,4,16384,3920,14000,29,1,nvidia.com/gpu,t4,,17.0"
AMD = "g4ad.xlarge,g4ad,g,4,amd64,4,16384,3920,14000,29,1,amd.com/gpu,radeon,,17.0"
OFFER_HEADER = "instance_type,zone,capacity_type,usd_h,monthly_interruption_prob_mid"
ON_DEMAND_LINE = "m5.large,us-east-1a,on-demand,0.096,0.0"


def load(
    folder: Path, offers: tuple[str, ...] = (ON_DEMAND_LINE,), instances: tuple[str, ...] = (M5,)
) -> Catalog:
    return load_catalog(
        write(folder / "catalog.csv", INSTANCE_HEADER, instances),
        write(folder / "offers.csv", OFFER_HEADER, offers),
    )


def write(path: Path, header: str, lines: tuple[str, ...]) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def with_price(price: str) -> str:
    return f"m5.large,us-east-1b,on-demand,{price},0.0"


def test_an_offer_carries_price_place_and_the_facts_of_its_type(tmp_path: Path) -> None:
    (offer,) = load(tmp_path).offers

    assert str(offer) == "m5.large/us-east-1a/on-demand"
    assert offer.price_usd_per_hour == 0.096
    assert offer.instance.allocatable.cpu_milli == 1930
    assert offer.instance.allocatable.memory_mib == 7000
    assert offer.instance.allocatable.pods == 29
    assert offer.instance.allocatable.ephemeral_mib == 17 * 1024
    assert dict(offer.instance.labels)["karpenter.k8s.aws/instance-family"] == "m5"


def test_gpu_types_offer_gpus_and_are_tainted(tmp_path: Path) -> None:
    lines = ("g4dn.xlarge,us-east-1a,spot,0.2,0.075",)

    (offer,) = load(tmp_path, lines, (T4,)).offers

    assert offer.instance.allocatable.gpus == 1
    assert offer.instance.gpu_name == "t4"
    assert [taint.key for taint in offer.instance.taints] == ["nvidia.com/gpu"]
    assert offer.capacity_type is CapacityType.SPOT
    assert offer.interruptions_per_hour > 0


def test_foreign_gpus_are_no_nvidia_gpus(tmp_path: Path) -> None:
    (offer,) = load(tmp_path, ("g4ad.xlarge,us-east-1a,spot,0.2,0.0",), (AMD,)).offers

    assert offer.instance.allocatable.gpus == 0
    assert offer.instance.gpu_name is None


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("0", "not a positive number"),
        ("-0.5", "not a positive number"),
        ("", "its price is missing"),
        ("nan", "not a positive number"),
        ("inf", "not a positive number"),
        ("cheap", "'cheap' is not a number"),
    ],
)
def test_an_offer_with_a_useless_price_is_left_out_and_named(
    tmp_path: Path, price: str, words: str
) -> None:
    catalog = load(tmp_path, (ON_DEMAND_LINE, with_price(price)))

    (note,) = catalog.notes
    assert [offer.zone for offer in catalog.offers] == ["us-east-1a"]
    assert note.subject == "offer m5.large/us-east-1b/on-demand"
    assert words in note.fact
    assert note.remedy
    assert note.severity == "error"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("m5.large,us-east-1b,reserved,0.1,0.0", "capacity_type is 'reserved'"),
        ("m5.large,,spot,0.1,0.0", "its zone is empty"),
        ("m5.large,us-east-1b,spot,0.1,1.5", "interruption probability"),
        ("z9.huge,us-east-1b,spot,0.1,0.0", "the catalog does not describe this type"),
        (ON_DEMAND_LINE, "listed twice"),
    ],
)
def test_an_offer_that_cannot_be_used_is_left_out_with_the_reason(
    tmp_path: Path, line: str, words: str
) -> None:
    catalog = load(tmp_path, (ON_DEMAND_LINE, line))

    assert len(catalog.offers) == 1
    assert words in catalog.notes[0].fact


def test_offers_of_one_unknown_type_are_one_note(tmp_path: Path) -> None:
    lines = [f"z9.huge,us-east-1{zone},spot,0.1,0.0" for zone in "abc"]

    (note,) = load(tmp_path, (ON_DEMAND_LINE, *lines)).notes

    assert note.fact.startswith("3 offers left out")


def test_an_instance_type_with_unreadable_facts_is_left_out_and_named(tmp_path: Path) -> None:
    broken = M5.replace("m5.large", "m5.broken").replace("1930", "many")

    catalog = load(tmp_path, instances=(M5, broken))

    assert len(catalog.offers) == 1
    assert catalog.notes[0].subject == "instance type m5.broken"


def test_a_catalog_without_a_usable_offer_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(EmptyCatalogError, match="not a positive number"):
        load(tmp_path, (with_price("0"),))
    with pytest.raises(EmptyCatalogError, match="holds none"):
        load(tmp_path, ())


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    offers = write(tmp_path / "o.csv", "instance_type,zone,usd_h", ())
    catalog = write(tmp_path / "c.csv", INSTANCE_HEADER, (M5,))

    with pytest.raises(CatalogError, match="column capacity_type is missing"):
        load_catalog(catalog, offers)


def test_a_file_that_is_not_there_or_not_text_is_a_catalog_error(tmp_path: Path) -> None:
    catalog = write(tmp_path / "c.csv", INSTANCE_HEADER, (M5,))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")

    for path in (tmp_path / "absent.csv", binary):
        with pytest.raises(CatalogError, match="cannot be read"):
            load_catalog(catalog, path)


def test_gzipped_files_are_read_too(tmp_path: Path) -> None:
    plain = write(tmp_path / "c.csv", INSTANCE_HEADER, (M5,))
    offers = write(tmp_path / "o.csv", OFFER_HEADER, (ON_DEMAND_LINE,))
    packed = tmp_path / "o.csv.gz"
    packed.write_bytes(gzip.compress(offers.read_bytes()))

    assert load_catalog(plain, packed).offers == load_catalog(plain, offers).offers


def test_offers_are_sorted_by_key(tmp_path: Path) -> None:
    lines = [f"m5.large,us-east-1{z},{m},0.1,0.0" for z in "ba" for m in ("spot", "on-demand")]

    keys = [offer.key for offer in load(tmp_path, tuple(lines)).offers]

    assert keys == sorted(keys)


def test_the_hourly_rate_gives_back_the_monthly_probability() -> None:
    assert interruptions_per_hour("0") == 0
    assert interruptions_per_hour(0.2) * 730 == pytest.approx(0.2231, abs=1e-4)


def test_a_price_is_read_in_usd_per_hour() -> None:
    assert parse_price(" 0.25 ") == 0.25


def test_the_real_offers_load_without_a_note(nodemix_data: Path) -> None:
    folder = nodemix_data / "optimizer"

    catalog = load_catalog(folder / "catalog_aws.csv", folder / "offers_us_east_1.csv")

    assert len(catalog.offers) == 6251
    assert catalog.notes == ()
    assert catalog.zones() == ("us-east-1a", "us-east-1b", "us-east-1c")
