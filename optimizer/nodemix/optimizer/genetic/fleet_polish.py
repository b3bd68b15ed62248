"""Polishes a front of cost and CVaR: every plan on it is tried with all triples of moves.

Whole nodes are what separates a good plan from the linear optimum, above all where share caps
bind: one node more here needs others there, and only several moves at once keep the caps.

Source: Paquete, Chiarandini and Stützle, Pareto local optimum sets in the biobjective traveling
    salesman problem (2004), with larger steps.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.genetic.fleet import COST, CVAR, FleetProblem
from nodemix.optimizer.genetic.fleet_moves import (
    Moves,
    Stairs,
    Start,
    best_triples,
    list_moves,
)
from nodemix.optimizer.genetic.fleet_scores import (
    Brood,
    FleetScorer,
    Float32Array,
    cost_cvar_front,
    join,
    lower_left,
)
from nodemix.optimizer.problem.types import FloatArray, IntArray

AT_ONCE = 16
"""Plans that are tried before the front is drawn anew."""
KEPT = 24
"""Best triples of a plan."""
NODES = (-2, -1, 1, 2)
"""Of a move."""
BEST_POOLS, HELD_POOLS = 12, 16
"""Pools that are moved: those of most worth per dollar, and those with most nodes."""
STEPS = 8192
"""Of cost, in which the front is looked up."""
NEAR = 1.5
"""Largest nodes; scenarios farther below the edge are taken to stay there."""
SLACK = 1e-9
"""Of the caps, for rounding."""
MARGIN = 1.01
"""Of the costs that are wanted, around the plans that they come from."""


@dataclass(frozen=True, slots=True, eq=False)
class FleetPolisher:
    """What stays the same while a front is polished.

    Args:
        cover: of the scorer, shape (pools, dimensions, scenarios).
        coefficients: of the caps, scaled, shape (caps, pools).
        limits: shape (caps,).
        highest_usd_per_hour: of plans that are wanted.
        _tried: counts of the plans whose triples are known; the only thing that changes.
    """

    problem: FleetProblem
    scorer: FleetScorer
    rng: np.random.Generator
    cover: Float32Array
    coefficients: FloatArray
    limits: FloatArray
    highest_usd_per_hour: float
    _tried: set[bytes] = field(default_factory=set)

    def polish(self, front: Brood, rounds: int, deadline: Deadline) -> Brood:
        """The front with what some rounds found, fewer if time runs out or nothing is left to try.

        A round tries up to 16 plans.
        """
        for _ in range(rounds):
            if deadline.has_passed:
                break
            low, high = self._wanted(front)
            plans = self._next(front, low, high)
            if not len(plans):
                break
            better = self._better(plans, front, _stairs(front, low, high))
            front = cost_cvar_front(join(front, self.scorer.score(better)))
        return front

    def _wanted(self, front: Brood) -> tuple[float, float]:
        """Between which costs plans matter.

        Cheaper than the plan that gives most per dollar, all lie near a line to nothing at all.
        """
        cost, cvar = front.objectives[:, [COST, CVAR]].T
        per_dollar = np.divide(1.0 - cvar, cost, out=np.zeros_like(cost), where=cost > 0.0)
        dearest = min(self.highest_usd_per_hour, float(cost[-1]))
        return float(cost[per_dollar.argmax()]) / MARGIN, dearest * MARGIN

    def _next(self, front: Brood, low: float, high: float) -> Brood:
        """Plans not yet tried, spread along the front."""
        cost = front.objectives[:, COST]
        inside = np.flatnonzero((cost > 0.0) & (cost >= low) & (cost <= high))
        fresh = [i for i in inside.tolist() if front.counts[i].tobytes() not in self._tried]
        plans = front.take(self._spread(front, np.array(fresh, dtype=np.int64)))
        self._tried.update(row.tobytes() for row in plans.counts)
        return plans

    def _spread(self, front: Brood, index: IntArray) -> IntArray:
        if len(index) <= AT_ONCE:
            return index
        cost, cvar = front.objectives[index][:, [COST, CVAR]].T
        along = cost / np.ptp(cost) - cvar / np.ptp(cvar)  # a strict front: neither is 0
        places = (np.arange(AT_ONCE) + self.rng.random()) / AT_ONCE
        wanted = along.min() + places * np.ptp(along)
        nearest = np.abs(along[None, :] - wanted[:, None]).argmin(axis=1)
        chosen: IntArray = index[np.unique(nearest)]
        return chosen

    def _better(self, plans: Brood, front: Brood, stairs: Stairs) -> IntArray:
        """Changed plans that seem to lie below the front, shape (plans, pools)."""
        lacking = self.scorer.lacking(plans.counts)
        found = [self._changed(plans, i, lacking[:, i], stairs) for i in range(len(plans))]
        counts = np.concatenate([front.counts, *(changed for changed, _ in found)])
        cvar = np.concatenate([front.objectives[:, CVAR], *(reached for _, reached in found)])
        best = lower_left(counts @ self.problem.cost_usd_per_hour, cvar)
        return np.unique(counts[best[best >= len(front)]], axis=0)

    def _changed(
        self, plans: Brood, row: int, lacking: Float32Array, stairs: Stairs
    ) -> tuple[IntArray, FloatArray]:
        """The best plans three moves away, and the CVaR that they seem to have."""
        counts, worth = plans.counts[row], plans.worth[row]
        pools = self._pools(counts, worth)
        place, nodes = list_moves(counts, pools, NODES, self.problem.most_nodes)
        load, slack = self._caps(counts, nodes, pools[place])
        start = self._start(plans.objectives[row], lacking, pools, slack)
        cost = nodes * self.problem.cost_usd_per_hour[pools][place]
        fall = nodes * worth[pools][place].astype(np.float64)
        moves = Moves(place, nodes.astype(np.float32), cost, fall, load)
        triples, cvar = best_triples(start, moves, stairs, KEPT)
        changed = np.repeat(counts[None], len(triples), axis=0)
        np.add.at(
            changed, (np.arange(len(triples))[:, None], pools[place[triples]]), nodes[triples]
        )
        return changed, cvar

    def _caps(
        self, counts: IntArray, nodes: IntArray, pools: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Load of moves on the caps that three of them could break, and the room under these."""
        load = nodes[:, None] * self.coefficients[:, pools].T
        slack = self.limits - self.coefficients @ counts
        tight = np.flatnonzero(slack < 3.0 * load.max(axis=0))
        return np.ascontiguousarray(load[:, tight]), slack[tight] + SLACK

    def _pools(self, counts: IntArray, worth: Float32Array) -> IntArray:
        """The pools that are moved, ascending."""
        per_dollar = worth / self.problem.cost_usd_per_hour
        held = np.argsort(-counts, kind="stable")[: min(HELD_POOLS, np.count_nonzero(counts))]
        return np.union1d(np.argsort(-per_dollar)[:BEST_POOLS], held)

    def _start(
        self, objectives: FloatArray, lacking: Float32Array, pools: IntArray, slack: FloatArray
    ) -> Start:
        highest = lacking.max(axis=0)
        first = len(highest) - math.ceil(self.scorer.tail)
        edge = max(0.0, float(np.partition(highest, first)[first]))
        cover = self.cover[pools]
        near = np.flatnonzero(highest > edge - NEAR * float(cover.max()))
        return Start(
            np.ascontiguousarray(lacking[:, near]),
            np.ascontiguousarray(cover[:, :, near]),
            edge,
            self.scorer.tail,
            float(objectives[COST]),
            float(objectives[CVAR]),
            slack,
        )


def _stairs(front: Brood, low: float, high: float) -> Stairs:
    cost, cvar = front.objectives[:, [COST, CVAR]].T
    edges = np.linspace(low, high, STEPS, endpoint=False)
    below = np.searchsorted(cost, edges, side="right")
    return Stairs(low, STEPS / (high - low), np.append(1.0, cvar)[below])


def make_polisher(
    problem: FleetProblem,
    scorer: FleetScorer,
    highest_usd_per_hour: float,
    rng: np.random.Generator,
) -> FleetPolisher:
    """The polisher of a problem, which leaves alone what costs more than ``highest``."""
    cover = np.ascontiguousarray(scorer.coverage.transpose(1, 0, 2))
    caps = problem.scaled_caps()
    return FleetPolisher(problem, scorer, rng, cover, *caps, highest_usd_per_hour)
