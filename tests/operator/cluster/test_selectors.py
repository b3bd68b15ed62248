import pytest
from nodemix.operator.cluster.selectors import (
    exact_selector,
    label_selector,
    node_terms,
    taints,
    tolerations,
)
from nodemix.optimizer.snapshot import Requirement, Selector, Taint, Toleration

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def requirement(operator: str, *values: str) -> Selector:
    return Selector((Requirement("size", operator, values),))


@pytest.mark.parametrize(
    ("operator", "values", "labels", "matches"),
    [
        ("In", ("1", "2"), {"size": "2"}, True),
        ("In", ("1", "2"), {"size": "3"}, False),
        ("In", ("1",), {}, False),
        ("NotIn", ("1",), {"size": "2"}, True),
        ("NotIn", ("1",), {"size": "1"}, False),
        ("NotIn", ("1",), {}, True),
        ("Exists", (), {"size": ""}, True),
        ("Exists", (), {}, False),
        ("DoesNotExist", (), {"size": ""}, False),
        ("DoesNotExist", (), {}, True),
        ("Gt", ("3",), {"size": "4"}, True),
        ("Gt", ("3",), {"size": "3"}, False),
        ("Gt", ("-1",), {"size": "large"}, False),
        ("Lt", ("3",), {"size": "-2"}, True),
        ("Lt", ("3",), {"size": "large"}, False),
        ("Lt", ("3",), {"size": "--2"}, False),
        ("Lt", ("3",), {}, False),
        ("Near", ("3",), {"size": "3"}, False),
    ],
)
def test_requirement_matches_as_the_api_server_does(
    operator: str, values: tuple[str, ...], labels: dict[str, str], matches: bool
) -> None:
    assert requirement(operator, *values).matches(labels) is matches


def test_label_selector_joins_labels_and_expressions() -> None:
    selector = label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["b", "a"]}],
        }
    )

    assert selector == Selector(
        (Requirement("app", "In", ("web",)), Requirement("tier", "NotIn", ("a", "b")))
    )


def test_absent_selector_is_none_and_the_empty_one_matches_all() -> None:
    assert label_selector(None) is None
    assert label_selector({}) == Selector()
    assert Selector().matches({"any": "thing"})


def test_equal_selectors_are_equal_whatever_their_order() -> None:
    one = label_selector({"matchLabels": {"a": "1", "b": "2"}})
    other = label_selector({"matchLabels": {"b": "2", "a": "1"}})

    assert one == other
    assert hash(one) == hash(other)


def test_node_selector_takes_every_pair() -> None:
    assert exact_selector({"b": "2", "a": "1"}).matches({"a": "1", "b": "2"})
    assert not exact_selector({"b": "2", "a": "1"}).matches({"a": "1"})
    assert exact_selector(None) == Selector()


def test_terms_of_node_affinity_are_alternatives() -> None:
    terms = [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
        {},
        {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]},
    ]

    found = node_terms({REQUIRED: {"nodeSelectorTerms": terms}})

    assert found == (
        Selector((Requirement("zone", "In", ("a",)),)),
        Selector((Requirement("gpu", "Exists", ()),)),
    )


def test_toleration_gets_the_defaults_of_the_api() -> None:
    (found,) = tolerations({"tolerations": [{"key": "gpu", "value": "yes"}]})

    assert found == Toleration("gpu", "Equal", "yes", "")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_toleration_tolerates_as_the_scheduler_does(
    toleration: dict[str, str], tolerated: bool
) -> None:
    (found,) = tolerations({"tolerations": [toleration]})

    assert found.tolerates(Taint("gpu", "yes", "NoSchedule")) is tolerated


def test_taints_without_a_value_have_an_empty_one() -> None:
    assert taints({"taints": [{"key": "gpu", "effect": "NoSchedule"}]}) == (
        Taint("gpu", "", "NoSchedule"),
    )
    assert taints({"taints": None}) == ()
