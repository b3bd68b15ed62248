"""What the operator learns of spot pools from the cluster's own nodes, and keeps."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control_plane.api_calls import ApiCalls
from tests.control_plane.karpenter import install_claims, refuse
from tests.control_plane.operator_process import OperatorProcess
from tests.control_plane.scene import Scene, condition
from tests.waiting import wait_for
from tools.local_cluster import LocalCluster

ROOM = {"cpu": "3910m", "memory": "14Gi", "pods": 58}
SPOT = {"karpenter.sh/capacity-type": "spot"}
BOOK = "spotriskbook"
LEARNED_S = 150.0
"""Longer than the lease of an operator that was killed, and a minute between two writes."""

Json = dict[str, Any]


@pytest.fixture
def empty(installed: LocalCluster, scene: Scene) -> Iterator[Scene]:
    """An on-demand node that stays, and nothing learned."""
    scene.nodes(1, "m5.xlarge", ROOM)
    installed.kubectl("delete", "spotriskbooks", "--all")
    yield scene
    installed.kubectl("delete", "spotriskbooks", "--all")


def spot_nodes(scene: Scene) -> list[str]:
    own = f"scene={scene.namespace},karpenter.sh/capacity-type=spot"
    return [node["metadata"]["name"] for node in scene.cluster.get("nodes", "-l", own)["items"]]


def book(scene: Scene, accept: Callable[[Json], bool]) -> Json:
    """The book's status once it is accepted, or as it was last."""

    def read() -> Json:
        items = scene.cluster.get(BOOK)["items"]
        status: Json = items[0].get("status", {}) if items else {}
        return status

    return wait_for(read, accept, LEARNED_S)


def logged(operator: OperatorProcess, event: str) -> list[Json]:
    return [record for record in operator.records() if record.get("event") == event]


@pytest.mark.slow
def test_reclaimed_pool_is_learned_and_a_restart_loses_nothing(
    installed: LocalCluster, empty: Scene, tmp_path: Path
) -> None:
    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        assert book(empty, lambda seen: "data" in seen).get("shocks") == 0
        empty.nodes(5, "m5.xlarge", ROOM, **SPOT)
        before = book(empty, lambda seen: seen.get("poolsWatched") == 1)
        assert before["boots"] == 5
        assert 0 <= before["bootMedianSeconds"] < 60

        cordoned, first, second, *rest = spot_nodes(empty)
        installed.kubectl("cordon", cordoned)
        installed.kubectl("delete", "node", cordoned)
        installed.kubectl("delete", "node", first, second)
        wait_for(lambda: logged(operator, "SpotNodesReclaimed"), bool)
        assert operator.terminate() == 0

    kept = book(empty, lambda seen: seen.get("shocks") == 1)
    assert (kept["shocks"], kept["nodesReclaimed"]) == (1, 2)
    assert kept["hoursWatched"] > 0
    (pool,) = kept["pools"]
    assert (pool["instanceType"], pool["zone"]) == ("m5.xlarge", "us-east-1a")
    assert pool["shocks"] == pytest.approx(1.0, abs=0.01)

    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        book(empty, lambda seen: seen["updatedAt"] != kept["updatedAt"])
        installed.kubectl("delete", "node", *rest)
        later = book(empty, lambda seen: seen["nodesReclaimed"] == 4)
        operator.terminate()

    assert (later["shocks"], later["nodesReclaimed"]) == (1, 4)  # the same shock, still open
    assert later["hoursWatched"] >= kept["hoursWatched"]
    assert later["boots"] == 5
    assert condition({"status": later}, "Ready")["reason"] == "Kept"


FLEET = "creating instance, insufficient capacity, with fleet error(s), "
NO_SPOT = (
    "InsufficientInstanceCapacity: There is no Spot capacity available that matches your request."
)
QUOTA = "MaxSpotInstanceCountExceeded: Max spot instance count exceeded"
WANTED = {
    "node.kubernetes.io/instance-type": ["g5.12xlarge"],
    "topology.kubernetes.io/zone": ["us-east-1a", "us-east-1b"],
    "karpenter.sh/capacity-type": ["spot"],
}


@pytest.mark.slow
def test_stock_out_is_learned_though_its_claim_is_gone_at_once(
    installed: LocalCluster, empty: Scene, tmp_path: Path
) -> None:
    install_claims(installed)
    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        book(empty, lambda seen: "data" in seen)
        refuse(installed, "gpu-aaaaa", WANTED, FLEET + NO_SPOT)
        refuse(installed, "gpu-bbbbb", WANTED, FLEET + QUOTA)
        refuse(installed, "gpu-ccccc", {}, FLEET + NO_SPOT)
        learned = book(empty, lambda seen: seen.get("stockOutsUnattributed") == 1)
        said = [(r["type"], r["zone"]) for r in logged(operator, "SpotStockOut")]
        assert operator.terminate() == 0

    assert (learned["stockOuts"], learned["shocks"]) == (2, 0)
    assert said == [("g5.12xlarge", "us-east-1a"), ("g5.12xlarge", "us-east-1b")]
    pools = {(pool["instanceType"], pool["zone"]): pool["scarcity"] for pool in learned["pools"]}
    assert set(pools) == set(said)
    assert all(scarcity > 0.95 for scarcity in pools.values())

    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        later = book(empty, lambda seen: seen["updatedAt"] != learned["updatedAt"])
        assert operator.terminate() == 0

    assert (later["stockOuts"], later["stockOutsUnattributed"]) == (2, 1)


def test_unreadable_book_is_said_and_stays_as_it_is(
    installed: LocalCluster, empty: Scene, tmp_path: Path
) -> None:
    api = ApiCalls(installed)
    api.create("spotriskbooks", "cluster", {})
    strange = {"status": {"data": '{"schema": 99}'}}
    assert api.patch("spotriskbooks", "cluster", strange, "/status").is_accepted

    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        found = book(empty, lambda seen: condition({"status": seen}, "Ready") != {})
        operator.terminate()

    said = condition({"status": found}, "Ready")
    assert (said["status"], said["reason"]) == ("False", "Unreadable")
    assert "schema 99, this version reads 1" in said["message"]
    assert found["data"] == '{"schema": 99}'
    assert logged(operator, "BeliefsNotKept")


@pytest.mark.slow
def test_kubectl_shows_what_was_learned(
    installed: LocalCluster, empty: Scene, tmp_path: Path
) -> None:
    empty.nodes(2, "m5.xlarge", ROOM, **SPOT)
    with OperatorProcess(installed.operator_kubeconfig, tmp_path) as operator:
        book(empty, lambda seen: bool(seen.get("pools")))
        operator.terminate()

    header, row = (line.split() for line in installed.kubectl("get", BOOK).splitlines())
    assert " ".join(header) == "NAME READY POOLS SHOCKS RECLAIMED HOURS BOOT S UPDATED AGE"
    assert row[:5] == ["cluster", "True", "1", "0", "0"]
    described = installed.kubectl("describe", BOOK)
    assert "Instance Type:" in described
    assert "m5.xlarge" in described
