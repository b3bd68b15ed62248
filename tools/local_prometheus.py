"""A real Prometheus in a temporary folder, with history from a file and live scrapes."""

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.binaries import binaries
from tools.processes import Servers, StartError, free_ports

_START_TIMEOUT_S = 60.0


class LocalPrometheus:
    """Prometheus on a free port; takes remote writes, also of old samples.

    Args:
        scrape: ``host:port`` addresses whose ``/metrics`` is read.
        scrape_interval_s: seconds between two scrapes of one address.
        backfill: OpenMetrics text (ends in ``# EOF``, timestamps in seconds) that becomes history
            before the start.
        rules: rule files to load.
        keep: leave logs and data in ``folder`` at the end.

    Attributes:
        url: ``http://127.0.0.1:<port>``; remote writes go to ``/api/v1/write``.
    """

    def __init__(
        self,
        scrape: Sequence[str] = (),
        *,
        scrape_interval_s: int = 1,
        backfill: Path | None = None,
        rules: Sequence[Path] = (),
        keep: bool = False,
    ) -> None:
        self._bin = binaries("prometheus")
        self._scrape = tuple(scrape)
        self._scrape_interval_s = scrape_interval_s
        self._backfill = backfill
        self._rules = tuple(rules)
        self._keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="nodemix-prometheus-"))
        self.servers = Servers(self.folder)
        (port,) = free_ports(1)
        self._address = f"127.0.0.1:{port}"
        self.url = f"http://{self._address}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def query(self, promql: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """The ``result`` of an instant query, now or at the Unix time ``at_s``.

        Raises:
            QueryError: Prometheus refused the query; the message holds its reason.
        """
        parameters = {"query": promql} | ({} if at_s is None else {"time": str(at_s)})
        answer = self._read(f"/api/v1/query?{urllib.parse.urlencode(parameters)}")
        result: list[dict[str, Any]] = json.loads(answer)["data"]["result"]
        return result

    def stop(self) -> None:
        """Play an outage: the address stays, nobody answers."""
        self.servers.stop_all()

    def _start(self) -> None:
        if self._backfill is not None:
            self._create_blocks(self._backfill)
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        flags = [
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address={self._address}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        ]
        self.servers.start("prometheus", [str(self._bin / "prometheus"), *flags])
        self.servers.wait("prometheus", self._is_ready, _START_TIMEOUT_S)

    def _stop(self) -> None:
        self.servers.stop_all()
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _create_blocks(self, source: Path) -> None:
        command = [str(self._bin / "promtool"), "tsdb", "create-blocks-from", "openmetrics"]
        target = str(self.folder / "data")
        done = subprocess.run(
            [*command, "--max-block-duration=720h", "--quiet", str(source), target],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartError(f"promtool could not read {source}: {done.stderr.strip()}")

    def _config(self) -> dict[str, Any]:
        job = {"job_name": "local", "static_configs": [{"targets": list(self._scrape)}]}
        return {
            "global": {"scrape_interval": f"{self._scrape_interval_s}s"},
            "rule_files": [str(path.resolve()) for path in self._rules],
            "scrape_configs": [job] if self._scrape else [],
            "storage": {"tsdb": {"out_of_order_time_window": "60d"}},
        }

    def _is_ready(self) -> bool:
        try:
            self._read("/-/ready")
        except (QueryError, OSError):
            return False
        return True

    def _read(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(path, error.read().decode(errors="replace")) from error


class QueryError(RuntimeError):
    """Prometheus answered with an error."""

    def __init__(self, path: str, said: str) -> None:
        super().__init__(f"Prometheus refused {path}: {said}")
