"""The live demo on the real control plane."""

import json
from io import StringIO
from pathlib import Path

import pytest
from nodemix.operator.demo.policy import demo_namespaces
from nodemix.operator.demo.run import DemoSettings, run_demo
from rich.console import Console

from tests.waiting import wait_for
from tools.local_cluster import LocalCluster

KINDS = "nodes,deployments,statefulsets,daemonsets,poddisruptionbudgets"


def demo_objects(cluster: LocalCluster) -> list[str]:
    listed = json.loads(cluster.kubectl("get", KINDS, "-A", "-l", "nodemix.dev/demo", "-o", "json"))
    return [item["metadata"]["name"] for item in listed["items"]]


@pytest.mark.slow
def test_operator_decides_on_a_real_cluster_and_nothing_stays_behind(
    local_cluster: LocalCluster, tmp_path: Path
) -> None:
    console = Console(file=StringIO(), width=160, color_system=None)
    settings = DemoSettings(tmp_path, kubeconfig=local_cluster.kubeconfig)

    run_demo(settings, console, with_offline=False)

    text = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    header, row = text[text.index("NAME ") :].splitlines()[:2]
    assert header.split()[:3] == ["NAME", "MODE", "READY"]
    assert row.split()[:3] == ["nodemixpolicy.nodemix.dev/demo", "Recommend", "True"]
    assert "nodemixplan.nodemix.dev/demo-" in text
    assert "PlanProposed" in text
    assert "the scheduler bound 447 of 447 pods" in text
    assert demo_objects(local_cluster) == []
    left = wait_for(
        lambda: set(local_cluster.kubectl("get", "namespaces", "-o", "name").split()),
        lambda names: not {f"namespace/{n}" for n in demo_namespaces()} & names,
    )
    assert "namespace/shop" not in left
