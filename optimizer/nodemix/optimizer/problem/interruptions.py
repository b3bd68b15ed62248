"""What the provider's reclaims are expected to cost, as a part of what a node is counted with."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from nodemix.optimizer.catalog.types import Catalog, Offer
from nodemix.optimizer.policy import SpotRules
from nodemix.optimizer.risk.beliefs import SECONDS_PER_HOUR, pool_of
from nodemix.optimizer.risk.hazard import Hazard, PoolKey
from nodemix.optimizer.snapshot import CapacityType

STEP_SHARE = 0.005
"""Of a node's price, the steps in which reclaims are counted."""


@dataclass(frozen=True, slots=True)
class Interruptions:
    """What is believed of reclaims, and what one costs.

    Args:
        hazards: of every spot pool on sale.
        lead_time_s: for which the pods of a lost node wait.
        recently_hit: pools that lost nodes so lately that a return must be worth more.
        on_demand_usd_per_hour: by (instance type, zone).
    """

    hazards: Mapping[PoolKey, Hazard]
    spot: SpotRules
    lead_time_s: float
    recently_hit: Collection[PoolKey]
    on_demand_usd_per_hour: Mapping[tuple[str, str], float]

    def usd_per_node(self, offer: Offer) -> float:
        """Cost of losing one node: what the policy says, and the wait at the on-demand price.

        A type that is not sold on demand in the zone counts at its own price.
        """
        place = (offer.instance.name, offer.zone)
        stand_in = self.on_demand_usd_per_hour.get(place, offer.price_usd_per_hour)
        wait_h = self.lead_time_s / SECONDS_PER_HOUR
        return self.spot.interruption_usd + stand_in * wait_h

    def lost_per_hour(self, offer: Offer) -> float:
        """Expected share of a pool's nodes that is lost in an hour."""
        hazard = self.hazards.get(pool_of(offer))
        return hazard.shocks_per_hour * hazard.share_lost if hazard and offer.is_spot else 0.0

    def usd_per_node_hour(self, offer: Offer) -> float:
        """Expected cost of reclaims in each hour of a node's life."""
        return self.lost_per_hour(offer) * self.usd_per_node(offer)

    def counted_usd_per_node_hour(self, offer: Offer) -> float:
        """The expected cost, and what holds back from a pool that was hit a while ago.

        In whole steps, never more than is expected: what is believed changes a little with each
        look at the cluster, and a plan should not go back and forth between pools that are as good
        as equal.
        """
        caution = 0.0
        if offer.is_spot and pool_of(offer) in self.recently_hit:
            caution = self.spot.return_saving * offer.price_usd_per_hour
        step = STEP_SHARE * offer.price_usd_per_hour
        cost = self.usd_per_node_hour(offer)
        return caution + (math.floor(cost / step) * step if step > 0.0 else cost)


def interruptions_of(
    catalog: Catalog,
    hazards: Mapping[PoolKey, Hazard],
    spot: SpotRules,
    lead_time_s: float,
    recently_hit: Collection[PoolKey] = (),
) -> Interruptions:
    """The costs of reclaims on the market of ``catalog``."""
    on_demand = {
        (offer.instance.name, offer.zone): offer.price_usd_per_hour
        for offer in catalog.offers
        if offer.capacity_type is CapacityType.ON_DEMAND
    }
    return Interruptions(hazards, spot, lead_time_s, recently_hit, on_demand)


def count_interruptions(catalog: Catalog, cost: Callable[[Offer], float]) -> Catalog:
    """The catalog with what reclaims are counted with on each spot offer."""
    offers = (
        replace(offer, interruption_usd_per_hour=cost(offer)) if offer.is_spot else offer
        for offer in catalog.offers
    )
    return replace(catalog, offers=tuple(offers))
