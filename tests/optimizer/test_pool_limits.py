"""A plan for a level of safety: how large its pools may be, and what it is compared by."""

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.pool_limits import first_pool_limits

from tests.builders import SPOT, ZONE, make_offer, make_pods, make_problem

PODS = make_pods(40, cpu_milli=1000, memory_mib=1024)


def spot(name: str, vcpus: int, memory_gib: float, gpus: int = 0) -> Offer:
    return make_offer(name, 0.1, vcpus=vcpus, memory_gib=memory_gib, gpus=gpus, capacity_type=SPOT)


def test_a_pool_is_as_large_as_what_its_nodes_can_hold_not_as_their_room() -> None:
    """Of 40 cores and 40 GiB a fifth is 8 each: two nodes of 4 cores, whose other 12 GiB stay
    empty; of one with 20 cores not even one."""
    problem = make_problem(PODS, [spot("m5.xlarge", 4, 16), spot("m5.5xlarge", 20, 80)])

    limits = first_pool_limits(problem, 0.2)

    assert limits == {("m5.xlarge", ZONE): 2, ("m5.5xlarge", ZONE): 0}


def test_the_scarcest_resource_limits_a_pool() -> None:
    """Ten GPUs of one node each: a fifth is two, whatever cores there are."""
    pods = [*PODS, *make_pods(10, workload="train", gpus=1)]
    problem = make_problem(pods, [spot("g5.xlarge", 4, 16, gpus=1), spot("m5.xlarge", 4, 16)])

    limits = first_pool_limits(problem, 0.2)

    assert limits == {("g5.xlarge", ZONE): 2, ("m5.xlarge", ZONE): 2}
