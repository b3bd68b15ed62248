"""A policy plans for its pods and the nodes they share, and for nothing else."""

from time import monotonic

import numpy as np
import pytest
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.scope import in_scope, selects
from nodemix.optimizer.snapshot import Pod, WorkloadKey

from tests.builders import (
    make_catalog,
    make_node,
    make_pod,
    make_policy,
    make_snapshot,
    make_template,
)

SHOP = WorkloadSelector(namespaces=("shop",))


def pod_of(namespace: str, node_name: str | None, is_terminating: bool = False) -> Pod:
    key = WorkloadKey(namespace, "Deployment", "web")
    name = f"web-{node_name}"
    return make_pod(name, key, node_name=node_name, is_terminating=is_terminating)


def names(*pods: Pod, nodes: tuple[str, ...] = ("a", "b")) -> list[str]:
    snapshot = make_snapshot(pods, [make_node(name) for name in nodes])
    return [node.name for node in in_scope(snapshot, SHOP).nodes]


def test_node_with_pods_of_others_alone_is_out_with_its_pods() -> None:
    snapshot = make_snapshot(
        [pod_of("shop", "a"), pod_of("bank", "b")], [make_node("a"), make_node("b")]
    )

    mine = in_scope(snapshot, SHOP)

    assert [node.name for node in mine.nodes] == ["a"]
    assert [pod.namespace for pod in mine.pods] == ["shop"]
    assert "1 nodes run only pods that the policy does not select" in str(mine.notes[-1])


def test_shared_and_empty_nodes_stay() -> None:
    assert names(pod_of("shop", "a"), pod_of("bank", "a")) == ["a", "b"]


def test_pods_on_their_way_out_make_no_node_foreign() -> None:
    assert names(pod_of("bank", "a", is_terminating=True)) == ["a", "b"]


def test_pods_of_others_that_wait_stay_in_view() -> None:
    waiting = pod_of("bank", None)

    assert in_scope(make_snapshot([waiting]), SHOP).pods == (waiting,)


@pytest.mark.parametrize(
    ("labels", "is_mine"), [((("app", "web"), ("tier", "x")), True), ((("app", "db"),), False)]
)
def test_every_label_of_the_selector_has_to_be_there(
    labels: tuple[tuple[str, str], ...], is_mine: bool
) -> None:
    selector = WorkloadSelector(match_labels=(("app", "web"),))

    assert selects(selector, "shop", make_template(labels=labels)) is is_mine


def test_limits_and_costs_count_the_policys_nodes_only() -> None:
    pods = [pod_of("shop", "a"), pod_of("bank", "b"), pod_of("bank", "c")]
    snapshot = make_snapshot(pods, [make_node(name) for name in "abc"])
    policy = make_policy(selector=SHOP, max_nodes=1, search_s=0.2)

    plan = decide(snapshot, None, policy, make_catalog(), np.random.default_rng(0), monotonic)

    assert plan.current_usd_per_hour == pytest.approx(0.2)
    assert sum(group.count for group in plan.nodes) == 1
