"""Why pods cannot be placed anew: the fact that is lacking, and what would help."""

import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.problem.demand import Variant
from nodemix.optimizer.problem.kept import Obstacle
from nodemix.optimizer.problem.obstacles import Obstacles
from nodemix.optimizer.problem.places import Places
from nodemix.optimizer.resources import GPU_RESOURCE, Resources
from nodemix.optimizer.snapshot import PodTemplate, SpreadConstraint

from tests.builders import (
    SPOT,
    make_offer,
    make_selector,
    make_template,
    make_workload_key,
)

DIMENSIONS = ("cpu_milli", "memory_mib", "pods", GPU_RESOURCE)
ARCH = "kubernetes.io/arch"
ZONE_KEY = "topology.kubernetes.io/zone"

ALLOWED = (
    make_offer("m5.xlarge", vcpus=4, memory_gib=16),
    make_offer("m7g.large", vcpus=2, memory_gib=8, architecture="arm64"),
    make_offer("m7g.large", vcpus=2, memory_gib=8, architecture="arm64", capacity_type=SPOT),
    make_offer("g4dn.xlarge", vcpus=4, memory_gib=16, gpus=1),
)
FORBIDDEN = (
    make_offer("x2.huge", price=9.0, vcpus=64, memory_gib=512),
    make_offer("x2.giant", price=8.0, vcpus=64, memory_gib=1024),
)


def obstacle(template: PodTemplate, *others: Offer) -> Obstacle | None:
    """Of a pod where ALLOWED may be bought, and ``others`` are in the catalog too."""
    variant = Variant(make_workload_key(), template, "web#1")
    allowed, everything = (
        Places(offers, (), Resources(), DIMENSIONS) for offers in (ALLOWED, (*ALLOWED, *others))
    )
    return Obstacles([variant], allowed, lambda: everything).of(0)


def fact(template: PodTemplate) -> str:
    found = obstacle(template)
    assert found is not None
    return found.fact


def test_a_pod_that_some_offer_holds_has_no_obstacle() -> None:
    assert obstacle(make_template()) is None


def test_a_rule_that_the_model_does_not_know_is_named() -> None:
    template = make_template(unsupported=("required pod affinity on zone", "uses a disk"))

    assert fact(template) == "the model does not know required pod affinity on zone; uses a disk"


def test_a_spread_over_racks_is_named() -> None:
    template = make_template(spreads=(SpreadConstraint("example.com/rack", 1),))

    assert "example.com/rack" in fact(template)


def test_a_label_that_no_offer_carries_is_named_with_its_remedy() -> None:
    found = obstacle(make_template(required_labels=make_selector(team="data")))

    assert found is not None
    assert "labelled team In data" in found.fact
    assert "add nodes with the label" in found.remedy


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            make_template(cpu_milli=900_000),
            "needs 900 vCPU; the largest allowed offer has 4 vCPU for pods",
        ),
        (
            make_template(gpus=8),
            (
                "needs 8 nvidia.com/gpu; the largest allowed offer that is with NVIDIA GPUs "
                "has 1 nvidia.com/gpu for pods"
            ),
        ),
        (
            make_template(memory_mib=10_240, required_labels=make_selector(**{ARCH: "arm64"})),
            "needs 10 GiB; the largest allowed offer that is arm64 has 8 GiB for pods",
        ),
        (
            make_template(required_labels=make_selector(**{ZONE_KEY: "us-east-1f"})),
            "no allowed offer is in us-east-1f",
        ),
        (
            make_template(cpu_milli=4000, memory_mib=17_000),
            "needs 16.6 GiB; the largest allowed offer has 16 GiB for pods",
        ),
        (
            make_template(
                required_labels=make_selector(
                    **{ZONE_KEY: "us-east-1a", "karpenter.sh/capacity-type": "spot"}
                ),
                spot_denied="nodemix.dev/spot: deny",
            ),
            (
                "no allowed offer is spot, in us-east-1a and "
                "on-demand (it may not run on spot: nodemix.dev/spot: deny)"
            ),
        ),
    ],
)
def test_the_sentence_names_the_tightest_fact(template: PodTemplate, sentence: str) -> None:
    assert fact(template) == sentence


def test_a_pod_without_gpu_request_that_insists_on_a_gpu_type_hears_why_not() -> None:
    selector = make_selector(**{"node.kubernetes.io/instance-type": "g4dn.xlarge"})

    assert fact(make_template(required_labels=selector)) == (
        "only GPU offers match, and it asks for no GPU"
    )


def test_affinity_terms_that_no_offer_meets_together_are_named_as_such() -> None:
    terms = (
        make_selector(**{ARCH: "amd64", "node.kubernetes.io/instance-type": "m7g.large"}),
        make_selector(**{ARCH: "arm64", "node.kubernetes.io/instance-type": "m5.xlarge"}),
    )

    assert "required node affinity" in fact(make_template(required_terms=terms))


def test_the_remedy_names_the_cheapest_offer_that_the_policy_forbids() -> None:
    found = obstacle(make_template(memory_mib=300_000), *FORBIDDEN)

    assert found is not None
    assert "x2.giant" in found.remedy


def test_where_nothing_on_sale_helps_the_remedy_is_about_the_pod() -> None:
    found = obstacle(make_template(cpu_milli=900_000), *FORBIDDEN)

    assert found is not None
    assert "lower its request" in found.remedy
