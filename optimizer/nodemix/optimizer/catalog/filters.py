"""Which offers of a catalog may be bought."""

from dataclasses import replace

from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer
from nodemix.optimizer.errors import EmptyCatalogError
from nodemix.optimizer.policy import OfferFilter

GPU_CATEGORIES = frozenset({"g", "gr", "p"})
"""Categories bought for their NVIDIA GPUs; their types without them (AMD) are out."""

CATEGORIES_TO_NAME = frozenset({"a", "f", "hpc", "mac", "t", "u", "vt"})
"""Bought only where a filter names the category or family: burstable CPU, first-generation Arm,
FPGA, tightly coupled HPC, Mac, multi-terabyte memory, video transcoding."""


def default_offer_filter() -> OfferFilter:
    """What may be bought where nobody says otherwise.

    Compute, general-purpose and memory types from generation 4 on, and types with NVIDIA GPUs:
    these suit any pod. Burstable types are out, because their baseline is a fraction of the CPU
    that requests count on.
    """
    return OfferFilter(categories=("c", "m", "r", "g", "p"), min_generation=4)


def or_default(rules: OfferFilter) -> OfferFilter:
    """``rules``, with the default kinds of instances where they name no category or family."""
    if rules.categories or rules.families:
        return rules
    default = default_offer_filter()
    generation = rules.min_generation or default.min_generation
    return replace(rules, categories=default.categories, min_generation=generation)


def apply_filter(catalog: Catalog, rules: OfferFilter) -> Catalog:
    """The offers that ``rules`` allow; never bare metal unless asked, never foreign accelerators.

    Raises:
        EmptyCatalogError: the rules leave no offer.
    """
    allowed: dict[str, bool] = {}

    def keep(offer: Offer) -> bool:
        instance = offer.instance
        if instance.name not in allowed:
            allowed[instance.name] = is_allowed(instance, rules)
        return allowed[instance.name] and (not rules.zones or offer.zone in rules.zones)

    kept = catalog.where(keep)
    if not kept.offers:
        why = f"the offer filter leaves none of {len(catalog.offers)}"
        raise EmptyCatalogError(catalog.source, why)
    return kept


def is_allowed(instance: InstanceType, rules: OfferFilter) -> bool:
    """Whether nodes of this type may be bought, in some zone."""
    return (
        _is_usable(instance, rules)
        and _is_named(instance, rules)
        and (not rules.architectures or instance.architecture in rules.architectures)
        and (instance.allocatable.gpus > 0 or _suits_without_gpus(instance, rules))
    )


def _is_usable(instance: InstanceType, rules: OfferFilter) -> bool:
    if instance.accelerator or (instance.is_metal and not rules.allow_metal):
        return False
    return instance.category not in GPU_CATEGORIES or instance.allocatable.gpus > 0


def _is_named(instance: InstanceType, rules: OfferFilter) -> bool:
    if rules.families and instance.family not in rules.families:
        return False
    if rules.categories:
        return instance.category in rules.categories
    return bool(rules.families) or instance.category not in CATEGORIES_TO_NAME


def _suits_without_gpus(instance: InstanceType, rules: OfferFilter) -> bool:
    """Generation and size limits, which are about plain types only."""
    is_new = rules.min_generation is None or instance.generation >= rules.min_generation
    return is_new and (rules.max_vcpus is None or instance.vcpus <= rules.max_vcpus)
