"""Errors that are an answer; anything else is a bug and shows its traceback."""

from nodemix.forecasting.errors import ForecastError
from nodemix.operator.errors import OperatorError
from nodemix.optimizer.errors import OptimizerError
from nodemix.simulator.errors import SimulatorError
from pydantic import ValidationError

KNOWN_ERRORS: tuple[type[Exception], ...] = (
    OptimizerError,
    OperatorError,
    ForecastError,
    SimulatorError,
    ValidationError,
    OSError,
)
