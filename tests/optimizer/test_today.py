"""Today's nodes as a plan that changes nothing, and whether they would do."""

from collections.abc import Mapping, Sequence

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.decision import pods_by_workload
from nodemix.optimizer.problem.build import build_problem
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.snapshot import Node, Pod, Snapshot, SpreadConstraint, WorkloadKey
from nodemix.optimizer.today import holds_everything, nodes_of_today

from tests.builders import (
    ZONES,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_policy,
    make_snapshot,
    make_workload_key,
)

WEB = make_workload_key("web")
API = make_workload_key("api")
FOUR_CORES = make_offer("m5.xlarge", vcpus=4)
FORBIDDEN = make_offer("m3.xlarge", vcpus=4)
OFFERS = (FOUR_CORES, FORBIDDEN, *(make_offer(vcpus=4, zone=zone) for zone in ZONES[1:]))
OVER_ZONES = (SpreadConstraint("topology.kubernetes.io/zone", 1),)


def build(
    pods: Sequence[Pod],
    nodes: Sequence[Node],
    wanted: Mapping[WorkloadKey, int] | None = None,
    offers: Sequence[Offer] = OFFERS,
) -> tuple[Snapshot, BuiltProblem]:
    snapshot = make_snapshot(pods, nodes)
    pods_wanted = {**pods_by_workload(snapshot), **(wanted or {})}
    return snapshot, build_problem(snapshot, make_catalog(*offers), make_policy(), pods_wanted)


def shown(pods: Sequence[Pod], nodes: Sequence[Node]) -> dict[str, dict[str, int]]:
    """Pods by the name of their workload, on each node of today."""
    snapshot, built = build(pods, nodes)
    planned = nodes_of_today(snapshot, make_catalog(*OFFERS), built)
    return {group.kept_nodes[0]: {k.name: n for k, n in group.pods} for group in planned}


def does(
    pods: Sequence[Pod], nodes: Sequence[Node], wanted: Mapping[WorkloadKey, int] | None = None
) -> bool:
    return holds_everything(build(pods, nodes, wanted)[1])


def test_nodes_that_hold_all_pods_do() -> None:
    assert does(make_pods(4, node_name="n"), [make_node("n")])


def test_room_for_a_waiting_pod_is_enough_and_lack_of_it_is_not() -> None:
    assert does([*make_pods(3, node_name="n"), make_pod("late")], [make_node("n")])
    assert not does([*make_pods(4, node_name="n"), make_pod("late")], [make_node("n")])


def test_pods_that_are_forecast_need_room_too() -> None:
    pods = make_pods(3, node_name="n")

    assert does(pods, [make_node("n")], {WEB: 4})
    assert not does(pods, [make_node("n")], {WEB: 5})


def test_a_node_that_leaves_or_is_not_ready_holds_nothing() -> None:
    pods = make_pods(2, node_name="n")

    assert not does(pods, [make_node("n", is_leaving=True)])
    assert not does(pods, [make_node("n", is_ready=False)])


def test_a_node_that_may_not_be_bought_again_holds_what_it_holds() -> None:
    nodes = [make_node("n", FORBIDDEN)]

    assert does(make_pods(2, node_name="n"), nodes)
    assert not does([*make_pods(2, node_name="n"), make_pod("late")], nodes)


def test_each_node_is_shown_with_its_pods_price_and_name() -> None:
    nodes = [make_node("n1"), make_node("n2", FORBIDDEN)]
    snapshot, built = build([*make_pods(2, node_name="n1"), make_pod("x", node_name="n2")], nodes)

    first, second = nodes_of_today(snapshot, make_catalog(*OFFERS), built)

    assert (first.kept_nodes, first.pods, first.price_usd_per_hour) == (("n1",), ((WEB, 2),), 0.2)
    assert (second.instance_type, second.pods) == ("m3.xlarge", ((WEB, 1),))


def test_a_waiting_pod_is_shown_where_it_finds_room() -> None:
    pods = [
        *make_pods(4, node_name="full"),
        *make_pods(1, workload="api", node_name="roomy"),
        make_pod("late"),
    ]

    assert shown(pods, [make_node("full"), make_node("roomy")]) == {
        "full": {"web": 4},
        "roomy": {"api": 1, "web": 1},
    }


def test_pods_of_a_leaving_node_are_shown_where_they_find_room() -> None:
    pods = [*make_pods(2, node_name="leaves"), *make_pods(1, node_name="stays")]

    assert shown(pods, [make_node("leaves", is_leaving=True), make_node("stays")]) == {
        "leaves": {},
        "stays": {"web": 3},
    }


def test_pods_of_a_lopsided_spread_are_shown_once_each() -> None:
    # An even spread would be 2, 1, 1; today's is 1, 1, 2, and each pod has a home.
    nodes = [make_node(zone, make_offer(zone=zone)) for zone in ZONES]
    pods = [
        pod
        for zone, count in zip(ZONES, (1, 1, 2), strict=True)
        for pod in make_pods(count, node_name=zone, spreads=OVER_ZONES)
    ]

    assert does(pods, nodes)
    assert shown(pods, nodes) == {
        ZONES[0]: {"web": 1},
        ZONES[1]: {"web": 1},
        ZONES[2]: {"web": 2},
    }


def test_a_limit_per_node_also_holds_for_pods_that_wait() -> None:
    pods = [make_pod("a", node_name="n", max_per_node=1), make_pod("b", max_per_node=1)]

    assert not does(pods, [make_node("n")])
    assert does(pods, [make_node("n"), make_node("empty")])


def test_terminating_pods_are_not_shown() -> None:
    pods = [make_pod("a", node_name="n"), make_pod("b", node_name="n", is_terminating=True)]

    assert shown(pods, [make_node("n")]) == {"n": {"web": 1}}


def test_pods_that_cannot_be_moved_are_shown_on_their_node() -> None:
    stuck = ("required pod affinity",)
    pods = [make_pod("x", "api", node_name="n", unsupported=stuck), make_pod(node_name="m")]

    assert shown(pods, [make_node("m"), make_node("n")]) == {"m": {"web": 1}, "n": {"api": 1}}
