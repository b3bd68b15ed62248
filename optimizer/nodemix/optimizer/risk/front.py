"""Cost against tail shortage: the linear front, and the search that starts from it."""

from dataclasses import dataclass
from itertools import count, pairwise

import highspy
import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.genetic.fleet import FleetFront, FleetProblem
from nodemix.optimizer.genetic.fleet_scores import coverage, tail_scenarios
from nodemix.optimizer.genetic.fleet_search import FleetSearchParams, evolve_fleet
from nodemix.optimizer.packing.master import quiet_solver
from nodemix.optimizer.problem.types import FloatArray

WARM_UP_READINGS = 10_000
"""Readings of a clock that ticks at each of them; enough for the whole search."""

SEED_POINTS = 40
SEED_GAP = 1e-3
"""Relative; the seeds are rounded to whole nodes anyway."""
CAP_TOLERANCE, CUT_TOLERANCE = 1e-7, 2e-7
"""The solver keeps rows to within 1e-7: it would meet the same cut again and again."""
SAFEST_WEIGHT = 1e3
"""Of the CVaR in units of the cost of serving all demand: whatever helps is bought."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearFront:
    """Optima of ``cost + weight * CVaR`` over fractions of nodes, by ascending cost.

    Args:
        counts: nodes of each pool, shape (points, pools).
        cost_usd_per_hour: shape (points,).
        cvar: over all scenarios of the problem, shape (points,).
    """

    counts: FloatArray
    cost_usd_per_hour: FloatArray
    cvar: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LinearPoint:
    """One point of a linear front.

    Args:
        counts: fractions of nodes, shape (pools,).
    """

    counts: FloatArray
    cost_usd_per_hour: float
    cvar: float


class CutModel:
    """The linear program over counts, with a lower estimate of the CVaR that cuts raise.

    The program of Rockafellar and Uryasev has a row a scenario. Its projection on the counts has
    one cut per set of worst scenarios, and few of them matter: they are added as solutions reach
    them, and serve every weight.

    Source: Künzi-Bay and Mayer, Computational aspects of minimizing conditional value-at-risk,
        Computational Management Science 3 (2006).
    """

    def __init__(self, problem: FleetProblem) -> None:
        self._coverage = coverage(problem)
        self._asked = (problem.demand.T > 0.0).astype(np.float64)
        self._tail = tail_scenarios(problem)
        self._cost = problem.cost_usd_per_hour
        self._solver = quiet_solver()
        self._solver.setOptionValue("presolve", "off")
        self._index = np.arange(problem.pools + 1, dtype=np.int32)
        none = (0, self._index[:0], np.zeros(0))
        for cost, most in zip(self._cost, problem.most_nodes, strict=True):
            self._solver.addCol(float(cost), 0.0, float(most), *none)
        self._solver.addCol(0.0, 0.0, highspy.kHighsInf, *none)
        self._waiting = problem.scaled_caps()

    def solve(self, weight: float, gap: float, deadline: Deadline) -> LinearPoint | None:
        """Counts of least ``cost + weight * CVaR``; None if time ran out."""
        self._solver.changeColCost(len(self._cost), weight)
        best: LinearPoint | None = None
        best_value = np.inf
        while not deadline.has_passed:
            self._solver.run()
            if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return best
            bound = float(self._solver.getObjectiveValue())
            *nodes, estimate = self._solver.getSolution().col_value
            counts = np.maximum(np.array(nodes), 0.0)
            if self._add_broken_caps(counts):
                continue
            cvar, slope = self._cvar(counts)
            value = float(counts @ self._cost) + weight * cvar
            if value < best_value:
                best, best_value = LinearPoint(counts, float(counts @ self._cost), cvar), value
            is_exact = cvar - estimate <= CUT_TOLERANCE
            if is_exact or best_value - bound <= gap * best_value:
                return best
            self._add_row(cvar - slope @ counts, highspy.kHighsInf, np.append(-slope, 1.0))
        return None

    def point(self, counts: FloatArray) -> LinearPoint:
        """Cost and CVaR of these counts."""
        return LinearPoint(counts, float(counts @ self._cost), self._cvar(counts)[0])

    def _cvar(self, counts: FloatArray) -> tuple[float, FloatArray]:
        """The CVaR and one of its slopes, shape (pools,)."""
        by_dimension = self._asked - np.matmul(counts, self._coverage)
        scarcest, lacking = by_dimension.argmax(axis=0), by_dimension.max(axis=0)
        worst = int(np.ceil(self._tail))
        first = len(lacking) - worst
        ranked = np.argpartition(lacking, first)[first:]  # before clipping: ties are slow
        shortage = np.maximum(lacking[ranked], 0.0)
        share = np.full(worst, 1.0 / self._tail)
        share[0] -= (worst - self._tail) / self._tail
        share[shortage <= 0.0] = 0.0
        slope: FloatArray = -(self._coverage[scarcest[ranked], :, ranked] * share[:, None]).sum(0)
        return float(shortage @ share), slope

    def _add_broken_caps(self, counts: FloatArray) -> bool:
        """Caps enter when a solution first breaks them: most never bind."""
        coefficients, limits = self._waiting
        broken = coefficients @ counts > limits + CAP_TOLERANCE * (1.0 + limits)
        for row, limit in zip(coefficients[broken], limits[broken], strict=True):
            self._add_row(-highspy.kHighsInf, float(limit), np.append(row, 0.0))
        self._waiting = coefficients[~broken], limits[~broken]
        return bool(broken.any())

    def _add_row(self, lower: float, upper: float, row: FloatArray) -> None:
        self._solver.addRow(lower, upper, len(row), self._index[: len(row)], row)


def search_front(
    problem: FleetProblem,
    deadline: Deadline,
    rng: np.random.Generator,
    params: FleetSearchParams,
    seed_share: float = 0.4,
) -> FleetFront:
    """Whole-node compromises of cost, CVaR, churn and concentration, by ascending cost.

    Args:
        seed_share: largest share of the time for the linear front that seeds the search.
    """
    seconds = max(0.0, deadline.left_s) * seed_share
    seeds = linear_front(problem, SEED_POINTS, deadline.within(seconds), SEED_GAP)
    return evolve_fleet(problem, seeds.counts, deadline, rng, params)


def warm_up() -> None:
    """A search over two pools, so that none that somebody waits for compiles its arithmetic."""
    tiny = FleetProblem(
        price_usd_per_hour=np.array([0.2, 0.1]),
        interruption_usd_per_hour=np.zeros(2),
        capacity=np.ones((2, 2)),
        surviving=np.array([[1.0, 1.0], [1.0, 0.0]]),
        demand=np.full((2, 2), 10.0),
        nodes_now=np.zeros(2, dtype=np.int64),
        most_nodes=np.full(2, 50, dtype=np.int64),
        alpha=0.5,
    )
    readings = count()
    soon = Deadline.after(lambda: float(next(readings)), WARM_UP_READINGS)
    search_front(
        tiny, soon, np.random.default_rng(0), FleetSearchParams(population=8, generations=1)
    )


def linear_front(problem: FleetProblem, points: int, deadline: Deadline, gap: float) -> LinearFront:
    """Optima over all scenarios for ``points`` weights, fewer where time or corners run out.

    Each weight is the slope between two neighbours found before, of those that span the largest
    rectangle, so that the points spread over the whole front.

    Args:
        gap: relative; a weight is solved when cuts and the true value differ by no more.

    Source: Cohon, Multiobjective Programming and Planning (1978), the noninferior set estimation.
    """
    model = CutModel(problem)
    found = [model.point(np.zeros(problem.pools))]
    safest = model.solve(SAFEST_WEIGHT * _serving_usd_per_hour(problem), gap, deadline)
    if safest is not None and safest.cvar < found[0].cvar:
        found.append(safest)
    closed: set[tuple[float, float]] = set()
    while len(found) < points and not deadline.has_passed:
        pair = _widest(found, closed)
        if pair is None:
            break
        between = _between(model, *pair, gap, deadline)
        if between is None:
            closed.add((pair[0].cost_usd_per_hour, pair[1].cost_usd_per_hour))
        else:
            found = sorted([*found, between], key=lambda point: point.cost_usd_per_hour)
    return LinearFront(
        np.array([point.counts for point in found]),
        np.array([point.cost_usd_per_hour for point in found]),
        np.array([point.cvar for point in found]),
    )


def _serving_usd_per_hour(problem: FleetProblem) -> float:
    """Cost of serving each dimension's demand, on average, from its best pool alone."""
    covered = coverage(problem).mean(axis=2)
    infinite = np.full(covered.shape, np.inf)
    cost = np.divide(problem.cost_usd_per_hour, covered, out=infinite, where=covered > 0.0)
    best = cost.min(axis=1)
    return float(best[np.isfinite(best)].sum())


def _widest(
    found: list[LinearPoint], closed: set[tuple[float, float]]
) -> tuple[LinearPoint, LinearPoint] | None:
    """The neighbours with most room between them; None where nothing can lie between any."""
    pairs = [
        (one, other)
        for one, other in pairwise(found)
        if (one.cost_usd_per_hour, other.cost_usd_per_hour) not in closed
    ]
    return max(
        pairs,
        key=lambda p: (p[1].cost_usd_per_hour - p[0].cost_usd_per_hour) * (p[0].cvar - p[1].cvar),
        default=None,
    )


def _between(
    model: CutModel, cheap: LinearPoint, safe: LinearPoint, gap: float, deadline: Deadline
) -> LinearPoint | None:
    """A point below the line from one to the other; None where there is none or time ran out."""
    fall = cheap.cvar - safe.cvar
    if fall <= 0.0:
        return None
    weight = (safe.cost_usd_per_hour - cheap.cost_usd_per_hour) / fall
    point = model.solve(weight, gap, deadline)
    if point is None or not cheap.cvar > point.cvar > safe.cvar:
        return None
    line = cheap.cost_usd_per_hour + weight * cheap.cvar
    value = point.cost_usd_per_hour + weight * point.cvar
    return point if value < line * (1.0 - gap) else None


def hypervolume(
    cost_usd_per_hour: FloatArray, cvar: FloatArray, worst: tuple[float, float]
) -> float:
    """Area of what the plans beat, up to the ``worst`` cost and CVaR that count."""
    order = np.lexsort((cvar, cost_usd_per_hour))
    inside = order[(cost_usd_per_hour[order] < worst[0]) & (cvar[order] < worst[1])]
    lowest = np.minimum.accumulate(np.concatenate([[worst[1]], cvar[inside]]))
    return float(((worst[0] - cost_usd_per_hour[inside]) * (lowest[:-1] - lowest[1:])).sum())
