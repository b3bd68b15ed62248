"""Pods counted by workload and template, and which of them a policy plans for."""

from dataclasses import replace

from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.demand import (
    PodCounts,
    count_pods,
    planned_pods_of_variants,
    preferences_left_out,
)
from nodemix.optimizer.snapshot import DisruptionBudget, Snapshot, Workload

from tests.builders import (
    make_node,
    make_pod,
    make_pods,
    make_selector,
    make_snapshot,
    make_template,
    make_workload_key,
)

EVERYTHING = WorkloadSelector()
WEB = (("app", "web"),)


def counted(snapshot: Snapshot, selector: WorkloadSelector = EVERYTHING) -> PodCounts:
    return count_pods(snapshot, selector)


def test_pods_of_one_template_are_one_variant_wherever_they_are() -> None:
    pods = [*make_pods(2, node_name="node-1"), make_pod("late")]

    counts = counted(make_snapshot(pods, [make_node("node-1")]))

    assert len(counts.variants) == 1
    assert counts.on_node == {"node-1": {0: 2}}
    assert counts.waiting == {0: 1}


def test_a_rollout_is_two_variants_of_one_workload() -> None:
    old, new = make_pod("old", cpu_milli=500), make_pod("new", cpu_milli=700)

    counts = counted(make_snapshot([old, new]))

    assert [v.workload for v in counts.variants] == [old.workload, old.workload]
    assert len({v.variant_id for v in counts.variants}) == 2
    assert list(counts.of_workload(old.workload)) == [0, 1]


def test_equal_templates_that_are_not_interned_are_one_variant() -> None:
    pods = [make_pod("a", template=make_template()), make_pod("b", template=make_template())]

    assert counted(make_snapshot(pods)).waiting == {0: 2}


def test_variant_ids_do_not_depend_on_the_order_of_pods() -> None:
    pods = [make_pod("a", "web"), make_pod("b", "api", cpu_milli=5), make_pod("c", "api")]

    forth, back = counted(make_snapshot(pods)), counted(make_snapshot(pods[::-1]))

    assert forth.variants == back.variants


def test_pods_of_a_vanished_node_wait() -> None:
    assert counted(make_snapshot([make_pod(node_name="gone")])).waiting == {0: 1}


def test_terminating_pods_are_counted_apart_and_need_no_place() -> None:
    leaving = make_pod("leaving", is_terminating=True)

    counts = counted(make_snapshot([make_pod(), leaving]))

    assert counts.by_workload() == {leaving.workload: 1}
    assert counts.terminating == 1


def test_a_selector_picks_by_namespace_and_by_the_labels_of_the_pod() -> None:
    pods = [make_pod("a", "web", labels=WEB), make_pod("b", "api")]
    snapshot = make_snapshot(pods)

    by_label = counted(snapshot, WorkloadSelector(match_labels=WEB))
    elsewhere = counted(snapshot, WorkloadSelector(namespaces=("shop",)))

    assert by_label.selected_by_workload() == {make_workload_key("web"): 1}
    assert by_label.by_workload().keys() == {make_workload_key("api"), make_workload_key("web")}
    assert elsewhere.selected_by_workload() == {}


def test_a_single_replica_behind_a_budget_is_denied_spot() -> None:
    budget = DisruptionBudget("default", "web", make_selector(app="web"), 0)
    pod = make_pod(labels=WEB)

    counts = counted(make_snapshot([pod], disruption_budgets=(budget,)))

    assert "PodDisruptionBudget" in (counts.variants[0].template.spot_denied or "")


def test_two_replicas_behind_a_budget_may_use_spot() -> None:
    budget = DisruptionBudget("default", "web", make_selector(app="web"), 1)
    wanted = Workload(make_workload_key("web"), replicas=2)
    snapshot = make_snapshot([make_pod(labels=WEB)], disruption_budgets=(budget,))

    two_run = replace(snapshot, pods=tuple(make_pods(2, labels=WEB)))
    two_are_wanted = replace(snapshot, workloads=(wanted,))

    assert counted(two_run).variants[0].template.spot_denied is None
    assert counted(two_are_wanted).variants[0].template.spot_denied is None


def test_a_budget_of_another_namespace_or_other_pods_guards_nobody() -> None:
    elsewhere = DisruptionBudget("shop", "web", make_selector(app="web"), 0)
    of_others = DisruptionBudget("default", "api", make_selector(app="api"), 0)
    snapshot = make_snapshot([make_pod(labels=WEB)], disruption_budgets=(elsewhere, of_others))

    assert counted(snapshot).variants[0].template.spot_denied is None


def test_a_reason_that_is_already_known_is_kept() -> None:
    budget = DisruptionBudget("default", "web", make_selector(app="web"), 0)
    pod = make_pod(labels=WEB, spot_denied="nodemix.dev/spot: deny")

    counts = counted(make_snapshot([pod], disruption_budgets=(budget,)))

    assert counts.variants[0].template.spot_denied == "nodemix.dev/spot: deny"


def test_planned_pods_are_shared_in_proportion_and_the_largest_gets_the_rest() -> None:
    assert planned_pods_of_variants({0: 2, 1: 1}, 10) == {0: 7, 1: 3}
    assert planned_pods_of_variants({4: 3}, 5) == {4: 5}
    assert planned_pods_of_variants({0: 3, 1: 5}, 8) == {0: 3, 1: 5}


def test_each_preference_is_named_once_and_only_for_selected_workloads() -> None:
    pods = make_pods(3, labels=WEB, soft=("preferred node affinity",))
    other = make_pod("b", "api", soft=("preferred pod affinity",))
    snapshot = make_snapshot([*pods, other])

    notes = preferences_left_out(counted(snapshot, WorkloadSelector(match_labels=WEB)))

    assert [str(n) for n in notes] == [
        "default/Deployment/web: the plan does not weigh: preferred node affinity"
    ]
