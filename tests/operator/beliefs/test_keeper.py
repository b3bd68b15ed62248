import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from nodemix.operator.api.riskbook import SpotRiskBookStatus
from nodemix.operator.beliefs.keeper import BOOKS_PATH, NEWS_S, QUIET_S, BeliefKeeper
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.records import NodeRecord
from nodemix.operator.cluster.refusals import ClaimRecord, Refusal
from nodemix.operator.errors import StaleViewError
from nodemix.optimizer.risk.beliefs import PLAIN_SHARE
from nodemix.optimizer.risk.hazard import PoolKey
from nodemix.optimizer.snapshot import CapacityType

from tests.builders import SPOT, make_catalog, make_instance, make_offer
from tests.fakes.clock import FakeClock
from tests.fakes.objects import FakeObjects
from tests.fakes.sources import make_recommendation
from tests.operator.beliefs.looks import OTHER, POOL, START_S, STEP_S, bought, spot
from tests.waiting import until

pytestmark = pytest.mark.anyio

PATH = f"{BOOKS_PATH}/cluster"
NO_SPOT = "There is no Spot capacity available that matches your request."
KEEPS = bought("keeps")
STRANGE = {"metadata": {"name": "cluster"}, "spec": {}, "status": {"data": '{"schema": 99}'}}


@dataclass
class World:
    """Nodes, an API server and a keeper; a test moves the time."""

    objects: FakeObjects = field(default_factory=FakeObjects)
    clock: FakeClock = field(default_factory=lambda: FakeClock(START_S))
    nodes: tuple[NodeRecord, ...] = (KEEPS,)
    refusals: tuple[Refusal, ...] = ()
    leads: bool = True
    sees: bool = True
    keeper: BeliefKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = BeliefKeeper(self.look, self.objects, lambda: self.leads, self.clock)

    def look(self) -> Look:
        if not self.sees:
            raise StaleViewError("nodes", "were heard of 99 s ago", "wait")
        return Look(self.clock(), self.nodes, refusals=self.refusals)

    async def live(self, *nodes: NodeRecord, seconds: float = STEP_S) -> None:
        """With these nodes beside one that stays, a look every five seconds."""
        self.nodes = (KEEPS, *nodes)
        for _ in range(round(seconds / STEP_S)):
            self.clock.seconds += STEP_S
            await self.keeper.step()

    async def restart(self) -> "World":
        """The process ends as it is asked to, and another one begins."""
        await self.keeper.close()
        return World(self.objects, self.clock, self.nodes, self.refusals)

    def status(self) -> SpotRiskBookStatus:
        return SpotRiskBookStatus.model_validate(self.objects.objects[PATH]["status"])

    def ready(self) -> tuple[str, str]:
        (condition,) = self.status().conditions
        return str(condition.status), condition.reason

    def refuse(self, message: str = NO_SPOT) -> None:
        """Karpenter says that it could not buy a machine in `OTHER`, where there is no node."""
        claim = ClaimRecord("u", "c", (OTHER.instance_type,), (OTHER.zone,), ("spot",))
        key = str(len(self.refusals))
        self.refusals += (Refusal(key, self.clock(), claim.name, message, claim),)

    def stock_outs(self) -> tuple[int, int]:
        report = self.keeper.report()
        return report.stock_outs, report.unattributed

    def shocks(self) -> tuple[int, int]:
        report = self.keeper.report()
        return report.shocks, report.interruptions


async def test_book_is_made_at_the_first_look() -> None:
    world = World()
    assert world.keeper.beliefs() is None
    await world.live(spot("a"))

    assert world.ready() == ("True", "Kept")
    assert world.keeper.beliefs() is not None
    assert world.status().shocks == 0


async def test_reclaimed_node_is_in_the_book_within_a_minute() -> None:
    world = World()
    await world.live(spot("a"), spot("b"), seconds=10)
    await world.live(spot("a"), seconds=NEWS_S)

    status = world.status()
    assert (status.shocks, status.nodes_reclaimed, status.pools_watched) == (1, 1, 1)
    (pool,) = status.pools
    assert (pool.instance_type, pool.zone) == ("m5.xlarge", "us-east-1a")
    assert pool.shocks == pytest.approx(1.0, abs=0.01)
    assert pool.share_lost_percent > 0
    assert world.keeper.report().shocks_last_day == ((POOL, 1),)


async def test_news_is_written_at_most_once_a_minute_and_quiet_much_more_rarely() -> None:
    world = World()
    nodes = [spot(str(i)) for i in range(20)]
    for i in range(20):  # a node goes every 30 seconds
        await world.live(*nodes[i:], seconds=30)
    busy = len(world.objects.writes())
    assert busy <= 2 + 600 / NEWS_S

    await world.live(seconds=1200)
    assert len(world.objects.writes()) - busy <= 1 + 1200 / QUIET_S


async def test_restart_loses_nothing() -> None:
    world = World()
    await world.live(spot("a"), spot("b"), spot("c"), seconds=3600)
    await world.live(spot("a"), spot("b"))
    before = world.keeper.beliefs()
    world = await world.restart()
    await world.live(spot("a"), spot("b"))

    assert world.shocks() == (1, 1)
    assert world.keeper.report().hours_watched == pytest.approx(1.0, abs=0.01)
    assert before is not None
    await world.live(spot("a"))
    assert world.shocks() == (1, 2)  # the same shock goes on
    await world.live(spot("a"), seconds=900)
    await world.live(seconds=5)
    assert world.shocks() == (2, 3)


async def test_crash_loses_what_was_not_written_and_no_more() -> None:
    world = World()
    await world.live(spot("a"), spot("b"), seconds=10)
    await world.live(spot("a"), seconds=NEWS_S)
    world = World(world.objects, world.clock)
    await world.live(spot("a"))

    assert world.shocks() == (1, 1)


async def test_nodes_that_went_while_nobody_watched_are_no_evidence() -> None:
    world = World()
    await world.live(spot("a"), spot("b"), seconds=10)
    world = await world.restart()
    await world.live(spot("a"), seconds=10)

    assert world.shocks() == (0, 0)


async def test_stale_view_teaches_nothing() -> None:
    world = World()
    await world.live(spot("a"), spot("b"), seconds=30)
    hours = world.keeper.report().hours_watched
    world.sees = False
    await world.live(spot("a"), spot("b"), seconds=120)
    world.sees = True
    await world.live(spot("a"))

    assert world.shocks() == (0, 0)
    assert world.keeper.report().hours_watched == hours


async def test_standby_knows_nothing_and_writes_nothing() -> None:
    world = World(leads=False)
    await world.live(spot("a"), seconds=30)

    assert world.keeper.beliefs() is None
    assert world.objects.calls == []
    await world.keeper.close()
    assert world.objects.calls == []


async def test_new_leader_reads_what_the_old_one_wrote() -> None:
    old, clock = World(), FakeClock(START_S)
    old.clock = old.keeper.now = clock
    await old.live(spot("a"), spot("b"), seconds=10)
    new = World(old.objects, clock, leads=False)
    await new.live(spot("a"), spot("b"))
    await old.live(spot("a"), seconds=NEWS_S)

    old.leads, new.leads = False, True
    await new.live(spot("a"))
    await old.live(spot("a"))

    assert new.shocks() == (1, 1)
    assert old.keeper.beliefs() is None


# --- stock-outs


async def test_stock_out_is_in_the_book_within_a_minute() -> None:
    world = World()
    await world.live(seconds=10)
    world.refuse()
    await world.live(seconds=NEWS_S)

    status = world.status()
    assert (status.stock_outs, status.stock_outs_unattributed) == (1, 0)
    (pool,) = status.pools
    assert (pool.instance_type, pool.zone) == (OTHER.instance_type, OTHER.zone)
    assert pool.scarcity == pytest.approx(1.0, abs=0.01)


async def test_stock_out_is_counted_once_over_restarts_and_none_is_lost() -> None:
    world = World()
    await world.live(seconds=10)
    world.refuse()
    await world.live(seconds=10)
    world.refuse("no Spot capacity available in us-east-1x or us-east-1y")
    await world.live(seconds=10)
    assert world.stock_outs() == (1, 1)

    world = await world.restart()
    await world.live(seconds=10)
    assert world.stock_outs() == (1, 1)
    world.clock.seconds += 1.0
    world.refuse()  # while nobody looked
    world = World(world.objects, world.clock, refusals=world.refusals)
    await world.live(seconds=10)
    assert world.stock_outs() == (2, 1)


async def test_crash_loses_no_stock_out_though_it_was_not_written() -> None:
    world = World()
    await world.live(seconds=10)
    world.refuse()
    await world.live(seconds=10)
    assert (world.status().stock_outs, world.stock_outs()) == (0, (1, 0))

    world = World(world.objects, world.clock, refusals=world.refusals)
    await world.live(seconds=10)
    assert world.stock_outs() == (1, 0)


async def test_price_book_tells_what_pools_are_called() -> None:
    odd = PoolKey("n2", "us-central1-b", "n2-standard-8")
    instance = make_instance(odd.instance_type, family=odd.family)
    offer = make_offer(instance, zone=odd.zone, capacity_type=SPOT)
    world = World()
    world.keeper.published(make_recommendation(), make_catalog(offer))
    await world.live(seconds=10)
    world.refuse(f"no Spot capacity available for {odd.instance_type} in {odd.zone}.")
    await world.live()

    beliefs = world.keeper.beliefs()
    assert beliefs is not None
    assert beliefs.hazards is not None
    assert beliefs.hazards.pools[odd].scarcity == pytest.approx(1.0, abs=0.01)


# --- a book that cannot be read, or is gone


async def test_unreadable_book_is_said_and_never_overwritten() -> None:
    world = World()
    world.objects.put(PATH, STRANGE)
    await world.live(spot("a"), spot("b"), seconds=10)
    await world.live(spot("a"), seconds=NEWS_S)
    await world.keeper.close()

    assert world.status().data == '{"schema": 99}'
    assert world.ready() == ("False", "Unreadable")
    (condition,) = world.status().conditions
    assert "schema 99, this version reads 1" in condition.message
    assert "delete it to start afresh" in condition.message
    assert "schema 99" in world.keeper.report().problem
    assert world.shocks() == (1, 1)  # kept in memory


async def test_once_the_unreadable_book_is_deleted_what_was_learned_since_is_kept() -> None:
    world = World()
    world.objects.put(PATH, STRANGE)
    await world.live(spot("a"), spot("b"), seconds=10)
    await world.live(spot("a"), seconds=NEWS_S)
    del world.objects.objects[PATH]
    await world.live(spot("a"), seconds=QUIET_S)

    assert world.ready() == ("True", "Kept")
    assert world.status().shocks == 1
    assert world.keeper.report().problem == ""


async def test_deleted_book_means_to_start_afresh() -> None:
    world = World()
    await world.live(spot("a"), spot("b"), seconds=10)
    await world.live(spot("a"), seconds=NEWS_S)
    del world.objects.objects[PATH]
    await world.live(spot("a"), seconds=QUIET_S)

    assert world.status().shocks == 0
    assert world.shocks() == (0, 0)
    await world.live(seconds=NEWS_S)
    assert world.status().shocks == 1


async def test_object_without_a_status_is_an_empty_book() -> None:
    world = World()
    world.objects.put(PATH, {"metadata": {"name": "cluster"}, "spec": {}})
    await world.live(spot("a"))

    assert world.ready() == ("True", "Kept")


async def test_refused_calls_are_said_and_tried_again() -> None:
    world = World()
    world.objects.refused = (BOOKS_PATH,)
    await world.live(spot("a"), seconds=10)
    assert "check the operator's role" in world.keeper.problem
    assert world.keeper.beliefs() is None

    world.objects.refused = ()
    await world.live(spot("a"))
    assert world.keeper.problem == ""
    world.objects.refused = (BOOKS_PATH,)
    await world.live(seconds=NEWS_S)
    assert "check the operator's role" in world.keeper.report().problem
    assert world.shocks() == (1, 1)


class WithoutKind(FakeObjects):
    """An API server that does not know the kind: every path below it is not found."""

    async def _request(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> None:
        self.calls.append((method, path))


async def test_missing_definition_is_named() -> None:
    world = World(WithoutKind())
    await world.live(spot("a"))

    assert "apply manifests/crds anew" in world.keeper.problem
    assert world.keeper.beliefs() is not None


# --- what plans and prices tell


async def test_move_of_a_plan_is_kept() -> None:
    world = World()
    recommendation = make_recommendation()  # m5.xlarge from on demand to spot
    old = bought("old")
    await world.live(old, seconds=10)
    world.keeper.published(recommendation, make_catalog())
    fresh = spot("new", created_at_s=world.clock() + 1)
    await world.live(old, bought("stays"), fresh)
    await world.live(bought("stays"), fresh)

    beliefs = world.keeper.beliefs()
    assert beliefs is not None
    (move,) = beliefs.moves
    assert move.left == (("m5.xlarge", "us-east-1a", CapacityType.ON_DEMAND.value),)
    assert move.entered == (("m5.xlarge", "us-east-1a", "spot"),)


async def test_advisors_rate_of_a_priced_offer_is_the_prior() -> None:
    world = World()
    instance = make_instance("m5.xlarge")
    offer = make_offer(instance, zone=POOL.zone, capacity_type=SPOT, interruptions_per_hour=0.0123)
    world.keeper.published(make_recommendation(), make_catalog(offer))
    await world.live(spot("a"), spot("b", pool=OTHER), seconds=10)

    beliefs = world.keeper.beliefs()
    assert beliefs is not None
    assert beliefs.hazards is not None
    assert beliefs.hazards.pools[POOL].advised_per_hour == pytest.approx(PLAIN_SHARE * 0.0123)


async def test_it_runs_until_cancelled() -> None:
    world = World()
    task = asyncio.create_task(world.keeper.run())
    await until(lambda: PATH in world.objects.objects)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
