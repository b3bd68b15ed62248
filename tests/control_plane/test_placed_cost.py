"""What the real kube-scheduler leaves pending of a plan, beside what the emulation foretells."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import (
    OWNED,
    Profile,
    arrival_order,
    decreasing_order,
    hosting_cost_usd_per_hour,
    place,
    random_order,
)
from nodemix.optimizer.placement.steering import steer
from nodemix.optimizer.problem.benchmark import read_instance
from nodemix.optimizer.problem.types import IntArray

from tools.local_cluster import LocalCluster
from tools.placed_plan import PlacedPlan, standing

pytestmark = pytest.mark.slow

MIXED, GPUS = "d2_openb500", "d3_gpu300"
SEARCH_S = 1.0
DRAWS = 10
FORETOLD = 0.03
"""The bar of the project, for an order of pods that nobody knows beforehand; seen: 0.006.

One random order differs from another by a standard deviation of 0.01.
"""
KNOWN = 0.02
"""For the very order the pods came in, other ties and nodes in another order; seen: 0.008."""
STEERED = 0.02
"""The bar of the project for what steering leaves to pay again; seen: 0."""


@pytest.fixture(scope="module")
def mixed(local_cluster: LocalCluster, nodemix_data: Path) -> Iterator[PlacedPlan]:
    yield from solved(MIXED, local_cluster, nodemix_data)


@pytest.fixture(scope="module")
def gpus(local_cluster: LocalCluster, nodemix_data: Path) -> Iterator[PlacedPlan]:
    yield from solved(GPUS, local_cluster, nodemix_data)


def solved(instance: str, cluster: LocalCluster, data: Path) -> Iterator[PlacedPlan]:
    folder = data / "optimizer"
    catalog, offers = folder / "catalog_aws.csv", folder / "offers_us_east_1.csv"
    problem = read_instance(folder / "instances" / f"{instance}.json", catalog, offers)
    deadline = Deadline.after(time.process_time, SEARCH_S)
    packing = solve(problem, deadline, np.random.default_rng(0)).packing
    with standing(cluster, instance.replace("_", "-"), problem, packing) as placed:
        yield placed


def extra(placed: PlacedPlan, pending: IntArray) -> float:
    """Cost of nodes for what is pending, as a share of the plan's."""
    cost = hosting_cost_usd_per_hour(placed.problem, pending)
    return cost / placed.packing.cost_usd_per_hour


def foretold(
    placed: PlacedPlan, orders: Sequence[IntArray], profile: Profile | None = None
) -> float:
    """The mean of what the emulation leaves over."""
    extras = []
    for seed, order in enumerate(orders):
        found = place(placed.problem, placed.packing, order, np.random.default_rng(seed), profile)
        extras.append(extra(placed, found.pending))
    return float(np.mean(extras))


def observed(placed: PlacedPlan, order: IntArray) -> float:
    """What the real scheduler leaves over."""
    steering = steer(placed.problem, placed.packing, PlacementMode.OBSERVE)
    return extra(placed, placed.pending(order, steering))


def test_emulation_foretells_what_is_left_over_of_pods_in_random_order(mixed: PlacedPlan) -> None:
    rng = np.random.default_rng(7)
    order, *others = [random_order(mixed.problem, rng) for _ in range(DRAWS)]

    real = observed(mixed, order)

    assert foretold(mixed, [order] * DRAWS) == pytest.approx(real, abs=KNOWN)
    assert foretold(mixed, others) == pytest.approx(real, abs=FORETOLD)


def test_emulation_foretells_what_is_left_over_of_pods_by_size(mixed: PlacedPlan) -> None:
    order = decreasing_order(mixed.problem)

    assert foretold(mixed, [order] * DRAWS) == pytest.approx(observed(mixed, order), abs=KNOWN)


def test_emulation_foretells_what_is_left_over_of_gpu_pods(gpus: PlacedPlan) -> None:
    """Orders differ by a standard deviation of 0.04, ties of one order by 0.01."""
    order = random_order(gpus.problem, np.random.default_rng(7))

    assert foretold(gpus, [order] * DRAWS) == pytest.approx(observed(gpus, order), abs=FORETOLD)


def test_emulation_foretells_how_pods_of_services_are_spread(gpus: PlacedPlan) -> None:
    order = random_order(gpus.problem, np.random.default_rng(7))

    with gpus.served():
        real = observed(gpus, order)

    assert foretold(gpus, [order] * DRAWS, OWNED) == pytest.approx(real, abs=FORETOLD)


def steered_extra(placed: PlacedPlan, mode: PlacementMode) -> float:
    steering = steer(placed.problem, placed.packing, mode)
    order = arrival_order(placed.problem, steering, np.random.default_rng(7))
    return extra(placed, placed.pending(order, steering))


def test_cohorts_with_quotas_make_the_plan_come_true(mixed: PlacedPlan) -> None:
    assert steered_extra(mixed, PlacementMode.COHORT) <= STEERED


def test_pins_bring_every_pod_to_its_place(gpus: PlacedPlan) -> None:
    assert steered_extra(gpus, PlacementMode.PINNED) == 0.0
