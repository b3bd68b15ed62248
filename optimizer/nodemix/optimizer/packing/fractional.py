"""The fractional knapsack of one node, solved by a simplex of bounded variables, warm.

A primal basis stays feasible when only the values of the pods change, so that each solve goes on
where the last one ended. Nothing that is proved rests on the basis: its multipliers give a bound
whatever they are, see `pricing.relaxed_worth`.

Source: Dantzig, Upper bounds, secondary constraints, and block triangularity in linear
programming, Econometrica 23 (1955).
"""

from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.pricing import relaxed_worth
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

_TINY = 1e-11
_SLIGHT = 1e-7
"""How far outside of its limits rounding may have moved a basic variable."""
_NEGLIGIBLE = 1e-7
"""Share of the worth; what a change of one variable must add to be made."""


class Basis(NamedTuple):
    """Where a solve ended.

    Args:
        of_dimensions: basic variable of each dimension, rows first, then slacks, shape
            (dimensions,).
        is_most: rows taken as often as they go in, shape (rows,).
    """

    of_dimensions: IntArray
    is_most: BoolArray


class Program(NamedTuple):
    """What is to be solved, in shares of the room, and the present vertex.

    Args:
        shares: of each dimension taken by one pod, shape (rows, dimensions).
        most: pods of each row that go in, shape (rows,).
        inverse: of the basis, shape (dimensions, dimensions).
        amounts: of the basic variables, shape (dimensions,).
        prices: of a full dimension at the vertex, shape (dimensions,).
    """

    values: FloatArray
    shares: FloatArray
    most: FloatArray
    inverse: FloatArray
    amounts: FloatArray
    prices: FloatArray


@compiled
def open_program(
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
) -> Program:
    """The program at the vertex where nothing is taken."""
    rows, dims = requests.shape
    shares = np.zeros((rows, dims))
    most = np.zeros(rows)
    for i in range(rows):
        if not compatible[i]:
            continue
        fit = limits[i]
        for d in range(dims):
            if requests[i, d] > 0:
                fit = min(fit, room[d] // requests[i, d])
                shares[i, d] = requests[i, d] / max(room[d], 1)
        most[i] = fit
    return Program(values, shares, most, np.eye(dims), np.ones(dims), np.zeros(dims))


@compiled
def restore(program: Program, basis: Basis) -> None:
    """Go to the vertex of ``basis``, or to the one where nothing is taken if that is none."""
    dims = program.shares.shape[1]
    left = _left_beside(program, basis)
    is_vertex = invert(_basic_columns(program, basis), program.inverse)
    if is_vertex:
        for k in range(dims):
            amount = 0.0
            for d in range(dims):
                amount += program.inverse[k, d] * left[d]
            program.amounts[k] = amount
            is_vertex = is_vertex and -_SLIGHT <= amount <= _SLIGHT + _ceiling(program, basis, k)
    if not is_vertex:
        _empty(program, basis)


@compiled
def _left_beside(program: Program, basis: Basis) -> FloatArray:
    """Room beside the rows of which all is taken that goes in, shape (dimensions,)."""
    rows, dims = program.shares.shape
    left = np.ones(dims)
    for i in range(rows):
        if basis.is_most[i]:
            for d in range(dims):
                left[d] -= program.most[i] * program.shares[i, d]
    return left


@compiled
def _basic_columns(program: Program, basis: Basis) -> FloatArray:
    """What the basic variables take, shape (dimensions, dimensions)."""
    rows, dims = program.shares.shape
    matrix = np.zeros((dims, dims))
    for k in range(dims):
        variable = basis.of_dimensions[k]
        if variable >= rows:
            matrix[variable - rows, k] = 1.0
        else:
            for d in range(dims):
                matrix[d, k] = program.shares[variable, d]
    return matrix


@compiled
def _empty(program: Program, basis: Basis) -> None:
    rows, dims = program.shares.shape
    basis.is_most[:] = False
    program.amounts[:] = 1.0
    program.inverse[:] = 0.0
    for d in range(dims):
        basis.of_dimensions[d] = rows + d
        program.inverse[d, d] = 1.0


@compiled
def _ceiling(program: Program, basis: Basis, k: int) -> float:
    """Most of the basic variable of dimension ``k``."""
    variable = basis.of_dimensions[k]
    return program.most[variable] if variable < len(program.most) else np.inf


@compiled
def invert(matrix: FloatArray, inverse: FloatArray) -> bool:
    """Write the inverse of ``matrix``, which is used up; whether there is one."""
    dims = len(matrix)
    inverse[:] = 0.0
    for d in range(dims):
        inverse[d, d] = 1.0
    for k in range(dims):
        pivot = k + np.argmax(np.abs(matrix[k:, k]))
        if abs(matrix[pivot, k]) < _TINY:
            return False
        for e in range(dims):
            matrix[k, e], matrix[pivot, e] = matrix[pivot, e], matrix[k, e]
            inverse[k, e], inverse[pivot, e] = inverse[pivot, e], inverse[k, e]
        scale = matrix[k, k]
        for e in range(dims):
            matrix[k, e] /= scale
            inverse[k, e] /= scale
        for d in range(dims):
            factor = matrix[d, k]
            if d != k and factor != 0.0:
                for e in range(dims):
                    matrix[d, e] -= factor * matrix[k, e]
                    inverse[d, e] -= factor * inverse[k, e]
    return True


@compiled
def write_prices(program: Program, basis: Basis) -> float:
    """Write the prices of the vertex; what its basic variables are worth."""
    rows, dims = program.shares.shape
    program.prices[:] = 0.0
    worth = 0.0
    for k in range(dims):
        variable = basis.of_dimensions[k]
        if variable < rows:
            worth += program.values[variable] * program.amounts[k]
            for d in range(dims):
                program.prices[d] += program.values[variable] * program.inverse[k, d]
    return worth


@compiled
def look_around(program: Program, basis: Basis, worth: float) -> tuple[int, float]:
    """The variable that promises most at the vertex's prices, and a bound on the worth.

    Args:
        worth: of the basic variables.

    Returns:
        (variable to move, -1 if none gains anything that counts; the bound).
    """
    rows, dims = program.shares.shape
    bound, best, most = 0.0, -1, 0.0
    for d in range(dims):
        bound += max(program.prices[d], 0.0)
        if -program.prices[d] > most:
            best, most = rows + d, -program.prices[d]
    for i in range(rows):
        if program.most[i] <= 0.0:
            continue
        gain = program.values[i]
        for d in range(dims):
            gain -= max(program.prices[d], 0.0) * program.shares[i, d]
        bound += max(gain, 0.0) * program.most[i]
        for d in range(dims):
            gain -= min(program.prices[d], 0.0) * program.shares[i, d]
        if basis.is_most[i]:
            worth += program.values[i] * program.most[i]
            gain = -gain
        if gain * program.most[i] > most and not _is_basic(basis, i):
            best, most = i, gain * program.most[i]
    return (best if most > _NEGLIGIBLE * worth else -1), bound


@compiled
def _is_basic(basis: Basis, variable: int) -> bool:
    for k in range(len(basis.of_dimensions)):  # noqa: SIM110 - all() does not compile
        if basis.of_dimensions[k] == variable:
            return True
    return False


@compiled
def move(program: Program, basis: Basis, variable: int) -> None:
    """Take more of a variable (less, if it is at its most) until something is in the way."""
    rows, dims = program.shares.shape
    is_row = variable < rows
    sign = -1.0 if is_row and basis.is_most[variable] else 1.0
    change = np.zeros(dims)
    for k in range(dims):
        if is_row:
            for d in range(dims):
                change[k] += sign * program.inverse[k, d] * program.shares[variable, d]
        else:
            change[k] = program.inverse[k, variable - rows]
    step, leaving = _first_in_the_way(program, basis, change)
    if is_row and program.most[variable] <= step:
        step, leaving = program.most[variable], -1
    for k in range(dims):
        program.amounts[k] -= step * change[k]
    if leaving < 0:
        basis.is_most[variable] = sign > 0.0
        return
    if basis.of_dimensions[leaving] < rows:
        basis.is_most[basis.of_dimensions[leaving]] = change[leaving] < 0.0
    program.amounts[leaving] = step if sign > 0.0 else program.most[variable] - step
    if is_row:
        basis.is_most[variable] = False
    basis.of_dimensions[leaving] = variable
    _eliminate(program.inverse, change * sign, leaving)


@compiled
def _first_in_the_way(program: Program, basis: Basis, change: FloatArray) -> tuple[float, int]:
    """How far ``change`` of the basic variables can go, and the dimension of what stops it."""
    step, leaving = np.inf, -1
    for k in range(len(change)):
        limit = np.inf
        if change[k] > _TINY:
            limit = max(program.amounts[k], 0.0) / change[k]
        elif change[k] < -_TINY:
            limit = max(_ceiling(program, basis, k) - program.amounts[k], 0.0) / -change[k]
        if limit < step:
            step, leaving = limit, k
    return step, leaving


@compiled
def _eliminate(inverse: FloatArray, column: FloatArray, pivot: int) -> None:
    """Bring the inverse up to date after ``column`` took the place of ``pivot``."""
    dims = len(inverse)
    for e in range(dims):
        inverse[pivot, e] /= column[pivot]
    for d in range(dims):
        if d != pivot and column[d] != 0.0:
            for e in range(dims):
                inverse[d, e] -= column[d] * inverse[pivot, e]


@compiled
def solve_fractional(  # noqa: PLR0917 - a kernel takes plain arrays
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    target: float,
    max_moves: int,
    basis: Basis,
    multipliers: FloatArray,
) -> float:
    """A bound on the worth, not sought below ``target``; the optimum if there are moves enough.

    Args:
        basis: where to start, and written where it ended.
        multipliers: written: the prices of the dimensions that give the bound, shape
            (dimensions,).
    """
    program = open_program(values, requests, limits, room, compatible)
    restore(program, basis)
    best = np.inf
    for _ in range(max_moves + 1):
        variable, bound = look_around(program, basis, write_prices(program, basis))
        if bound < best:
            best = bound
            for d in range(len(room)):
                multipliers[d] = max(program.prices[d], 0.0) / max(room[d], 1)
        if variable < 0 or best <= target:
            break
        move(program, basis, variable)
    return best


@compiled
def bound_offers(  # noqa: PLR0917 - a kernel takes plain arrays
    values: FloatArray,
    requests: IntArray,
    limits: IntArray,
    room: IntArray,
    compatible: BoolArray,
    targets: FloatArray,
    max_moves: int,
    bases: Basis,
    multipliers: FloatArray,
    bounds: FloatArray,
) -> None:
    """A bound on the worth of each offer's best pattern; see `solve_fractional`.

    Args:
        requests: shape (offers, rows, dimensions).
        targets: bounds are not sought below these, shape (offers,).
        bases: of all offers, shapes (offers, dimensions) and (offers, rows).
        multipliers: where bounds are looked for first, and written, shape (offers, dimensions).
        bounds: written, shape (offers,).
    """
    excess = np.zeros(room.shape[1])
    for o in range(len(room)):
        own = requests[o]
        bounds[o] = relaxed_worth(
            values, own, limits, room[o], compatible[o], multipliers[o], excess
        )
        if bounds[o] > targets[o]:
            basis = Basis(bases.of_dimensions[o], bases.is_most[o])
            bounds[o] = min(bounds[o], solve_fractional(
                values, own, limits, room[o], compatible[o], targets[o], max_moves, basis,
                multipliers[o],
            ))  # fmt: skip
