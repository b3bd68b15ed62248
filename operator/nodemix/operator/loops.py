"""A loop for each policy: tick, publish, wait.

kopf tells which policies there are; its own timers would put a finalizer on every policy, and
deleting a policy must never wait for the operator.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from nodemix.operator.errors import OperatorError
from nodemix.operator.publish import Publisher, Standing
from nodemix.operator.reconcile import (
    PolicyObject,
    Sources,
    Tick,
    crashed,
    reconcile,
    unreadable,
)
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import Recommendation
from pydantic import ValidationError

STANDBY_S = 1.0

RETRY_S = 15.0
"""After a tick without a decision: what was missing is often there soon."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Follower:
    """One policy's loop."""

    body: dict[str, Any]
    standing: Standing
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


def unheard(recommendation: Recommendation, catalog: Catalog) -> None:
    """What a process does with plans that learns nothing from them."""


@dataclass(slots=True)
class PolicyLoops:
    """Keeps one loop for each policy.

    Args:
        may_decide: whether this process leads and sees the cluster; a standby only listens.
        now: seconds since the epoch.
        published: told of each plan that was shown to people, with the prices it was made with.
    """

    sources: Sources
    publisher: Publisher
    may_decide: Callable[[], bool]
    now: Callable[[], float]
    published: Callable[[Recommendation, Catalog], None] = unheard
    _followers: dict[str, _Follower] = field(default_factory=dict)

    def update(self, body: dict[str, Any]) -> None:
        """Take over a new or changed policy; a changed spec is decided at once."""
        name = body["metadata"]["name"]
        follower = self._followers.get(name)
        if follower is not None and follower.body["metadata"].get("uid") != body["metadata"]["uid"]:
            self.remove(name)  # deleted and made anew
            follower = None
        if follower is None:
            follower = self._followers[name] = _Follower(body, Standing.from_status(body))
            follower.task = asyncio.create_task(self._follow(name, follower), name=f"policy {name}")
        elif _asks_differently(follower.body, body):
            follower.body = body
            follower.wake.set()

    def remove(self, name: str) -> None:
        """Stop a deleted policy's loop; nothing else happens to the cluster."""
        follower = self._forget(name)
        if follower is not None and follower.task is not None:
            follower.task.cancel()

    def prices_changed(self, book: str) -> None:
        """Decide at once for the policies that buy from a price book."""
        for follower in self._followers.values():
            reference = (follower.body.get("spec") or {}).get("catalogRef") or {}
            if reference.get("name") == book:
                follower.wake.set()

    def problem(self) -> str:
        """Which loops ended by a mistake of ours; empty when all go on."""
        tasks = [f.task for f in self._followers.values() if f.task is not None and f.task.done()]
        return "; ".join(
            f"{task.get_name()}: {task.exception()!r}" for task in tasks if not task.cancelled()
        )

    async def stop(self) -> None:
        """End every loop."""
        tasks = [f.task for f in self._followers.values() if f.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._followers.clear()

    def _forget(self, name: str) -> _Follower | None:
        self.publisher.exporter.forget(name)
        return self._followers.pop(name, None)

    async def _follow(self, name: str, follower: _Follower) -> None:
        while True:
            wait_s = STANDBY_S
            follower.wake.clear()
            if self.may_decide():
                wait_s = await self._tick(name, follower)
            if follower.standing.is_gone:
                self._forget(name)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(follower.wake.wait(), wait_s)

    async def _tick(self, name: str, follower: _Follower) -> float:
        """One decision; seconds to wait for the next one."""
        now_s = self.now()
        policy, tick = await self._decide(name, follower, now_s)
        try:
            follower.standing = await self.publisher.publish(policy, tick, follower.standing, now_s)
        except OperatorError as err:
            log.warning("NotPublished", policy=name, message=str(err))
            return RETRY_S
        if tick.recommendation is not None and tick.catalog is not None:
            self.published(tick.recommendation, tick.catalog)
        interval_s = float(policy.spec.interval_seconds)
        is_done = tick.recommendation is not None or policy.is_paused
        return interval_s if is_done else min(interval_s, RETRY_S)

    async def _decide(
        self, name: str, follower: _Follower, now_s: float
    ) -> tuple[PolicyObject, Tick]:
        try:
            policy = PolicyObject.parse(follower.body)
        except ValidationError as err:
            return PolicyObject.unparsed(follower.body), unreadable(name, err)
        previous, warm = follower.standing.forecast, follower.standing.warm
        try:
            tick = await reconcile(policy, self._others(name), self.sources, previous, now_s, warm)
        except Exception as err:  # one policy's surprise must not stop the others
            log.exception("TickCrashed", policy=name)
            tick = crashed(name, err)
        return policy, tick

    def _others(self, name: str) -> list[PolicyObject]:
        """The other policies that can be read."""
        others = []
        for other, follower in self._followers.items():
            if other != name:
                with suppress(ValidationError):
                    others.append(PolicyObject.parse(follower.body))
        return others


def _asks_differently(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether more than the status changed."""
    keys = ("annotations", "generation")
    old, new = before["metadata"], after["metadata"]
    return any(old.get(key) != new.get(key) for key in keys)
