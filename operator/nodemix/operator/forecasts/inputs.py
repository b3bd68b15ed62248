"""What the forecast commands read: a demand history and what is known to happen."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nodemix.forecasting.clean import CleanHistory, clean
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.types import DemandHistory, Event, Horizon
from nodemix.operator.metrics.history import history_from_file, seconds_of

EVENT_FORM = "NAME=START/END[@SERIES]"
NEVER_STALE_S = float("inf")


def read_demand(path: Path, step_s: float, events: Sequence[str] = ()) -> DemandHistory:
    """The history in a CSV file, on a grid of ``step_s``, with its events.

    Args:
        path: see :func:`nodemix.operator.metrics.history.history_from_file`.
        step_s: seconds between steps.
        events: each as ``NAME=START/END[@SERIES]``.

    Raises:
        HistoryError: the file or an event cannot be used.
    """
    known = tuple(event_of(text) for text in events)
    history = history_from_file(path, step_s)
    named = {name for event in known for name in event.series}
    known_series(history, sorted(named))
    return replace(history, events=known)


def known_series(history: DemandHistory, names: Sequence[str]) -> None:
    """Nothing, if ``history`` has all series of these names.

    Raises:
        HistoryError: it has not.
    """
    unknown = [name for name in names if name not in history.series]
    if unknown:
        raise HistoryError(
            f"demand history: no series {', '.join(unknown)}; it has {_some(history.series)}"
        )


def known_indicator(history: DemandHistory, name: str | None) -> str:
    """The indicator of that name; the first one where none is asked for.

    Raises:
        HistoryError: the history has no such indicator.
    """
    if name is not None and name not in history.indicators:
        raise HistoryError(
            f"demand history: no indicator {name}; it has {_some(history.indicators)}"
        )
    return name or history.indicators[0]


def horizon_of(hours: float, step_s: float) -> Horizon:
    """So many hours in steps of ``step_s``, one at least."""
    return Horizon(max(1, math.ceil(hours * 3600.0 / step_s - 1e-9)))


def ready_of(history: DemandHistory) -> CleanHistory:
    """The history without holes, as seen at its own end.

    Raises:
        HistoryError: no series has a sample of every indicator.
    """
    return clean(history, history.end_s, NEVER_STALE_S)


def event_of(text: str) -> Event:
    """The event in ``NAME=START/END[@SERIES]``, times ISO 8601 or seconds since the epoch.

    Raises:
        HistoryError: it is written in another way, or ends before it begins.
    """
    name, _, rest = text.partition("=")
    times, _, series = rest.partition("@")
    begin, _, end = times.partition("/")
    try:
        start_s, end_s = seconds_of(begin.strip()), seconds_of(end.strip())
    except ValueError as err:
        raise _bad_event(text, str(err)) from err
    if not name or not start_s < end_s:  # NaN is before nothing
        raise _bad_event(text, "it has no name" if not name else "it ends before it begins")
    return Event(name, start_s, end_s, (series,) if series else ())


def _bad_event(text: str, why: str) -> HistoryError:
    return HistoryError(
        f"event {text!r}: {why}; write {EVENT_FORM}, for instance "
        "sale=2026-07-03T08:00Z/2026-07-03T20:00Z"
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
