import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from nodemix.operator.cluster.snapshot import read_snapshot_file
from nodemix.operator.errors import SnapshotFileError
from nodemix.optimizer.snapshot import Snapshot

from tests.api_objects import (
    make_budget_object,
    make_daemon_set_object,
    make_node_object,
    make_pod_object,
    make_workload_object,
)

OBJECTS = [
    make_node_object(),
    make_workload_object(),
    make_workload_object("ReplicaSet", "web-1", owner=("Deployment", "web")),
    make_pod_object("web-1-a", owner=("ReplicaSet", "web-1"), node_name="node-1"),
    make_daemon_set_object(),
    make_budget_object(selector={}),
]
LIST = {"apiVersion": "v1", "kind": "List", "items": OBJECTS}


def read(path: Path) -> Snapshot:
    return read_snapshot_file(path, now_s=0.0)


def refused(path: Path) -> SnapshotFileError:
    with pytest.raises(SnapshotFileError) as caught:
        read(path)
    assert caught.value.subject == str(path)
    return caught.value


def as_yaml_stream() -> str:
    return yaml.safe_dump_all(OBJECTS)


def as_lists_by_kind() -> str:
    """As the raw API answers: typed lists, whose items carry no kind."""
    bare = [{k: v for k, v in obj.items() if k != "kind"} for obj in OBJECTS]
    lists = [{"kind": f"{o['kind']}List", "items": [b]} for o, b in zip(OBJECTS, bare, strict=True)]
    return yaml.safe_dump_all(lists)


@pytest.mark.parametrize(
    "write",
    [
        lambda: yaml.safe_dump(LIST),
        lambda: json.dumps(LIST),
        lambda: json.dumps(LIST, indent=2),
        lambda: "\n\n" + json.dumps(LIST),
        lambda: "\n---\n".join(json.dumps(obj) for obj in OBJECTS),
        as_yaml_stream,
        as_lists_by_kind,
        lambda: "# a comment\n---\n" + as_yaml_stream() + "---\n",
    ],
)
@pytest.mark.parametrize("is_zipped", [False, True])
def test_every_way_to_write_a_cluster_reads_the_same(
    tmp_path: Path, write: Callable[[], str], is_zipped: bool
) -> None:
    content = write().encode()
    path = tmp_path / "cluster"
    path.write_bytes(gzip.compress(content) if is_zipped else content)

    found = read(path)

    assert [node.name for node in found.nodes] == ["node-1"]
    assert [str(pod.workload) for pod in found.pods] == ["default/Deployment/web"]
    assert (len(found.daemon_sets), len(found.disruption_budgets), found.notes) == (1, 1, ())


def test_byte_order_mark_and_carriage_returns_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(LIST, indent=1).replace("\n", "\r\n").encode())

    assert len(read(path).pods) == 1


def test_missing_file_is_named_with_the_command_that_writes_one(tmp_path: Path) -> None:
    error = refused(tmp_path / "none.yaml")

    assert error.fact.startswith("cannot be read")
    assert error.remedy.startswith("write it with `kubectl get nodes,pods,")


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "holds neither nodes nor pods"),
        (b"---\n", "holds neither nodes nor pods"),
        (b'{"kind": "List", "items": []}', "holds neither nodes nor pods"),
        (b'{"kind": "List", "items": null}', "holds neither nodes nor pods"),
        (b"- a\n- b\n", "holds something that is no object"),
        (b"hello", "holds something that is no object"),
        (b'{"kind": "List", "items": ["a"]}', "lists something that is no object"),
        (b'{"kind": "List", "items": [{"kind": "Pod"}]}', "object 1 has no kind or no name"),
        (b"a: [", "is neither YAML nor JSON"),
        (b"\x00\x01\x02", "is neither YAML nor JSON"),
        (b"kind: \xff\xff", "is neither YAML nor JSON"),
        (b"\x1f\x8b rubbish", "cannot be read"),
        (gzip.compress(b"kind: List")[:-6], "cannot be read"),
    ],
)
def test_file_that_is_no_cluster_is_refused_with_its_name(
    tmp_path: Path, content: bytes, fact: str
) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_bytes(content)

    error = refused(path)

    assert error.fact.startswith(fact)
    assert error.remedy


def test_folder_is_no_snapshot(tmp_path: Path) -> None:
    assert refused(tmp_path).fact.startswith("cannot be read")


@pytest.mark.parametrize(
    ("name", "nodes", "pods"),
    [
        ("karpenter_d1_micro100-one", 41, 100),
        ("karpenter_d2_openb500-two", 130, 500),
        ("karpenter_d3_gpu300-one", 26, 165),
    ],
)
def test_clusters_that_karpenter_left_are_read_without_a_remark(
    nodemix_data: Path, name: str, nodes: int, pods: int
) -> None:
    found = read(nodemix_data / "snapshots" / f"{name}.yaml.gz")

    assert (len(found.nodes), len(found.pods), found.notes) == (nodes, pods, ())
    assert all(node.instance_type and node.zone and node.is_ready for node in found.nodes)
    assert all(pod.workload.kind != "ReplicaSet" for pod in found.pods)
