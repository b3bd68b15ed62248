"""The restricted master problem: the cheapest mix of the known patterns, fractions allowed."""

from dataclasses import dataclass

import highspy
import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.problem.types import FloatArray
from numpy.typing import NDArray

SHORTFALL_PRICE = 1e3
"""Price of what is lacking, in units of the dearest offer: above any dual that matters."""
LACKING = 1e-6
RowIndex = NDArray[np.int32]
"""Row numbers as the solver wants them."""
_PRIMAL_SIMPLEX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """An optimum of the restricted master.

    Args:
        x: nodes of each pattern, fractions, shape (patterns,).
        is_met: whether every demand and cap is met.
    """

    x: FloatArray
    cost_usd_per_hour: float
    is_met: bool
    duals: Duals


class _Quiet(highspy.Highs):
    """A solver whose constructor does not write a banner to stdout, where answers go."""

    def enableCallbacks(self) -> None:  # noqa: N802 - highspy's name
        """Be silent before the first call that prints."""
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call] # highspy's gap


def quiet_solver() -> highspy.Highs:
    """A solver of one thread that prints nothing."""
    solver = _Quiet()  # type: ignore[no-untyped-call] # highspy's gap
    solver.setOptionValue("threads", 1)
    return solver


def cap_scales(market: Market) -> FloatArray:
    """Largest weight of each cap, by which its row is divided, shape (caps,)."""
    scales: FloatArray = np.abs(market.cap_coefficients).max(axis=1, initial=0.0)
    scales[scales == 0.0] = 1.0
    return scales


class Master:
    """The linear program over a growing pool of patterns, solved warm.

    Caps enter when a solution first breaks them: shares of the mix come as one cap a pool, and
    most never bind. What no pattern covers is bought at `SHORTFALL_PRICE`, so there always is a
    solution.
    """

    def __init__(self, market: Market, pool: ColumnPool) -> None:
        self._market = market
        self._pool = pool
        self._caps: list[int] = []
        self._scales = cap_scales(market)
        self._slacks: list[int] = []
        self._columns: list[int] = []
        self._solver = quiet_solver()
        self._solver.setOptionValue("presolve", "off")
        self._solver.setOptionValue("simplex_strategy", _PRIMAL_SIMPLEX)
        for pods in market.demand:
            self._add_row(float(pods), highspy.kHighsInf, np.zeros(0), [])

    def solve(self, deadline: Deadline) -> Relaxation | None:
        """The optimum over the patterns in the pool, or None if time ran out."""
        while True:
            self._load_patterns()
            if not self._run(deadline):
                return None
            relaxation = self._read()
            broken = self._newly_broken(relaxation.x)
            if not broken:
                return relaxation
            for cap in broken:
                self._add_cap(cap)

    def _add_row(self, lower: float, upper: float, weights: FloatArray, columns: list[int]) -> None:
        """A row, and a column that buys what it lacks."""
        solver = self._solver
        row = solver.getNumRow()
        used = np.flatnonzero(weights)
        index = np.array(columns, dtype=np.int32)[used]
        solver.addRow(lower, upper, len(used), index, weights[used])
        self._slacks.append(solver.getNumCol())
        price = SHORTFALL_PRICE * float(self._market.price.max())
        sign = 1.0 if np.isfinite(lower) else -1.0
        self._add_column(price, np.array([row], dtype=np.int32), np.array([sign]))

    def _add_column(self, price: float, rows: RowIndex, values: FloatArray) -> None:
        self._solver.addCol(price, 0.0, highspy.kHighsInf, len(rows), rows, values)

    def _add_cap(self, cap: int) -> None:
        weights = self._market.cap_coefficients[cap, self._pool.offers] / self._scales[cap]
        self._caps.append(cap)
        limit = float(self._market.cap_limits[cap] / self._scales[cap])
        self._add_row(-highspy.kHighsInf, limit, weights, self._columns)

    def _load_patterns(self) -> None:
        pool, market = self._pool, self._market
        weights = market.cap_coefficients[self._caps] / self._scales[self._caps, None]
        for k in range(len(self._columns), len(pool)):
            held, caps = np.flatnonzero(pool.pods[k]), np.flatnonzero(weights[:, pool.offers[k]])
            index = np.concatenate([held, market.rows + caps]).astype(np.int32)
            values = np.concatenate([pool.pods[k, held], weights[caps, pool.offers[k]]])
            self._columns.append(self._solver.getNumCol())
            self._add_column(float(pool.price[k]), index, values.astype(np.float64))

    def _run(self, deadline: Deadline) -> bool:
        """Whether the solver came to an optimum; it looks at a clock of its own."""
        while True:
            # The solver's time limit counts from its first run.
            limit = self._solver.getRunTime() + max(deadline.left_s, 0.001)
            self._solver.setOptionValue("time_limit", limit)
            self._solver.run()
            status = self._solver.getModelStatus()
            if status != highspy.HighsModelStatus.kTimeLimit or deadline.has_passed:
                return bool(status == highspy.HighsModelStatus.kOptimal)

    def _read(self) -> Relaxation:
        solution = self._solver.getSolution()
        values = np.array(solution.col_value)
        duals = np.array(solution.row_dual)
        cap_duals = np.zeros(len(self._market.cap_limits))
        cap_duals[self._caps] = np.maximum(-duals[self._market.rows :], 0.0)
        cap_duals /= self._scales
        return Relaxation(
            x=np.maximum(values[self._columns], 0.0),
            cost_usd_per_hour=float(self._solver.getObjectiveValue()),
            is_met=bool((values[self._slacks] <= LACKING).all()),
            duals=Duals(np.maximum(duals[: self._market.rows], 0.0), cap_duals),
        )

    def _newly_broken(self, x: FloatArray) -> list[int]:
        market = self._market
        bought = np.zeros(len(market.price))
        np.add.at(bought, self._pool.offers[: len(x)], x)
        return [int(c) for c in np.flatnonzero(market.breaks(bought)) if c not in self._caps]
