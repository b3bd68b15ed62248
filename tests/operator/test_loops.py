import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from nodemix.operator.loops import PolicyLoops
from nodemix.operator.objects import NODEMIX_API
from nodemix.operator.publish import Publisher
from nodemix.operator.report.exporter import Exporter
from nodemix.operator.worker import DecisionOutcome, DecisionRequest
from nodemix.optimizer.packing.warm import WarmStart
from structlog.testing import capture_logs

from tests.builders import make_pods, make_snapshot
from tests.fakes.clock import FakeClock
from tests.fakes.objects import FakeObjects
from tests.fakes.sources import FakeSources, make_recommendation
from tests.waiting import until

pytestmark = pytest.mark.anyio

NOTHING = np.zeros(0, dtype=np.int64)
NO_NODES = np.zeros((0, 0), dtype=np.int32)
LEFT = WarmStart((), (), NOTHING, NO_NODES, NO_NODES, np.zeros(0), (), np.zeros(0))


class Deciding(FakeSources):
    """Decides for whichever policy asks."""

    async def decide(self, request: DecisionRequest) -> DecisionOutcome:
        await super().decide(request)
        if request.policy.name == "broken":
            raise ZeroDivisionError("a mistake of ours")
        return DecisionOutcome(make_recommendation(request.policy.name, warm=LEFT))


@dataclass
class World:
    sources: FakeSources
    objects: FakeObjects = field(default_factory=FakeObjects)
    leads: bool = True
    loops: PolicyLoops = field(init=False)

    def __post_init__(self) -> None:
        publisher = Publisher(self.objects, Exporter(), 10)
        clock = FakeClock(1_800_000_000.0)
        self.loops = PolicyLoops(self.sources, publisher, lambda: self.leads, clock)

    def update(self, name: str, **body: Any) -> None:
        """As kopf tells of a policy, which is also in the API server."""
        found = make_body(name, **body)
        self.objects.put(f"{NODEMIX_API}/nodemixpolicies/{name}", found)
        self.loops.update(found)

    def reason(self, name: str) -> str:
        """Of the condition Ready; empty before the first tick."""
        status = self.objects.objects[f"{NODEMIX_API}/nodemixpolicies/{name}"].get("status", {})
        conditions = status.get("conditions", [])
        return next((c["reason"] for c in conditions if c["type"] == "Ready"), "")

    def decided_for(self) -> list[str]:
        return [request.policy.name for request in self.sources.requests]


def make_body(
    name: str, uid: str = "1", generation: int = 1, app: str = "web", **spec: Any
) -> dict[str, Any]:
    metadata = {
        "name": name,
        "uid": uid,
        "generation": generation,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    selector = {"matchLabels": {"app": app}}
    return {"metadata": metadata, "spec": {"selector": selector, "intervalSeconds": 3600, **spec}}


@asynccontextmanager
async def following() -> AsyncIterator[World]:
    apps = [("app", "web"), ("app", "api")]
    pods = [p for label in apps for p in make_pods(2, workload=label[1], labels=(label,))]
    world = World(Deciding(cluster=make_snapshot(pods)))
    try:
        yield world
    finally:
        await world.loops.stop()


async def test_new_policy_is_decided_at_once() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")

        assert world.decided_for() == ["default"]


async def test_standby_only_listens_until_it_leads() -> None:
    async with following() as world:
        world.leads = False
        world.update("default")
        await asyncio.sleep(0.02)
        assert world.objects.calls == []

        world.leads = True
        world.update("default", generation=2)
        await until(lambda: world.reason("default") == "Decided")


async def test_changed_spec_is_decided_without_waiting_for_the_interval() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        world.update("default", generation=2, app="nobody")

        await until(lambda: world.reason("default") == "EmptySelection")


async def test_own_status_does_not_lead_to_another_decision() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        world.loops.update({**make_body("default"), "status": {"planName": "any"}})
        await asyncio.sleep(0.02)

        assert world.decided_for() == ["default"]


async def test_next_decision_starts_from_what_the_last_one_left() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        world.update("default", generation=2)
        await until(lambda: len(world.decided_for()) == 2)

        assert [request.warm for request in world.sources.requests] == [None, LEFT]


async def test_deleted_policy_is_decided_no_more_and_leaves_no_figures() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        world.loops.remove("default")

        registry = world.loops.publisher.exporter.registry
        label = {"policy": "default"}
        assert registry.get_sample_value("nodemix_plan_cost_usd_per_hour", label) is None
        world.loops.remove("default")  # once more is no error


async def test_policy_that_vanished_unseen_ends_its_loop() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        del world.objects.objects[f"{NODEMIX_API}/nodemixpolicies/default"]
        world.loops.update(make_body("default", generation=2))

        await until(lambda: not world.loops._followers)
        assert world.loops.problem() == ""


async def test_policy_made_anew_starts_anew() -> None:
    async with following() as world:
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        world.update("default", uid="2")
        await until(lambda: len(world.decided_for()) == 2)

        assert list(world.loops._followers) == ["default"]


async def test_crash_of_one_policy_becomes_a_condition_and_the_others_go_on() -> None:
    with capture_logs() as logs:  # printing the locals of the traceback would take seconds
        async with following() as world:
            world.update("broken", app="web")
            world.update("well", app="api")
            await until(lambda: world.reason("broken") == "Crashed")
            await until(lambda: world.reason("well") == "Decided")

            status = world.objects.objects[f"{NODEMIX_API}/nodemixpolicies/broken"]["status"]
            message = status["conditions"][0]["message"]
            assert "NodeMixPolicy/broken: the decision crashed (ZeroDivisionError" in message
            assert world.loops.problem() == ""
    assert [entry["event"] for entry in logs].count("TickCrashed") == 1


async def test_spec_that_cannot_be_read_is_said_in_the_status() -> None:
    async with following() as world:
        world.update("default", searchSeconds=-1)
        await until(lambda: world.reason("default") == "UnreadableSpec")

        status = world.objects.objects[f"{NODEMIX_API}/nodemixpolicies/default"]["status"]
        message = status["conditions"][0]["message"]
        assert "NodeMixPolicy/default: spec.searchSeconds: " in message
        assert "; correct it" in message


async def test_changed_prices_wake_the_policies_that_buy_from_them() -> None:
    async with following() as world:
        world.update("buyer", app="web", catalogRef={"name": "aws"})
        world.update("other", app="api")
        await until(lambda: len(world.decided_for()) == 2)
        world.loops.prices_changed("aws")
        await until(lambda: len(world.decided_for()) == 3)

        assert world.decided_for()[2] == "buyer"


async def test_refused_status_is_tried_again_and_ends_no_loop() -> None:
    async with following() as world:
        world.objects.refused = (f"{NODEMIX_API}/nodemixpolicies",)
        world.update("default")
        await until(lambda: world.objects.calls)
        world.objects.refused = ()
        world.update("default", generation=2)

        await until(lambda: world.reason("default") == "Decided")


async def test_loop_that_ended_by_a_mistake_is_named() -> None:
    async with following() as world:
        world.loops.update(make_body("default"))
        follower = world.loops._followers["default"]
        follower.standing = None  # type: ignore[assignment]  # a mistake of ours
        await until(world.loops.problem)

        assert "policy default: AttributeError" in world.loops.problem()


async def test_plan_is_told_of_once_it_was_shown() -> None:
    async with following() as world:
        told: list[str] = []
        world.loops.published = lambda recommendation, _: told.append(recommendation.policy)
        world.objects.refused = (f"{NODEMIX_API}/nodemixpolicies/api",)
        world.update("api", app="api")
        world.update("default")
        await until(lambda: world.reason("default") == "Decided")
        await until(lambda: "api" in world.decided_for())

        assert told == ["default"]
