"""Keeps what is learned of the cluster up to date, in memory and in its SpotRiskBook."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog
from nodemix.operator.api.conditions import Conditions
from nodemix.operator.api.riskbook import RISK_BOOK_NAME, SpotRiskBookStatus
from nodemix.operator.beliefs.book_object import FoundBook, empty_book, to_status, unreadable
from nodemix.operator.beliefs.ledger import Ledger
from nodemix.operator.beliefs.moves import MoveWatch
from nodemix.operator.beliefs.report import BeliefsReport
from nodemix.operator.beliefs.stock_outs import RefusalWatch
from nodemix.operator.beliefs.watch import SECONDS_PER_HOUR, NodeWatch, Seen
from nodemix.operator.cluster.look import Look
from nodemix.operator.errors import BeliefsUnreadableError, OperatorError, StaleViewError
from nodemix.operator.objects import NODEMIX_API, ObjectWriter
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.risk.beliefs import Beliefs, advised_per_hour
from nodemix.optimizer.risk.hazard import PoolKey

LOOK_S = 5.0
STANDBY_S = 1.0
NEWS_S = 60.0
"""Between two writes where something happened."""
QUIET_S = 300.0
"""Between two writes where time passed only; a crash loses so much of it."""

RISK_BOOKS = "spotriskbooks"
BOOKS_PATH = f"{NODEMIX_API}/{RISK_BOOKS}"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Writing:
    """How the book was left.

    Args:
        unreadable: why what it holds cannot be read, and is not overwritten; empty if it can.
        exists: whether it was there at the last read or write.
        news: what the ledger held when it was last written; None before that.
    """

    conditions: Conditions = ()
    unreadable: str = ""
    exists: bool = False
    at_s: float = float("-inf")
    news: tuple[object, ...] | None = None


@dataclass(slots=True)
class BeliefKeeper:
    """Looks at the nodes, learns, and writes; only where this process leads.

    Args:
        look: at the nodes; raises StaleViewError where nothing can be seen.
        now: seconds since the epoch.
        problem: why what is learned is not kept; empty if it is.
    """

    look: Callable[[], Look]
    writer: ObjectWriter
    may_write: Callable[[], bool]
    now: Callable[[], float]
    problem: str = ""
    _ledger: Ledger | None = None
    _nodes: NodeWatch = field(default_factory=NodeWatch)
    _refusals: RefusalWatch = field(default_factory=RefusalWatch)
    _moves: MoveWatch = field(default_factory=MoveWatch)
    _advised: dict[PoolKey, float] = field(default_factory=dict)
    _written: _Writing = field(default_factory=_Writing)

    @property
    def is_ready(self) -> bool:
        """Whether what an earlier process learned is read."""
        return self._ledger is not None

    def beliefs(self) -> Beliefs | None:
        """What is believed now; None where this process does not lead, or has read nothing yet."""
        return None if self._ledger is None else self._ledger.believed()

    def report(self) -> BeliefsReport:
        """The same in figures."""
        ledger = self._ledger or Ledger()
        return ledger.report(
            len(self._nodes.spot_nodes), self.now() / SECONDS_PER_HOUR, self.problem
        )

    def published(self, recommendation: Recommendation, catalog: Catalog) -> None:
        """Take note of a plan that was shown to people, and of what advisors say of its offers."""
        self._moves = self._moves.proposed(recommendation, self.now() / SECONDS_PER_HOUR)
        self._advised.update(advised_per_hour(catalog))

    async def run(self) -> None:
        """Watch and learn until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_S if self.is_ready else STANDBY_S)

    async def step(self) -> None:
        """One look, and a write where one is due; what goes wrong is said and tried again."""
        if not self.may_write():
            self._forget()
            return
        try:
            if self._ledger is None:
                self._ledger = await self._read()
            self._learn(self._ledger)
            if self._is_due(self._ledger):
                await self._write(self._ledger)
        except OperatorError as err:
            self._say(str(err))

    async def close(self) -> None:
        """Write what was learned since the last time."""
        if self._ledger is not None and self.may_write():
            with suppress(OperatorError):
                await self._write(self._ledger)

    def _forget(self) -> None:
        """Another process leads, and writes; what it knows is read when this one takes over."""
        self._ledger, self._written = None, _Writing()
        self._nodes, self._refusals = NodeWatch(), RefusalWatch()

    def _learn(self, ledger: Ledger) -> None:
        with suppress(StaleViewError):  # the policies say so
            seen = self._seen(self.look(), ledger)
            self._moves, move = self._moves.after(seen)
            self._ledger = ledger.after(seen, self._advised, move)
            _tell(seen)
            if move is not None:
                log.info("PlanFollowed", left=move.left, entered=move.entered)

    def _seen(self, look: Look, ledger: Ledger) -> Seen:
        """What happened to nodes, and what could not be bought."""
        self._nodes, seen = self._nodes.after(look)
        pools = {**self._advised, **self._nodes.spot_nodes}
        looked_s = SECONDS_PER_HOUR * ledger.looked_h
        self._refusals, told = self._refusals.after(look, looked_s, pools)
        return replace(seen, stock_outs=told.stock_outs, unattributed=told.unattributed)

    async def _read(self) -> Ledger:
        """What an earlier process left; an empty ledger where it is nothing that can be read."""
        body = await self.writer.get(f"{BOOKS_PATH}/{RISK_BOOK_NAME}")
        found = FoundBook.parse(body or {})
        self._written = _Writing(found.conditions, exists=body is not None)
        if not found.data:
            return Ledger()
        try:
            return Ledger.from_json(found.data)
        except BeliefsUnreadableError as err:
            self._written.unreadable = str(err)
            self._say(str(err))
            return Ledger()

    def _is_due(self, ledger: Ledger) -> bool:
        has_news = ledger.news != self._written.news
        return self.now() - self._written.at_s >= (NEWS_S if has_news else QUIET_S)

    async def _write(self, ledger: Ledger) -> None:
        """Write the book, or only that it cannot be read; one that is gone is made anew."""
        self._written.at_s = self.now()
        if self._written.exists and await self._patch(ledger):
            return
        if self._written.exists and not self._written.unreadable:
            log.info("BeliefsReset", message="the SpotRiskBook was deleted: all is learned anew")
            ledger = self._ledger = Ledger()
        self._written = _Writing(at_s=self._written.at_s)
        await self.writer.create(BOOKS_PATH, empty_book())
        if not await self._patch(ledger):
            self._say(f"SpotRiskBook/{RISK_BOOK_NAME}: cannot be made; apply manifests/crds anew")

    async def _patch(self, ledger: Ledger) -> bool:
        """Write the status; whether the object is there."""
        written, pools = self._written, len(self._nodes.spot_nodes)
        if written.unreadable:
            conditions = unreadable(written.conditions, written.unreadable, written.at_s)
            status = {
                "conditions": SpotRiskBookStatus(conditions=conditions).to_patch()["conditions"]
            }
        else:
            kept = to_status(ledger, pools, written.conditions, written.at_s)
            conditions, status = kept.conditions, kept.to_patch()
        if not await self.writer.patch_status(RISK_BOOKS, RISK_BOOK_NAME, status):
            return False
        self.problem = written.unreadable
        written.conditions, written.exists, written.news = conditions, True, ledger.news
        return True

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("BeliefsNotKept", message=problem)
        self.problem = problem


def _tell(seen: Seen) -> None:
    for pool, nodes in seen.lost.items():
        log.info("SpotNodesReclaimed", type=pool.instance_type, zone=pool.zone, nodes=nodes)
    for pool in sorted({stock_out.pool for stock_out in seen.stock_outs}):
        log.info("SpotStockOut", type=pool.instance_type, zone=pool.zone)
    if seen.unattributed:
        log.info("StockOutOfUnknownPool", refusals=seen.unattributed)
