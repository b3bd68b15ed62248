"""Starts local servers, waits for them, and leaves nothing behind."""

import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LOG_TAIL_LINES = 25
_POLL_S = 0.05
# Below the range from which Linux draws the ports of outgoing connections, so that none is lost
# between choosing it and listening on it.
_PORTS = range(20_000, 32_000)


class StartError(RuntimeError):
    """A server did not come up; the message ends with the tail of its log."""


def free_ports(count: int) -> list[int]:
    """Distinct ports on 127.0.0.1 that nothing listens on at this moment."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(ports) == count:
            break
        if _is_free(port):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Servers:
    """Processes that live and die together; each logs to ``<folder>/<name>.log``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> int:
        """Start one server and return its process id."""
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ,
            )
        self._running[name] = process
        return process.pid

    def log(self, name: str) -> Path:
        """Where ``name`` writes what it has to say."""
        return self._folder / f"{name}.log"

    def wait(self, name: str, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll until ``is_ready``.

        Raises:
            StartError: ``name`` ended, or was not ready in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while not is_ready():
            self.check(name)
            if time.monotonic() > deadline_s:
                raise StartError(f"{name} was not ready within {timeout_s:g} s:\n{self.tail(name)}")
            time.sleep(_POLL_S)

    def check(self, name: str) -> None:
        """Raise StartError if ``name`` has ended."""
        code = self._running[name].poll()
        if code is not None:
            raise StartError(f"{name} ended with exit code {code}:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The last lines of the log of ``name``."""
        lines = self.log(name).read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def stop(self, name: str) -> None:
        """Kill one server at once; used to play an outage."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop_all(self) -> None:
        """Kill every server, the last one started first; SIGTERM would wait for open watches."""
        for name in reversed(list(self._running)):
            self.stop(name)
