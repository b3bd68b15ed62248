"""An exact integer program for each row of equal pods, in the manner of KubePACS.

Nodes are counted by how many pods of the row each holds; rows never share a node.
"""

import highspy
import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.master import quiet_solver
from nodemix.optimizer.problem.types import IntArray, Problem

from benchmarks.baselines.fleet import Fleet, empty_nodes, join


def row_by_row(problem: Problem) -> Packing:
    """The cheapest nodes for every row alone; optimal where there is but one row."""
    fleet = empty_nodes(problem, np.zeros(0, dtype=np.int64))
    for row in range(len(problem.rows)):
        fleet = join(fleet, _nodes_for(problem, row))
    return fleet.to_packing(problem)


def pods_per_node(problem: Problem, row: int) -> IntArray:
    """How many pods of the row one node of each offer holds, shape (offers,)."""
    asked = problem.requests[row] > 0
    fit = (problem.room[:, asked] // problem.requests[row, asked]).min(axis=1)
    fit = np.minimum(fit, problem.max_per_node[row])
    return np.where(problem.compatible[row], np.maximum(fit, 0), 0)


def _nodes_for(problem: Problem, row: int) -> Fleet:
    fit = pods_per_node(problem, row)
    offers = _worth_a_variable(problem, fit)
    counts = _cheapest_cover(problem.price_usd_per_hour[offers], fit[offers], problem, row)
    bought = np.repeat(offers, counts)
    fleet = empty_nodes(problem, bought)
    left = problem.rows[row].pods
    for node, offer in enumerate(bought):
        fleet.pods[node, row] = min(left, int(fit[offer]))
        left -= int(fleet.pods[node, row])
    return fleet


def _worth_a_variable(problem: Problem, fit: IntArray) -> IntArray:
    """The cheapest offer for each number of pods; dearer ones are in no optimum."""
    by_price = np.argsort(problem.price_usd_per_hour, kind="stable")
    _, first = np.unique(fit[by_price], return_index=True)
    chosen = by_price[first]
    return chosen[fit[chosen] > 0]


def _cheapest_cover(
    price: np.ndarray[tuple[int], np.dtype[np.float64]], fit: IntArray, problem: Problem, row: int
) -> IntArray:
    """Nodes of each offer with the least price that hold the row."""
    solver = quiet_solver()
    solver.setOptionValue("mip_rel_gap", 0.0)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(price), 1
    model.col_cost_ = price
    model.col_lower_ = np.zeros(len(price))
    model.col_upper_ = np.full(len(price), float(problem.rows[row].pods))
    model.row_lower_ = np.array([float(problem.rows[row].pods)])
    model.row_upper_ = np.array([highspy.kHighsInf])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.array([0, len(price)], dtype=np.int32)
    model.a_matrix_.index_ = np.arange(len(price), dtype=np.int32)
    model.a_matrix_.value_ = fit.astype(np.float64)
    model.integrality_ = [highspy.HighsVarType.kInteger] * len(price)
    solver.passModel(model)
    solver.run()
    counts: IntArray = np.rint(np.array(solver.getSolution().col_value)).astype(np.int64)
    return counts
