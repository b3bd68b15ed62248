"""What can go wrong with a plan."""

from collections import Counter
from collections.abc import Iterable

from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import PlannedNodes, PoolKey, Risk
from nodemix.optimizer.snapshot import CapacityType

HOURS_PER_DAY = 24.0


def plan_risk(
    nodes: Iterable[PlannedNodes], catalog: Catalog, shortfall_probability: float | None
) -> Risk:
    """Shares of vCPUs on spot and in one pool, and interruptions to expect."""
    offers = catalog.by_key()
    instances = {offer.instance.name: offer.instance for offer in catalog.offers}
    vcpus: Counter[PoolKey] = Counter()
    interruptions_per_hour = 0.0
    for group in nodes:
        pool = (group.instance_type, group.zone, group.capacity_type)
        if group.instance_type in instances:
            vcpus[pool] += group.count * instances[group.instance_type].vcpus
        if pool in offers:
            interruptions_per_hour += group.count * offers[pool].interruptions_per_hour
    total = max(1, sum(vcpus.values()))
    spot = [count for key, count in vcpus.items() if key[2] is CapacityType.SPOT]
    return Risk(
        shortfall_probability=shortfall_probability,
        spot_share=sum(spot) / total,
        worst_pool_share=max(spot, default=0) / total,
        interruptions_per_day=interruptions_per_hour * HOURS_PER_DAY,
    )
