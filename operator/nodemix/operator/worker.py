"""Decisions in a process of their own.

Torch, numba and the solver take hundreds of megabytes and seconds of a core; neither the
operator's event loop nor its liveness may feel that.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import TypeVar

import numpy as np
from nodemix.forecasting.calibrate import CalibrationReport
from nodemix.forecasting.champion import ForecastSettings, forecast_demand
from nodemix.forecasting.clean import hold
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.memory import ForecastMemory, forecast_and_remember
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.operator.errors import DecisionFailedError
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import Snapshot

BUDGET_S, TRAIN_S = 20.0, 50.0
"""Even where each model takes all the time it may, a decision ends within ``timeout_s``."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRequest:
    """All that a decision depends on; it crosses a process border.

    Args:
        history: None plans for the requests as they are.
        previous: the last fresh forecast, held and widened when the history is too old.
        now_s: seconds since the epoch.
        seed: of every random draw, so that the same input gives the same plan.
        warm: what the last decision of the policy left.
        beliefs: what was learned of the cluster; None leaves the catalog's rates and the policy's
            lead time.
    """

    snapshot: Snapshot
    policy: Policy
    catalog: Catalog
    history: DemandHistory | None
    horizon: Horizon
    now_s: float
    previous: DemandForecast | None = None
    seed: int = 0
    warm: WarmStart | None = None
    beliefs: Beliefs | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DecisionOutcome:
    """What came of a request.

    Args:
        forecast: what the plan was made for; None where it was made for the requests.
        forecast_failure: why no fresh forecast could be made; empty if it could.
        calibration: how well former forecasts kept their word; None where none is remembered.
    """

    recommendation: Recommendation
    forecast: DemandForecast | None = None
    forecast_failure: str = ""
    calibration: CalibrationReport | None = None


T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Memories:
    """What a process remembers of each policy's forecasts between decisions.

    Args:
        settings: of the elections, which are held a few times a day: training may take longer.
        most: policies remembered; the one asked longest ago is forgotten first.
    """

    settings: ForecastSettings = field(
        default_factory=lambda: ForecastSettings(budget_s=BUDGET_S, train_s=TRAIN_S)
    )
    most: int = 16
    _of_policy: dict[str, ForecastMemory] = field(default_factory=dict, repr=False)

    def of(self, policy: str) -> ForecastMemory:
        """Empty for a policy that was never asked about."""
        return self._of_policy.get(policy) or ForecastMemory()

    def keep(self, policy: str, memory: ForecastMemory) -> None:
        """Take the place of what was remembered of the policy."""
        self._of_policy.pop(policy, None)
        self._of_policy[policy] = memory
        while len(self._of_policy) > self.most:
            self._of_policy.pop(next(iter(self._of_policy)))


def decide_in_worker(request: DecisionRequest, memories: Memories | None = None) -> DecisionOutcome:
    """Forecast and decide, in this process.

    Args:
        memories: of former decisions, brought up to date; None trains and compares every model
            anew, so that the same request gives the same plan.
    """
    from nodemix.optimizer.planner import decide  # noqa: PLC0415 - heavy, worker only

    rng = np.random.default_rng(request.seed)
    forecast, failure, calibration = _forecast(request, rng, memories)
    recommendation = decide(
        request.snapshot,
        forecast,
        request.policy,
        request.catalog,
        rng,
        time.monotonic,
        request.warm,
        beliefs=request.beliefs,
    )
    return DecisionOutcome(recommendation, forecast, failure, calibration)


_REMEMBERED = Memories()
"""Of the process that decides; it ends with the process."""


def decide_and_remember(request: DecisionRequest) -> DecisionOutcome:
    """The decision of a process that decides again and again."""
    return decide_in_worker(request, _REMEMBERED)


def _forecast(
    request: DecisionRequest, rng: np.random.Generator, memories: Memories | None = None
) -> tuple[DemandForecast | None, str, CalibrationReport | None]:
    """A fresh forecast, else the previous one held and widened, else none; why; calibration."""
    if request.history is None:
        return None, "", None
    try:
        forecast, calibration = _fresh(request, request.history, rng, memories)
    except ForecastError as err:
        failure = str(err)
    else:
        return forecast, "", calibration
    if request.previous is None:
        return None, failure, None
    try:
        return hold(request.previous, request.now_s), failure, None
    except ForecastError as err:
        return None, f"{failure}. Nor can the last forecast be held: {err}", None


def _fresh(
    request: DecisionRequest,
    history: DemandHistory,
    rng: np.random.Generator,
    memories: Memories | None,
) -> tuple[DemandForecast, CalibrationReport | None]:
    """A forecast, by what is remembered of the policy where anything may be."""
    if memories is None:
        return forecast_demand(history, request.horizon, rng, request.now_s), None
    name = request.policy.name
    forecast, memory = forecast_and_remember(
        history, request.horizon, rng, request.now_s, memories.of(name), memories.settings
    )
    memories.keep(name, memory)
    return forecast, memory.report()


def warm_up() -> None:
    """Compile the kernels before the first decision waits for them."""
    from nodemix.optimizer.warming import warm_up as compile_kernels  # noqa: PLC0415

    compile_kernels()


def worker_process() -> Executor:
    """One fresh process; spawned, because forking a process with threads can deadlock."""
    return ProcessPoolExecutor(
        max_workers=1, mp_context=get_context("spawn"), initializer=settle_in
    )


def settle_in() -> None:
    """Keep the log free of what libraries print, and end with the operator, however it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


@dataclass(slots=True)
class DecisionWorker:
    """Runs one decision at a time in a process that is replaced when it breaks.

    Args:
        timeout_s: of one decision; past it the process is replaced.
        start: makes the executor.
        problem: how the last job ended, if it ended without an answer; empty otherwise.
    """

    timeout_s: float = 120.0
    start: Callable[[], Executor] = worker_process
    problem: str = ""
    _executor: Executor | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def warm_up(self) -> None:
        """Start the process and compile its kernels."""
        async with self._turn:
            await self._run(warm_up)

    async def decide(self, request: DecisionRequest) -> DecisionOutcome:
        """Run one decision.

        Raises:
            DecisionFailedError: the process died or took too long; the next call gets a new one.
            OptimizerError, ForecastError: as raised by the decision itself.
        """
        async with self._turn:
            return await self._run(decide_and_remember, request)

    async def _run(self, job: Callable[..., T], *args: object) -> T:
        self._executor = self._executor or self.start()
        running = asyncio.get_running_loop().run_in_executor(self._executor, job, *args)
        try:
            answer = await asyncio.wait_for(running, self.timeout_s)
        except BrokenProcessPool as err:
            remedy = "the next decision starts a new one; check the memory limit of the pod"
            raise self._failed("its process died", remedy) from err
        except TimeoutError as err:
            remedy = "lower spec.searchSeconds or give the pod more CPU"
            raise self._failed(f"no decision within {self.timeout_s:.0f} s", remedy) from err
        self.problem = ""
        return answer

    def _failed(self, fact: str, remedy: str) -> DecisionFailedError:
        """The error to raise; the process is given up."""
        self.stop()
        error = DecisionFailedError("decision worker", fact, remedy)
        self.problem = str(error)
        return error

    def stop(self) -> None:
        """End the process without waiting for it."""
        if isinstance(self._executor, ProcessPoolExecutor):
            for process in list((self._executor._processes or {}).values()):  # noqa: SLF001
                process.kill()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = None
