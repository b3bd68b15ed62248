"""Every baseline places every pod by the rules, and is what its name says."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.problem.types import Problem

from benchmarks.baselines.all import BY_NAME
from benchmarks.baselines.autoscaler import options, scale_up, wasted_share
from benchmarks.baselines.consolidation import ORDERS, Order, consolidate
from benchmarks.baselines.equal_pods import row_by_row
from benchmarks.baselines.fleet import Fleet
from benchmarks.baselines.karpenter import one_pool, provision, tuned
from benchmarks.optimizer import BASELINES
from tests.builders import ON_DEMAND, SPOT, make_offer, make_pods, make_problem
from tests.laws.strategies import problems, ticking
from tests.packing_checker import complaints

READINGS = 300
"""Enough for every stage of our solver on these problems."""
ROUNDING = 1e-6
"""Relative; a sum of prices in another order."""
GENETIC = {"naive_deap", "spotkube", "spotkube_few"}
lawful = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up()


def three_workloads() -> Problem:
    """Pods of three shapes, one of them alone on its node, on four offers."""
    pods = [
        *make_pods(7, workload="web", cpu_milli=900),
        *make_pods(5, workload="cache", memory_mib=6000),
        *make_pods(3, workload="lock", cpu_milli=300, max_per_node=1, spot_denied="its owner"),
    ]
    small = make_offer("m5.large", price=0.1, vcpus=2, memory_gib=8)
    large = make_offer("m5.2xlarge", price=0.35, vcpus=8, memory_gib=32)
    spot = make_offer("m5.xlarge", price=0.07, vcpus=4, memory_gib=16, capacity_type=SPOT)
    return make_problem(pods, [small, make_offer(), large, spot])


@lawful
@given(problem=problems())
@pytest.mark.parametrize("name", sorted(set(BY_NAME) - GENETIC))
def test_every_baseline_keeps_every_rule(name: str, problem: Problem) -> None:
    assert complaints(problem, BY_NAME[name](problem, np.random.default_rng(0))) == []


@settings(lawful, max_examples=3)
@given(problem=problems())
@pytest.mark.parametrize("name", sorted(GENETIC))
def test_every_genetic_baseline_keeps_every_rule(name: str, problem: Problem) -> None:
    assert complaints(problem, BY_NAME[name](problem, np.random.default_rng(0))) == []


@lawful
@given(problem=problems())
def test_our_plan_is_never_above_the_autoscalers_and_karpenters(problem: Problem) -> None:
    ours = solve(problem, ticking(READINGS), np.random.default_rng(0)).packing.cost_usd_per_hour

    theirs = {
        name: BY_NAME[name](problem, np.random.default_rng(0)).cost_usd_per_hour
        for name in set(BY_NAME) - GENETIC
    }

    assert {n: c for n, c in theirs.items() if ours > c * (1 + ROUNDING)} == {}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_same_seed_gives_the_same_packing(name: str) -> None:
    problem = three_workloads()

    first, second = (BY_NAME[name](problem, np.random.default_rng(7)) for _ in range(2))

    assert first == second


def test_the_command_line_knows_every_baseline() -> None:
    assert set(BASELINES) == set(BY_NAME)


def test_karpenter_grows_a_node_until_the_largest_type_is_full() -> None:
    small = make_offer("m5.large", price=0.05, vcpus=2, memory_gib=8)
    large = make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=32)
    problem = make_problem(make_pods(8), [small, large])

    (only,) = one_pool(problem).nodes

    assert (problem.offers[only.offer].instance.name, only.count) == ("m5.2xlarge", 1)


def test_hindsight_finds_the_size_that_one_pool_misses() -> None:
    small = make_offer("m5.large", price=0.05, vcpus=2, memory_gib=8)
    large = make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=32)
    problem = make_problem(make_pods(8), [small, large])

    assert tuned(problem).cost_usd_per_hour == pytest.approx(0.2)


def test_two_pools_keep_a_pod_that_denies_spot_from_making_all_nodes_on_demand() -> None:
    on_demand = make_offer(price=0.4, capacity_type=ON_DEMAND)
    spot = make_offer(price=0.1, capacity_type=SPOT)
    bold = make_pods(3, workload="bold")
    shy = make_pods(1, workload="shy", cpu_milli=4000, spot_denied="its owner")
    problem = make_problem([*bold, *shy], [on_demand, spot])

    assert tuned(problem).cost_usd_per_hour == pytest.approx(0.5)


def test_karpenter_fills_the_node_with_the_fewest_pods_first() -> None:
    web = make_pods(4, workload="web", cpu_milli=2300)
    late = make_pods(1, workload="late", cpu_milli=100)
    offer = make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=32)
    problem = make_problem([*web, *late], [offer])

    fleet = provision(problem, [np.ones(1, dtype=np.bool_)])

    columns = [[row.workload.name for row in problem.rows].index(n) for n in ("web", "late")]
    assert fleet.pods[:, columns].tolist() == [[3, 0], [1, 1]]


@pytest.mark.parametrize("order", ORDERS)
def test_consolidation_replaces_two_half_empty_nodes_by_a_cheaper_one(order: Order) -> None:
    small = make_offer("m5.large", price=0.1, vcpus=4, memory_gib=16)
    large = make_offer("m5.2xlarge", price=0.3, vcpus=8, memory_gib=32)
    problem = make_problem(make_pods(2), [small, large])
    halves = Fleet(np.array([1, 1]), np.array([[1], [1]]))

    fleet = consolidate(problem, halves, order)

    assert (fleet.offers.tolist(), fleet.pods.tolist()) == ([0], [[2]])


@pytest.mark.parametrize("order", ORDERS)
def test_consolidation_leaves_a_fleet_alone_that_nothing_improves(order: Order) -> None:
    problem = make_problem(make_pods(3), [make_offer()])
    full = provision(problem, [np.ones(1, dtype=np.bool_)])

    fleet = consolidate(problem, full, order)

    assert (fleet.offers.tolist(), fleet.pods.tolist()) == (
        full.offers.tolist(),
        full.pods.tolist(),
    )


def test_autoscaler_takes_the_cheaper_of_two_groups_that_waste_the_same() -> None:
    dear = make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=32)
    cheap = make_offer("m6.2xlarge", price=0.3, vcpus=8, memory_gib=32)
    problem = make_problem(make_pods(8), [dear, cheap])

    assert scale_up(problem, wasted_share).cost_usd_per_hour == pytest.approx(0.3)


def test_autoscaler_offers_a_scale_up_for_each_group_that_can_hold_a_pod() -> None:
    gpu = make_offer("g5.xlarge", gpus=1)
    problem = make_problem(make_pods(10), [make_offer(), gpu])

    (only,) = options(problem, problem.demand)

    assert (only.offer, only.nodes, only.held.tolist()) == (0, 3, [10])


def test_integer_program_mixes_sizes_for_equal_pods() -> None:
    small = make_offer("m5.large", price=0.11, vcpus=2, memory_gib=8)
    large = make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=32)
    problem = make_problem(make_pods(10), [small, large])

    assert row_by_row(problem).cost_usd_per_hour == pytest.approx(0.51)


def test_empty_nodes_that_spotkube_buys_are_paid_for() -> None:
    problem = three_workloads()

    packing = BY_NAME["spotkube"](problem, np.random.default_rng(0))

    nodes = {g.offer: 0 for g in packing.nodes}
    for group in packing.nodes:
        nodes[group.offer] += group.count
    paid = sum(n * float(problem.price_usd_per_hour[offer]) for offer, n in nodes.items())
    assert packing.cost_usd_per_hour == pytest.approx(paid)
