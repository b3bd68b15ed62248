"""The cheapest whole numbers of known patterns, by mixed-integer programming."""

from dataclasses import dataclass, replace

import highspy
import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation, cap_scales, quiet_solver
from nodemix.optimizer.problem.types import FloatArray, IntArray
from scipy import sparse

CAUTION = 0.5
"""Share of the time left that the solver is told; it looks at its clock so rarely."""


@dataclass(frozen=True, slots=True)
class MipParams:
    """Settings of one restricted mixed-integer program.

    Args:
        max_patterns: with the smallest reduced costs, taken in.
        relative_gap: at which it stops; below it nothing is worth the time.
    """

    max_patterns: int = 400
    relative_gap: float = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """A whole mix of patterns.

    Args:
        draft: None where none was found in time.
        lower_bound_usd_per_hour: on any mix of the pool that is of interest; 0 where patterns were
            left out or nothing is known.
    """

    draft: Draft | None
    lower_bound_usd_per_hour: float


def restricted_draft(
    market: Market,
    pool: ColumnPool,
    relaxation: Relaxation,
    deadline: Deadline,
    params: MipParams,
) -> Draft | None:
    """The best whole mix of the most promising patterns, or None if none was found in time."""
    return restricted_mix(market, pool, relaxation, deadline, params).draft


def restricted_mix(
    market: Market,
    pool: ColumnPool,
    relaxation: Relaxation,
    deadline: Deadline,
    params: MipParams,
    below_usd_per_hour: float = float("inf"),
) -> Mix:
    """The best whole mix of the most promising patterns, and a bound on all of them.

    Args:
        below_usd_per_hour: dearer mixes are of no interest.
    """
    promising = _promising(market, pool, relaxation, below_usd_per_hour)
    chosen = promising[: params.max_patterns]
    if len(chosen) == 0 or deadline.has_passed:
        return Mix(None, 0.0)
    solver = quiet_solver()
    solver.setOptionValue("mip_rel_gap", params.relative_gap)
    solver.setOptionValue("time_limit", max(CAUTION * deadline.left_s, 0.001))
    solver.passModel(_model(market, pool.offers[chosen], pool.pods[chosen]))
    solver.run()
    info = solver.getInfo()
    bound = max(0.0, info.mip_dual_bound) if len(chosen) == len(promising) else 0.0
    if info.primal_solution_status != highspy.kSolutionStatusFeasible:
        return Mix(None, bound)
    counts = np.rint(np.array(solver.getSolution().col_value)).astype(np.int64)
    return Mix(make_draft(market, pool.offers[chosen], pool.pods[chosen], counts), bound)


def _promising(market: Market, pool: ColumnPool, relaxation: Relaxation, below: float) -> IntArray:
    """Patterns by reduced cost; those whose use once would already cost too much are out."""
    charged = pool.price + relaxation.duals.caps @ market.cap_coefficients[:, pool.offers]
    reduced = charged - pool.pods @ relaxation.duals.rows
    order = np.argsort(reduced, kind="stable")
    return order[reduced[order] <= below - relaxation.cost_usd_per_hour + 1e-9]


def _model(market: Market, offers: IntArray, pods: IntArray) -> highspy.HighsLp:
    market = _with_live_caps(market, offers)
    scales = cap_scales(market)
    weights = (market.cap_coefficients[:, offers] / scales[:, None]).T
    matrix = sparse.csr_array(np.hstack([pods.astype(np.float64), weights]))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(offers), matrix.shape[1]
    model.col_cost_ = market.price[offers]
    model.col_lower_ = np.zeros(len(offers))
    model.col_upper_ = _most_copies(market, pods)
    model.row_lower_, model.row_upper_ = _row_bounds(market, scales)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    model.a_matrix_.index_ = matrix.indices.astype(np.int32)
    model.a_matrix_.value_ = matrix.data
    model.integrality_ = [highspy.HighsVarType.kInteger] * len(offers)
    return model


def _with_live_caps(market: Market, offers: IntArray) -> Market:
    """The market without the caps that no mix of these offers can break.

    A share of the mix for each spot pool makes a thousand full rows of which few matter.
    """
    used = (market.cap_coefficients[:, offers] > 0.0).any(axis=1)
    live = np.flatnonzero(used | (market.cap_limits < 0.0))
    coefficients, limits = market.cap_coefficients[live], market.cap_limits[live]
    return replace(market, cap_coefficients=coefficients, cap_limits=limits)


def _row_bounds(market: Market, scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    caps = len(market.cap_limits)
    lower = np.concatenate([market.demand, np.full(caps, -highspy.kHighsInf)])
    upper = np.concatenate([np.full(market.rows, highspy.kHighsInf), market.cap_limits / scales])
    return lower, upper


def _most_copies(market: Market, pods: IntArray) -> FloatArray:
    """Copies beyond which a pattern adds nothing; caps may ask for more, so they lift it."""
    if len(market.cap_limits):
        return np.full(len(pods), highspy.kHighsInf)
    needed = -(-market.demand // np.maximum(pods, 1))
    most: FloatArray = np.where(pods > 0, needed, 0).max(axis=1, initial=0).astype(np.float64)
    return most
