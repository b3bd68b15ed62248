"""The catalog that ships with the package is large, current and usable."""

from nodemix.optimizer.catalog.bundled import ZONES, bundled_catalog
from nodemix.optimizer.catalog.filters import apply_filter, default_offer_filter
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.snapshot import CapacityType

OLDEST_CURRENT_GENERATION = 6


def names(offers: tuple[Offer, ...]) -> set[str]:
    return {offer.instance.name for offer in offers}


def test_it_holds_at_least_150_current_types_for_any_pod() -> None:
    catalog = apply_filter(bundled_catalog(), default_offer_filter())

    current = [o for o in catalog.offers if o.instance.generation >= OLDEST_CURRENT_GENERATION]
    assert len(names(tuple(current))) >= 150


def test_gpu_types_are_on_sale_with_several_models() -> None:
    catalog = apply_filter(bundled_catalog(), default_offer_filter())

    gpus = [offer for offer in catalog.offers if offer.instance.allocatable.gpus]
    models = {offer.instance.gpu_name for offer in gpus}
    assert len(names(tuple(gpus))) >= 20
    assert {"t4", "a10g", "h100"} <= models
    assert all(offer.instance.taints for offer in gpus)


def test_both_markets_are_on_sale_in_three_zones() -> None:
    catalog = bundled_catalog()

    assert catalog.zones() == ZONES
    for market in CapacityType:
        zones = {offer.zone for offer in catalog.offers if offer.capacity_type is market}
        assert zones == set(ZONES)


def test_spot_is_never_dearer_than_on_demand_and_has_a_prior() -> None:
    catalog = bundled_catalog()
    offers = catalog.by_key()

    for offer in catalog.offers:
        if offer.is_spot:
            twin = offers[offer.instance.name, offer.zone, CapacityType.ON_DEMAND]
            assert 0 < offer.price_usd_per_hour <= twin.price_usd_per_hour
            assert offer.interruptions_per_hour > 0


def test_every_entry_is_usable_and_dated() -> None:
    catalog = bundled_catalog()

    assert catalog.notes == ()
    assert catalog.as_of
    assert "estimated" in catalog.source
    assert all(offer.instance.allocatable.cpu_milli > 0 for offer in catalog.offers)


def test_allocatable_is_less_than_the_machine() -> None:
    for offer in bundled_catalog().offers:
        instance = offer.instance
        assert instance.allocatable.cpu_milli < instance.vcpus * 1000
        assert instance.allocatable.memory_mib < instance.memory_mib


def test_both_architectures_are_labelled() -> None:
    labels = {
        dict(offer.instance.labels)["kubernetes.io/arch"] for offer in bundled_catalog().offers
    }

    assert labels == {"amd64", "arm64"}
