"""Local servers are waited for, explained when they fail, and never left behind."""

import os
import socket
import sys
from pathlib import Path

import pytest

from tools.processes import Servers, StartError, free_ports

_SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_free_ports_are_distinct_and_free() -> None:
    ports = free_ports(5)

    assert len(set(ports)) == 5
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_taken_port_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_ports(2)
    monkeypatch.setattr("tools.processes._PORTS", range(first, first + 1))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))

        assert free_ports(1) == []
    assert second != first


def test_every_server_is_gone_after_stop_all(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    started = [servers.start(name, _SLEEPER) for name in ("one", "two")]

    servers.stop_all()

    assert [is_alive(process_id) for process_id in started] == [False, False]


def test_server_that_ends_early_is_explained_by_its_log(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.start("broken", [sys.executable, "-c", "import sys; sys.exit('no certificate')"])

    with pytest.raises(StartError, match=r"broken ended with exit code 1:\nno certificate"):
        servers.wait("broken", lambda: False, timeout_s=30)


def test_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.start("silent", _SLEEPER)

    with pytest.raises(StartError, match=r"silent was not ready within 0\.1 s"):
        servers.wait("silent", lambda: False, timeout_s=0.1)
    servers.stop_all()
