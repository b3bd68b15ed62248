"""What a process pays for a forecast, measured in a fresh one."""

import subprocess
import sys

import pytest

_FORECAST = """
import sys, numpy as np
from nodemix.forecasting.champion import ForecastSettings, forecast_demand
from nodemix.forecasting.types import DemandHistory, Horizon
rows = 5 + np.sin(np.arange(480) / 96 * 6.28) + np.random.default_rng(0).normal(0, 0.1, (2, 480))
history = DemandHistory(("a", "b"), ("pods",), 0.0, 900.0, rows[:, None])
settings = ForecastSettings(models={models}, budget_s=600, train_s=600)
forecast = forecast_demand(
    history, Horizon(4, 20), np.random.default_rng(0), history.end_s, settings
)
assert all(v.score is not None for v in forecast.verdicts), forecast.verdicts
print(*(name for name in {heavy} if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("models", "loaded"),
    [
        (("last-value", "seasonal-naive"), []),
        (("last-value", "ets"), ["statsmodels"]),
        (("last-value", "flow"), ["torch", "zuko"]),
    ],
)
def test_a_heavy_library_is_loaded_only_by_its_model(
    models: tuple[str, ...], loaded: list[str]
) -> None:
    heavy = ("statsmodels", "torch", "zuko")
    script = _FORECAST.format(models=models, heavy=heavy)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == loaded
