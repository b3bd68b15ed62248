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
from nodemix.operator.reconcile import PolicyObject, Sources, reconcile
from pydantic import ValidationError

STANDBY_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Follower:
    """One policy's loop."""

    body: dict[str, Any]
    standing: Standing
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class PolicyLoops:
    """Keeps one loop for each policy.

    Args:
        may_decide: whether this process leads; a standby only listens.
        now: seconds since the epoch.
    """

    sources: Sources
    publisher: Publisher
    may_decide: Callable[[], bool]
    now: Callable[[], float]
    _followers: dict[str, _Follower] = field(default_factory=dict)

    def update(self, body: dict[str, Any]) -> None:
        """Take over a new or changed policy; a changed spec is decided at once."""
        name = body["metadata"]["name"]
        follower = self._followers.get(name)
        if follower is None:
            follower = self._followers[name] = _Follower(body, Standing.from_status(body))
            follower.task = asyncio.create_task(self._follow(name, follower), name=f"policy {name}")
        elif _asks_differently(follower.body, body):
            follower.body = body
            follower.wake.set()

    def remove(self, name: str) -> None:
        """Stop a deleted policy's loop; nothing else happens to the cluster."""
        follower = self._followers.pop(name, None)
        if follower is not None and follower.task is not None:
            follower.task.cancel()
            self.publisher.exporter.forget(name)

    async def stop(self) -> None:
        """End every loop."""
        tasks = [f.task for f in self._followers.values() if f.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._followers.clear()

    async def _follow(self, name: str, follower: _Follower) -> None:
        while True:
            wait_s = STANDBY_S
            follower.wake.clear()
            if self.may_decide():
                wait_s = await self._tick(name, follower)
            with suppress(TimeoutError):
                await asyncio.wait_for(follower.wake.wait(), wait_s)

    async def _tick(self, name: str, follower: _Follower) -> float:
        """One decision; seconds to wait for the next one."""
        try:
            policy = PolicyObject.parse(follower.body)
        except ValidationError as err:
            log.warning("PolicyUnreadable", policy=name, message=str(err))
            return STANDBY_S * 60
        now_s = self.now()
        try:
            standing = follower.standing
            tick = await reconcile(
                policy, self._others(name), self.sources, standing.forecast, now_s
            )
            follower.standing = await self.publisher.publish(policy, tick, standing, now_s)
        except OperatorError as err:
            log.warning("TickFailed", policy=name, message=str(err))
        except Exception:  # the outermost loop: one policy's surprise must not stop the others
            log.exception("TickCrashed", policy=name)
        return float(policy.spec.interval_seconds)

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
    keys = ("annotations", "generation", "uid")
    old, new = before["metadata"], after["metadata"]
    return any(old.get(key) != new.get(key) for key in keys)
