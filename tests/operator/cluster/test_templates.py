from typing import Any

import pytest
from nodemix.operator.cluster.placement import HOSTNAME, ZONE
from nodemix.operator.cluster.templates import PodShape, pod_shape
from nodemix.optimizer.snapshot import SpreadConstraint, Toleration

from tests.api_objects import make_pod_spec

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def shape(
    labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any
) -> PodShape:
    metadata = {"labels": labels or {}, "annotations": annotations or {}}
    return pod_shape(metadata, make_pod_spec(**spec), "default")


def spread(key: str, skew: int) -> dict[str, Any]:
    return {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }


def test_pods_of_one_rollout_are_equal_though_their_labels_differ() -> None:
    one = shape({"app": "web", "pod-template-hash": "a", "apps.kubernetes.io/pod-index": "0"})
    other = shape({"app": "web", "pod-template-hash": "b", "apps.kubernetes.io/pod-index": "1"})

    assert one == other
    assert one.template.labels == (("app", "web"),)


def test_the_order_of_the_spec_does_not_matter() -> None:
    tolerations = [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]
    one = shape(nodeSelector={"a": "1", "b": "2"}, tolerations=tolerations)
    other = shape(nodeSelector={"b": "2", "a": "1"}, tolerations=tolerations[::-1])

    assert one == other


def test_node_selector_and_affinity_decide_which_nodes_are_allowed() -> None:
    expression = {"key": ZONE, "operator": "In", "values": ["a", "b"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    template = shape(
        nodeSelector={"kubernetes.io/arch": "arm64"},
        affinity={"nodeAffinity": {REQUIRED: terms}},
    ).template

    assert template.allows({"kubernetes.io/arch": "arm64", ZONE: "b"})
    assert not template.allows({"kubernetes.io/arch": "arm64", ZONE: "c"})
    assert not template.allows({"kubernetes.io/arch": "amd64", ZONE: "a"})


def test_tolerations_and_priority_are_kept() -> None:
    tolerated = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    template = shape(tolerations=[tolerated], priority=1000).template

    assert template.tolerations == (Toleration("gpu", "Exists", "", "NoSchedule"),)
    assert template.priority == 1000


def test_strictest_limit_of_pods_per_node_counts() -> None:
    spreads = [spread(HOSTNAME, 3), spread(ZONE, 2), spread(HOSTNAME, 2)]
    template = shape({"app": "web"}, topologySpreadConstraints=spreads).template

    assert template.max_per_node == 2
    assert SpreadConstraint(ZONE, 2) in template.spreads


def test_pod_without_limits_may_share_a_node_with_its_kind() -> None:
    assert shape().template.max_per_node is None


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        ({"nodemix.dev/spot": "deny"}, "nodemix.dev/spot: deny"),
        ({"nodemix.dev/spot": "Deny"}, "nodemix.dev/spot: deny"),
        ({"nodemix.dev/spot": "allow"}, None),
        ({"karpenter.sh/do-not-disrupt": "true"}, "karpenter.sh/do-not-disrupt: true"),
        ({"karpenter.sh/do-not-disrupt": "false"}, None),
        (
            {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
            "cluster-autoscaler.kubernetes.io/safe-to-evict: false",
        ),
        ({"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}, None),
        ({}, None),
    ],
)
def test_annotation_or_label_keeps_a_pod_off_spot(marks: dict[str, str], why: str | None) -> None:
    assert shape(annotations=marks).template.spot_denied == why
    assert shape(labels=marks).template.spot_denied == why


def test_annotation_of_a_yaml_boolean_counts_as_its_word() -> None:
    metadata = {"annotations": {"karpenter.sh/do-not-disrupt": True}}

    found = pod_shape(metadata, make_pod_spec(), "default").template.spot_denied

    assert found == "karpenter.sh/do-not-disrupt: true"


def test_unreadable_quantity_marks_the_pod_as_one_that_stays() -> None:
    found = shape(requests={"cpu": "many", "memory": "2Gi"})

    assert found.template.requests.memory_mib == 2048
    assert found.faults == found.template.unsupported
    assert "container main cpu: quantity 'many'" in found.faults[0]


def test_each_unsupported_rule_is_said_once() -> None:
    claim = {"persistentVolumeClaim": {"claimName": "c"}}
    volumes = [{"name": "a", **claim}, {"name": "b", **claim}]

    assert shape(volumes=volumes).template.unsupported == (
        "uses a PersistentVolumeClaim, whose zone is not known",
    )


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ({"karpenter.sh/do-not-disrupt": "true"}, "karpenter.sh/do-not-disrupt: true"),
        (
            {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
            "cluster-autoscaler.kubernetes.io/safe-to-evict: false",
        ),
        ({"karpenter.sh/do-not-disrupt": "false"}, None),
        ({"nodemix.dev/spot": "deny"}, None),
    ],
)
def test_an_annotation_against_disruption_is_carried_whatever_is_said_of_spot(
    annotations: dict[str, str], found: str | None
) -> None:
    assert shape(annotations=annotations).do_not_disrupt == found
    assert shape(annotations={"nodemix.dev/spot": "deny", **annotations}).do_not_disrupt == found


def test_a_label_does_not_keep_autoscalers_off() -> None:
    assert shape({"karpenter.sh/do-not-disrupt": "true"}).do_not_disrupt is None
