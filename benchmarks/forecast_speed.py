"""How long the flow takes, on one core and made-up demand, and writes JSON.

``python -m benchmarks.forecast_speed [--out FILE]``

Times are CPU seconds of the process, torch and the linear algebra library held to one thread, so
that a busy machine hardly changes them. `ask` is one forecast of 1,000 series, 48 steps and 200
draws; `train` is 100 series of three indicators over 30 days on a 15-minute grid, `fine_tune` the
same from the networks that come with the package.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from nodemix.forecasting.champion import costly_model
from nodemix.forecasting.flow import Flow
from nodemix.forecasting.synthetic import Made, made_history
from nodemix.forecasting.types import DemandHistory, Horizon

from benchmarks.forecast_models import PATIENT
from benchmarks.json_files import write_json

HORIZON = Horizon(steps=48, draws=200)
REPEATS = 3


def made(series: int, indicators: int, days: float) -> DemandHistory:
    """Made-up demand with the first ``indicators`` of four."""
    rng = np.random.default_rng(0)
    history = made_history(Made(series=series, days=days), rng)
    return DemandHistory(
        series=history.series,
        indicators=history.indicators[:indicators],
        start_s=history.start_s,
        step_s=history.step_s,
        values=history.values[:, :indicators],
    )


def cpu_seconds(job: Callable[[], object]) -> float:
    """Of one run."""
    started_s = time.process_time()
    job()
    return time.process_time() - started_s


def ask_seconds(indicators: int) -> float:
    """The median of a few forecasts of 1,000 series by the operator's flow."""
    history, rng = made(1000, indicators, 14.0), np.random.default_rng(0)
    model = operators_flow().trained(history, HORIZON, rng)
    times = [cpu_seconds(lambda: model.forecast(history, HORIZON, rng)) for _ in range(REPEATS)]
    return float(np.median(times))


def operators_flow() -> Flow:
    """As the operator trains it."""
    model = costly_model("flow", PATIENT)
    if not isinstance(model, Flow):
        raise TypeError(f"the flow is a {type(model).__name__}")
    return model


def measured() -> dict[str, Any]:
    """All figures, in CPU seconds."""
    history, rng = made(100, 3, 30.0), np.random.default_rng(0)
    patient = Flow(train_s=PATIENT.train_s)
    return {
        "train": cpu_seconds(lambda: patient.trained(history, HORIZON, rng)),
        "fine_tune": cpu_seconds(lambda: operators_flow().trained(history, HORIZON, rng)),
        "ask_1_indicator": ask_seconds(1),
        "ask_3_indicators": ask_seconds(3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="benchmarks.forecast_speed", description=__doc__)
    parser.add_argument("--out", type=Path, help="file for the JSON; else it is printed")
    options = parser.parse_args(arguments)
    write_json(measured(), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
