"""Where a step of the grid lies in the day."""

from nodemix.forecasting.types import DemandHistory

DAY_S = 86_400.0


def steps_per_day(step_s: float) -> int:
    """Length of the daily season in steps, at least 1."""
    return max(1, round(DAY_S / step_s))


def seasons(history: DemandHistory) -> float:
    """Length of the history in days."""
    return history.steps / steps_per_day(history.step_s)
