"""Nodes at one moment; a test names only what it is about."""

from collections.abc import Iterable

from nodemix.operator.beliefs.watch import NodeWatch, Seen
from nodemix.operator.cluster.departures import Departure
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.records import NodeRecord
from nodemix.optimizer.risk.hazard import PoolKey
from nodemix.optimizer.snapshot import CapacityType

from tests.builders import make_node

START_S = 1_800_000_000.0
STEP_S = 5.0
POOL = PoolKey("m5", "us-east-1a", "m5.xlarge")
OTHER = PoolKey("c5", "us-east-1b", "c5.large")


def spot(
    name: str,
    departure: Departure = Departure.NONE,
    pool: PoolKey = POOL,
    created_at_s: float | None = 0.0,
    ready_since_s: float | None = 0.0,
) -> NodeRecord:
    """A spot node; ``ready_since_s`` None is one that is not ready."""
    return record(name, CapacityType.SPOT, departure, pool, created_at_s, ready_since_s)


def bought(name: str, departure: Departure = Departure.NONE) -> NodeRecord:
    """An on-demand node."""
    return record(name, CapacityType.ON_DEMAND, departure, POOL, 0.0, 0.0)


def record(
    name: str,
    market: CapacityType,
    departure: Departure,
    pool: PoolKey,
    created_at_s: float | None,
    ready_since_s: float | None,
) -> NodeRecord:
    node = make_node(
        name,
        instance_type=pool.instance_type,
        zone=pool.zone,
        capacity_type=market,
        is_ready=ready_since_s is not None,
    )
    return NodeRecord(
        node,
        uid=name,
        created_at_s=created_at_s,
        ready_since_s=ready_since_s,
        departure=departure,
    )


def at(step: int, *nodes: NodeRecord, departed: Iterable[NodeRecord] = ()) -> Look:
    """The look number ``step``, one every five seconds."""
    return Look(START_S + step * STEP_S, nodes, tuple(departed))


def seen(*looks: Look) -> list[Seen]:
    """What each look but the first tells."""
    watch, told = NodeWatch(), []
    for look in looks:
        watch, what = watch.after(look)
        told.append(what)
    return told[1:]


def losses(*looks: Look) -> list[dict[PoolKey, int]]:
    """Nodes lost at each look but the first."""
    return [dict(what.lost) for what in seen(*looks)]
