"""Spot nodes lost shortly after one another, as the shocks that a hazard book counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nodemix.optimizer.risk.hazard import PoolKey, Shock

WINDOW_H = 10.0 / 60.0
"""What a pool loses within this time of its first loss is one shock."""


@dataclass(frozen=True, slots=True)
class OpenShock:
    """A shock that may still grow.

    Args:
        at_h: of the first loss.
        nodes_before: of the pool, just before that.
    """

    pool: PoolKey
    at_h: float
    nodes_before: int
    nodes_lost: int

    def grown(self, nodes_lost: int) -> "OpenShock":
        """With further losses; nodes that joined meanwhile may be among them."""
        lost = self.nodes_lost + nodes_lost
        return replace(self, nodes_lost=lost, nodes_before=max(self.nodes_before, lost))

    def is_over(self, now_h: float) -> bool:
        """Whether what is lost from now on belongs to another shock."""
        return not 0.0 <= now_h - self.at_h <= WINDOW_H

    def shock(self) -> Shock:
        """As far as it went."""
        return Shock(self.pool, self.at_h, self.nodes_before, self.nodes_lost)


def grouped(
    open_shocks: Iterable[OpenShock],
    at_h: float,
    lost: Mapping[PoolKey, int],
    spot_nodes: Mapping[PoolKey, int],
) -> tuple[tuple[OpenShock, ...], tuple[OpenShock, ...]]:
    """The shocks still open after some losses, and those that are over, both sorted by pool.

    Args:
        lost: nodes by pool.
        spot_nodes: nodes that each pool had before.
    """
    ordered = sorted(open_shocks, key=lambda shock: shock.pool)
    over = tuple(shock for shock in ordered if shock.is_over(at_h))
    going_on = {shock.pool: shock for shock in ordered if not shock.is_over(at_h)}
    for pool, nodes in lost.items():
        first = OpenShock(pool, at_h, max(spot_nodes.get(pool, 0), nodes), nodes)
        going_on[pool] = going_on[pool].grown(nodes) if pool in going_on else first
    return tuple(going_on[pool] for pool in sorted(going_on)), over
