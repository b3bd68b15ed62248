"""Commitments and costs of a change: what is free is used, what is dear is not."""

from time import monotonic

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import Churn, Commitment, Policy
from nodemix.optimizer.snapshot import Node, Pod

from tests.builders import (
    SPOT,
    make_catalog,
    make_node,
    make_offer,
    make_pods,
    make_snapshot,
)

BIG = make_offer("m5.2xlarge", 0.4, vcpus=8)
SMALL = make_offer("m5.xlarge", 0.2, vcpus=4)
CHEAP = make_offer("c5.xlarge", 0.05, vcpus=4, memory_gib=8, capacity_type=SPOT)
OFFERS = (BIG, SMALL, CHEAP)
USD = 1e-9

small = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def decided(pods: list[Pod], nodes: list[Node], policy: Policy) -> Recommendation:
    return decide(
        make_snapshot(pods, nodes),
        None,
        policy,
        make_catalog(*OFFERS),
        np.random.default_rng(0),
        monotonic,
    )


@small
@given(count=st.integers(1, 3), pods=st.integers(1, 40), cpu=st.sampled_from([500, 1000, 3000]))
def test_free_nodes_are_used_before_any_of_their_shape_is_bought(
    count: int, pods: int, cpu: int
) -> None:
    own = Commitment("own", "m5.2xlarge", count, 0.0)
    per_node = 8000 // cpu

    result = decided(
        make_pods(pods, cpu_milli=cpu, memory_mib=512), [], Policy(commitments=(own,), search_s=0.2)
    )

    used = sum(nodes.count for nodes in result.nodes if nodes.terms == "own")
    assert used <= count
    assert all(n.terms or n.instance_type != "m5.2xlarge" for n in result.nodes) or used == count
    if pods <= count * per_node:
        assert result.plan_usd_per_hour == 0.0
    assert result.lower_bound_usd_per_hour <= result.plan_usd_per_hour + USD


@small
@given(
    on_node=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    change=st.sampled_from([1e3, 1e6]),
)
def test_a_huge_cost_of_a_change_buys_no_node_while_todays_suffice(
    on_node: list[int], change: float
) -> None:
    nodes = [make_node(f"n{i}", SMALL) for i in range(len(on_node))]
    pods = [
        pod
        for node, number in zip(nodes, on_node, strict=True)
        for pod in make_pods(number, name=node.name, node_name=node.name)
        if number
    ]

    result = decided(pods, nodes, Policy(churn=Churn(0.0, change), search_s=0.2))

    assert result.churn is not None
    assert result.churn.nodes_new == 0
    assert {n.name for n in nodes} >= {name for g in result.nodes for name in g.in_place}
    assert result.churn.objective_usd_per_hour == pytest.approx(result.plan_usd_per_hour)
    assert result.lower_bound_usd_per_hour <= result.plan_usd_per_hour + USD


@small
@given(nodes=st.integers(1, 5), change=st.sampled_from([0.0, 0.1, 1.0, 3.0, 100.0]))
def test_the_objective_is_never_above_that_of_changing_nothing(nodes: int, change: float) -> None:
    """Each node holds two pods that fit on half of it."""
    running = [make_node(f"n{i}", SMALL) for i in range(nodes)]
    pods = [p for n in running for p in make_pods(2, name=n.name, node_name=n.name)]

    result = decided(pods, running, Policy(churn=Churn(0.0, change), search_s=0.2))

    objective = result.churn.objective_usd_per_hour if result.churn else result.plan_usd_per_hour
    bound = (
        result.churn.objective_lower_bound_usd_per_hour
        if result.churn
        else result.lower_bound_usd_per_hour
    )
    assert objective <= result.current_usd_per_hour + USD
    assert bound <= objective + USD


@small
@given(count=st.integers(1, 6), nodes=st.integers(0, 4), price=st.sampled_from([0.0, 0.03, 0.12]))
def test_what_is_paid_anyway_is_in_todays_cost_the_plan_and_the_bound(
    count: int, nodes: int, price: float
) -> None:
    reserved = Commitment("ri", "m5.xlarge", count, price, is_paid_anyway=True)
    running = [make_node(f"n{i}", SMALL) for i in range(nodes)]
    pods = make_pods(3) + [p for n in running for p in make_pods(3, name=n.name, node_name=n.name)]

    result = decided(pods, running, Policy(commitments=(reserved,), search_s=0.2))

    fixed = count * price
    assert result.fixed_usd_per_hour == pytest.approx(fixed)
    uncovered = max(0, nodes - count)
    assert result.current_usd_per_hour == pytest.approx(fixed + 0.2 * uncovered)
    assert result.plan_usd_per_hour >= fixed - USD
    assert fixed - USD <= result.lower_bound_usd_per_hour <= result.plan_usd_per_hour + USD
