"""What is known to happen, on the grid of the demand that it moves."""

import numpy as np
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import DemandHistory


def event_kinds(history: DemandHistory, start_s: float, steps: int) -> IndexArray | None:
    """Which kind of event is on for each row at each step, 0 for none; None without any event.

    Args:
        history: whose events; those that overlap count as the one that began last.
        start_s: time of the first step.
        steps: how many, past and future.

    Returns:
        Shape (series x indicators, steps).
    """
    if not history.events:
        return None
    kinds = {name: i for i, name in enumerate(sorted({e.name for e in history.events}), start=1)}
    found = np.zeros((len(history.series), steps), dtype=np.int64)
    at_s = start_s + np.arange(steps) * history.step_s
    for event in sorted(history.events, key=lambda e: e.start_s):
        on = (event.start_s <= at_s) & (at_s < event.end_s)
        named = np.array([not event.series or name in event.series for name in history.series])
        found[named[:, None] & on] = kinds[event.name]
    return np.repeat(found, len(history.indicators), axis=0)


def same_place_before(kinds: IndexArray) -> IndexArray:
    """For each step in an event the step as far into the last one of its kind; -1 for none."""
    before = np.full(kinds.shape, -1, dtype=np.int64)
    for row, known in enumerate(kinds):
        starts: dict[int, int] = {}
        edges = np.flatnonzero(np.diff(known, prepend=0))
        for start, stop in zip(edges, [*edges[1:], known.size], strict=False):
            kind = int(known[start])
            if kind and kind in starts:
                before[row, start:stop] = starts[kind] + np.arange(stop - start)
            if kind:
                starts[kind] = int(start)
    return before
