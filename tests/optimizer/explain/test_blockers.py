"""What keeps nodes, by the object that says so."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.decision import pods_by_workload
from nodemix.optimizer.explain.blockers import blockers
from nodemix.optimizer.explain.types import Blocker
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.build import build_problem
from nodemix.optimizer.snapshot import (
    DisruptionBudget,
    Node,
    Pod,
    SpreadConstraint,
    Workload,
    WorkloadKey,
)

from tests.builders import (
    SPOT,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_policy,
    make_selector,
    make_snapshot,
)

DEAR = make_offer("m5.xlarge", 0.2)
CHEAP = make_offer("m5.large", 0.1, vcpus=2, memory_gib=8)
ON_SPOT = make_offer("m5.xlarge", 0.06, capacity_type=SPOT)
CATALOG = make_catalog(DEAR, CHEAP, ON_SPOT)
ANNOTATION = "karpenter.sh/do-not-disrupt: true"


def found(
    pods: Iterable[Pod],
    nodes: Iterable[Node],
    selector: WorkloadSelector | None = None,
    let_go: Iterable[str] | None = None,
    catalog: Catalog = CATALOG,
    **snapshot: Any,
) -> tuple[Blocker, ...]:
    cluster = make_snapshot(pods, nodes, **snapshot)
    policy = make_policy(selector=selector or WorkloadSelector())
    built = build_problem(cluster, catalog, policy, pods_by_workload(cluster))
    return blockers(cluster, built, selector, None if let_go is None else set(let_go))


def budget(allowed: int, name: str = "web", **labels: str) -> DisruptionBudget:
    return DisruptionBudget("default", name, make_selector(**(labels or {"app": "web"})), allowed)


def labelled(count: int, node: str, **fields: Any) -> list[Pod]:
    return make_pods(count, name=node, node_name=node, labels=(("app", "web"),), **fields)


def test_a_cluster_that_may_be_moved_has_no_blockers() -> None:
    assert found(labelled(2, "a"), [make_node("a", DEAR)]) == ()


def test_a_budget_without_disruptions_left_names_its_nodes_and_their_price() -> None:
    pods = [*labelled(2, "a"), *labelled(2, "b"), *make_pods(1, workload="other", node_name="c")]
    nodes = [make_node("a", DEAR), make_node("b", CHEAP), make_node("c", DEAR)]

    (blocker,) = found(pods, nodes, disruption_budgets=(budget(0),))

    assert (blocker.kind, blocker.subject) == (
        "PodDisruptionBudget",
        "default/PodDisruptionBudget/web",
    )
    assert blocker.nodes == ("a", "b")
    assert abs(blocker.usd_per_hour - 0.3) < 1e-12
    assert "allows no disruption now" in blocker.remedy


def test_a_budget_that_allows_a_disruption_blocks_nothing() -> None:
    nodes = [make_node("a", DEAR)]

    assert found(labelled(2, "a"), nodes, disruption_budgets=(budget(1),)) == ()


def test_a_budget_of_another_namespace_or_label_blocks_nothing() -> None:
    elsewhere = replace(budget(0), namespace="shop")
    budgets = (elsewhere, budget(0, "api", app="api"))

    assert found(labelled(2, "a"), [make_node("a", DEAR)], disruption_budgets=budgets) == ()


def test_an_annotated_pod_keeps_its_node() -> None:
    pod = replace(make_pod(node_name="a"), do_not_disrupt=ANNOTATION)

    (blocker,) = found([pod, *make_pods(1, node_name="b")], [make_node("a"), make_node("b")])

    assert (blocker.kind, blocker.subject) == ("do-not-disrupt", "default/Deployment/web")
    assert blocker.nodes == ("a",)
    assert ANNOTATION in blocker.remedy


def test_an_annotated_pod_that_ends_or_waits_keeps_none() -> None:
    ending = replace(make_pod(node_name="a", is_terminating=True), do_not_disrupt=ANNOTATION)
    waiting = replace(make_pod("late"), do_not_disrupt=ANNOTATION)

    assert found([ending, waiting], [make_node("a")]) == ()


def test_an_annotated_node_keeps_itself() -> None:
    (blocker,) = found([], [make_node("a", DEAR, do_not_disrupt=ANNOTATION)])

    assert (blocker.subject, blocker.nodes, blocker.usd_per_hour) == ("Node/a", ("a",), 0.2)


def test_a_node_that_leaves_anyway_is_kept_by_nobody() -> None:
    pod = replace(make_pod(node_name="a"), do_not_disrupt=ANNOTATION)

    assert found([pod], [make_node("a", is_leaving=True)]) == ()


def test_only_nodes_that_the_plan_does_without_count_where_they_are_named() -> None:
    pods = [*labelled(2, "a"), *labelled(2, "b")]
    nodes = [make_node("a", DEAR), make_node("b", DEAR)]

    (blocker,) = found(pods, nodes, let_go=["b"], disruption_budgets=(budget(0),))

    assert blocker.nodes == ("b",)


def test_a_rule_that_the_model_does_not_know_keeps_its_node() -> None:
    tied = make_pod(node_name="a", unsupported=("required pod affinity with cache",))

    (blocker,) = found([tied], [make_node("a", DEAR)])

    assert (blocker.kind, blocker.usd_per_hour) == ("unsupported", 0.2)
    assert blocker.remedy.endswith("required pod affinity with cache")


def test_a_spread_over_a_foreign_key_keeps_its_node() -> None:
    pod = make_pod(node_name="a", spreads=(SpreadConstraint("example.com/rack", 1),))

    (blocker,) = found([pod], [make_node("a")])

    assert blocker.kind == "spread"
    assert "example.com/rack" in blocker.remedy


def test_pods_that_the_policy_does_not_select_keep_the_node_they_share() -> None:
    foreign = make_pod(workload=WorkloadKey("shop", "Deployment", "cart"), node_name="a")

    (blocker,) = found(
        [make_pod(node_name="a"), foreign], [make_node("a")], WorkloadSelector(("default",))
    )

    assert (blocker.kind, blocker.subject) == ("not-selected", "shop/Deployment/cart")


def test_a_node_without_a_price_says_what_is_missing() -> None:
    (blocker,) = found([], [make_node("a", make_offer("x9.huge"))])

    assert (blocker.kind, blocker.subject, blocker.usd_per_hour) == ("no-price", "Node/a", 0.0)
    assert blocker.remedy == "add that offer"


def test_pods_that_no_offer_suits_keep_their_node() -> None:
    pod = make_pod(node_name="a", required_labels=make_selector(rack="7"))
    node = make_node("a")
    node = replace(node, labels=tuple(sorted([*node.labels, ("rack", "7")])))

    (blocker,) = found([pod], [node])

    assert (blocker.kind, blocker.subject) == ("no-offer", "Node/a")


def test_the_control_plane_is_no_blocker() -> None:
    node = make_node("a")
    node = replace(node, labels=(*node.labels, ("node-role.kubernetes.io/control-plane", "")))

    assert found([], [node]) == ()


def test_a_guarded_single_replica_keeps_an_on_demand_node_and_no_spot_node() -> None:
    key = make_pod().workload
    single: dict[str, Any] = {
        "workloads": (Workload(key, 1),),
        "disruption_budgets": (budget(1),),
    }

    (blocker,) = found(labelled(1, "a"), [make_node("a", DEAR)], **single)
    on_spot = found(labelled(1, "a"), [make_node("a", ON_SPOT)], **single)

    assert (blocker.kind, blocker.subject) == ("single-replica", "default/Deployment/web")
    assert on_spot == ()


def test_the_dearest_comes_first() -> None:
    pods = [
        replace(make_pod(workload="a", node_name="a"), do_not_disrupt=ANNOTATION),
        replace(make_pod(workload="b", node_name="b"), do_not_disrupt=ANNOTATION),
    ]

    first, second = found(pods, [make_node("a", CHEAP), make_node("b", DEAR)])

    assert (first.nodes, second.nodes) == (("b",), ("a",))
