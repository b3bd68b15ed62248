"""What may happen within the lead time: demand and reclaims, drawn together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from nodemix.optimizer.decision import PodPaths
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
from nodemix.optimizer.risk.beliefs import SECONDS_PER_HOUR
from nodemix.optimizer.risk.hazard import Hazard, PoolKey
from nodemix.optimizer.risk.shortfall import spread_over_rows
from nodemix.optimizer.risk.survival import draw_surviving
from nodemix.optimizer.snapshot import WorkloadKey

UNKNOWN = Hazard(0.5, 5.0, (2.1, 0.9), 1.0)
"""Of a spot pool that no price list has: one shock in ten hours, from next to no evidence."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """The law of what may happen; the same seed gives the same scenarios.

    Args:
        paths: of pods, that no capacity was chosen on; empty where nothing is forecast.
        hazards: of every spot pool.
        lead_time_s: within which nothing that is lost is replaced.
        pods_now: of each workload; what those without a path go on needing. A plan may hold more
            places for them, which nobody needs until nodes are lost.
    """

    paths: PodPaths
    hazards: Mapping[PoolKey, Hazard]
    lead_time_s: float
    seed: int
    pods_now: Mapping[WorkloadKey, int] = field(default_factory=dict)

    @property
    def has_paths(self) -> bool:
        """Whether there is a path of demand to score on."""
        return self.paths.pods.size > 0

    def needed(self, problem: Problem, kept: Mapping[WorkloadKey, int]) -> IntArray:
        """Pods of each row on each path, shape (paths, rows); one path where nothing is forecast.

        Args:
            kept: pods on nodes outside of the problem; they have their place.
        """
        paths = self._of_all()
        columns = {key: column for column, key in enumerate(paths.workloads)}
        by_row = tuple(columns.get(row.workload, -1) for row in problem.rows)
        elsewhere = np.array([kept.get(key, 0) for key in paths.workloads], dtype=np.int64)
        return spread_over_rows(problem, np.maximum(paths.pods - elsewhere, 0), by_row)

    def _of_all(self) -> PodPaths:
        """The paths, with as many pods as now of the workloads that they do not speak of."""
        still = {key: n for key, n in self.pods_now.items() if key not in self.paths.workloads}
        as_now = np.array(list(still.values()), dtype=np.int64)
        forecast = self.paths.pods if self.has_paths else np.zeros((1, 0), dtype=np.int64)
        pods = np.hstack([forecast, np.tile(as_now, (len(forecast), 1))])
        workloads = self.paths.workloads if self.has_paths else ()
        return PodPaths((*workloads, *still), pods)

    def hazard(self, pool: PoolKey) -> Hazard:
        """What is believed of a pool; of one that is not on sale, that it is hit often."""
        return self.hazards.get(pool, UNKNOWN)

    def surviving(self, pools: tuple[PoolKey, ...], scenarios: int) -> FloatArray:
        """Share of each pool's nodes that is left, shape (scenarios, pools)."""
        rng = np.random.default_rng(self.seed)
        hazards = [self.hazard(pool) for pool in pools]
        horizon_h = self.lead_time_s / SECONDS_PER_HOUR
        return draw_surviving(hazards, pools, horizon_h, scenarios, rng)


def alive_nodes(surviving: FloatArray, pool_of_node: IntArray, seed: int) -> BoolArray:
    """Which nodes are left when each pool keeps a share of its own, shape (scenarios, nodes).

    Of a pool a whole number of nodes goes, rounded at random so that the mean is right; which ones
    they are differs between scenarios.

    Args:
        surviving: shape (scenarios, pools).
        pool_of_node: -1 for nodes that nobody takes back, shape (nodes,).
    """
    scenarios = len(surviving)
    rng = np.random.default_rng(seed)
    alive = np.ones((scenarios, len(pool_of_node)), dtype=np.bool_)
    for pool in range(surviving.shape[1]):
        members = np.flatnonzero(pool_of_node == pool)
        lost = (1.0 - surviving[:, pool]) * members.size
        gone = np.floor(lost + rng.random(scenarios))
        first = rng.integers(max(1, members.size), size=scenarios)
        rank = (np.arange(members.size) + first[:, None]) % max(1, members.size)
        alive[:, members] = rank >= gone[:, None]
    return alive
