"""The operator process: ``python -m nodemix.operator.main``, settings from the environment.

Everything is put together here and nowhere else; heavy libraries live in the worker process.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import aiohttp
import structlog
from nodemix.operator.beliefs.keeper import BeliefKeeper
from nodemix.operator.bookkeeper import Bookkeeper
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.cluster.connection import Connection, connect
from nodemix.operator.cluster.session import open_session
from nodemix.operator.cluster.view import ClusterView
from nodemix.operator.errors import DecisionFailedError, OperatorError, StaleViewError
from nodemix.operator.framework import framework_registry, run_framework
from nodemix.operator.health import Check, HealthServer
from nodemix.operator.leader import Leadership
from nodemix.operator.logs import configure_logs
from nodemix.operator.loops import PolicyLoops
from nodemix.operator.metrics.metrics_server import MetricsServer
from nodemix.operator.objects import ObjectWriter, always
from nodemix.operator.prices.books import PriceBooks
from nodemix.operator.prices.load import PriceAccess
from nodemix.operator.publish import Publisher
from nodemix.operator.report.exporter import Exporter
from nodemix.operator.settings import Settings
from nodemix.operator.sources import LiveSources
from nodemix.operator.worker import DecisionWorker
from pydantic import ValidationError

FIRST_VIEW_S = 30.0
"""How long policies wait for the first full view before they say that there is none.

So long they wait, too, for what an earlier process learned, which a new leader has yet to read.
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ViewFigures:
    """The view's figures under the names that the metrics give them."""

    view: ClusterView

    def view_age_s(self) -> float | None:
        """Seconds since the API server was last heard; None before the first full list."""
        return self.view.age_s()

    def objects(self) -> Mapping[str, int]:
        """Objects held, by resource."""
        return {i.resource.plural: i.objects for i in self.view.informers}

    def relists(self) -> Mapping[str, int]:
        """Full lists since the start, by resource."""
        return {i.resource.plural: i.relists for i in self.view.informers}


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of the process.

    Args:
        leadership: None where this process shares its cluster with no other.
    """

    view: ClusterView
    worker: DecisionWorker
    sources: LiveSources
    exporter: Exporter
    loops: PolicyLoops
    bookkeeper: Bookkeeper
    beliefs: BeliefKeeper
    leadership: Leadership | None

    async def warm_up(self) -> None:
        """Start the worker; whatever goes wrong is seen again, and said, at the first decision."""
        with suppress(DecisionFailedError):
            await self.worker.warm_up()

    def alive(self, *tasks: asyncio.Task[None]) -> tuple[Check, ...]:
        """Whether a restart would help."""
        return (
            Check("informers", lambda: _complaint(self.view.require_running)),
            Check("policies", self.loops.problem),
            Check("tasks", lambda: _ended(tasks)),
        )

    def ready(self) -> tuple[Check, ...]:
        """Whether decisions are made, or would be if this process led."""
        return (
            Check("cluster view", lambda: _complaint(self.view.require_current)),
            Check("worker", lambda: self.worker.problem),
            Check("lease", lambda: self.leadership.problem if self.leadership else ""),
        )


def assemble(
    settings: Settings, connection: Connection, session: aiohttp.ClientSession
) -> Operator:
    """Put the parts together; nothing is started.

    Args:
        session: of single calls to the API server.
    """
    leadership = _leadership(settings, connection, session) if settings.leader_election else None
    leads = _leads(leadership)
    writer = ObjectWriter(session, connection.url, leads)
    rng = Random()  # noqa: S311 - spreads calls over time, keeps no secret
    view = ClusterView(connection, time.time, rng, max_age_s=settings.view_limit_s)
    worker = DecisionWorker(settings.decision_timeout_s)
    books = PriceBooks(PriceAccess(writer), time.time)
    catalogs = Catalogs(books, time.time)
    beliefs = BeliefKeeper(view.look, writer, leads, time.time)
    sources = LiveSources(
        view,
        catalogs,
        worker,
        MetricsServer(writer),
        settings.prometheus_url,
        learned=beliefs.beliefs,
    )
    exporter = Exporter()
    exporter.watch_cluster(ViewFigures(view))
    exporter.watch_prices(books)
    exporter.watch_beliefs(beliefs.report)
    publisher = Publisher(writer, exporter, settings.plans_kept)
    may_decide = _when_ready(leads, lambda: view.synced and beliefs.is_ready, time.monotonic)
    return Operator(
        view=view,
        worker=worker,
        sources=sources,
        exporter=exporter,
        loops=PolicyLoops(sources, publisher, may_decide, time.time, beliefs.published),
        bookkeeper=Bookkeeper(catalogs, writer, leads, time.time),
        beliefs=beliefs,
        leadership=leadership,
    )


def _leadership(
    settings: Settings, connection: Connection, session: aiohttp.ClientSession
) -> Leadership:
    return Leadership(
        writer=ObjectWriter(session, connection.url),
        namespace=settings.namespace,
        identity=settings.identity,
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
    )


def _leads(leadership: Leadership | None) -> Callable[[], bool]:
    return always if leadership is None else lambda: leadership.is_leader


def _when_ready(
    leads: Callable[[], bool], is_ready: Callable[[], bool], clock: Callable[[], float]
) -> Callable[[], bool]:
    """Whether to decide: what decisions rest on is waited for, but not for ever in silence."""
    leads_since_s: float | None = None

    def may_decide() -> bool:
        nonlocal leads_since_s
        if not leads():
            leads_since_s = None
            return False
        now_s = clock()
        leads_since_s = now_s if leads_since_s is None else leads_since_s
        return is_ready() or now_s - leads_since_s > FIRST_VIEW_S

    return may_decide


def _complaint(require: Callable[[], None]) -> str:
    try:
        require()
    except StaleViewError as err:
        return str(err)
    return ""


def _ended(tasks: tuple[asyncio.Task[None], ...]) -> str:
    """The tasks that ended by a mistake of ours."""
    ended = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
    return "; ".join(f"{task.get_name()}: {task.exception()!r}" for task in ended)


async def operate(settings: Settings, connection: Connection) -> None:
    """Run until SIGTERM or SIGINT."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(connection))
        operator = assemble(settings, connection, session)
        tasks = await _start(operator, settings, stack)
        health = HealthServer(operator.alive(*tasks), operator.ready())
        await health.start(settings.health_port)
        stack.push_async_callback(health.stop)
        log.info("Started", api_server=connection.url, health_port=health.port)
        registry = framework_registry(
            connection, operator.loops, operator.bookkeeper.catalogs, operator.loops.stop
        )
        await run_framework(registry)
    log.info("Stopped")


async def _start(
    operator: Operator, settings: Settings, stack: AsyncExitStack
) -> tuple[asyncio.Task[None], ...]:
    """Start everything but kopf; ``stack`` ends it in the opposite order."""
    stack.push_async_callback(operator.sources.aclose)
    await operator.view.start()
    stack.push_async_callback(operator.view.stop)
    operator.exporter.serve(settings.metrics_port)
    stack.callback(operator.exporter.close)
    tasks = [
        asyncio.create_task(operator.bookkeeper.run(), name="bookkeeper"),
        asyncio.create_task(operator.beliefs.run(), name="beliefs"),
        asyncio.create_task(operator.warm_up(), name="warm-up"),
    ]
    stack.callback(operator.worker.stop)
    if operator.leadership is not None:
        stack.push_async_callback(_release, operator.leadership)
        tasks.append(asyncio.create_task(operator.leadership.hold(), name="lease"))
    stack.push_async_callback(operator.beliefs.close)
    stack.push_async_callback(_cancel, tasks)
    return tuple(tasks)


async def _release(leadership: Leadership) -> None:
    """Hand over at once; a server that does not answer costs the others the lease's time only."""
    with suppress(OperatorError):
        await leadership.release()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> int:
    """Run the operator; 1 where its settings or its connection cannot be used."""
    try:
        settings = Settings.from_environment(os.environ)
    except ValidationError as err:
        sys.stderr.write(f"{err}\n")
        return 1
    configure_logs(settings.log_level)
    try:
        asyncio.run(operate(settings, connect(os.environ, settings.kubeconfig)))
    except (OperatorError, OSError) as err:
        log.error("CannotStart", message=str(err))  # noqa: TRY400 - the message says it all
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
