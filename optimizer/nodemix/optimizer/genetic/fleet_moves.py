"""All ways to change a plan by up to three moves, weighed in machine code.

A move buys or drops one or two nodes of one pool. Most triples are ruled out by a few sums: the
CVaR falls by no more than its slope promises, because it is convex.
"""

from typing import NamedTuple

import numba
import numpy as np
from nodemix.optimizer.genetic.fleet_scores import Float32Array
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

LEAST_GAIN = 1e-6
"""Of CVaR; below it the 32 bits of the arithmetic see what is not there."""


NOWHERE = -1
"""Pool of the move that changes nothing: no other move's."""


class Start(NamedTuple):
    """The plan that moves start from; only its worst scenarios, the ones near the edge included.

    Args:
        lacking: demand not served, as a share, shape (dimensions, scenarios).
        cover: what a node serves, as a share of demand, shape (pools, dimensions, scenarios).
        edge: shortage of the mildest scenario that the CVaR averages.
        tail: number of scenarios that the CVaR averages.
        slack: room under each cap that a triple could break, shape (caps,).
    """

    lacking: Float32Array
    cover: Float32Array
    edge: float
    tail: float
    cost_usd_per_hour: float
    cvar: float
    slack: FloatArray


class Moves(NamedTuple):
    """The moves; the first one changes nothing, so that triples hold pairs and single moves.

    Args:
        pool: index into the cover, shape (moves,).
        nodes: bought, negative where dropped, shape (moves,).
        cost_usd_per_hour: shape (moves,).
        fall: of the CVaR at the most, shape (moves,).
        load: on each cap of the start, shape (moves, caps).
    """

    pool: IntArray
    nodes: Float32Array
    cost_usd_per_hour: FloatArray
    fall: FloatArray
    load: FloatArray


class Stairs(NamedTuple):
    """The CVaR that a plan must beat, by its cost in equal steps.

    Args:
        cvar: at the lower end of each step, shape (steps,).
    """

    lowest_usd_per_hour: float
    steps_per_usd: float
    cvar: FloatArray


def best_triples(
    start: Start, moves: Moves, stairs: Stairs, most: int
) -> tuple[IntArray, FloatArray]:
    """The triples that fall farthest below the stairs, and the CVaR of each.

    The CVaR is exact where no other scenario than those of the start becomes one of the worst and
    the edge stays; with another edge it is too high.

    Returns:
        Indices of moves, shape (triples, 3), and shape (triples,).
    """
    triples = np.zeros((most, 3), dtype=np.int64)
    cvar, gain = np.zeros(most), np.full(most, LEAST_GAIN)
    _search(start, moves, stairs, triples, cvar, gain)
    found = gain > LEAST_GAIN
    return triples[found], cvar[found]


@compiled
def _search(
    start: Start,
    moves: Moves,
    stairs: Stairs,
    triples: IntArray,
    cvar: FloatArray,
    gain: FloatArray,
) -> None:
    """Fills the last three, in no order."""
    count, pool = moves.pool.size, moves.pool
    highest = np.empty(start.lacking.shape[1], dtype=np.float32)
    worst = 0
    for first in range(count):
        for second in range(first + 1 if first else 0, count):
            if second and pool[first] == pool[second]:
                continue
            cost = start.cost_usd_per_hour + moves.cost_usd_per_hour[first]
            cost += moves.cost_usd_per_hour[second]
            least = start.cvar - moves.fall[first] - moves.fall[second]
            for third in range(second + 1 if second else 0, count):
                to_beat = _to_beat(
                    cost + moves.cost_usd_per_hour[third],
                    stairs.lowest_usd_per_hour,
                    stairs.steps_per_usd,
                    stairs.cvar,
                )
                if least - moves.fall[third] >= to_beat - gain[worst]:
                    continue
                if pool[third] == pool[first] or pool[third] == pool[second]:
                    continue
                if not _fits(start.slack, moves.load, first, second, third):
                    continue
                reached = _cvar(start, moves, first, second, third, highest)
                if to_beat - reached > gain[worst]:
                    gain[worst], cvar[worst] = to_beat - reached, reached
                    triples[worst] = first, second, third
                    worst = int(gain.argmin())


@compiled
def _to_beat(cost: float, lowest: float, steps_per_usd: float, cvar: FloatArray) -> float:
    """The CVaR of the stairs at a cost; nothing beats it outside of them."""
    step = (cost - lowest) * steps_per_usd
    return float(cvar[int(step)]) if 0.0 <= step < cvar.size else -1.0


@compiled
def _fits(slack: FloatArray, load: FloatArray, first: int, second: int, third: int) -> bool:
    for cap in range(slack.size):
        if load[first, cap] + load[second, cap] + load[third, cap] > slack[cap]:
            return False
    return True


@numba.njit(cache=True, nogil=True, fastmath=True)  # sums in any order: eight at once
def _cvar(
    start: Start, moves: Moves, first: int, second: int, third: int, highest: Float32Array
) -> float:
    """By the formula of Rockafellar and Uryasev with the start's edge; ``highest`` is scratch."""
    one, two, three = moves.nodes[first], moves.nodes[second], moves.nodes[third]
    edge, above = np.float32(start.edge), np.float32(0.0)
    highest[:] = edge
    for dimension in range(start.lacking.shape[0]):
        lacking = start.lacking[dimension]
        by_one = start.cover[moves.pool[first], dimension]
        by_two = start.cover[moves.pool[second], dimension]
        by_three = start.cover[moves.pool[third], dimension]
        for i in range(highest.size):
            left = lacking[i] - one * by_one[i] - two * by_two[i] - three * by_three[i]
            highest[i] = max(highest[i], left)
    for i in range(highest.size):
        above += highest[i] - edge
    return float(start.edge + above / start.tail)


def list_moves(
    counts: IntArray,
    pools: IntArray,
    steps: tuple[int, ...],
    most_nodes: IntArray,
) -> tuple[IntArray, IntArray]:
    """Place in ``pools`` and nodes of every move that keeps the quotas, after one of no nodes."""
    place = np.tile(np.arange(len(pools)), len(steps))
    nodes = np.repeat(np.array(steps, dtype=np.int64), len(pools))
    after = counts[pools][place] + nodes
    allowed: BoolArray = (after >= 0) & (after <= most_nodes[pools][place])
    return np.append(NOWHERE, place[allowed]), np.append(0, nodes[allowed])
