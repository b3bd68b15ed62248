"""The accounting of capacity rules, against examples worked out by hand."""

import numpy as np
import pytest
from nodemix.forecasting.types import FloatArray

from benchmarks.shortage import (
    Demand,
    cost_at,
    gap_closed,
    least_factor,
    mean_capacity,
    unserved,
)

EXACT = 1e-6
"""Halving stops at one part in ten million million of ten thousand."""


def demand(*rows: list[list[float]]) -> Demand:
    """Rows of windows of steps."""
    return Demand(np.array(rows))


def capacity(*rows: list[float]) -> FloatArray:
    return np.array(rows)


def test_unserved_is_what_exceeds_capacity_over_all_that_was_asked_for() -> None:
    asked = demand([[4.0, 6.0], [10.0, 0.0]])

    assert unserved(capacity([5.0, 8.0]), asked) == pytest.approx([(1 + 2) / 20])


def test_steps_that_were_not_observed_ask_for_nothing_and_cost_nothing() -> None:
    asked = demand([[4.0, np.nan], [np.nan, np.nan]])

    assert asked.scored.tolist() == [[True, False]]
    assert asked.highest.tolist() == [[4.0, 0.0]]
    assert asked.mean == pytest.approx([4.0])
    assert unserved(capacity([3.0, 0.0]), asked) == pytest.approx([1 / 4])
    assert mean_capacity(capacity([3.0, 99.0]), asked) == pytest.approx([3.0])


def test_the_least_factor_leaves_exactly_what_may_be_left() -> None:
    asked = demand([[10.0], [20.0]])

    # 30 asked for, 3 may be missed: the second window gets 17, twice the factor on 8.5
    factor = least_factor(capacity([20.0, 8.5]), asked, target=0.1)

    assert factor == pytest.approx([2.0], abs=EXACT)
    assert cost_at(capacity([20.0, 8.5]), asked, target=0.1) == pytest.approx([28.5], abs=1e-4)


def test_each_row_has_a_factor_of_its_own_and_pooled_rows_share_one() -> None:
    asked = demand([[10.0]], [[30.0]])
    base = capacity([10.0], [10.0])

    assert least_factor(base, asked, target=0.0) == pytest.approx([1.0, 3.0], abs=EXACT)
    shared = least_factor(base.reshape(1, -1), asked.pooled(), target=0.0)
    assert shared == pytest.approx([3.0], abs=EXACT)


def test_no_factor_makes_something_of_nothing() -> None:
    asked = demand([[1.0], [1.0]])

    assert least_factor(capacity([0.0, 5.0]), asked, target=0.1).tolist() == [np.inf]
    assert np.isinf(cost_at(capacity([0.0, 0.0]), asked, target=0.1)).all()


def test_the_gap_is_counted_from_reactive_down_to_perfect() -> None:
    assert gap_closed(ours=1.5, reactive=2.0, perfect=1.0) == pytest.approx(0.5)
    assert gap_closed(ours=2.2, reactive=2.0, perfect=1.0) == pytest.approx(-0.2)
    assert gap_closed(ours=1.0, reactive=1.0, perfect=1.0) is None
    assert gap_closed(ours=1.0, reactive=float("inf"), perfect=1.0) is None
