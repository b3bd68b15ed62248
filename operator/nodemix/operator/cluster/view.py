"""The live view of a whole cluster: one informer for each kind, one store for all."""

import asyncio
from random import Random

from nodemix.operator.cluster.connection import Connection
from nodemix.operator.cluster.informer import Clock, Informer, InformerSettings
from nodemix.operator.cluster.listing import HINT_RESOURCES, RESOURCES, ApiReader
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.store import SnapshotStore
from nodemix.operator.errors import StaleViewError
from nodemix.optimizer.snapshot import Snapshot

LOOK_AGE_S = 60.0
"""Nodes not heard of for longer are not looked at: a quiet API server is heard of every 45 s."""


class ClusterView:
    """What the API server says, kept up to date in the background.

    Args:
        clock: seconds since the epoch.
        rng: spreads retries and relists.
        max_age_s: the age beyond which :meth:`snapshot` refuses; more than a minute, since a
            quiet API server is heard of about once a minute.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        rng: Random,
        max_age_s: float = 180.0,
        settings: InformerSettings = InformerSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._max_age_s = max_age_s
        self._store = SnapshotStore()
        self.informers = tuple(
            Informer(resource, self._store, clock, rng, settings) for resource in RESOURCES
        )
        self._hints = tuple(
            Informer(resource, self._store, clock, rng, settings) for resource in HINT_RESOURCES
        )
        self._reader: ApiReader | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to list and watch; returns at once."""
        reader = self._reader = ApiReader(self._connection)
        informers = (*self.informers, *self._hints)
        self._tasks = [asyncio.create_task(informer.run(reader)) for informer in informers]

    async def stop(self) -> None:
        """End every watch; the last view stays readable until it is too old."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._reader is not None:
            await self._reader.close()

    @property
    def synced(self) -> bool:
        """Whether every kind has been listed once."""
        return all(informer.synced for informer in self.informers)

    @property
    def relists(self) -> int:
        """LISTs after the first one, over all kinds."""
        return sum(informer.relists for informer in self.informers)

    @property
    def objects(self) -> dict[str, int]:
        """Objects known, by kind."""
        return {informer.resource.kind: informer.objects for informer in self.informers}

    def age_s(self) -> float | None:
        """Age of the oldest part of the view; None before every kind has been listed."""
        now_s = self._clock()
        ages = [informer.age_s(now_s) for informer in self.informers]
        known = [age for age in ages if age is not None]
        return max(known) if len(known) == len(ages) else None

    def snapshot(self) -> Snapshot:
        """The present view.

        Raises:
            StaleViewError: some kind has not been listed, or was heard of too long ago.
        """
        self.require_current()
        return self._store.snapshot(self._clock())

    def look(self) -> Look:
        """The nodes alone, where the API server was heard of just now.

        Raises:
            StaleViewError: nodes have not been listed, or were heard of too long ago.
        """
        self.require_running()
        (nodes,) = (i for i in self.informers if i.resource.kind == "Node")
        now_s = self._clock()
        self._require_fresh(nodes, now_s, min(LOOK_AGE_S, self._max_age_s))
        return self._store.look(now_s)

    def require_current(self) -> None:
        """Check that a snapshot may be taken now.

        Raises:
            StaleViewError: as :meth:`snapshot` does.
        """
        now_s = self._clock()
        self.require_running()
        for informer in self.informers:
            self._require_fresh(informer, now_s, self._max_age_s)

    def require_running(self) -> None:
        """A bug must not look like a quiet cluster.

        Raises:
            StaleViewError: an informer ended; only a restart heals that.
        """
        for informer, task in zip((*self.informers, *self._hints), self._tasks, strict=False):
            error = task.exception() if task.done() and not task.cancelled() else None
            if error is not None:
                fact = f"are no longer watched ({type(error).__name__}: {error})"
                remedy = "restart the operator and report this message"
                raise StaleViewError(informer.resource.plural, fact, remedy) from error

    def _require_fresh(self, informer: Informer, now_s: float, max_age_s: float) -> None:
        age_s = informer.age_s(now_s)
        if age_s is not None and age_s <= max_age_s:
            return
        fact = "have not been listed" if age_s is None else f"were heard of {age_s:.0f} s ago"
        why = f" ({informer.last_error})" if informer.last_error else ""
        raise StaleViewError(
            informer.resource.plural,
            f"{fact}{why}",
            "check that the API server answers and that list and watch are allowed",
        )
