"""What a quota counts, and whether the catalog knows what it names."""

from collections.abc import Iterator

from nodemix.optimizer.catalog.types import Catalog, Offer
from nodemix.optimizer.policy import Policy, Quota, QuotaUnit
from nodemix.optimizer.snapshot import Note


def quota_use(quota: Quota, offer: Offer) -> float:
    """What a node of an offer uses of a quota."""
    instance = offer.instance
    selected = (
        (not quota.categories or instance.category in quota.categories)
        and (not quota.families or instance.family in quota.families)
        and (not quota.instance_types or instance.name in quota.instance_types)
        and (not quota.zones or offer.zone in quota.zones)
        and quota.capacity_type in {None, offer.capacity_type}
    )
    if not selected:
        return 0.0
    counted = {
        QuotaUnit.NODES: 1,
        QuotaUnit.VCPUS: instance.vcpus,
        QuotaUnit.GPUS: instance.allocatable.gpus,
    }
    return float(counted[quota.unit])


def quota_notes(policy: Policy, catalog: Catalog) -> Iterator[Note]:
    """A note for each quota that names what the catalog does not know; it limits the rest."""
    known = {
        "category": {offer.instance.category for offer in catalog.offers},
        "family": {offer.instance.family for offer in catalog.offers},
        "instance type": {offer.instance.name for offer in catalog.offers},
        "zone": set(catalog.zones()),
    }
    for quota in policy.quotas:
        named = (quota.categories, quota.families, quota.instance_types, quota.zones)
        for (kind, values), names in zip(known.items(), named, strict=True):
            if unknown := [name for name in names if name not in values]:
                fact = f"quota {quota.name}: the catalog knows no {kind} {', '.join(unknown)}"
                remedy = "correct the name, or take it out; the quota limits nothing there"
                yield Note(f"NodeMixPolicy/{policy.name}", fact, remedy, "error")
