import os
import pickle
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.champion import SIMPLE, ForecastSettings
from nodemix.forecasting.memory import ForecastMemory
from nodemix.forecasting.types import DemandHistory, Horizon
from nodemix.operator.errors import DecisionFailedError
from nodemix.operator.worker import (
    DecisionRequest,
    DecisionWorker,
    Memories,
    decide_in_worker,
    worker_process,
)
from nodemix.optimizer.errors import EmptyCatalogError, InfeasiblePlanError
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.risk.hazard import HazardBook, PoolKey
from nodemix.optimizer.risk.replacement import BootTimes

from tests.builders import make_catalog, make_offer, make_pods, make_policy, make_snapshot

NOW_S = 1_800_000_000.0
WEB = "default/Deployment/web"


def make_request(**fields: Any) -> DecisionRequest:
    defaults: dict[str, Any] = {
        "snapshot": make_snapshot(make_pods(6, cpu_milli=500)),
        "policy": make_policy(search_s=0.2),
        "catalog": make_catalog(make_offer()),
        "history": None,
        "horizon": Horizon(steps=4, draws=20),
        "now_s": NOW_S,
    }
    return DecisionRequest(**{**defaults, **fields})


def make_history(end_s: float, steps: int = 96) -> DemandHistory:
    values = np.full((1, 1, steps), 6.0)
    return DemandHistory((WEB,), ("pods",), end_s - 900.0 * (steps - 1), 900.0, values)


def test_without_a_history_it_plans_for_the_requests() -> None:
    outcome = decide_in_worker(make_request())

    assert outcome.forecast is None
    assert outcome.forecast_failure == ""
    assert outcome.recommendation.nodes
    assert outcome.recommendation.forecast_model == ""


def test_same_request_gives_the_same_plan() -> None:
    first, second = (decide_in_worker(make_request()).recommendation for _ in range(2))

    assert first.nodes == second.nodes


def test_history_that_is_too_old_costs_the_forecast_and_says_why() -> None:
    old = make_history(end_s=NOW_S - 30 * 86_400.0)

    outcome = decide_in_worker(make_request(history=old))

    assert outcome.forecast is None
    assert outcome.forecast_failure
    assert outcome.recommendation.nodes


def make_wave(end_s: float, days: int = 4) -> DemandHistory:
    """Demand with a day in it, long enough for an election."""
    steps = 96 * days
    values = 6.0 + 3.0 * np.sin(2 * np.pi * np.arange(steps) / 96)[None, None]
    shaken = values + np.random.default_rng(0).normal(0, 0.3, values.shape)
    return DemandHistory((WEB,), ("pods",), end_s - 900.0 * (steps - 1), 900.0, shaken)


SIMPLE_ONLY = ForecastSettings(models=SIMPLE)


def test_a_policy_is_elected_for_once_and_then_only_asked() -> None:
    memories = Memories(SIMPLE_ONLY)
    request = make_request(history=make_wave(NOW_S), horizon=Horizon(8, 20))
    later = make_request(
        history=make_wave(NOW_S + 900.0), horizon=Horizon(8, 20), now_s=NOW_S + 900.0
    )

    decide_in_worker(request, memories)
    first = memories.of(request.policy.name)
    outcome = decide_in_worker(later, memories)
    second = memories.of(request.policy.name)

    assert first.champion is not None
    assert second.champion is first.champion
    assert outcome.forecast is not None
    assert outcome.forecast.start_s == NOW_S + 1800.0
    assert outcome.calibration is not None


def test_policies_do_not_share_their_memories() -> None:
    memories = Memories(SIMPLE_ONLY)
    request = make_request(history=make_wave(NOW_S), horizon=Horizon(8, 20))

    decide_in_worker(request, memories)

    assert memories.of("another").champion is None


def test_the_policy_asked_longest_ago_is_forgotten_first() -> None:
    memories = Memories(most=2)
    one, two, three = (ForecastMemory(judged_until_s=i) for i in (1.0, 2.0, 3.0))
    memories.keep("one", one)
    memories.keep("two", two)
    memories.keep("one", one)
    memories.keep("three", three)

    assert memories.of("one") is one
    assert memories.of("two").judged_until_s == 0.0
    assert memories.of("three") is three


def test_without_memories_the_same_history_gives_the_same_forecast() -> None:
    request = make_request(history=make_history(NOW_S))
    first, second = (decide_in_worker(request).forecast for _ in range(2))

    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.samples, second.samples)


class Stuck(Executor):
    """Never answers."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        return Future()


@dataclass
class Starts:
    """Counts the executors that a worker asked for."""

    executors: list[Executor] = field(default_factory=list)

    def stuck(self) -> Executor:
        self.executors.append(Stuck())
        return self.executors[-1]

    def threads(self) -> Executor:
        self.executors.append(ThreadPoolExecutor(1))
        return self.executors[-1]


@pytest.mark.anyio
async def test_decision_that_takes_too_long_is_given_up_and_the_next_starts_afresh() -> None:
    starts = Starts()
    worker = DecisionWorker(timeout_s=0.02, start=starts.stuck)
    for _ in range(2):
        with pytest.raises(DecisionFailedError, match=r"no decision within .*searchSeconds"):
            await worker.decide(make_request())

    assert len(starts.executors) == 2
    assert "no decision within" in worker.problem


@pytest.mark.anyio
async def test_answer_ends_the_problem() -> None:
    starts = Starts()
    worker = DecisionWorker(start=starts.threads, problem="its process died")
    await worker.decide(make_request())
    await worker.decide(make_request())
    worker.stop()

    assert worker.problem == ""
    assert len(starts.executors) == 1


@pytest.mark.anyio
async def test_error_of_the_decision_itself_is_passed_on() -> None:
    worker = DecisionWorker(start=Starts().threads)
    with pytest.raises((EmptyCatalogError, InfeasiblePlanError)):
        await worker.decide(make_request(catalog=make_catalog_without_offers()))
    worker.stop()

    assert worker.problem == ""  # the worker is well


@pytest.mark.anyio
async def test_refusal_crosses_the_border_of_the_process_as_it_is() -> None:
    """An error that cannot be unpickled would look like a process that died."""
    worker = DecisionWorker()
    request = make_request(policy=make_policy(search_s=0.2, budget_usd_per_hour=0.01))
    with pytest.raises(InfeasiblePlanError) as refused:
        await worker.decide(request)
    worker.stop()

    assert refused.value.subject == "budget.usdPerHour"
    assert refused.value.is_proven
    assert worker.problem == ""


def make_catalog_without_offers() -> Any:
    return type(make_catalog())((), source="test")


@pytest.mark.anyio
async def test_process_that_dies_is_replaced() -> None:
    worker = DecisionWorker(start=worker_process)
    with pytest.raises(DecisionFailedError, match=r"its process died; .*memory limit"):
        await worker._run(os._exit, 3)
    assert "its process died" in worker.problem

    pid = await worker._run(os.getpid)
    worker.stop()

    assert pid != os.getpid()
    assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; it may still be a zombie that nobody waited for."""
    deadline_s = time.monotonic() + 5.0
    while time.monotonic() < deadline_s:
        try:
            with open(f"/proc/{pid}/stat") as status:  # noqa: PTH123 - procfs
                if status.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_beliefs_reach_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []

    def decide(*_: object, beliefs: object = None) -> str:
        heard.append(beliefs)
        return "a plan"

    monkeypatch.setattr("nodemix.optimizer.planner.decide", decide)
    beliefs = Beliefs(boots=BootTimes((40.0,)))

    assert decide_in_worker(make_request(beliefs=beliefs)).recommendation == "a plan"  # type: ignore[comparison-overlap]
    decide_in_worker(make_request())
    assert heard == [beliefs, None]


def test_request_with_beliefs_crosses_the_process_border() -> None:
    pool = PoolKey("m5", "us-east-1a", "m5.xlarge")
    beliefs = Beliefs(HazardBook.opened(1.0, {pool: 0.01}), BootTimes((40.0,)))
    request = pickle.loads(pickle.dumps(make_request(beliefs=beliefs)))  # noqa: S301 - our own

    assert request.beliefs == beliefs
