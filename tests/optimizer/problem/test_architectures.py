"""Images run where they run today, unless somebody says more."""

from nodemix.optimizer.policy import OfferFilter
from nodemix.optimizer.problem.architectures import assumed_architectures, bound_to
from nodemix.optimizer.problem.build import build_problem

from tests.builders import (
    make_catalog,
    make_node,
    make_offer,
    make_pods,
    make_policy,
    make_selector,
    make_snapshot,
    make_template,
    make_workload_key,
)

AMD = make_offer("m5.xlarge", 0.2)
ARM = make_offer("m7g.xlarge", 0.1, architecture="arm64")
TO_ARM = make_selector(**{"kubernetes.io/arch": "arm64"})
WEB = make_workload_key("web")


def architectures_bought(
    policy_architectures: tuple[str, ...] = (), **template: object
) -> set[str]:
    """Of the offers that may hold ten pods that run on an amd64 node today."""
    pods = make_pods(10, node_name="node-1", **template)
    policy = make_policy(offers=OfferFilter(architectures=policy_architectures))
    snapshot = make_snapshot(pods, [make_node("node-1", AMD)])
    built = build_problem(snapshot, make_catalog(AMD, ARM), policy, {WEB: 10})
    return {offer.instance.architecture for offer in built.problem.offers}


def test_pods_that_name_no_architecture_stay_on_that_of_todays_nodes() -> None:
    assert architectures_bought() == {"amd64"}


def test_pods_that_name_their_architecture_get_it() -> None:
    assert architectures_bought(required_labels=TO_ARM) == {"arm64"}


def test_policy_that_names_architectures_is_taken_at_its_word() -> None:
    assert architectures_bought(("amd64", "arm64")) == {"amd64", "arm64"}


def test_nodes_of_both_architectures_allow_both() -> None:
    nodes = [make_node("a", ARM), make_node("b", AMD)]

    assert assumed_architectures(nodes, make_policy()) == ("amd64", "arm64")


def test_cluster_without_nodes_assumes_nothing() -> None:
    assert assumed_architectures([], make_policy()) == ()


def test_requirement_in_a_node_affinity_term_counts_as_named() -> None:
    template = make_template(required_terms=(TO_ARM,))

    assert bound_to(template, ("amd64",)) is template
