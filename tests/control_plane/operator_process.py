"""The operator as a process of its own, with the rights that the manifests give it and no more."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.waiting import wait_for
from tools.local_cluster import OPERATOR_GROUP, LocalCluster
from tools.processes import free_ports

NAMESPACE = "nodemix-system"
ROLE = "nodemix-operator"
START_S = 30.0
STOP_S = 15.0

Json = dict[str, Any]


def install(cluster: LocalCluster, repository: Path) -> None:
    """What an administrator applies before the operator starts, bound to the operator's group."""
    cluster.kubectl("apply", "-f", str(repository / "manifests/operator/namespace.yaml"))
    cluster.kubectl("apply", "--server-side", "-k", str(repository / "manifests/crds"))
    cluster.kubectl("apply", "-k", str(repository / "manifests/rbac"))
    cluster.grant_operator(ROLE)
    cluster.apply([_binding_of_role()])
    kinds = ("nodemixpolicies", "nodemixplans", "pricebooks", "spotriskbooks")
    names = [f"crd/{kind}.nodemix.dev" for kind in kinds]
    cluster.kubectl("wait", "--for=condition=Established", *names, "--timeout=30s")


def _binding_of_role() -> Json:
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": OPERATOR_GROUP}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROLE}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "group-of-operators", "namespace": NAMESPACE},
        "roleRef": role,
        "subjects": [group],
    }


class OperatorProcess:
    """``python -m nodemix.operator.main`` against a kubeconfig, on free ports.

    Args:
        settings: more of the ``NODEMIX_*`` environment, without the prefix.
    """

    def __init__(self, kubeconfig: Path, folder: Path, **settings: str) -> None:
        self.metrics_port, self.health_port = free_ports(2)
        self.log = folder / f"operator-{self.health_port}.log"
        own = {
            "kubeconfig": str(kubeconfig),
            "metrics_port": str(self.metrics_port),
            "health_port": str(self.health_port),
            "identity": f"operator-{self.health_port}",
        }
        self._settings = {f"NODEMIX_{k.upper()}": v for k, v in {**own, **settings}.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Of the process that watches; the one that decides is its child."""
        assert self._process is not None
        return self._process.pid

    @property
    def identity(self) -> str:
        """What the lease calls it."""
        return self._settings["NODEMIX_IDENTITY"]

    def start(self) -> None:
        """Start it and wait until it answers probes, ready or not."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nodemix.operator.main"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._settings},
            )
        wait_for(lambda: self.probe("healthz")[0], lambda status: status != 0, START_S)

    def probe(self, path: str) -> tuple[int, dict[str, str]]:
        """HTTP status and answers of a probe; 0 while nobody listens."""
        url = f"http://127.0.0.1:{self.health_port}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            self._require_running()
            return 0, {}

    def metrics(self) -> dict[str, float]:
        """Every sample, by name and labels as they are printed."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def memory_mib(self) -> float:
        """Resident memory of the process that watches, without its child."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def records(self) -> list[Json]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def terminate(self) -> int:
        """Ask it to end as Kubernetes does; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_S)

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _require_running(self) -> None:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the operator ended with {code}: {self.log.read_text()[-3000:]}"
