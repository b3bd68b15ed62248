"""What the demo cluster promises to hold."""

from collections import Counter

import pytest
from nodemix.operator.cluster.snapshot import snapshot_of
from nodemix.operator.demo.cluster import DemoCluster, demo_cluster
from nodemix.operator.demo.objects import DEMO_LABEL
from nodemix.operator.demo.policy import demo_namespaces
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.errors import CatalogError
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import CapacityType, Snapshot

from tests.builders import make_catalog


@pytest.fixture(scope="module")
def cluster() -> DemoCluster:
    return demo_cluster(bundled_catalog())


@pytest.fixture(scope="module")
def snapshot(cluster: DemoCluster) -> Snapshot:
    return snapshot_of(cluster.observed(), 0.0)


def test_some_300_pods_of_25_workloads(snapshot: Snapshot) -> None:
    assert 280 <= len(snapshot.pods) <= 320
    assert len({pod.workload for pod in snapshot.pods}) == 25


def test_nothing_of_it_is_left_out(snapshot: Snapshot) -> None:
    assert snapshot.notes == ()
    assert all(pod.template.unsupported == () for pod in snapshot.pods)


def test_pods_are_small_and_large(snapshot: Snapshot) -> None:
    cpu_milli = {pod.template.requests.cpu_milli for pod in snapshot.pods}

    assert min(cpu_milli) <= 500
    assert max(cpu_milli) >= 8000
    assert len(cpu_milli) >= 10


def test_some_want_gpus_some_refuse_spot_most_do_neither(snapshot: Snapshot) -> None:
    with_gpus = sum(pod.template.requests.gpus > 0 for pod in snapshot.pods)
    refusing = sum(pod.template.spot_denied is not None for pod in snapshot.pods)

    assert 5 <= with_gpus <= 30
    assert 10 <= refusing <= 60


def test_budgets_spreads_and_loners_are_there(snapshot: Snapshot) -> None:
    spread = {pod.workload for pod in snapshot.pods if pod.template.spreads}
    alone = {pod.workload for pod in snapshot.pods if pod.template.max_per_node == 1}

    assert len(snapshot.disruption_budgets) >= 5
    assert len(spread) >= 2
    assert len(alone) >= 2


def test_the_scheduler_could_have_placed_every_pod_where_it_is(snapshot: Snapshot) -> None:
    used = dict(snapshot.overhead)
    nodes = {node.name: node for node in snapshot.nodes}
    for pod in snapshot.pods:
        assert pod.node_name is not None
        node = nodes[pod.node_name]
        used[node.name] = used.get(node.name, Resources()) + pod.template.requests
        assert pod.template.allows(dict(node.labels))
        assert pod.template.tolerates(node.taints)

    assert [name for name, amount in used.items() if not amount.fits(nodes[name].allocatable)] == []


def test_zone_spread_holds_today(snapshot: Snapshot) -> None:
    zones = {node.name: node.zone for node in snapshot.nodes}
    spread = [pod for pod in snapshot.pods if pod.template.spreads]
    for workload in {pod.workload for pod in spread}:
        counts = Counter(zones[str(p.node_name)] for p in spread if p.workload == workload)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_nodes_are_those_of_a_careless_buyer(snapshot: Snapshot) -> None:
    nodes = {node.name: node for node in snapshot.nodes}
    requested = sum(pod.template.requests.cpu_milli for pod in snapshot.pods)
    bought = sum(node.allocatable.cpu_milli for node in nodes.values())

    assert {node.capacity_type for node in nodes.values()} == {CapacityType.ON_DEMAND}
    assert 0.3 <= requested / bought <= 0.7


def test_the_same_catalog_gives_the_same_objects(cluster: DemoCluster) -> None:
    assert demo_cluster(bundled_catalog()) == cluster


def test_everything_to_apply_lives_in_the_demos_namespaces(cluster: DemoCluster) -> None:
    for obj in cluster.to_apply():
        metadata = obj["metadata"]
        if "namespace" in metadata:
            assert metadata["namespace"] in demo_namespaces()
        elif obj["kind"] in ("Namespace", "Node"):
            assert metadata["labels"][DEMO_LABEL] == "true"


def test_a_catalog_without_the_teams_types_is_refused() -> None:
    with pytest.raises(CatalogError, match="the demo needs the bundled catalog"):
        demo_cluster(make_catalog())
