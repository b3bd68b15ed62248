"""What the operator has learned of its cluster, in figures."""

from dataclasses import dataclass

from nodemix.optimizer.risk.hazard import PoolKey

HOURS_OF_A_DAY = 24.0


@dataclass(frozen=True, slots=True)
class BeliefsReport:
    """The evidence at one time; empty before anything was watched.

    Args:
        pools_watched: spot pools with a node now.
        hours_watched: pool-hours, all that were ever watched, not discounted.
        shocks: events in which a pool lost nodes, ever.
        interruptions: spot nodes taken back, ever.
        shocks_last_day: shocks of the last 24 hours by pool, pools without one left out, sorted.
        boots: nodes whose boot was timed and is remembered.
        boot_median_s: None before the first boot.
        stock_outs: times that a spot pool had nothing to sell, ever.
        unattributed: times that it could not be told which pool had not, ever.
        problem: why the evidence is not kept beyond this process; empty if it is.
    """

    pools_watched: int = 0
    hours_watched: float = 0.0
    shocks: int = 0
    interruptions: int = 0
    shocks_last_day: tuple[tuple[PoolKey, int], ...] = ()
    boots: int = 0
    boot_median_s: float | None = None
    stock_outs: int = 0
    unattributed: int = 0
    problem: str = ""
