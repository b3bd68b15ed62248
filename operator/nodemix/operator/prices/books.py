"""The last good prices of each price book."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nodemix.operator.api.pricebook import PriceBookSpec
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.prices.freshness import LIST_PRICE_LIMIT_S, stale_note
from nodemix.operator.prices.load import PriceAccess, load_prices
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.errors import CatalogError
from nodemix.optimizer.snapshot import Note

WallClock = Callable[[], float]
"""Seconds since the epoch; ``time.time`` outside of tests."""

REFRESH_S = 300.0
"""Spot prices change at most every few minutes."""

RETRY_S = 30.0
"""A source that is down is not asked by every policy at every tick."""

NAMED_NOTES = 10
"""Entries left out that a reading names one by one; all of them are in the catalog's notes."""

ReadError = PriceSourceError | CatalogError


@dataclass(frozen=True, slots=True)
class PriceReading:
    """Prices to decide with.

    Args:
        read_at_s: when they were read well, seconds since the epoch.
        degraded: why they are older, or fewer, than they should be; empty when all is well.
    """

    catalog: Catalog
    read_at_s: float
    degraded: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The last good reading of a book, and of which spec it is."""

    spec: PriceBookSpec
    catalog: Catalog
    read_at_s: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """The last failed attempt to read a book, and of which spec it was."""

    spec: PriceBookSpec
    error: ReadError
    failed_at_s: float


class PriceBooks:
    """Reads price books, not more often than needed, and keeps the last good prices of each.

    Args:
        refresh_s: age from which a source is read again; inline offers only when they change.
        list_price_limit_s: age of the prices' own date from which a reading says so.
    """

    def __init__(
        self,
        access: PriceAccess,
        clock: WallClock,
        refresh_s: float = REFRESH_S,
        list_price_limit_s: float = LIST_PRICE_LIMIT_S,
    ) -> None:
        self._access = access
        self._clock = clock
        self._refresh_s = refresh_s
        self._list_price_limit_s = list_price_limit_s
        self._shelves: dict[str, _Shelf] = {}
        self._failures: dict[str, _Failure] = {}

    async def read(self, name: str, spec: PriceBookSpec) -> PriceReading:
        """The prices of a book; the last good ones, with a note, where reading it fails.

        Raises:
            PriceSourceError: it cannot be read and never could.
            CatalogError: it never held an offer that can be used.
        """
        shelf = self._shelves.get(name)
        if shelf is not None and self._is_fresh(shelf, spec):
            return self._reading(shelf)
        error = self._recent_failure(name, spec) or await self._refresh(name, spec)
        if error is None:
            return self._reading(self._shelves[name])
        if shelf is None:
            raise error
        return self._reading(shelf, self._held(name, shelf, error))

    async def _refresh(self, name: str, spec: PriceBookSpec) -> ReadError | None:
        """Read a book; the error if that fails."""
        try:
            catalog = await load_prices(name, spec, self._access)
        except (PriceSourceError, CatalogError) as err:
            self._failures[name] = _Failure(spec, err, self._clock())
            return err
        self._failures.pop(name, None)
        self._shelves[name] = _Shelf(spec, catalog, self._clock())
        return None

    def forget(self, name: str) -> None:
        """Drop a deleted book."""
        self._shelves.pop(name, None)
        self._failures.pop(name, None)

    def ages_s(self) -> Mapping[str, float]:
        """Seconds since each book was read well, by name."""
        now_s = self._clock()
        return {name: now_s - shelf.read_at_s for name, shelf in self._shelves.items()}

    def _is_fresh(self, shelf: _Shelf, spec: PriceBookSpec) -> bool:
        return shelf.spec == spec and self._clock() - shelf.read_at_s < self._refresh_s

    def _recent_failure(self, name: str, spec: PriceBookSpec) -> ReadError | None:
        failure = self._failures.get(name)
        if failure is None or failure.spec != spec:
            return None
        return failure.error if self._clock() - failure.failed_at_s < RETRY_S else None

    def _reading(self, shelf: _Shelf, *notes: Note) -> PriceReading:
        stale = stale_note(shelf.catalog, self._clock(), self._list_price_limit_s)
        left_out = _named(shelf.catalog)
        return PriceReading(shelf.catalog, shelf.read_at_s, (*notes, *stale, *left_out))

    def _held(self, name: str, shelf: _Shelf, err: ReadError) -> Note:
        age_s = self._clock() - shelf.read_at_s
        fact = f"{err}; the prices read {age_s:.0f} s ago stay in use"
        return Note(f"PriceBook {name}", fact, severity="warning")


def _named(catalog: Catalog) -> tuple[Note, ...]:
    """The entries left out, the first of them by name and the rest as a number."""
    notes = tuple(note for note in catalog.notes if note.severity != "info")
    more = len(notes) - NAMED_NOTES
    if more <= 0:
        return notes
    rest = Note(catalog.source, f"{more} more entries were left out", "correct them", "error")
    return (*notes[:NAMED_NOTES], rest)
