"""Which nodes stay as they are, and why."""

from collections.abc import Iterable

from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.demand import count_pods
from nodemix.optimizer.problem.kept import (
    NodeFate,
    Obstacle,
    keep_nodes,
    node_fates,
    notes_of_kept,
)
from nodemix.optimizer.snapshot import Node, Pod

from tests.builders import (
    ON_DEMAND,
    ZONE,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_snapshot,
    make_workload_key,
)

STUCK = Obstacle("the model does not know it", "wait")


def fates_of(
    nodes: Iterable[Node],
    pods: Iterable[Pod] = (),
    selector: WorkloadSelector | None = None,
    obstacle: Obstacle | None = None,
) -> tuple[NodeFate, ...]:
    counts = count_pods(make_snapshot(pods, nodes), selector or WorkloadSelector())
    return node_fates(nodes, counts, make_catalog().by_key(), lambda _: obstacle)


def test_a_priced_node_whose_pods_can_move_is_movable() -> None:
    (fate,) = fates_of([make_node("node-1")], make_pods(2, node_name="node-1"))

    assert fate.obstacle is None
    assert fate.price_usd_per_hour == 0.2


def test_a_node_with_a_pod_that_cannot_be_placed_anew_stays_for_that_reason() -> None:
    (fate,) = fates_of([make_node("node-1")], [make_pod(node_name="node-1")], obstacle=STUCK)

    assert fate.obstacle == STUCK


def test_a_node_with_a_pod_of_somebody_else_stays_and_names_it() -> None:
    selector = WorkloadSelector(namespaces=("shop",))

    (fate,) = fates_of([make_node("node-1")], [make_pod(node_name="node-1")], selector)

    assert fate.obstacle is not None
    assert "default/Deployment/web" in fate.obstacle.fact


def test_a_node_that_leaves_or_is_not_ready_does_not_stay_for_its_pods() -> None:
    nodes = [make_node("a", is_leaving=True), make_node("b", is_ready=False)]
    pods = [make_pod(node_name="a"), make_pod(node_name="b")]

    assert [fate.obstacle for fate in fates_of(nodes, pods, obstacle=STUCK)] == [None, None]


def test_a_node_of_the_control_plane_stays() -> None:
    node = make_node("cp", labels=(("node-role.kubernetes.io/control-plane", ""),))

    (fate,) = fates_of([node])

    assert fate.obstacle is not None
    assert "control plane" in fate.obstacle.fact


def test_a_node_without_a_price_stays_and_the_remedy_names_the_lack() -> None:
    unknown = make_node("a", make_offer("x9.large"))
    unlabelled = make_node("b", instance_type=None)

    of_unknown, of_unlabelled = (fate.obstacle for fate in fates_of([unknown, unlabelled]))

    assert of_unknown is not None
    assert f"x9.large/{ZONE}/on-demand" in of_unknown.fact
    assert of_unlabelled is not None
    assert "node.kubernetes.io/instance-type" in of_unlabelled.fact


def test_equal_kept_nodes_are_counted_together_with_all_their_pods() -> None:
    nodes = [make_node(f"n{i}") for i in range(3)]
    pods = [pod for n in ("n0", "n1") for pod in make_pods(2, name=n, node_name=n)]
    pods.append(make_pod("alone", node_name="n2"))
    counts = count_pods(make_snapshot(pods, nodes), WorkloadSelector())

    kept = keep_nodes(fates_of(nodes, pods, obstacle=STUCK), counts)

    web = make_workload_key("web")
    assert [(group.count, group.pods, group.kept_nodes) for group in kept] == [
        (2, ((web, 2),), ("n0", "n1")),
        (1, ((web, 1),), ("n2",)),
    ]
    assert kept[0].instance_type == "m5.xlarge"
    assert kept[0].capacity_type == ON_DEMAND
    assert kept[0].price_usd_per_hour == 0.2


def test_movable_nodes_are_not_kept() -> None:
    nodes = [make_node("n0")]
    counts = count_pods(make_snapshot((), nodes), WorkloadSelector())

    assert keep_nodes(fates_of(nodes), counts) == ()


def test_one_note_for_each_reason_names_the_first_nodes() -> None:
    nodes = [make_node(f"n{i}") for i in range(5)]
    pods = [make_pod(name=node.name, node_name=node.name) for node in nodes]

    (note,) = notes_of_kept(fates_of(nodes, pods, obstacle=STUCK))

    assert str(note) == "nodes n0, n1, n2 and 2 more: the model does not know it; wait"
