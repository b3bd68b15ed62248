"""Whatever one node's knapsack, its bounds are true and its searches miss nothing."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodemix.optimizer.packing.branch import Knapsack, best_pattern, patterns_above
from nodemix.optimizer.packing.fractional import Basis, solve_fractional
from nodemix.optimizer.packing.knapsack import Knapsacks, counting_knapsacks
from nodemix.optimizer.packing.market import Market, to_market
from nodemix.optimizer.packing.pricing import scale_rows
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem
from scipy.optimize import linprog

from tests.laws.strategies import problems

ROUNDING = 1e-6
"""Relative; both solvers stop at tolerances of their own."""
MANY_MOVES = 1000
MANY_NODES = 100_000
lawful = settings(max_examples=100, deadline=None, derandomize=True)


@st.composite
def knapsacks(draw: st.DrawFn) -> Knapsack:
    """Up to five rows and three dimensions, with any multipliers."""
    rows, dims = draw(st.integers(1, 5)), draw(st.integers(1, 3))

    def numbers(least: int, most: int, *shape: int) -> IntArray:
        count = int(np.prod(shape))
        drawn = draw(st.lists(st.integers(least, most), min_size=count, max_size=count))
        return np.array(drawn, dtype=np.int64).reshape(shape)

    return Knapsack(
        values=numbers(0, 20, rows) / 4.0,
        requests=np.maximum(numbers(0, 9, rows, dims), np.eye(rows, dims, dtype=np.int64)),
        limits=numbers(0, 4, rows),
        room=numbers(0, 20, dims),
        compatible=numbers(0, 3, rows) > 0,
        multipliers=numbers(0, 10, dims) / 10.0,
    )


def patterns(knapsack: Knapsack) -> IntArray:
    """All that fits, by trying everything, shape (patterns, rows)."""
    limits = np.where(knapsack.compatible, knapsack.limits, 0)
    every = np.array(list(product(*(range(n + 1) for n in limits))), dtype=np.int64)
    return every[(every @ knapsack.requests <= knapsack.room).all(axis=1)]


def highest_worth(knapsack: Knapsack) -> float:
    return float((patterns(knapsack) @ knapsack.values).max())


def fractional_optimum(knapsack: Knapsack) -> float:
    """By another solver, with the same whole-pod limits of each row."""
    most = np.where(knapsack.compatible, knapsack.limits, 0)
    for row, request in enumerate(knapsack.requests):
        used = request > 0
        most[row] = min(most[row], (knapsack.room[used] // request[used]).min(initial=most[row]))
    found = linprog(
        -knapsack.values,
        A_ub=knapsack.requests.T,
        b_ub=knapsack.room,
        bounds=[(0, n) for n in most],
        method="highs",
    )
    assert found.fun is not None
    return -float(found.fun)


def fresh_basis(knapsack: Knapsack) -> Basis:
    rows, dims = knapsack.requests.shape
    return Basis(rows + np.arange(dims), np.zeros(rows, dtype=np.bool_))


def fractional(knapsack: Knapsack, basis: Basis, moves: int = MANY_MOVES) -> float:
    multipliers = np.zeros(len(knapsack.room))
    return solve_fractional(
        knapsack.values, knapsack.requests, knapsack.limits, knapsack.room, knapsack.compatible,
        0.0, moves, basis, multipliers,
    )  # fmt: skip


@lawful
@given(knapsacks(), st.integers(0, 4))
def test_fractional_worth_is_never_below_the_best_pattern(knapsack: Knapsack, moves: int) -> None:
    bound = fractional(knapsack, fresh_basis(knapsack), moves)

    assert bound >= highest_worth(knapsack) * (1.0 - 1e-12)


@lawful
@given(knapsacks(), st.data())
def test_fractional_worth_is_the_optimum_from_wherever_it_starts(
    knapsack: Knapsack, data: st.DataObject
) -> None:
    rows = len(knapsack.values)
    earlier = data.draw(st.lists(st.integers(-2, 20), min_size=rows, max_size=rows))
    basis = fresh_basis(knapsack)
    fractional(knapsack._replace(values=np.array(earlier, dtype=np.float64)), basis)

    worth = fractional(knapsack, basis)

    assert worth == pytest.approx(fractional_optimum(knapsack), rel=ROUNDING, abs=1e-9)


@lawful
@given(knapsacks(), st.floats(0.0, 20.0))
def test_search_finds_the_best_pattern_above_the_target(knapsack: Knapsack, target: float) -> None:
    pods = np.zeros(len(knapsack.values), dtype=np.int64)

    worth, is_best = best_pattern(knapsack, target, MANY_NODES, pods)

    assert is_best
    assert worth == pytest.approx(max(target, highest_worth(knapsack)), rel=ROUNDING)
    assert worth == target or float(pods @ knapsack.values) == pytest.approx(worth)


@lawful
@given(knapsacks(), st.integers(0, 79))
def test_list_holds_every_full_pattern_above_the_target(knapsack: Knapsack, eighths: int) -> None:
    target = eighths / 4.0 + 0.1
    found = np.zeros((2000, len(knapsack.values)), dtype=np.int64)

    n, is_complete = patterns_above(knapsack, target, MANY_NODES, found)

    above = [p for p in patterns(knapsack) if p @ knapsack.values > target]
    listed = found[:n]
    assert is_complete
    assert (listed @ knapsack.values > target).all()
    valued = knapsack.values > 0.0
    for pattern in above:
        assert (listed[:, valued] >= pattern[valued]).all(axis=1).any()


@lawful
@given(problems(most_rows=4, most_pods=4), st.data(), st.booleans())
def test_scaled_values_are_feasible_duals(
    problem: Problem, data: st.DataObject, is_exact: bool
) -> None:
    market = to_market(problem)
    drawn = data.draw(st.lists(st.floats(0.0, 2.0), min_size=market.rows, max_size=market.rows))
    values = np.array(drawn)
    prepared = counting_knapsacks(market)
    worth = prepared.worth(values, market.price)
    if is_exact:
        worth = highest_worths(market, prepared, values)

    scales = prepared.scales(values, market.price, worth)

    assert ((scales >= 0.0) & (scales <= 1.0)).all()
    highest = highest_worths(market, prepared, values * scales)
    assert (highest <= market.price * (1.0 + 1e-12)).all()


def highest_worths(market: Market, prepared: Knapsacks, values: FloatArray) -> FloatArray:
    return np.array([highest_worth(prepared.of_offer(o, values)) for o in range(len(market.price))])


def test_rows_that_do_not_pay_on_a_hard_offer_keep_their_values() -> None:
    """One pod of the first row is worth three times the price; the second row uses too much."""
    scales = np.ones(2)

    scale_rows(
        np.array([3.0, 0.1]), np.array([[[3], [1]]]), np.array([1, 9]), np.array([[4]]),
        np.ones((1, 2), dtype=np.bool_), np.array([[0.75]]), np.array([1.0]), np.array([3.75]),
        np.array([3.0, 0.1]), scales,
    )  # fmt: skip

    assert scales == pytest.approx([1.0 / 3.75, 1.0])
