"""Fixtures that need something outside the checkout: a control plane, Prometheus, real data."""

import os
import secrets
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tools.binaries import finished_folder
from tools.local_cluster import LocalCluster
from tools.local_prometheus import LocalPrometheus

REPOSITORY = Path(__file__).resolve().parent.parent
_CONTROL_PLANE_FIXTURES = {"local_cluster", "local_prometheus", "namespace"}
_IN_CI = os.environ.get("CI") == "true"

# Machines are shared: how long one example takes says nothing. In CI every run tries the same ones.
settings.register_profile("nodemix", deadline=None, derandomize=_IN_CI)
settings.load_profile("nodemix")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def local_cluster() -> Iterator[LocalCluster]:
    """One real control plane for the whole run; keep to the ``namespace`` of your test."""
    _require_binaries("controlplane", minutes=6)
    with LocalCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def local_prometheus() -> type[LocalPrometheus]:
    """Starts a real Prometheus: ``with local_prometheus(backfill=path) as prometheus: ...``."""
    _require_binaries("prometheus", minutes=4)
    return LocalPrometheus


@pytest.fixture
def namespace(local_cluster: LocalCluster) -> Iterator[str]:
    """A fresh namespace; nobody waits for its deletion."""
    name = f"test-{secrets.token_hex(4)}"
    local_cluster.kubectl("create", "namespace", name)
    yield name
    local_cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def nodemix_data() -> Path:
    """The folder with real traces and prices; skips the test where there is none."""
    folder = Path(os.environ.get("NODEMIX_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; set NODEMIX_DATA to the folder with the real traces")
    return folder


def _require_binaries(module: str, minutes: int) -> None:
    """Skip instead of a silent build of minutes; in CI the caller builds, and a failure counts."""
    if not _IN_CI and finished_folder(module) is None:
        pytest.skip(f"{module} is not built; `make controlplane` does it once ({minutes} min)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a server is a control-plane test, wherever it lives."""
    for item in items:
        if _CONTROL_PLANE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("control_plane")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a control-plane test that cannot run is a failure."""
    report = yield
    expected = hasattr(report, "wasxfail")
    if _IN_CI and report.skipped and not expected and "control_plane" in item.keywords:
        report.outcome = "failed"
        report.longrepr = f"control-plane tests must run in CI, but: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many control-plane tests ran."""
    counts = {
        outcome: sum(
            "control_plane" in getattr(report, "keywords", ())
            for report in terminalreporter.stats.get(outcome, ())
        )
        for outcome in ("passed", "failed", "error", "skipped", "xfailed")
    }
    failed = counts["failed"] + counts["error"]
    ran = counts["passed"] + counts["xfailed"] + failed
    terminalreporter.write_line(
        f"control-plane tests: {ran} ran, {failed} failed, {counts['skipped']} skipped"
    )
