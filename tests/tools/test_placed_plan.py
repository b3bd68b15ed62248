from nodemix.optimizer.packed import PackedNodes, Packing

from tests.builders import make_offer, make_pods, make_problem
from tools.placed_plan import OFFER_LABEL, is_ready, place_of, plan_nodes

TAINT_OF_PLAN = {"key": "placed-plan/name", "value": "mine", "effect": "NoSchedule"}


def test_nodes_have_the_room_of_the_problem_and_a_place_in_the_plan() -> None:
    problem = make_problem(make_pods(4, max_per_node=2))
    cpu, memory, pods, *_ = problem.room[0].tolist()

    first, second = plan_nodes("mine", problem, Packing((PackedNodes(0, ((0, 2),), 2),), 0.4))

    room = first["status"]["allocatable"]
    assert (room["cpu"], room["memory"]) == (f"{cpu}m", f"{memory}Mi")
    assert (room["pods"], room[place_of(0)]) == (str(pods), "2")
    assert first["spec"]["taints"] == [TAINT_OF_PLAN]
    assert [node["metadata"]["labels"][OFFER_LABEL] for node in (first, second)] == ["0", "0"]
    assert second["metadata"]["labels"]["nodemix.dev/planned-node"] == "c0-1"


def test_nodes_with_gpus_repel_pods_without() -> None:
    problem = make_problem(make_pods(1, gpus=1), [make_offer("g5.xlarge", gpus=1)])

    (node,) = plan_nodes("mine", problem, Packing((PackedNodes(0, ((0, 1),), 1),), 1.0))

    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "1"
    taint = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    assert node["spec"]["taints"] == [TAINT_OF_PLAN, taint]


def test_a_node_is_ready_once_only_taints_of_its_own_are_left() -> None:
    new = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}

    assert not is_ready({"spec": {"taints": [TAINT_OF_PLAN, new]}})
    assert is_ready({"spec": {"taints": [TAINT_OF_PLAN]}})
