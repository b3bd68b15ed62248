from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.steering import (
    COHORT_LABEL,
    PLANNED_NODE_LABEL,
    Pin,
    Quota,
    Steering,
    decreasing_rows,
    pod_limits,
    steer,
)
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.snapshot import Requirement

from tests.builders import SPOT, make_offer, make_pods, make_problem, make_workload_key

# Two cohorts in one pool, a third one in the spot pool.
PACKING = Packing(
    (PackedNodes(0, ((0, 2),), 2), PackedNodes(0, ((1, 3),), 1), PackedNodes(1, ((1, 1),), 1)), 0.7
)


def two_pools() -> Problem:
    pods = [*make_pods(4, workload="a"), *make_pods(4, workload="b", cpu_milli=1100)]
    return make_problem(pods, [make_offer(), make_offer(price=0.1, capacity_type=SPOT)])


def steered(mode: PlacementMode) -> Steering:
    return steer(two_pools(), PACKING, mode)


def test_observing_asks_nothing_of_pods() -> None:
    steering = steered(PlacementMode.OBSERVE)

    assert (steering.affinities, steering.release, steering.pins) == ((), None, ())
    assert pod_limits(two_pools(), PACKING, steering).tolist() == [[4] * 4] * 2


def test_every_node_is_named_and_carries_its_cohort() -> None:
    labels = [dict(node) for node in steered(PlacementMode.OBSERVE).node_labels]

    assert [node[COHORT_LABEL] for node in labels] == ["c0", "c0", "c1", "c2"]
    assert [node[PLANNED_NODE_LABEL] for node in labels] == ["c0-0", "c0-1", "c1-0", "c2-0"]


def test_pools_bind_a_workload_to_the_offers_that_hold_it() -> None:
    steering = steered(PlacementMode.POOL)

    first, second = steering.affinities
    assert first.workload == make_workload_key("a")
    assert first.terms[0].requirements == (
        Requirement("karpenter.sh/capacity-type", "In", ("on-demand",)),
        Requirement("node.kubernetes.io/instance-type", "In", ("m5.xlarge",)),
        Requirement("topology.kubernetes.io/zone", "In", ("us-east-1a",)),
    )
    assert (len(first.terms), len(second.terms)) == (1, 2)
    limits = pod_limits(two_pools(), PACKING, steering)
    assert limits.tolist() == [[4, 4, 4, 0], [4, 4, 4, 4]]


def test_cohorts_bind_a_workload_to_the_patterns_that_hold_it() -> None:
    steering = steered(PlacementMode.COHORT)

    asked = [affinity.terms[0].requirements for affinity in steering.affinities]
    assert asked == [
        (Requirement(COHORT_LABEL, "In", ("c0",)),),
        (Requirement(COHORT_LABEL, "In", ("c1", "c2")),),
    ]
    assert steering.release == (1, 0)
    limits = pod_limits(two_pools(), PACKING, steering)
    assert limits.tolist() == [[4, 4, 0, 0], [0, 0, 4, 4]]


def test_quotas_divide_a_row_over_its_cohorts_as_the_plan_does() -> None:
    quotas = steered(PlacementMode.COHORT).quotas

    assert quotas == (Quota(0, "c0", 4), Quota(1, "c1", 3), Quota(1, "c2", 1))
    assert steered(PlacementMode.POOL).quotas == ()


def test_pins_name_the_node_of_every_pod() -> None:
    steering = steered(PlacementMode.PINNED)

    assert steering.pins == (
        Pin(0, "c0-0", 2), Pin(0, "c0-1", 2), Pin(1, "c1-0", 3), Pin(1, "c2-0", 1),
    )  # fmt: skip
    limits = pod_limits(two_pools(), PACKING, steering)
    assert limits.tolist() == [[2, 2, 0, 0], [0, 0, 3, 1]]


def test_size_is_the_largest_share_of_the_roomiest_node() -> None:
    """Most memory counts as well as most cpu."""
    pods = [
        *make_pods(1, workload="small", cpu_milli=1000, memory_mib=1024),
        *make_pods(1, workload="memory", cpu_milli=100, memory_mib=12288),
        *make_pods(1, workload="cpu", cpu_milli=2000, memory_mib=1024),
    ]

    assert decreasing_rows(make_problem(pods)) == (1, 2, 0)
