import numpy as np
import pytest
from nodemix.forecasting.anchors import ANCHORS, LEAD_KNOTS, LEVELS, Anchors, anchors, quantiles
from nodemix.forecasting.features import Grid, Targets, describe, norms
from nodemix.forecasting.types import FloatArray

from tests.forecasting.histories import DAY, seasonal_rows
from tests.forecasting.tiny import grid_of_rows

NOW = 10 * DAY
STEPS = 24
MOVED, YESTERDAY, SAME_TIME, ANY, MOVED_LATELY, ANY_LATELY = range(ANCHORS)
MEDIAN = int(np.flatnonzero(LEVELS == 0.5)[0])


def around(grid: Grid, errors: Anchors, now: int = NOW, steps: int = STEPS) -> FloatArray:
    """Every rule's distribution in the unit of its row, shape (targets, ANCHORS, LEVELS)."""
    origins = np.array([now])
    norm, targets = norms(grid, origins), Targets.at(origins, grid.values.shape[0], steps)
    centres = describe(grid, norm, targets).centres
    three = (centres["last"], centres["yesterday"], centres["same_time"])
    return norm.backward(errors.around(three, norm, targets), targets)


def known_at(grid: Grid, now: int = NOW, steps: int = STEPS) -> FloatArray:
    return around(grid, anchors(grid, np.array([now]), steps), now, steps)


def of_row(row: FloatArray) -> FloatArray:
    found: FloatArray = quantiles(np.asarray(row, dtype=np.float64)[None])[0]
    return found


def test_quantiles_of_four_numbers_lie_on_the_lines_between_them() -> None:
    found = of_row(np.array([5.0, 2.0, 1.0, 3.0]))

    expected = {0.5: 2.5, 0.9: 4.4, 0.2: 1.6, 0.001: 1.003}
    for level, value in expected.items():
        np.testing.assert_allclose(found[level == LEVELS], value, rtol=1e-6)


def test_what_is_no_number_is_left_out_of_quantiles() -> None:
    holes = np.array([np.nan, 5.0, 2.0, np.nan, 1.0, 3.0])

    np.testing.assert_array_equal(of_row(holes), of_row(np.array([5.0, 2.0, 1.0, 3.0])))


@pytest.mark.parametrize("row", [[], [np.nan, np.nan]])
def test_quantiles_of_nothing_are_zero(row: list[float]) -> None:
    assert of_row(np.array(row)).tolist() == [0.0] * LEVELS.size


def test_one_number_is_every_quantile() -> None:
    assert of_row(np.array([np.nan, 7.0])).tolist() == [7.0] * LEVELS.size


@pytest.mark.parametrize("now", [DAY, NOW])
def test_errors_are_those_of_the_past_alone(now: int) -> None:
    values = seasonal_rows(2, 14)
    corrupted = values.copy()
    corrupted[:, now + 1 :] = 1e6

    seen, expected = (known_at(grid_of_rows(v), now) for v in (corrupted, values))

    np.testing.assert_array_equal(seen, expected)


def test_an_origin_in_the_past_sees_nothing_of_what_other_origins_saw_later() -> None:
    origins = np.arange(2 * DAY, 5 * DAY, 7)
    values = seasonal_rows(1, 6)
    corrupted = values.copy()
    now = int(origins[20])
    corrupted[:, now + 1 :] = 1e6

    seen, expected = (
        around(grid, anchors(grid, origins, STEPS), now)
        for grid in (grid_of_rows(corrupted), grid_of_rows(values))
    )

    np.testing.assert_array_equal(seen, expected)


def test_demand_that_grows_on_a_line_is_foreseen_by_every_rule_that_follows_it() -> None:
    found = known_at(grid_of_rows(np.arange(14.0 * DAY)[None]))

    ahead = NOW + np.arange(1, STEPS + 1)
    for rule in (MOVED, YESTERDAY, MOVED_LATELY):
        np.testing.assert_allclose(found[:, rule, MEDIAN], ahead, rtol=1e-6)
    np.testing.assert_allclose(found[:, ANY, MEDIAN], NOW / 2, rtol=1e-6)


def test_demand_of_the_same_day_again_and_again_is_known_by_the_same_time() -> None:
    grid = grid_of_rows(np.tile(seasonal_rows(1, 1), 14))

    found = known_at(grid)

    expected = grid.values[0, NOW + 1 : NOW + 1 + STEPS]
    for rule in (YESTERDAY, SAME_TIME):
        for level in range(LEVELS.size):
            np.testing.assert_allclose(found[:, rule, level], expected, rtol=1e-6)


def test_the_last_days_alone_tell_of_demand_that_changed_its_ways() -> None:
    values = np.concatenate([np.full((1, 7 * DAY), 1000.0), np.full((1, 7 * DAY), 10.0)], axis=1)
    values += seasonal_rows(1, 14)

    found = known_at(grid_of_rows(values), now=11 * DAY)

    assert (found[:, ANY, -1] > 900).all()
    assert (found[:, ANY_LATELY, -1] < 200).all()


def test_what_was_not_observed_is_no_error_of_any_rule() -> None:
    values = seasonal_rows(1, 14)
    observed = np.ones(values.shape, dtype=np.bool_)
    observed[0, NOW - 40 : NOW - 30] = False
    wild = values.copy()
    wild[0, NOW - 40 : NOW - 30] = 1e6

    seen, expected = (
        anchors(grid_of_rows(v, observed), np.array([NOW]), STEPS) for v in (wild, values)
    )

    for some, other in ((seen.weeks, expected.weeks), (seen.days, expected.days)):
        np.testing.assert_array_equal(some.change, other.change)
        np.testing.assert_array_equal(some.fixed, other.fixed)


def test_leads_between_two_that_were_noted_lie_on_the_line_between_them() -> None:
    grid = grid_of_rows(seasonal_rows(1, 14))

    found = known_at(grid)[:, MOVED]

    assert {4, 6, 8} <= set(LEAD_KNOTS)
    np.testing.assert_allclose(found[5 - 1], (found[4 - 1] + found[6 - 1]) / 2)


def test_no_rule_lets_quantiles_cross() -> None:
    found = known_at(grid_of_rows(seasonal_rows(3, 14)), steps=2 * DAY)

    assert (np.diff(found, axis=2) >= -1e-9).all()


@pytest.mark.parametrize("steps", [1, 3 * DAY])
def test_any_horizon_has_anchors(steps: int) -> None:
    found = known_at(grid_of_rows(seasonal_rows(1, 14)), now=DAY, steps=steps)

    assert found.shape == (steps, ANCHORS, LEVELS.size)
    assert np.isfinite(found).all()
