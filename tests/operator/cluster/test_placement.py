from typing import Any

import pytest
from nodemix.operator.cluster.placement import HOSTNAME, ZONE, PlacementRules, placement_rules
from nodemix.optimizer.snapshot import SpreadConstraint

from tests.api_objects import make_container, make_pod_spec

LABELS = {"app": "web", "pod-template-hash": "abc"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
OWN = {"matchLabels": {"app": "web"}}
OTHER = {"matchLabels": {"app": "db"}}
ARM = {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}


def rules_of(**spec: Any) -> PlacementRules:
    return placement_rules(make_pod_spec(**spec), LABELS, "default")


def affinity(kind: str, **when: Any) -> PlacementRules:
    return rules_of(affinity={kind: when})


def anti_affinity(**term: Any) -> PlacementRules:
    term = {"topologyKey": HOSTNAME, "labelSelector": OWN, **term}
    return affinity("podAntiAffinity", **{REQUIRED: [term]})


def spread(**constraint: Any) -> PlacementRules:
    defaults = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
    return rules_of(topologySpreadConstraints=[{**defaults, "labelSelector": OWN, **constraint}])


def test_plain_pod_has_no_rules() -> None:
    assert rules_of() == PlacementRules()


def test_null_fields_are_no_rules() -> None:
    spec = {"affinity": None, "topologySpreadConstraints": None, "volumes": None}

    assert rules_of(**spec) == PlacementRules()


def test_node_affinity_by_labels_is_modelled_and_needs_no_word() -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [ARM]}]}

    assert affinity("nodeAffinity", **{REQUIRED: terms}) == PlacementRules()


def test_node_affinity_to_a_name_is_unsupported() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["node-1"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [ARM]}, {"matchFields": [field]}]}

    rules = affinity("nodeAffinity", **{REQUIRED: terms})

    assert rules.unsupported == ["required node affinity to a node's name"]


def test_node_affinity_without_expressions_matches_no_node() -> None:
    rules = affinity("nodeAffinity", **{REQUIRED: {"nodeSelectorTerms": [{}]}})

    assert rules.unsupported == ["required node affinity that matches no node"]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("nodeAffinity", "preferred node affinity"),
        ("podAffinity", "preferred pod affinity"),
        ("podAntiAffinity", "preferred pod anti-affinity"),
    ],
)
def test_preferences_are_named_as_left_out(kind: str, word: str) -> None:
    rules = affinity(kind, **{PREFERRED: [{"weight": 1}]})

    assert (rules.soft, rules.unsupported) == ([word], [])


def test_required_pod_affinity_is_unsupported() -> None:
    rules = affinity("podAffinity", **{REQUIRED: [{"topologyKey": ZONE, "labelSelector": OWN}]})

    assert rules.unsupported == [f"required pod affinity on {ZONE}"]


def test_anti_affinity_to_its_own_kind_on_the_host_means_one_per_node() -> None:
    rules = anti_affinity()

    assert (rules.per_node, rules.unsupported) == ([1], [])


def test_anti_affinity_limits_one_rollout_too() -> None:
    rules = anti_affinity(matchLabelKeys=["pod-template-hash"])

    assert (rules.per_node, rules.unsupported) == ([1], [])


@pytest.mark.parametrize(
    ("term", "word"),
    [
        ({"topologyKey": ZONE}, f"required pod anti-affinity on {ZONE}"),
        ({"labelSelector": OTHER}, "required pod anti-affinity to pods of other workloads"),
        (
            {"mismatchLabelKeys": ["pod-template-hash"]},
            "required pod anti-affinity to pods of other workloads",
        ),
        ({"namespaces": ["default", "b"]}, "required pod anti-affinity across namespaces"),
        ({"namespaceSelector": {}}, "required pod anti-affinity across namespaces"),
    ],
)
def test_other_anti_affinity_is_unsupported_and_said(term: dict[str, Any], word: str) -> None:
    rules = anti_affinity(**term)

    assert (rules.per_node, rules.unsupported) == ([], [word])


def test_anti_affinity_within_the_named_own_namespace_is_modelled() -> None:
    assert anti_affinity(namespaces=["default"]).per_node == [1]


def test_anti_affinity_without_a_selector_repels_nobody() -> None:
    assert anti_affinity(labelSelector=None) == PlacementRules()


def test_zone_spread_of_its_own_kind_is_modelled() -> None:
    rules = spread(maxSkew=2)

    assert rules.spreads == [SpreadConstraint(ZONE, 2)]
    assert (rules.per_node, rules.unsupported, rules.soft) == ([], [], [])


def test_hostname_spread_holds_where_no_node_has_more_than_the_skew() -> None:
    rules = spread(topologyKey=HOSTNAME, maxSkew=3)

    assert (rules.spreads, rules.per_node) == ([SpreadConstraint(HOSTNAME, 3)], [3])


@pytest.mark.parametrize(
    ("constraint", "word"),
    [
        ({"topologyKey": "rack"}, "required topology spread over rack"),
        ({"labelSelector": OTHER}, f"required spread over {ZONE} of pods of other workloads"),
        ({"minDomains": 3}, f"required spread over {ZONE} with minDomains"),
    ],
)
def test_other_spread_is_unsupported_and_said(constraint: dict[str, Any], word: str) -> None:
    rules = spread(**constraint)

    assert (rules.spreads, rules.unsupported) == ([], [word])


@pytest.mark.parametrize(
    ("constraint", "word"),
    [
        ({"whenUnsatisfiable": "ScheduleAnyway"}, f"preferred topology spread over {ZONE}"),
        (
            {"labelSelector": None},
            f"topology spread over {ZONE} without a selector, which counts no pod",
        ),
    ],
)
def test_spread_that_binds_nobody_is_named_as_left_out(
    constraint: dict[str, Any], word: str
) -> None:
    rules = spread(**constraint)

    assert (rules.spreads, rules.unsupported, rules.soft) == ([], [], [word])


def test_minimum_of_one_domain_changes_nothing() -> None:
    assert spread(minDomains=1).spreads == [SpreadConstraint(ZONE, 1)]


def test_inclusion_policies_of_a_spread_are_named_as_left_out() -> None:
    rules = spread(nodeTaintsPolicy="Honor", nodeAffinityPolicy="Ignore")

    assert len(rules.spreads) == 1
    assert rules.soft == [
        f"nodeTaintsPolicy Honor of the spread over {ZONE}",
        f"nodeAffinityPolicy Ignore of the spread over {ZONE}",
    ]


def test_host_port_means_one_per_node() -> None:
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]
    rules = placement_rules({"containers": [make_container(ports=ports)]}, LABELS, "default")

    assert rules.per_node == [1]
    assert rules.soft == ["host ports [8080]: conflicts with other workloads are not modelled"]


@pytest.mark.parametrize(
    ("volume", "word"),
    [
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            "uses a PersistentVolumeClaim, whose zone is not known",
        ),
        ({"awsElasticBlockStore": {}}, "uses a disk that is bound to one zone"),
        ({"gcePersistentDisk": {}}, "uses a disk that is bound to one zone"),
    ],
)
def test_volume_that_is_bound_to_a_place_is_unsupported(volume: Any, word: str) -> None:
    assert rules_of(volumes=[{"name": "v", **volume}]).unsupported == [word]


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"ephemeral": {}}, ["uses an ephemeral volume claim, made anew where the pod lands"]),
        ({"hostPath": {"path": "/"}}, ["uses a hostPath volume, whose content stays on the node"]),
        ({"emptyDir": {}}, []),
        ({"configMap": {"name": "c"}}, []),
    ],
)
def test_volume_that_can_move_is_at_most_a_remark(volume: Any, words: list[str]) -> None:
    rules = rules_of(volumes=[{"name": "v", **volume}])

    assert (rules.soft, rules.unsupported) == (words, [])


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"schedulerName": "volcano"}, "is placed by the scheduler volcano"),
        ({"resourceClaims": [{"name": "gpu"}]}, "uses dynamic resource claims"),
        ({"schedulingGates": [{"name": "b"}, {"name": "a"}]}, "is held by scheduling gates a, b"),
    ],
)
def test_special_scheduling_is_unsupported(spec: dict[str, Any], word: str) -> None:
    assert rules_of(**spec).unsupported == [word]


def test_default_scheduler_and_runtime_class_bind_nobody() -> None:
    rules = rules_of(schedulerName="default-scheduler", runtimeClassName="gvisor")

    assert (rules.soft, rules.unsupported) == (["runtime class gvisor"], [])
