"""Which offers a pod's labels, taints, GPUs and market admit."""

import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.problem.compatibility import (
    OfferIndex,
    inexpressible,
    names_a_market,
    tolerates,
)
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import PodTemplate, Requirement, Selector, Taint, Toleration

from tests.builders import (
    GPU_TAINT,
    SPOT,
    make_instance,
    make_offer,
    make_selector,
    make_template,
)

ARCH = "kubernetes.io/arch"
ZONE_KEY = "topology.kubernetes.io/zone"
MARKET = "karpenter.sh/capacity-type"
EVERYTHING = Toleration("", "Exists", "", "")
TEAM_TAINT = Taint("team", "data", "NoSchedule")

OFFERS = {
    "plain": make_offer("m5.large"),
    "spot": make_offer("m5.large", capacity_type=SPOT),
    "arm": make_offer("m7g.large", architecture="arm64"),
    "elsewhere": make_offer("m5.large", zone="us-east-1b"),
    "gpu": make_offer("g4dn.xlarge", gpus=1),
    "tainted": make_offer(make_instance("c5.large", taints=(TEAM_TAINT,))),
}


def admitted(template: PodTemplate) -> set[str]:
    mask = OfferIndex(list(OFFERS.values())).admitting(template).tolist()
    return {name for name, is_in in zip(OFFERS, mask, strict=True) if is_in}


def requiring(key: str, operator: str, *values: str) -> PodTemplate:
    return make_template(required_labels=Selector((Requirement(key, operator, values),)))


def test_a_plain_pod_runs_on_every_untainted_offer_without_gpus() -> None:
    assert admitted(make_template()) == {"plain", "spot", "arm", "elsewhere"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (requiring(ARCH, "In", "arm64"), {"arm"}),
        (requiring(ARCH, "NotIn", "arm64"), {"plain", "spot", "elsewhere"}),
        (requiring(ZONE_KEY, "In", "us-east-1b"), {"elsewhere"}),
        (requiring(MARKET, "In", "spot"), {"spot"}),
        (requiring("eks.amazonaws.com/capacityType", "In", "SPOT"), {"spot"}),
        (requiring("team", "DoesNotExist"), {"plain", "spot", "arm", "elsewhere"}),
        (requiring("team", "Exists"), set()),
    ],
)
def test_a_node_selector_admits_only_offers_with_such_labels(
    template: PodTemplate, expected: set[str]
) -> None:
    assert admitted(template) == expected


def test_of_several_affinity_terms_one_is_enough_but_the_selector_holds_too() -> None:
    template = make_template(
        required_labels=make_selector(**{MARKET: "on-demand"}),
        required_terms=(
            make_selector(**{ARCH: "arm64"}),
            make_selector(**{ZONE_KEY: "us-east-1b"}),
            make_selector(**{MARKET: "spot"}),
        ),
    )

    assert admitted(template) == {"arm", "elsewhere"}


def test_a_pod_with_a_gpu_request_runs_only_on_gpu_offers_and_tolerates_their_taint() -> None:
    assert admitted(make_template(gpus=1)) == {"gpu"}


def test_a_pod_without_a_gpu_request_stays_off_gpu_offers_whatever_it_tolerates() -> None:
    assert "gpu" not in admitted(make_template(tolerations=(EVERYTHING,)))


def test_a_toleration_opens_tainted_offers() -> None:
    mine = Toleration("team", "Equal", "data", "NoSchedule")
    other = Toleration("team", "Equal", "web", "NoSchedule")

    assert "tainted" in admitted(make_template(tolerations=(mine,)))
    assert "tainted" not in admitted(make_template(tolerations=(other,)))


def test_a_denied_pod_stays_off_spot() -> None:
    assert admitted(make_template(spot_denied="an annotation")) == {"plain", "arm", "elsewhere"}


def test_only_the_taint_of_a_requested_resource_is_tolerated_by_the_request() -> None:
    template = make_template(requests=Resources.of({"nvidia.com/gpu": 1}, cpu_milli=1, pods=1))

    assert tolerates(template, (GPU_TAINT,))
    assert not tolerates(template, (GPU_TAINT, TEAM_TAINT))


def test_a_label_that_only_people_give_cannot_be_expressed() -> None:
    index = OfferIndex(list(OFFERS.values()))
    team = Requirement("team", "In", ("data",))

    assert inexpressible(requiring("team", "In", "data"), index) == (team,)
    assert inexpressible(requiring("kubernetes.io/hostname", "In", "node-7"), index)
    assert not inexpressible(requiring("team", "NotIn", "data"), index)
    assert not inexpressible(requiring(ARCH, "In", "s390x"), index)


def test_one_term_that_offers_can_meet_is_enough_to_be_expressible() -> None:
    own, known = make_selector(team="data"), make_selector(**{ARCH: "arm64"})
    index = OfferIndex(list(OFFERS.values()))

    assert not inexpressible(make_template(required_terms=(own, known)), index)
    assert inexpressible(make_template(required_terms=(own, own)), index)


def test_a_pod_names_its_market_by_selector_or_affinity() -> None:
    on_spot = make_selector(**{MARKET: "spot"})

    assert names_a_market(make_template(required_labels=on_spot))
    assert names_a_market(make_template(required_terms=(on_spot,)))
    assert not names_a_market(make_template(required_labels=make_selector(**{ARCH: "arm64"})))


def test_no_offers_admit_nobody() -> None:
    none: list[Offer] = []

    assert OfferIndex(none).admitting(make_template()).shape == (0,)
