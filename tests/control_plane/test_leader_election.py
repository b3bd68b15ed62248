"""Of two operators one speaks, and an operator that sees nothing says so."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.operator_process import NAMESPACE, OperatorProcess
from tests.control_plane.scene import Scene
from tests.waiting import wait_for
from tools.local_cluster import LocalCluster
from tools.processes import free_ports

LEASE = "nodemix-operator"


@pytest.fixture
def pair(
    installed: LocalCluster, tmp_path: Path
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Two operators on one cluster; the first one leads."""
    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as first:
        await_holder(installed, first.identity)
        with OperatorProcess(installed.operator_kubeconfig, tmp_path) as second:
            yield first, second


def await_holder(cluster: LocalCluster, identity: str) -> None:
    assert wait_for(lambda: holder(cluster), lambda found: found == identity) == identity


def holder(cluster: LocalCluster) -> str:
    leases = cluster.get("leases", "-n", NAMESPACE)["items"]
    found = [lease for lease in leases if lease["metadata"]["name"] == LEASE]
    return str(found[0]["spec"].get("holderIdentity")) if found else ""


def decisions(operator: OperatorProcess) -> float:
    """Plans made and kept so far."""
    samples = operator.metrics().items()
    return sum(value for name, value in samples if name.startswith("nodemix_decisions_total"))


@pytest.mark.slow
def test_standby_waits_and_takes_over_when_the_leader_dies(
    scene: Scene, pair: tuple[OperatorProcess, OperatorProcess]
) -> None:
    leader, standby = pair
    scene.nodes(2, "m5.2xlarge", {"cpu": "7910m", "memory": "30Gi"})
    scene.deploy("web", 4, cpu="500m", memory="1Gi")
    scene.policy()
    plan = scene.await_plan()["metadata"]["name"]
    assert (decisions(leader) > 0, decisions(standby)) == (True, 0)
    assert standby.probe("readyz")[0] == 200

    leader.kill()
    await_holder(scene.cluster, standby.identity)
    made = wait_for(lambda: decisions(standby), lambda count: count > 0)

    assert made > 0
    assert scene.await_plan()["metadata"]["name"] == plan  # the same decision stands

    assert standby.terminate() == 0
    assert holder(scene.cluster) == ""


def test_killed_operator_leaves_no_process_behind(installed: LocalCluster, tmp_path: Path) -> None:
    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        worker = wait_for(lambda: children(operator.pid), bool)
        assert worker

        operator.kill()

    assert wait_for(lambda: [pid for pid in worker if is_running(pid)], lambda left: not left) == []


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie that waits for its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def test_operator_without_an_api_server_is_alive_and_says_why_it_is_not_ready(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    url = f"https://127.0.0.1:{port}"
    with OperatorProcess(kubeconfig_of(tmp_path, url), tmp_path) as operator:
        status, answers = wait_for(
            lambda: operator.probe("readyz"), lambda answer: url in answer[1]["lease"]
        )
        alive = operator.probe("healthz")
        code = operator.terminate()

    assert status == 503
    assert f"have not been listed (API server at {url}" in answers["cluster view"]
    assert "check that the API server answers" in answers["cluster view"]
    assert url in answers["lease"]
    assert alive[0] == 200
    assert code == 0


def kubeconfig_of(folder: Path, server: str) -> Path:
    path = folder / "kubeconfig"
    named = {"name": "nowhere"}
    config = {
        "current-context": "nowhere",
        "clusters": [{**named, "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{**named, "user": {"token": "any"}}],
        "contexts": [{**named, "context": {"cluster": "nowhere", "user": "nowhere"}}],
    }
    path.write_text(json.dumps(config))
    return path


def test_operator_says_which_setting_is_wrong_and_ends(tmp_path: Path) -> None:
    operator = OperatorProcess(tmp_path / "absent", tmp_path, view_limit_s="-1")

    with pytest.raises(AssertionError, match="the operator ended with 1") as caught:
        operator.start()

    assert "view_limit_s" in str(caught.value)


def test_operator_without_a_kubeconfig_says_so_and_ends(tmp_path: Path) -> None:
    operator = OperatorProcess(tmp_path / "absent", tmp_path)

    with pytest.raises(AssertionError, match="the operator ended with 1") as caught:
        operator.start()

    assert f"kubeconfig {tmp_path / 'absent'}: does not exist" in str(caught.value)
