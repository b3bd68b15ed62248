import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from nodemix.operator.bookkeeper import Bookkeeper
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.objects import NODEMIX_API
from nodemix.operator.prices.books import PriceBooks
from nodemix.operator.prices.load import PriceAccess

from tests.fakes.clock import FakeClock
from tests.fakes.objects import FakeObjects
from tests.waiting import until

pytestmark = pytest.mark.anyio

PATH = f"{NODEMIX_API}/pricebooks/aws"
MAP_PATH = "/api/v1/namespaces/default/configmaps/prices"
HEADER = "instance_type,zone,capacity_type,usd_h\n"
GOOD = HEADER + "m5.xlarge,us-east-1a,on-demand,0.192\n"
SOURCE = {"configMap": {"namespace": "default", "name": "prices"}}


@dataclass
class World:
    objects: FakeObjects = field(default_factory=FakeObjects)
    clock: FakeClock = field(default_factory=lambda: FakeClock(1_768_464_000.0))
    leads: bool = True
    keeper: Bookkeeper = field(init=False)

    def __post_init__(self) -> None:
        catalogs = Catalogs(PriceBooks(PriceAccess(self.objects), self.clock), self.clock)
        self.keeper = Bookkeeper(catalogs, self.objects, lambda: self.leads, self.clock)

    def offer(self, text: str, generation: int = 1) -> None:
        """The book, in a ConfigMap, and told by kopf."""
        self.objects.put(MAP_PATH, {"data": {"offers.csv": text}})
        metadata = {"name": "aws", "generation": generation}
        self.objects.objects.setdefault(PATH, {"metadata": metadata})
        spec = {"source": SOURCE, "asOf": f"2026-01-0{generation}"}
        self.keeper.catalogs.update({"metadata": metadata, "spec": spec})

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.objects.objects[PATH]["status"]
        return status

    def said(self) -> dict[str, tuple[str, str]]:
        return {c["type"]: (c["status"], c["reason"]) for c in self.status()["conditions"]}


async def test_good_book_says_how_much_is_on_offer() -> None:
    world = World()
    world.offer(GOOD)
    await world.keeper.check_all()

    assert world.said() == {"Ready": ("True", "Read"), "DataFresh": ("True", "AllOffersRead")}
    assert (world.status()["offers"], world.status()["offersLeftOut"]) == (1, 0)
    assert world.status()["source"] == "PriceBook aws"
    assert world.status()["observedGeneration"] == 1


async def test_offers_that_cannot_be_used_are_counted_and_named() -> None:
    world = World()
    world.offer(GOOD + "m5.large,us-east-1a,spot,0\n")
    await world.keeper.check_all()

    assert world.said()["DataFresh"] == ("False", "Degraded")
    assert "m5.large" in world.status()["conditions"][1]["message"]
    assert (world.status()["offers"], world.status()["offersLeftOut"]) == (1, 1)


async def test_book_without_an_offer_is_not_ready() -> None:
    world = World()
    world.offer(HEADER)
    await world.keeper.check_all()

    assert world.said() == {"Ready": ("False", "EmptyCatalog")}
    assert "add offers" in world.status()["conditions"][0]["message"]
    assert world.status()["offers"] == 0


async def test_unchanged_book_is_not_written_again() -> None:
    world = World()
    world.offer(GOOD)
    await world.keeper.check_all()
    world.clock.seconds += 60
    await world.keeper.check_all()

    assert len(world.objects.writes()) == 1


async def test_condition_moves_its_time_only_with_its_status() -> None:
    world = World()
    world.offer(GOOD)
    await world.keeper.check_all()
    since = world.status()["conditions"][0]["lastTransitionTime"]
    world.clock.seconds += 600
    await world.keeper.check_all()

    assert world.status()["conditions"][0]["lastTransitionTime"] == since
    assert world.status()["readAt"] == "2026-01-15T08:10:00Z"


async def test_new_process_goes_on_with_the_conditions_it_finds() -> None:
    world = World()
    world.offer(GOOD)
    await world.keeper.check_all()
    later = World(world.objects, FakeClock(world.clock.seconds + 3600))
    later.keeper.catalogs.update({**world.objects.objects[PATH], "spec": {"source": SOURCE}})
    await later.keeper.check_all()

    assert later.status()["conditions"][0]["lastTransitionTime"] == "2026-01-15T08:00:00Z"


async def test_refused_write_is_tried_again() -> None:
    world = World()
    world.offer(GOOD)
    world.objects.refused = (PATH,)
    await world.keeper.check_all()
    world.objects.refused = ()
    await world.keeper.check_all()

    assert world.said()["Ready"] == ("True", "Read")


async def test_book_that_is_gone_is_no_error() -> None:
    world = World()
    world.offer(GOOD)
    del world.objects.objects[PATH]
    await world.keeper.check_all()

    assert PATH not in world.objects.objects


async def test_standby_writes_nothing_until_it_leads() -> None:
    world = World(leads=False)
    world.offer(GOOD)
    task = asyncio.create_task(world.keeper.run())
    await asyncio.sleep(0.01)
    assert world.objects.calls == []
    task.cancel()

    world.leads = True
    task = asyncio.create_task(world.keeper.run())
    await until(lambda: "status" in world.objects.objects[PATH])
    task.cancel()
