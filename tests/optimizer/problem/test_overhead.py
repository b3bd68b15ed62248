"""What DaemonSets and static pods leave of a node."""

import numpy as np
from nodemix.optimizer.problem.compatibility import OfferIndex
from nodemix.optimizer.problem.overhead import room_of_offers, static_load
from nodemix.optimizer.resources import GPU_RESOURCE, Resources
from nodemix.optimizer.snapshot import DaemonSet, Taint, Toleration

from tests.builders import (
    make_instance,
    make_node,
    make_offer,
    make_resources,
    make_selector,
    make_snapshot,
    make_template,
    make_workload_key,
)

DIMENSIONS = ("cpu_milli", "memory_mib", "pods", GPU_RESOURCE)
EVERYTHING = Toleration("", "Exists", "", "")
PLAIN = make_offer("m5.xlarge", vcpus=4, memory_gib=16)
GPU = make_offer("g4dn.xlarge", vcpus=4, memory_gib=16, gpus=1)


def make_daemon_set(name: str = "agent", **template: object) -> DaemonSet:
    fields = {"cpu_milli": 100, "memory_mib": 256, **template}
    return DaemonSet(make_workload_key(name, "DaemonSet"), make_template(**fields))  # type: ignore[arg-type]


def room(*daemon_sets: DaemonSet, static: Resources | None = None) -> list[list[int]]:
    index = OfferIndex([PLAIN, GPU])
    table = room_of_offers(index, daemon_sets, static or Resources(), DIMENSIONS)
    return [[int(amount) for amount in row] for row in table]


def test_a_daemon_set_that_tolerates_everything_takes_its_share_of_every_offer() -> None:
    assert room(make_daemon_set(tolerations=(EVERYTHING,))) == [
        [3900, 16_384 - 256, 109, 0],
        [3900, 16_384 - 256, 109, 1],
    ]


def test_a_daemon_set_without_toleration_takes_nothing_of_tainted_offers() -> None:
    plain, tainted = room(make_daemon_set())

    assert (plain[0], tainted[0]) == (3900, 4000)


def test_a_daemon_set_with_a_selector_takes_only_of_matching_offers() -> None:
    on_gpu_types = make_selector(**{"node.kubernetes.io/instance-type": "g4dn.xlarge"})
    daemon_set = make_daemon_set(required_labels=on_gpu_types, tolerations=(EVERYTHING,))

    plain, gpu = room(daemon_set)

    assert (plain[0], gpu[0]) == (4000, 3900)


def test_a_daemon_set_that_asks_for_a_gpu_stays_pending_on_nodes_without() -> None:
    daemon_set = make_daemon_set(gpus=1, tolerations=(EVERYTHING,))

    plain, gpu = room(daemon_set)

    assert plain == [4000, 16_384, 110, 0]
    assert gpu == [3900, 16_384 - 256, 109, 0]


def test_a_daemon_set_larger_than_the_node_leaves_less_than_nothing() -> None:
    assert room(make_daemon_set(cpu_milli=5000))[0][0] == -1000


def test_static_pods_take_of_every_offer() -> None:
    static = Resources(cpu_milli=50, memory_mib=64, pods=2)

    assert room(static=static)[0] == [3950, 16_384 - 64, 108, 0]


def test_static_load_is_what_daemon_sets_do_not_explain_on_most_nodes() -> None:
    daemon_set = make_daemon_set()
    observed = make_resources(cpu_milli=130, memory_mib=300, pods=2)
    nodes = [make_node(f"n{i}") for i in range(3)]
    snapshot = make_snapshot(
        nodes=nodes,
        daemon_sets=(daemon_set,),
        overhead=tuple((node.name, observed) for node in nodes),
    )

    load, notes = static_load(snapshot)

    assert load == Resources(cpu_milli=30, memory_mib=44, pods=1)
    assert "3 nodes" in notes[0].subject
    assert "30 mCPU" in notes[0].fact


def test_nodes_that_carry_only_their_daemon_sets_have_no_static_load() -> None:
    node = make_node()
    observed = make_daemon_set().template.requests
    snapshot = make_snapshot(
        nodes=[node], daemon_sets=(make_daemon_set(),), overhead=((node.name, observed),)
    )

    assert static_load(snapshot) == (Resources(), ())


def test_one_odd_node_of_three_says_nothing_about_new_nodes() -> None:
    nodes = [make_node(f"n{i}") for i in range(3)]
    loads = [make_resources(cpu_milli=500), Resources(), Resources()]
    overhead = tuple((n.name, load) for n, load in zip(nodes, loads, strict=True))

    assert static_load(make_snapshot(nodes=nodes, overhead=overhead)) == (Resources(), ())


def test_room_keeps_the_order_of_offers_and_dimensions() -> None:
    tainted = make_offer(make_instance("c5.large", 2, 4, taints=(Taint("x", "", "NoExecute"),)))
    index = OfferIndex([GPU, tainted])

    table = room_of_offers(index, (), Resources(), (GPU_RESOURCE, "cpu_milli"))

    assert np.array_equal(table, [[1, 4000], [0, 2000]])
