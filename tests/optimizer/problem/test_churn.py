"""Which nodes may go on, what the search counts, and what its bound says about money."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.problem.churn import (
    InPlace,
    money_bound,
    money_of,
    new_nodes,
    nodes_in_place,
    price_extras,
)
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import Node, Taint

from tests.builders import GPU_TAINT, make_node, make_offer, make_problem, make_resources

OFFER = make_offer("m5.xlarge", 0.2, vcpus=4)


def in_place(*nodes: Node, asked: tuple[str, ...] = ()) -> tuple[InPlace, ...]:
    return nodes_in_place(nodes, [OFFER], asked, lambda _: Resources())


def test_equal_nodes_go_on_together_with_the_room_they_really_have() -> None:
    small = make_resources(3900, 15000, pods=58)
    nodes = [make_node(name, OFFER, allocatable=small) for name in ("b", "a")]

    (group,) = in_place(*nodes)

    assert group.names == ("a", "b")
    assert [offer.instance.allocatable for offer in group.offers] == [small]
    assert all(offer.is_in_place for offer in group.offers)
    assert str(group) == "m5.xlarge/us-east-1a/on-demand in place"


def test_what_holds_room_beside_pods_is_taken_off() -> None:
    (group,) = nodes_in_place([make_node("a", OFFER)], [OFFER], (), lambda _: make_resources(500))

    assert group.offers[0].instance.allocatable.cpu_milli == 3500


def test_nodes_with_different_room_are_not_mixed() -> None:
    tight = make_node("b", OFFER, allocatable=make_resources(3000, 8000, pods=58))

    assert [group.names for group in in_place(make_node("a", OFFER), tight)] == [("a",), ("b",)]


@pytest.mark.parametrize(
    "fields",
    [
        {"is_ready": False},
        {"is_leaving": True},
        {"taints": (Taint("team", "data", "NoSchedule"),)},
        {"instance_type": "z9.odd"},
    ],
)
def test_a_node_that_could_not_take_the_pods_does_not_go_on(fields: dict[str, Any]) -> None:
    assert in_place(make_node("a", OFFER, **fields)) == ()


def test_a_preference_against_a_node_is_no_obstacle() -> None:
    tainted = make_node("a", OFFER, taints=(Taint("team", "data", "PreferNoSchedule"),))

    assert len(in_place(tainted)) == 1


def test_a_node_must_agree_with_its_offer_on_the_labels_that_are_asked_for() -> None:
    node = make_node("a", OFFER)
    odd = make_node("b", OFFER, labels=(*node.labels, ("team", "data")))

    assert [group.names for group in in_place(node, odd)] == [("a", "b")]
    assert [group.names for group in in_place(node, odd, asked=("team",))] == [("a",)]


def test_gpu_nodes_carry_the_taint_of_their_type() -> None:
    gpu = make_offer("g5.xlarge", 1.0, gpus=1)
    node = make_node("a", gpu, taints=(GPU_TAINT,))

    assert len(nodes_in_place([node], [gpu], (), lambda _: Resources())) == 1


def test_only_new_nodes_cost_a_change() -> None:
    (group,) = in_place(make_node("a", OFFER))
    problem = price_extras(make_problem(offers=[OFFER, *group.offers]), 0.05)
    packing = Packing((PackedNodes(0, ((0, 4),), 2), PackedNodes(1, ((0, 2),), 1)), 0.7)

    assert problem.price_usd_per_hour.tolist() == pytest.approx([0.25, 0.2])
    assert money_of(problem, packing) == pytest.approx(0.6)
    assert new_nodes(problem, packing) == 2


def test_a_node_that_costs_nothing_has_a_price_the_engine_can_divide_by() -> None:
    free = make_offer("m5.xlarge", 0.0)

    assert 0 < price_extras(make_problem(offers=[free]), 0.0).price_usd_per_hour[0] < 1e-5


def test_the_bound_on_money_is_that_of_the_objective_where_changes_are_free() -> None:
    assert money_bound(make_problem(offers=[OFFER]), 1.25, []) == 1.25


@pytest.mark.parametrize("change", [0.0, 0.01, 0.3])
def test_no_mix_has_less_money_than_the_bound_that_its_objective_proves(change: float) -> None:
    """For any counts within the limit, at the tightest bound that holds for them."""
    owned = replace(OFFER, price_usd_per_hour=0.0, terms="own")
    cheap = make_offer("c5.large", 0.03, vcpus=2)
    problem = price_extras(make_problem(offers=[OFFER, cheap, owned]), change)
    rng = np.random.default_rng(0)

    for _ in range(200):
        counts = rng.integers(0, 6, 3)
        counts[2] = min(counts[2], 4)
        objective = float(problem.price_usd_per_hour @ counts)
        money = float(problem.money_usd_per_hour @ counts)

        assert money_bound(problem, objective, [("own", 4)]) <= money + 1e-12
