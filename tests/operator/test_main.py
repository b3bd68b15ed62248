import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nodemix.operator.cluster.session import open_session
from nodemix.operator.errors import StaleViewError
from nodemix.operator.health import probe
from nodemix.operator.main import Operator, ViewFigures, _ended, _when_ready, assemble, main
from nodemix.operator.settings import Settings
from prometheus_client import generate_latest

from tests.api_objects import make_node_object, make_pod_object
from tests.fakes.api_server import FakeApiServer, api_server
from tests.fakes.clock import FakeClock
from tests.fakes.objects import FakeObjects
from tests.waiting import until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def assembled(**settings: Any) -> AsyncIterator[tuple[FakeApiServer, Operator]]:
    """The parts of an operator on a fake API server; nothing is started."""
    async with api_server() as server:
        await server.put("/api/v1/nodes", make_node_object("node-1"))
        await server.put("/api/v1/pods", make_pod_object("a", node_name="node-1"))
        async with open_session(server.connection) as session:
            yield server, assemble(Settings(**settings), server.connection, session)


def complaints(operator: Operator) -> dict[str, str]:
    return {k: v for k, v in probe(operator.ready())[1].items() if v != "ok"}


async def test_operator_is_ready_once_it_has_seen_the_cluster() -> None:
    async with assembled(leader_election=False) as (_, operator):
        assert "have not been listed" in complaints(operator)["cluster view"]
        await operator.view.start()
        await until(lambda: operator.view.synced)

        assert complaints(operator) == {}
        await operator.view.stop()


async def test_worker_and_lease_in_trouble_make_it_unready_but_not_dead() -> None:
    async with assembled() as (_, operator):
        assert operator.leadership is not None
        operator.worker.problem = "decision worker: its process died"
        operator.leadership.problem = "no lease can be created"

        assert complaints(operator)["worker"] == "decision worker: its process died"
        assert complaints(operator)["lease"] == "no lease can be created"
        assert probe(operator.alive())[0] == 200


async def test_task_that_ended_by_a_mistake_makes_it_dead() -> None:
    async def fails() -> None:
        raise KeyError("a mistake of ours")

    async with assembled() as (_, operator):
        task = asyncio.create_task(fails(), name="lease")
        await asyncio.gather(task, return_exceptions=True)

        status, answers = probe(operator.alive(task))
        assert status == 503
        assert answers["tasks"] == "lease: KeyError('a mistake of ours')"


async def test_cancelled_and_finished_tasks_are_no_mistake() -> None:
    async def finishes() -> None:
        pass

    done = asyncio.create_task(finishes())
    cancelled = asyncio.create_task(asyncio.sleep(100))
    cancelled.cancel()
    await asyncio.gather(done, cancelled, return_exceptions=True)

    assert _ended((done, cancelled)) == ""


async def test_process_without_election_writes_at_once_and_one_with_it_waits() -> None:
    async with assembled(leader_election=False) as (_, alone), assembled() as (_, candidate):
        assert alone.leadership is None
        assert alone.bookkeeper.may_write()
        assert not candidate.bookkeeper.may_write()
        assert alone.beliefs.may_write()
        assert not candidate.beliefs.may_write()
        assert not candidate.loops.may_decide()


async def test_first_view_is_waited_for_but_not_for_ever() -> None:
    clock = FakeClock()
    async with assembled(leader_election=False) as (_, operator):
        may_decide = _when_ready(lambda: True, lambda: operator.view.synced, clock)
        assert not may_decide()
        clock.seconds += 31
        assert may_decide()  # now the policies say that there is no view

        with pytest.raises(StaleViewError):
            operator.view.require_current()


async def test_new_leader_waits_anew_for_what_the_old_one_learned() -> None:
    clock, leads, is_ready = FakeClock(), [True], [True]
    may_decide = _when_ready(lambda: leads[0], lambda: is_ready[0], clock)
    assert may_decide()
    leads, is_ready = [False], [False]
    assert not may_decide()

    clock.seconds += 3600
    leads = [True]
    assert not may_decide()
    is_ready = [True]
    assert may_decide()


async def test_figures_go_by_the_names_of_the_api() -> None:
    async with assembled(leader_election=False) as (_, operator):
        figures = ViewFigures(operator.view)
        assert figures.view_age_s() is None
        await operator.view.start()
        await until(lambda: operator.view.synced)

        assert figures.objects()["pods"] == 1
        assert figures.objects()["poddisruptionbudgets"] == 0
        assert set(figures.relists().values()) == {0}
        text = generate_latest(operator.exporter.registry).decode()
        assert 'nodemix_informer_objects{resource="nodes"} 1.0' in text
        await operator.view.stop()


def test_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NODEMIX_METRICS_PORT", "70000")

    assert main() == 1
    assert "metrics_port" in capsys.readouterr().err


async def test_what_is_learned_reaches_decisions_and_plans_reach_what_learns() -> None:
    async with assembled(leader_election=False) as (_, operator):
        await operator.view.start()
        await until(lambda: operator.view.synced)
        operator.beliefs.writer = FakeObjects()  # the other one knows lists only
        await operator.beliefs.step()

        assert operator.sources.beliefs() is not None
        assert operator.loops.published == operator.beliefs.published
        await operator.view.stop()
