from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from nodemix.operator.leader import DURATION_S, Leadership

pytestmark = pytest.mark.anyio


@dataclass
class LeaseStore:
    """One lease with the API server's optimistic locking."""

    lease: dict[str, Any] | None = None
    version: int = 0

    async def get(self, path: str) -> dict[str, Any] | None:
        return self.lease

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        return None if self.lease else self._store(body)

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
