"""Events of a policy beside the demand that they move."""

from dataclasses import replace

from nodemix.forecasting.types import DemandHistory, Event
from nodemix.operator.api.policy import ForecastSpec


def with_events(history: DemandHistory | None, spec: ForecastSpec) -> DemandHistory | None:
    """The history and what the policy says is known to happen; None stays None."""
    if history is None or not spec.events:
        return history
    events = tuple(
        Event(known.name, known.start.timestamp(), known.end.timestamp(), known.workloads)
        for known in spec.events
    )
    return replace(history, events=history.events + events)
