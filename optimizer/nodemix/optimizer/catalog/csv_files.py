"""Catalogs from two CSV files: instance types, and what they cost where.

Entries that cannot be used are left out and listed in ``Catalog.notes``: a price of zero would
otherwise win every comparison.
"""

import csv
import gzip
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from nodemix.optimizer.catalog.labels import instance_labels
from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer
from nodemix.optimizer.errors import CatalogError, EmptyCatalogError
from nodemix.optimizer.resources import GPU_RESOURCE, Resources
from nodemix.optimizer.snapshot import CapacityType, Note, Taint

HOURS_PER_MONTH = 730.0
GPU_TAINT = Taint(GPU_RESOURCE, "true", "NoSchedule")

INSTANCE_COLUMNS = (
    "instance_type",
    "family",
    "category",
    "generation",
    "arch",
    "vcpu",
    "memory_mib",
    "alloc_cpu_m",
    "alloc_memory_mib",
    "max_pods_eks",
)
OFFER_COLUMNS = ("instance_type", "zone", "capacity_type", "usd_h")

Record = Mapping[str, str]


def load_catalog(catalog_csv: Path, offers_csv: Path) -> Catalog:
    """Instance types and offers from two CSV files, plain or gzipped.

    Args:
        catalog_csv: one instance type a line, at least ``INSTANCE_COLUMNS``; optional columns:
            ``alloc_ephemeral_gib``, ``gpu_count``, ``gpu_resource``, ``gpu_name``,
            ``gpu_memory_mib``, ``accel``, ``local_nvme_gib``, ``network_mbps``, ``hypervisor``.
        offers_csv: one offer a line, at least ``OFFER_COLUMNS``; optional:
            ``monthly_interruption_prob_mid``.

    Raises:
        CatalogError: a file cannot be read or lacks a column.
        EmptyCatalogError: not one offer can be used.
    """
    instances, bad_types = parse_instances(read_records(catalog_csv, INSTANCE_COLUMNS))
    offers, bad_offers = parse_offers(read_records(offers_csv, OFFER_COLUMNS), instances)
    notes = (*bad_types, *bad_offers)
    if not offers:
        why = str(notes[0]) if notes else "the file holds none"
        raise EmptyCatalogError(offers_csv.name, why)
    return Catalog(offers, source=offers_csv.name, notes=notes)


def read_records(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The lines of a CSV file by column name; a missing column or file is a CatalogError."""
    try:
        return parse_records(_read_text(path), columns, path.name)
    except (OSError, EOFError, UnicodeDecodeError) as err:
        raise CatalogError(f"{path}: cannot be read ({err}); check the path and format") from err


def parse_records(text: str, columns: Sequence[str], source: str) -> list[dict[str, str]]:
    """The lines of CSV ``text`` by column name; cells missing at the end of a line are empty."""
    reader = csv.DictReader(text.splitlines(), restval="")
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise CatalogError(f"{source}: column {missing[0]} is missing; add it to the header")
    return list(reader)


def _read_text(path: Path) -> str:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return file.read()
    return path.read_text(encoding="utf-8")


def parse_instances(records: Iterable[Record]) -> tuple[dict[str, InstanceType], tuple[Note, ...]]:
    """Instance types by name, and a note for each that could not be read."""
    instances: dict[str, InstanceType] = {}
    notes = []
    for record in records:
        name = record["instance_type"]
        try:
            instances[name] = _to_instance(record)
        except ValueError as err:
            fact = f"left out, its facts cannot be read ({err})"
            notes.append(_left_out(f"instance type {name or '(no name)'}", fact, "correct the row"))
    return instances, tuple(notes)


def _to_instance(record: Record) -> InstanceType:
    gpu_resource = record.get("gpu_resource", "")
    gpus = _count(record, "gpu_count") if gpu_resource == GPU_RESOURCE else 0
    name = record["instance_type"]
    if not name:
        raise ValueError("instance_type is empty")
    return InstanceType(
        name=name,
        family=record["family"],
        category=record["category"],
        generation=int(record["generation"]),
        architecture=record["arch"],
        vcpus=int(record["vcpu"]),
        memory_mib=int(record["memory_mib"]),
        allocatable=_allocatable(record, gpus),
        gpu_name=record["gpu_name"] or None if gpus else None,
        is_metal=".metal" in name,
        accelerator=record.get("accel") or None,
        labels=_labels(record),
        taints=(GPU_TAINT,) if gpus else (),
    )


def _count(record: Record, column: str) -> int:
    """A number in an optional column, 0 where it is empty."""
    return int(float(record.get(column) or 0))


def _allocatable(record: Record, gpus: int) -> Resources:
    return Resources.of(
        {GPU_RESOURCE: gpus},
        cpu_milli=int(record["alloc_cpu_m"]),
        memory_mib=int(record["alloc_memory_mib"]),
        pods=int(record["max_pods_eks"]),
        ephemeral_mib=int(float(record.get("alloc_ephemeral_gib") or 0) * 1024),
    )


def _labels(record: Record) -> tuple[tuple[str, str], ...]:
    gpu_count = _count(record, "gpu_count")
    maker = record.get("gpu_resource", "").partition(".")[0] if gpu_count else ""
    return instance_labels(
        record["instance_type"],
        record["family"],
        record["category"],
        int(record["generation"]),
        record["arch"],
        int(record["vcpu"]),
        int(record["memory_mib"]),
        gpu_name=record.get("gpu_name"),
        gpu_count=gpu_count,
        gpu_manufacturer=maker,
        gpu_memory=_count(record, "gpu_memory_mib"),
        hypervisor=record.get("hypervisor"),
        local_nvme=_count(record, "local_nvme_gib"),
        network_bandwidth=_count(record, "network_mbps"),
    )


def parse_offers(
    records: Iterable[Record], instances: Mapping[str, InstanceType]
) -> tuple[tuple[Offer, ...], tuple[Note, ...]]:
    """Usable offers sorted by key, and a note for each entry left out."""
    offers: dict[tuple[str, str, CapacityType], Offer] = {}
    notes: list[Note] = []
    unknown: Counter[str] = Counter()
    for record in records:
        instance = instances.get(record["instance_type"])
        if instance is None:
            unknown[record["instance_type"]] += 1
            continue
        try:
            offer = _to_offer(record, instance)
        except ValueError as err:
            notes.append(_left_out(_subject(record), f"left out, {err}", "correct the row"))
            continue
        if offers.setdefault(offer.key, offer) is not offer:
            notes.append(_left_out(_subject(record), "listed twice, the first counts", "drop one"))
    return tuple(sorted(offers.values(), key=lambda o: o.key)), (*notes, *_unknown_types(unknown))


def _subject(record: Record) -> str:
    return f"offer {record['instance_type']}/{record['zone']}/{record['capacity_type']}"


def _to_offer(record: Record, instance: InstanceType) -> Offer:
    markets = [str(market) for market in CapacityType]
    if record["capacity_type"] not in markets:
        raise ValueError(f"capacity_type is {record['capacity_type']!r}, not one of {markets}")
    if not record["zone"]:
        raise ValueError("its zone is empty")
    return Offer(
        instance,
        record["zone"],
        CapacityType(record["capacity_type"]),
        parse_price(record["usd_h"]),
        interruptions_per_hour(record.get("monthly_interruption_prob_mid") or "0"),
    )


def parse_price(text: str) -> float:
    """A price in USD per hour; ValueError in words unless positive and finite."""
    if not text.strip():
        raise ValueError("its price is missing")
    try:
        price = float(text)
    except ValueError:
        raise ValueError(f"its price {text!r} is not a number") from None
    if not math.isfinite(price) or price <= 0:
        raise ValueError(f"its price is {text}, not a positive number")
    return price


def interruptions_per_hour(monthly_probability: str | float) -> float:
    """The hourly rate at which a node is taken back with this probability within a month."""
    try:
        probability = float(monthly_probability)
    except ValueError:
        probability = math.nan
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"its interruption probability {monthly_probability} is not in [0, 1)")
    return -math.log1p(-probability) / HOURS_PER_MONTH


def _unknown_types(unknown: Counter[str]) -> Iterator[Note]:
    for name, count in sorted(unknown.items()):
        fact = f"{count} offers left out, the catalog does not describe this type"
        yield _left_out(f"instance type {name or '(no name)'}", fact, "add it to the catalog file")


def _left_out(subject: str, fact: str, remedy: str) -> Note:
    return Note(subject, fact, remedy, severity="error")
