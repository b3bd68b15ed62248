"""A real Prometheus answers for backfilled history and for what it scrapes."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tools.local_prometheus import LocalPrometheus, QueryError
from tools.processes import StartError

_END_S = 1_700_000_000
_STEP_S = 300


def history(path: Path, days: int) -> Path:
    times = range(_END_S - days * 86_400, _END_S, _STEP_S)
    samples = [f"demand_cores {position} {at_s}" for position, at_s in enumerate(times)]
    path.write_text("\n".join(["# TYPE demand_cores gauge", *samples, "# EOF", ""]))
    return path


def test_backfilled_history_is_answered(
    local_prometheus: type[LocalPrometheus], tmp_path: Path
) -> None:
    with local_prometheus(backfill=history(tmp_path / "history.txt", days=14)) as prometheus:
        (counted,) = prometheus.query("count_over_time(demand_cores[14d])", _END_S - 1)
        (last,) = prometheus.query("demand_cores", _END_S - 1)

    assert int(counted["value"][1]) == 14 * 86_400 // _STEP_S
    assert int(last["value"][1]) == 14 * 86_400 // _STEP_S - 1


class Exporter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"nodes 7\n")

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def exporter() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_scraped_target_is_answered(local_prometheus: type[LocalPrometheus], exporter: str) -> None:
    with local_prometheus([exporter]) as prometheus:
        deadline_s = time.monotonic() + 20
        while not (found := prometheus.query("nodes")) and time.monotonic() < deadline_s:
            time.sleep(0.1)

    assert [sample["value"][1] for sample in found] == ["7"]


def test_bad_query_is_explained(local_prometheus: type[LocalPrometheus]) -> None:
    with local_prometheus() as prometheus, pytest.raises(QueryError, match="parse error"):
        prometheus.query("sum(")


def test_bad_history_is_explained(local_prometheus: type[LocalPrometheus], tmp_path: Path) -> None:
    (tmp_path / "history.txt").write_text("demand_cores one 1\n# EOF\n")

    with (
        pytest.raises(StartError, match="promtool could not read"),
        local_prometheus(backfill=tmp_path / "history.txt"),
    ):
        pass


def test_stopped_prometheus_leaves_its_address_unanswered(
    local_prometheus: type[LocalPrometheus],
) -> None:
    with local_prometheus() as prometheus:
        prometheus.stop()

        with pytest.raises(OSError, match="refused"):
            prometheus.query("up")
