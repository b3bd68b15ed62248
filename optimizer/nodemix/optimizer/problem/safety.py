"""What a plan is asked beyond its policy's own limits, so that it keeps the accepted risk."""

from dataclasses import dataclass

from nodemix.optimizer.snapshot import CapacityType

Pool = tuple[str, str]
"""Instance type and zone of a spot pool."""


@dataclass(frozen=True, slots=True)
class Safety:
    """How much room a plan has, and how much of it may be lost at once.

    Args:
        level: quantile of demand that the plan covers.
        over_provision: further places, as a share of the pods that may run on spot.
        max_spot_share: of the plan's vCPUs.
        max_pool_share: of the plan's room, that ``pool_limits`` stand for.
        pool_limits: (spot pool, most nodes of it) where pools were found too large, sorted. Pools
            that are not named are free, so that few limits slow the search.
        resting: (pool, most nodes) of the pools that a followed plan went away from lately.
    """

    level: float = 1.0
    over_provision: float = 0.0
    max_spot_share: float = 1.0
    max_pool_share: float = 1.0
    pool_limits: tuple[tuple[Pool, int], ...] = ()
    resting: tuple[tuple[tuple[str, str, CapacityType], int], ...] = ()
