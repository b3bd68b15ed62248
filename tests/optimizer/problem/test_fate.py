"""What becomes of the selected pods: they stay, get a new place, or find none."""

from collections.abc import Callable, Mapping, Sequence

from nodemix.optimizer.decision import pods_by_workload
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.demand import count_pods
from nodemix.optimizer.problem.fate import PodFates, pod_fates
from nodemix.optimizer.problem.kept import NodeFate, Obstacle
from nodemix.optimizer.snapshot import Pod, WorkloadKey

from tests.builders import make_node, make_pod, make_pods, make_snapshot, make_workload_key

WEB = make_workload_key("web")
STUCK = Obstacle("stuck")
EVERYTHING = WorkloadSelector()


def fates(
    pods: Sequence[Pod],
    wanted: Mapping[WorkloadKey, int] | None = None,
    kept: Sequence[str] = (),
    is_stuck: Callable[[int], bool] = lambda _: False,
    selector: WorkloadSelector = EVERYTHING,
) -> PodFates:
    """On node-1 and node-2, of which those in ``kept`` stay."""
    nodes = [make_node("node-1"), make_node("node-2")]
    snapshot = make_snapshot(pods, nodes)
    return pod_fates(
        count_pods(snapshot, selector),
        [NodeFate(node, None, STUCK if node.name in kept else None) for node in nodes],
        lambda variant: STUCK if is_stuck(variant) else None,
        {**pods_by_workload(snapshot), **(wanted or {})},
    )


def test_pods_on_movable_nodes_and_waiting_pods_are_placed() -> None:
    result = fates([make_pod("a"), make_pod("b", node_name="node-1")])

    assert result.placed == {0: 2}
    assert result.in_play == {0: 2}
    assert result.kept == result.stranded == {}


def test_pods_on_kept_nodes_are_not_placed_again() -> None:
    result = fates(make_pods(2, node_name="node-1") + make_pods(3), kept=["node-1"])

    assert (result.kept, result.placed) == ({0: 2}, {0: 3})


def test_pods_that_are_wanted_beyond_todays_are_placed_once() -> None:
    pods = make_pods(2, node_name="node-1") + make_pods(3)

    result = fates(pods, {WEB: 9}, kept=["node-1"])

    assert (result.kept, result.in_play, result.placed) == ({0: 2}, {0: 3}, {0: 7})


def test_waiting_pods_with_an_obstacle_are_stranded() -> None:
    result = fates([make_pod("a"), make_pod("b", "api")], is_stuck=lambda variant: variant == 0)

    assert (result.stranded, result.placed) == ({0: 1}, {1: 1})


def test_forecast_pods_follow_the_templates_that_can_be_placed() -> None:
    pods = [make_pod("a", cpu_milli=1), make_pod("b", cpu_milli=2)]

    result = fates(pods, {WEB: 5}, is_stuck=lambda variant: variant == 0)

    assert (result.stranded, result.placed) == ({0: 1}, {1: 4})


def test_forecast_pods_of_a_workload_that_all_stays_take_its_template() -> None:
    result = fates(make_pods(2, node_name="node-1"), {WEB: 5}, kept=["node-1"])

    assert (result.kept, result.in_play, result.placed) == ({0: 2}, {}, {0: 3})


def test_forecast_pods_that_cannot_be_placed_are_noted() -> None:
    result = fates(make_pods(2), {WEB: 5}, is_stuck=lambda _: True)

    assert (result.stranded, result.placed) == ({0: 2}, {})
    assert "3 more pods are forecast" in result.notes[0].fact


def test_pods_that_are_not_selected_are_left_out() -> None:
    label = (("app", "web"),)
    pods = [make_pod("a", labels=label), make_pod("b", "api", cpu_milli=2)]

    result = fates(pods, selector=WorkloadSelector(match_labels=label))

    assert sum(result.placed.values()) == 1


def test_planned_pods_are_those_kept_stranded_and_placed() -> None:
    pods = make_pods(2, node_name="node-1") + make_pods(3)
    snapshot = make_snapshot(pods, [make_node("node-1"), make_node("node-2")])
    variants = count_pods(snapshot, EVERYTHING).variants

    grown = fates(pods, {WEB: 9}, kept=["node-1"])
    stuck = fates(pods, {WEB: 9}, kept=["node-1"], is_stuck=lambda _: True)

    assert grown.planned_by_workload(variants) == {WEB: 9}
    assert stuck.planned_by_workload(variants) == {WEB: 5}
