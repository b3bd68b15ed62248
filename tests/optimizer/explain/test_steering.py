"""A steering told in workloads and cohorts."""

from nodemix.optimizer.explain.steering import planned_steering
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortPins, CohortQuota, PlannedSteering
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.snapshot import Requirement

from tests.builders import make_offer, make_pods, make_problem, make_workload_key

WEB, API = make_workload_key("web"), make_workload_key("api")
PACKING = Packing((PackedNodes(0, ((0, 1), (1, 1), (2, 1)), 2), PackedNodes(0, ((2, 2),), 1)), 0.6)


def two_sizes_of_web() -> Problem:
    """Rows: large web, small web, api between them in size."""
    pods = [
        *make_pods(2, workload="web", cpu_milli=2000),
        *make_pods(2, workload="web", cpu_milli=1900),
        *make_pods(4, workload="api", cpu_milli=100),
    ]
    return make_problem(pods, [make_offer()])


def steered(mode: PlacementMode) -> PlannedSteering:
    return planned_steering(two_sizes_of_web(), PACKING, mode)


def test_observing_asks_nothing() -> None:
    assert steered(PlacementMode.OBSERVE) == PlannedSteering(PlacementMode.OBSERVE)


def test_pods_of_a_workload_count_together_for_each_cohort() -> None:
    assert steered(PlacementMode.COHORT).quotas == (
        CohortQuota(API, "c0", 2), CohortQuota(API, "c1", 2), CohortQuota(WEB, "c0", 4),
    )  # fmt: skip


def test_sizes_of_a_workload_that_follow_one_another_are_let_in_together() -> None:
    assert steered(PlacementMode.COHORT).release == ((WEB, 4), (API, 4))


def test_pools_bind_each_workload_and_let_pods_in_as_they_come() -> None:
    steering = steered(PlacementMode.POOL)

    assert [affinity.workload for affinity in steering.affinities] == [API, WEB]
    terms = steering.affinities[0].terms
    assert Requirement("node.kubernetes.io/instance-type", "In", ("m5.xlarge",)) in (
        terms[0].requirements
    )
    assert (steering.release, steering.quotas, steering.pins) == ((), (), ())


def test_pins_are_told_once_for_equal_nodes() -> None:
    assert steered(PlacementMode.PINNED).pins == (
        CohortPins("c0", 2, ((API, 1), (WEB, 2))),
        CohortPins("c1", 1, ((API, 2),)),
    )
