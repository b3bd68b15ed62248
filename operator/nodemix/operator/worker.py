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
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.operator.errors import DecisionFailedError
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRequest:
    """All that a decision depends on; it crosses a process border.

    Args:
        history: None plans for the requests as they are.
        previous: the last fresh forecast, held and widened when the history is too old.
        now_s: seconds since the epoch.
        seed: of every random draw, so that the same input gives the same plan.
        warm: what the last decision of the policy left.
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


@dataclass(frozen=True, slots=True, eq=False)
class DecisionOutcome:
    """What came of a request.

    Args:
        forecast: what the plan was made for; None where it was made for the requests.
        forecast_failure: why no fresh forecast could be made; empty if it could.
    """

    recommendation: Recommendation
    forecast: DemandForecast | None = None
    forecast_failure: str = ""


T = TypeVar("T")


def decide_in_worker(request: DecisionRequest) -> DecisionOutcome:
    """Forecast and decide, in this process."""
    from nodemix.optimizer.planner import decide  # noqa: PLC0415 - heavy, worker only

    rng = np.random.default_rng(request.seed)
    forecast, failure = _forecast(request, rng)
    recommendation = decide(
        request.snapshot,
        forecast,
        request.policy,
        request.catalog,
        rng,
        time.monotonic,
        request.warm,
    )
    return DecisionOutcome(recommendation, forecast, failure)


def _forecast(
    request: DecisionRequest, rng: np.random.Generator
) -> tuple[DemandForecast | None, str]:
    """A fresh forecast, else the previous one held and widened, else none; and why."""
    from nodemix.forecasting.champion import forecast_demand  # noqa: PLC0415 - heavy, worker only
    from nodemix.forecasting.clean import hold  # noqa: PLC0415 - heavy, worker only

    if request.history is None:
        return None, ""
    try:
        return forecast_demand(request.history, request.horizon, rng, request.now_s), ""
    except ForecastError as err:
        failure = str(err)
    if request.previous is None:
        return None, failure
    try:
        return hold(request.previous, request.now_s), failure
    except ForecastError as err:
        return None, f"{failure}. Nor can the last forecast be held: {err}"


def warm_up() -> None:
    """Compile the kernels before the first decision waits for them."""
    from nodemix.optimizer.packing.solve import warm_up as compile_kernels  # noqa: PLC0415

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
            return await self._run(decide_in_worker, request)

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
