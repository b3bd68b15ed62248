"""From rows of a source to a catalog of offers that can be bought."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from nodemix.operator.api.pricebook import ShapeSpec
from nodemix.operator.prices.rows import PriceRows, Record
from nodemix.operator.prices.shapes import instance_of
from nodemix.optimizer.catalog.csv_files import parse_offers
from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer
from nodemix.optimizer.errors import EmptyCatalogError
from nodemix.optimizer.snapshot import Note

RATE_COLUMN = "interruptions_per_hour"


def instance_facts(catalog: Catalog) -> dict[str, InstanceType]:
    """The instance types of a catalog, by name."""
    return {offer.instance.name: offer.instance for offer in catalog.offers}


def catalog_of(rows: PriceRows, facts: Mapping[str, InstanceType], source: str) -> Catalog:
    """The offers of ``rows`` that can be used, at their prices, with the facts of their types.

    Args:
        facts: by instance type; ``rows.shapes`` adds to them and overrules them.
        source: how messages call the origin of the prices.

    Raises:
        EmptyCatalogError: nothing can be used; the message says why the first entry cannot.
    """
    known = {**facts, **_own_types(rows.shapes, facts)}
    good, notes = _with_readable_rates(rows.records)
    offers, left_out = parse_offers(good, known)
    notes = (*rows.notes, *notes, *left_out)
    if not offers:
        why = "; ".join(str(note) for note in notes[:3]) or "it lists none"
        raise EmptyCatalogError(source, why)
    rated = tuple(_with_rates(offers, good))
    return Catalog(rated, source=source, as_of=rows.as_of, notes=notes)


def _own_types(
    shapes: Mapping[str, ShapeSpec], facts: Mapping[str, InstanceType]
) -> dict[str, InstanceType]:
    return {name: instance_of(name, shape, facts.get(name)) for name, shape in shapes.items()}


def _with_readable_rates(records: Iterable[Record]) -> tuple[list[Record], tuple[Note, ...]]:
    """The records whose interruption rate is absent or a number >= 0."""
    good: list[Record] = []
    notes: list[Note] = []
    for record in records:
        if _rate(record) is not None:
            good.append(record)
            continue
        subject = f"offer {record['instance_type']}/{record['zone']}/{record['capacity_type']}"
        fact = f"left out, its interruption rate {record[RATE_COLUMN]!r} is no number of 0 or more"
        notes.append(Note(subject, fact, "give interruptions per hour", "error"))
    return good, tuple(notes)


def _rate(record: Record) -> float | None:
    """Interruptions per hour, 0 where the record says nothing; None if it cannot be read."""
    try:
        rate = float(record.get(RATE_COLUMN) or 0.0)
    except ValueError:
        return None
    return rate if math.isfinite(rate) and rate >= 0 else None


def _with_rates(offers: Iterable[Offer], records: Iterable[Record]) -> Iterable[Offer]:
    """The offers at the hourly rate of their record, where it gives one."""
    rates: dict[tuple[str, str, str], float] = {}
    for record in records:
        rate = _rate(record)
        if rate and record.get(RATE_COLUMN):
            key = (record["instance_type"], record["zone"], record["capacity_type"])
            rates.setdefault(key, rate)
    for offer in offers:
        rate = rates.get((offer.instance.name, offer.zone, str(offer.capacity_type)))
        yield offer if rate is None else replace(offer, interruptions_per_hour=rate)
