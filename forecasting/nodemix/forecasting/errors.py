"""What can go wrong between a history and a forecast.

::

    ForecastError
    +-- ShapeError          arrays do not agree
    +-- HistoryError        the history cannot be used at all
    |   +-- StaleHistoryError  its newest sample is too old
    +-- CheckpointError     a file of weights is not what it should be
    +-- ModelFailedError    one model gave something that is no forecast; another one speaks
"""


class ForecastError(Exception):
    """Root of everything this package raises on purpose."""


class ShapeError(ForecastError):
    """Arrays do not agree."""

    def __init__(self, name: str, expected: tuple[object, ...], got: tuple[int, ...]) -> None:
        super().__init__(f"{name}: expected shape {expected}, got {got}")


class HistoryError(ForecastError):
    """The history cannot be used at all; the message names the series and the remedy."""


class StaleHistoryError(HistoryError):
    """The newest sample is too old to speak about now."""

    def __init__(self, age_s: float, limit_s: float) -> None:
        super().__init__(
            f"demand history: newest sample is {age_s:.0f} s old, more than {limit_s:.0f} s; "
            "check that Prometheus still scrapes the workloads"
        )
        self.age_s = age_s


class CheckpointError(ForecastError):
    """A file of weights is damaged, exchanged or of another version."""

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(f"checkpoint: {fact}; {remedy}")
        self.fact = fact
        self.remedy = remedy


class ModelFailedError(ForecastError):
    """One model gave no forecast (NaN, negative, exploding); another one speaks."""

    def __init__(self, model: str, why: str) -> None:
        super().__init__(f"{model}: {why}")
        self.model = model
        self.why = why
