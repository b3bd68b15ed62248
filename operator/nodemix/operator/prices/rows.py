"""Offers as text, from whatever source, brought to one form."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from nodemix.operator.api.pricebook import OfferSpec, ShapeSpec
from nodemix.operator.errors import PriceSourceError
from nodemix.optimizer.catalog.csv_files import OFFER_COLUMNS
from nodemix.optimizer.snapshot import Note
from pydantic import ValidationError

Record = dict[str, str]

COLUMN_OF = {
    "instanceType": "instance_type",
    "capacityType": "capacity_type",
    "usdPerHour": "usd_h",
    "interruptionsPerHour": "interruptions_per_hour",
}
"""The field names of a PriceBook, which CSV and JSON sources may use as well."""

FORMAT_REMEDY = f"write CSV with the columns {','.join(OFFER_COLUMNS)}, or a JSON list of offers"


@dataclass(frozen=True, slots=True)
class PriceRows:
    """What a source says, not judged yet.

    Args:
        records: one offer each, by the columns of ``OFFER_COLUMNS`` and further ones, as text.
        shapes: of instance types, by name, where the source gives them.
        as_of: date of the prices; empty where the source does not say.
        notes: entries that could not even be read as an offer.
    """

    records: tuple[Record, ...]
    shapes: Mapping[str, ShapeSpec] = field(default_factory=dict)
    as_of: str = ""
    notes: tuple[Note, ...] = ()


def rows_of_offers(offers: Iterable[OfferSpec], as_of: str = "") -> PriceRows:
    """The offers written into a PriceBook itself."""
    listed = tuple(offers)
    records = tuple(
        {
            "instance_type": offer.instance_type,
            "zone": offer.zone,
            "capacity_type": str(offer.capacity_type),
            "usd_h": repr(offer.usd_per_hour),
            "interruptions_per_hour": repr(offer.interruptions_per_hour),
        }
        for offer in listed
    )
    shapes = {o.instance_type: o.shape for o in reversed(listed) if o.shape is not None}
    return PriceRows(records, shapes, as_of)


def rows_of_text(text: str, source: str) -> PriceRows:
    """Offers in CSV or JSON.

    JSON is a list of offers as in a PriceBook, or an object with ``offers`` and ``asOf``.

    Raises:
        PriceSourceError: the text is neither, or lacks a column.
    """
    stripped = text.lstrip("\ufeff \t\r\n")
    if not stripped:
        raise PriceSourceError(source, "is empty", FORMAT_REMEDY)
    return _json_rows(stripped, source) if stripped[0] in "[{" else _csv_rows(stripped, source)


def _csv_rows(text: str, source: str) -> PriceRows:
    reader = csv.DictReader(text.splitlines(), restval="", restkey="")
    names = [COLUMN_OF.get(name, name) for name in reader.fieldnames or ()]
    missing = [name for name in OFFER_COLUMNS if name not in names]
    if missing:
        raise PriceSourceError(source, f"column {', '.join(missing)} is missing", FORMAT_REMEDY)
    reader.fieldnames = names
    records = tuple({name: str(value) for name, value in row.items()} for row in reader)
    return PriceRows(records)


def _json_rows(text: str, source: str) -> PriceRows:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as err:
        raise PriceSourceError(source, f"is no valid JSON ({err})", FORMAT_REMEDY) from err
    as_of, offers = "", document
    if isinstance(document, dict):
        as_of, offers = str(document.get("asOf") or ""), document.get("offers")
    if not isinstance(offers, list):
        raise PriceSourceError(source, "holds no list of offers", FORMAT_REMEDY)
    records: list[Record] = []
    shapes: dict[str, ShapeSpec] = {}
    notes: list[Note] = []
    for position, entry in enumerate(offers):
        try:
            record, shape = _json_offer(entry)
        except (ValueError, ValidationError) as err:
            notes.append(_unreadable(f"{source} offer {position}", err))
            continue
        records.append(record)
        if shape is not None:
            shapes.setdefault(record["instance_type"], shape)
    return PriceRows(tuple(records), shapes, as_of, tuple(notes))


def _json_offer(entry: object) -> tuple[Record, ShapeSpec | None]:
    if not isinstance(entry, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - input, not a mistake of the caller
    record = dict.fromkeys(OFFER_COLUMNS, "")
    record |= {COLUMN_OF.get(str(k), str(k)): _text(v) for k, v in entry.items() if k != "shape"}
    shape = entry.get("shape")
    return record, None if shape is None else ShapeSpec.model_validate(shape)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return "" if value is None else str(value)


def _unreadable(subject: str, err: ValueError | ValidationError) -> Note:
    words = " ".join(str(err).split())[:200]
    return Note(subject, f"left out, {words}", "correct the entry", "error")
