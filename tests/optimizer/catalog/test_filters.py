"""Which offers of a catalog may be bought."""

import pytest
from nodemix.optimizer.catalog.filters import (
    apply_filter,
    default_offer_filter,
    is_allowed,
    or_default,
)
from nodemix.optimizer.catalog.types import InstanceType
from nodemix.optimizer.errors import EmptyCatalogError
from nodemix.optimizer.policy import OfferFilter

from tests.builders import ZONES, make_catalog, make_instance, make_offer

PLAIN = make_instance("m5.xlarge", vcpus=4)
OLD = make_instance("m3.xlarge", vcpus=4)
GPU = make_instance("g4dn.xlarge", vcpus=4, gpus=1)
BIG_GPU = make_instance("p3.16xlarge", vcpus=64, gpus=8)
FOREIGN_GPU = make_instance("g4ad.xlarge")
BURSTABLE = make_instance("t3.large")
METAL = make_instance("m5.metal", is_metal=True)
INFERENCE = make_instance("inf2.xlarge", accelerator="neuron")
ARM = make_instance("m7g.large", architecture="arm64")
ALL = (PLAIN, OLD, GPU, BIG_GPU, FOREIGN_GPU, BURSTABLE, METAL, INFERENCE, ARM)


def allowed(rules: OfferFilter) -> set[InstanceType]:
    return {instance for instance in ALL if is_allowed(instance, rules)}


def test_by_default_current_plain_types_and_all_nvidia_gpus_are_bought() -> None:
    assert allowed(default_offer_filter()) == {PLAIN, GPU, BIG_GPU, ARM}


def test_without_limits_special_purposes_stay_out() -> None:
    assert allowed(OfferFilter()) == {PLAIN, OLD, GPU, BIG_GPU, ARM}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (OfferFilter(categories=("t",)), {BURSTABLE}),
        (OfferFilter(families=("t3", "m5")), {BURSTABLE, PLAIN}),
        (OfferFilter(families=("m5",), allow_metal=True), {PLAIN, METAL}),
        (OfferFilter(architectures=("arm64",)), {ARM}),
        (OfferFilter(families=("g4ad", "inf2")), set()),
    ],
)
def test_a_filter_admits_what_it_names(rules: OfferFilter, expected: set[InstanceType]) -> None:
    assert allowed(rules) == expected


def test_generation_and_size_limit_only_types_without_gpus() -> None:
    rules = OfferFilter(min_generation=5, max_vcpus=2)

    assert allowed(rules) == {GPU, BIG_GPU} | ({ARM} if ARM.vcpus <= 2 else set())


def test_zones_limit_offers() -> None:
    catalog = make_catalog(*(make_offer(PLAIN, zone=zone) for zone in ZONES))

    kept = apply_filter(catalog, OfferFilter(zones=ZONES[:1]))

    assert kept.zones() == ZONES[:1]


def test_a_filter_that_leaves_nothing_says_so() -> None:
    with pytest.raises(EmptyCatalogError, match="leaves none of 1"):
        apply_filter(make_catalog(), OfferFilter(families=("z9",)))


def test_a_filter_without_kinds_gets_the_default_ones_and_keeps_its_limits() -> None:
    rules = or_default(OfferFilter(zones=("us-east-1a",), max_vcpus=16, min_generation=6))

    assert rules.categories == default_offer_filter().categories
    assert (rules.zones, rules.max_vcpus, rules.min_generation) == (("us-east-1a",), 16, 6)
    assert or_default(OfferFilter()) == default_offer_filter()


@pytest.mark.parametrize("rules", [OfferFilter(categories=("t",)), OfferFilter(families=("m3",))])
def test_a_filter_that_names_kinds_is_taken_by_its_word(rules: OfferFilter) -> None:
    assert or_default(rules) == rules
