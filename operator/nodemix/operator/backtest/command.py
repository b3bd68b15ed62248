"""``nodemix backtest``: reading what was given, and showing what came of it."""

import time
from dataclasses import dataclass
from pathlib import Path

from nodemix.forecasting.errors import HistoryError
from nodemix.operator.backtest.asking import DEFAULT_DAYS, DEFAULT_SEARCH_S, Asked, Times, Told
from nodemix.operator.backtest.document import to_json
from nodemix.operator.backtest.foretelling import settings_for
from nodemix.operator.backtest.inputs import Recording, from_files, from_prometheus
from nodemix.operator.metrics.history import seconds_of
from nodemix.operator.offline import Terms, observe, read_catalog, read_terms
from nodemix.operator.sources import open_prometheus
from nodemix.optimizer.snapshot import Snapshot
from rich.console import Console

SNAPSHOT_FILES = ("snapshot.yaml", "snapshot.json", "snapshot.yaml.gz", "snapshot.json.gz")
OFFERS_FILE, CATALOG_FILE, POLICY_FILE = "offers.csv", "catalog.csv", "policy.yaml"


@dataclass(frozen=True, slots=True)
class Files:
    """Where things are; None reads them from the history's folder, or takes the default."""

    history: Path | None = None
    snapshot: Path | None = None
    policy: Path | None = None
    catalog: Path | None = None
    offers: Path | None = None
    kubeconfig: Path | None = None

    def found(self, given: Path | None, *names: str) -> Path | None:
        """What was given, else the first file of these names in the history's folder."""
        if given is not None or self.history is None:
            return given
        inside = (self.history / name for name in names)
        return next((path for path in inside if path.is_file()), None)


def times_of(start: str | None, end: str | None, days: float | None, every_s: float) -> Times:
    """Times as given on the command line, ISO 8601 or seconds since the epoch.

    Raises:
        HistoryError: one is neither.
    """
    return Times(_seconds("--from", start), _seconds("--to", end), days, every_s)


def _seconds(option: str, text: str | None) -> float | None:
    try:
        return None if text is None else seconds_of(text)
    except ValueError as err:
        raise HistoryError(
            f"{option} {text!r}: {err}; write for instance 2026-07-03T08:00Z"
        ) from err


def read(
    files: Files,
    prometheus_url: str,
    times: Times,
    models: tuple[str, ...],
    search_s: float | None,
    seed: int,
) -> Asked:
    """Everything that a backtest depends on.

    Args:
        files: one of its history and ``prometheus_url`` is given.
        search_s: time for each search; None for ``DEFAULT_SEARCH_S``.

    Raises:
        HistoryError, PolicyError, SnapshotFileError, CatalogError: an input cannot be used.
    """
    terms = read_terms(files.found(files.policy, POLICY_FILE))
    terms = terms.searching(DEFAULT_SEARCH_S if search_s is None else search_s)
    snapshot = observe(files.found(files.snapshot, *SNAPSHOT_FILES), files.kubeconfig)
    offers = files.found(files.offers, OFFERS_FILE)
    catalog = files.found(files.catalog, CATALOG_FILE) if offers else None
    recording = (
        from_files(files.history, terms)
        if files.history is not None
        else _asked_of(prometheus_url, terms, times, snapshot)
    )
    return Asked(
        snapshot=snapshot,
        recording=recording,
        terms=terms,
        catalog=read_catalog(catalog, offers),
        times=times,
        models=settings_for(models),
        seed=seed,
    )


def _asked_of(url: str, terms: Terms, times: Times, snapshot: Snapshot) -> Recording:
    """So much of Prometheus' past that the first decision knows as much as the operator would."""
    end_s = time.time() if times.end_s is None else times.end_s
    replayed_s = 86_400.0 * (times.days or DEFAULT_DAYS)
    if times.start_s is not None:
        replayed_s = end_s - times.start_s
    lookback_s = replayed_s + float(terms.forecast.lookback_seconds)
    return from_prometheus(lambda: open_prometheus(url), terms, snapshot.pods, end_s, lookback_s)


def page(told: Told) -> str:
    """As one HTML file."""
    from nodemix.operator.backtest.page import render_page  # noqa: PLC0415 - only for pages

    return render_page(told)


def json(told: Told) -> str:
    """For programs."""
    return to_json(told)


def show(told: Told, console: Console) -> None:
    """For people."""
    from nodemix.operator.backtest.text import render_text  # noqa: PLC0415 - only for people

    render_text(told, console)
