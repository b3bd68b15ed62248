"""How old prices may be."""

from datetime import UTC, date, datetime

from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.snapshot import Note

DAY_S = 86_400.0
LIST_PRICE_LIMIT_S = 180 * DAY_S
"""On-demand prices move about once a year; half of that is late enough to say so."""


def age_of_prices_s(as_of: str, now_s: float) -> float | None:
    """Seconds since the date of the prices; None where it is unknown."""
    try:
        day = date.fromisoformat(as_of)
    except ValueError:
        return None
    return now_s - datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def stale_note(
    catalog: Catalog, now_s: float, limit_s: float = LIST_PRICE_LIMIT_S
) -> tuple[Note, ...]:
    """A note if the prices themselves, whenever they were read, are older than ``limit_s``."""
    age_s = age_of_prices_s(catalog.as_of, now_s)
    if age_s is None or age_s <= limit_s:
        return ()
    fact = f"its prices are of {catalog.as_of}, {age_s / DAY_S:.0f} days ago"
    return (Note(catalog.source, fact, "refresh the price book", "warning"),)
