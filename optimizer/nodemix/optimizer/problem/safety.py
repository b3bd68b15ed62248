"""What a plan is asked beyond its policy's own limits, so that it keeps the accepted risk."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nodemix.optimizer.snapshot import CapacityType, WorkloadKey

Pool = tuple[str, str]
"""Instance type and zone of a spot pool."""


@dataclass(frozen=True, slots=True)
class Safety:
    """How much room a plan has, and how much of it may be lost at once.

    Args:
        level: share of the paths of demand that find room on the plan's nodes, as far as it was
            asked for.
        extra_pods: (workload, pods) for which there is room beyond what the policy has covered,
            because paths found too little on the nodes of a plan; sorted.
        over_provision: further places, as a share of the pods that may run on spot.
        max_spot_share: of the plan's vCPUs.
        max_pool_share: of the plan's room, that ``pool_limits`` stand for.
        pool_limits: (spot pool, most nodes of it) where pools were found too large, sorted. Pools
            that are not named are free, so that few limits slow the search.
        resting: (pool, most nodes) of the pools that a followed plan went away from lately.
    """

    level: float = 1.0
    extra_pods: tuple[tuple[WorkloadKey, int], ...] = ()
    over_provision: float = 0.0
    max_spot_share: float = 1.0
    max_pool_share: float = 1.0
    pool_limits: tuple[tuple[Pool, int], ...] = ()
    resting: tuple[tuple[tuple[str, str, CapacityType], int], ...] = ()

    def with_extra(self, pods: Mapping[WorkloadKey, int]) -> "Safety":
        """With room for so many more pods."""
        total = Counter(dict(self.extra_pods))
        total.update(pods)
        return replace(self, extra_pods=tuple(sorted((k, n) for k, n in total.items() if n > 0)))
