"""The checker must be able to find fault, or the laws that lean on it prove nothing."""

from dataclasses import replace

import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import make_offer, make_pods, make_problem
from tests.packing_checker import complaints


def ten_pods(**fields: object) -> Problem:
    """Ten pods of 1 core on nodes of 4 cores at $0.20."""
    return make_problem(make_pods(10, **fields))


GOOD = Packing((PackedNodes(0, ((0, 4),), 2), PackedNodes(0, ((0, 2),), 1)), 0.6)


def test_a_good_plan_gives_no_complaint() -> None:
    assert complaints(ten_pods(), GOOD) == []


def test_a_missing_and_a_doubled_pod_are_found() -> None:
    missing = Packing(GOOD.nodes[:1], 0.4)
    doubled = Packing((*GOOD.nodes, PackedNodes(0, ((0, 1),), 1)), 0.8)

    assert complaints(ten_pods(), missing) == ["row 0: 8 pods placed of 10"]
    assert complaints(ten_pods(), doubled) == ["row 0: 11 pods placed of 10"]


def test_an_overfull_node_is_found() -> None:
    overfull = Packing((PackedNodes(0, ((0, 5),), 2),), 0.4)

    assert complaints(ten_pods(), overfull) == ["nodes 0: lacks 1000 of cpu_milli"]


def test_too_many_pods_of_a_row_on_a_node_are_found() -> None:
    (text, *_) = complaints(ten_pods(max_per_node=1), GOOD)

    assert "at most 1" in text


def test_a_wrong_offer_is_found() -> None:
    problem = make_problem(make_pods(10), [make_offer(), make_offer("g5.xlarge", gpus=1)])
    wrong = Packing((PackedNodes(1, ((0, 4),), 2), PackedNodes(0, ((0, 2),), 1)), 0.6)

    assert "nodes 0: offer 1 may not hold row 0" in complaints(problem, wrong)


def test_a_wrong_cost_is_found() -> None:
    assert complaints(ten_pods(), Packing(GOOD.nodes, 0.5)) != []


def test_a_broken_cap_is_found() -> None:
    capped = replace(ten_pods(), caps=(OfferCap("maxNodes", np.ones(1), 2.0),))

    assert complaints(capped, GOOD) == ["cap maxNodes: uses 3.0 of 2.0"]
