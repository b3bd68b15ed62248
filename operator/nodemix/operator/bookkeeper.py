"""Says in the status of each PriceBook what was read from it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from nodemix.operator.api.conditions import (
    Conditions,
    ConditionStatus,
    ConditionType,
    set_condition,
)
from nodemix.operator.api.pricebook import PriceBookStatus
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.errors import OperatorError, PriceSourceError
from nodemix.operator.objects import ObjectWriter
from nodemix.operator.prices.books import PriceReading, ReadError
from nodemix.optimizer.errors import CatalogError
from nodemix.optimizer.snapshot import Note

CHECK_S = 5.0
"""A changed book is answered this soon; an unchanged one is read again much more rarely."""

PRICE_BOOKS = "pricebooks"
SENTENCE = 1024

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Bookkeeper:
    """Keeps the status of every price book true.

    Args:
        may_write: whether this process leads; a standby only listens.
        now: seconds since the epoch.
    """

    catalogs: Catalogs
    writer: ObjectWriter
    may_write: Callable[[], bool]
    now: Callable[[], float]
    _written: dict[str, PriceBookStatus] = field(default_factory=dict)

    async def run(self) -> None:
        """Look after the books until cancelled."""
        while True:
            if self.may_write():
                await self.check_all()
            await asyncio.sleep(CHECK_S)

    async def check_all(self) -> None:
        """Read each book that is due, and write what changed."""
        for name in self.catalogs.names:
            try:
                await self._check(name)
            except OperatorError as err:
                log.warning("PriceBookNotWritten", book=name, message=str(err))

    async def _check(self, name: str) -> None:
        former = self._written.get(name)
        if former is None:
            former = PriceBookStatus(conditions=self.catalogs.conditions(name))
        status = await self._read(name, former)
        if status == former:
            return
        if await self.writer.patch_status(PRICE_BOOKS, name, status.to_patch()):
            self._written[name] = status
        else:
            self._written.pop(name, None)

    async def _read(self, name: str, former: PriceBookStatus) -> PriceBookStatus:
        generation = self.catalogs.generation(name)
        now = datetime.fromtimestamp(self.now(), UTC)
        try:
            reading = await self.catalogs.read_book(name)
        except (PriceSourceError, CatalogError) as err:
            conditions = _not_ready(former.conditions, err, now)
            return PriceBookStatus(conditions=conditions, observed_generation=generation, offers=0)
        return PriceBookStatus(
            conditions=_ready(former.conditions, reading, now),
            observed_generation=generation,
            offers=len(reading.catalog.offers),
            offers_left_out=sum(1 for note in reading.catalog.notes if note.severity == "error"),
            source=reading.catalog.source[:SENTENCE],
            as_of=reading.catalog.as_of or None,
            read_at=datetime.fromtimestamp(int(reading.read_at_s), UTC),
        )


def _not_ready(former: Conditions, err: ReadError, now: datetime) -> Conditions:
    """Nothing can be bought; how fresh nothing is, nobody asks."""
    reason = type(err).__name__.removesuffix("Error")
    return set_condition(
        tuple(condition for condition in former if condition.type == ConditionType.READY),
        ConditionType.READY,
        ConditionStatus.FALSE,
        reason=reason,
        message=str(err),
        now=now,
    )


def _ready(former: Conditions, reading: PriceReading, now: datetime) -> Conditions:
    """Ready, and whether everything in the book is as fresh and complete as it should be."""
    offers = f"{len(reading.catalog.offers)} offers can be bought"
    ready = set_condition(
        former,
        ConditionType.READY,
        ConditionStatus.TRUE,
        reason="Read",
        message=offers,
        now=now,
    )
    is_good = not reading.degraded
    return set_condition(
        ready,
        ConditionType.DATA_FRESH,
        ConditionStatus.TRUE if is_good else ConditionStatus.FALSE,
        reason="AllOffersRead" if is_good else "Degraded",
        message=offers if is_good else _sentences(reading.degraded),
        now=now,
    )


def _sentences(notes: tuple[Note, ...]) -> str:
    return ". ".join(str(note) for note in notes)
