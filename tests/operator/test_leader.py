import asyncio
import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from nodemix.operator.errors import ConnectionFailedError
from nodemix.operator.leader import DURATION_S, Leadership

from tests.waiting import until

pytestmark = pytest.mark.anyio


@dataclass
class LeaseStore:
    """One lease with the API server's optimistic locking."""

    lease: dict[str, Any] | None = None
    version: int = 0
    has_namespace: bool = True
    is_down: bool = False

    async def get(self, path: str) -> dict[str, Any] | None:
        if self.is_down:
            raise ConnectionFailedError("server", "is down", "wait")
        return copy.deepcopy(self.lease)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        return None if self.lease or not self.has_namespace else self._store(body)

    async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if body["metadata"]["resourceVersion"] != str(self.version):
            return None
        return self._store(body)

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.lease = {**body, "metadata": metadata}
        return self.lease


@dataclass
class Time:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class World:
    store: LeaseStore = field(default_factory=LeaseStore)
    time: Time = field(default_factory=Time)

    def candidate(self, identity: str) -> Leadership:
        return Leadership(
            self.store,  # type: ignore[arg-type]  # the three calls it needs
            "nodemix-system",
            identity,
            self.time,
            lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )


async def test_the_first_one_leads_and_the_second_waits() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")

    assert await a.try_once()
    assert not await b.try_once()
    assert (a.is_leader, b.is_leader) == (True, False)


async def test_a_silent_leader_loses_its_voice_before_another_takes_over() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.try_once()
    await b.try_once()

    world.time.seconds = DURATION_S + 0.1

    assert not a.is_leader
    assert await b.try_once()
    assert b.is_leader


async def test_a_leader_that_renews_stays() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    for _ in range(10):
        world.time.seconds += DURATION_S / 3
        assert await a.try_once()
        assert not await b.try_once()


async def test_of_two_that_race_for_an_expired_lease_one_wins() -> None:
    world = World()
    old, a, b = (world.candidate(name) for name in ("old", "a", "b"))
    await old.try_once()
    await a.try_once()
    await b.try_once()
    world.time.seconds = DURATION_S + 1
    seen = dict(world.store.lease or {})

    assert await a.try_once()
    world.store.lease, newest = seen, world.store.lease  # b still reads what it saw before
    assert not await b.try_once()
    world.store.lease = newest


async def test_a_handover_is_counted() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.try_once()
    await b.try_once()
    world.time.seconds = DURATION_S + 1
    await b.try_once()

    assert world.store.lease is not None
    assert world.store.lease["spec"]["leaseTransitions"] == 2
    assert world.store.lease["spec"]["holderIdentity"] == "b"


async def test_released_lease_is_taken_at_once() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.try_once()
    await b.try_once()

    await a.release()

    assert not a.is_leader
    assert await b.try_once()


async def test_release_leaves_the_lease_of_another_alone() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.try_once()

    await b.release()

    assert a.is_leader
    assert world.store.lease is not None
    assert world.store.lease["spec"]["holderIdentity"] == "a"


async def test_lease_that_cannot_be_made_is_a_problem_and_a_standby_is_none() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    world.store.has_namespace = False
    await a.try_once()
    assert "does namespace nodemix-system exist?" in a.problem

    world.store.has_namespace = True
    await a.try_once()
    await b.try_once()

    assert (a.problem, b.problem) == ("", "")


async def test_server_that_is_down_is_a_problem_until_it_is_back() -> None:
    world = World()
    a = world.candidate("a")
    world.store.is_down = True
    task = asyncio.create_task(a.hold())
    await until(lambda: a.problem)
    task.cancel()
    assert "server: is down; wait" in a.problem

    world.store.is_down = False
    await a.try_once()

    assert a.problem == ""
