import numpy as np
import pytest
from nodemix.forecasting.features import (
    FEATURES,
    GUESSES,
    SCALE_FLOOR,
    Described,
    Grid,
    Targets,
    describe,
    norms,
)
from nodemix.forecasting.types import FloatArray

from tests.forecasting.histories import DAY, seasonal_rows
from tests.forecasting.tiny import grid_of_rows

NOW = 10 * DAY
LEADS = 2 * DAY
LAST, YESTERDAY, WEEK_AGO, SAME_TIME, EVENT, MEDIAN = 0, 2, 3, 4, 6, 7


def described(values: FloatArray, now: int = NOW) -> Described:
    return described_grid(grid_of_rows(values), now)


def described_grid(grid: Grid, now: int = NOW, leads: int = LEADS) -> Described:
    origins = np.array([now])
    targets = Targets.at(origins, grid.values.shape[0], leads)
    return describe(grid, norms(grid, origins), targets)


def guessed(grid: Grid, guess: int, now: int = NOW, leads: int = LEADS) -> FloatArray:
    """One of the guesses for the only row, in its unit."""
    origins = np.array([now])
    norm, targets = norms(grid, origins), Targets.at(origins, 1, leads)
    return norm.backward(describe(grid, norm, targets).guesses[:, guess], targets)


def assert_same(seen: Described, expected: Described) -> None:
    np.testing.assert_array_equal(seen.features, expected.features)
    np.testing.assert_array_equal(seen.guesses, expected.guesses)
    for name, centre in expected.centres.items():
        np.testing.assert_array_equal(seen.centres[name], centre)


@pytest.mark.parametrize("now", [0, DAY, NOW])
def test_features_do_not_look_into_the_future(now: int) -> None:
    values = seasonal_rows(2, 14)
    corrupted = values.copy()
    corrupted[:, now + 1 :] = 1e6

    assert_same(described(corrupted, now), described(values, now))


def test_features_do_look_at_the_newest_step() -> None:
    values = seasonal_rows(2, 14)
    changed = values.copy()
    changed[:, NOW] *= 2

    assert (described(changed).features != described(values).features).any()


def test_features_do_not_depend_on_the_unit() -> None:
    values = seasonal_rows(2, 14)

    scaled, plain = described(1024 * values), described(values)

    np.testing.assert_allclose(scaled.features, plain.features, atol=1e-9)
    np.testing.assert_allclose(scaled.guesses, plain.guesses, atol=1e-9)


@pytest.mark.parametrize("now", [0, 1, DAY, NOW])
def test_features_are_finite_however_short_the_past_is(now: int) -> None:
    seen = described(seasonal_rows(2, 14), now)

    assert seen.features.shape == (2 * LEADS, FEATURES)
    assert seen.guesses.shape == (2 * LEADS, GUESSES)
    assert np.isfinite(seen.features).all()
    assert np.isfinite(seen.guesses).all()


def test_two_days_ahead_yesterday_is_still_a_day_that_is_known() -> None:
    yesterday = guessed(grid_of_rows(np.arange(14.0 * DAY)[None]), YESTERDAY)

    np.testing.assert_allclose(yesterday[:DAY], np.arange(NOW + 1, NOW + 1 + DAY) - DAY)
    np.testing.assert_allclose(yesterday[DAY:], yesterday[:DAY])


def test_guesses_are_what_they_are_called() -> None:
    rows = np.arange(14.0 * DAY)[None]
    grid = grid_of_rows(rows)
    ahead = np.arange(NOW + 1, NOW + 1 + DAY)

    np.testing.assert_allclose(guessed(grid, LAST, leads=DAY), NOW)
    np.testing.assert_allclose(guessed(grid, WEEK_AGO, leads=DAY), ahead - 7 * DAY)
    np.testing.assert_allclose(guessed(grid, SAME_TIME, leads=DAY), ahead - 4 * DAY)
    week = rows[0, NOW + 1 - 7 * DAY : NOW + 1]
    np.testing.assert_allclose(guessed(grid, MEDIAN, leads=DAY), np.median(week))


def test_what_was_filled_in_before_a_row_began_does_not_exist() -> None:
    values = seasonal_rows(2, 14)
    began = NOW - 10
    observed = np.ones(values.shape, dtype=np.bool_)
    observed[0, :began] = False
    other = values.copy()
    other[0, :began] = 500.0

    seen = described_grid(grid_of_rows(other, observed))
    expected = described_grid(grid_of_rows(values, observed))

    np.testing.assert_allclose(seen.features, expected.features, atol=1e-9)
    np.testing.assert_allclose(seen.guesses, expected.guesses, atol=1e-9)


def test_a_gap_that_was_filled_in_counts_and_is_told() -> None:
    values = seasonal_rows(1, 14)
    observed = np.ones(values.shape, dtype=np.bool_)
    observed[0, NOW - 8 : NOW] = False

    seen, expected = described_grid(grid_of_rows(values, observed)), described(values)

    np.testing.assert_array_equal(seen.guesses, expected.guesses)
    assert (seen.features != expected.features).any()


def test_an_event_ahead_is_guessed_to_be_like_the_last_one_of_its_kind() -> None:
    values = np.ones((1, 14 * DAY))
    values[0, NOW - 50 : NOW - 46] = [5.0, 6.0, 7.0, 8.0]
    events = np.zeros((1, 14 * DAY + LEADS), dtype=np.int64)
    events[0, NOW - 50 : NOW - 46] = events[0, NOW + 3 : NOW + 7] = 1

    guess = guessed(grid_of_rows(values, events=events), EVENT, leads=8)

    np.testing.assert_allclose(guess, [1, 1, 5, 6, 7, 8, 1, 1])


def test_an_event_that_never_happened_before_changes_no_guess() -> None:
    values = seasonal_rows(1, 14)
    events = np.zeros((1, 14 * DAY + LEADS), dtype=np.int64)
    events[0, NOW + 3 : NOW + 7] = 1

    seen = described_grid(grid_of_rows(values, events=events))

    np.testing.assert_array_equal(seen.guesses, described(values).guesses)
    assert (seen.features != described(values).features).any()


def test_normalised_demand_returns_to_what_it_was() -> None:
    grid = grid_of_rows(seasonal_rows(2, 14))
    origins = np.array([NOW])
    norm, targets = norms(grid, origins), Targets.at(origins, 2, 5)
    demand = np.linspace(0.0, 300.0, targets.row.size)

    there_and_back = norm.backward(norm.forward(demand, targets), targets)

    np.testing.assert_allclose(there_and_back, demand, atol=1e-9)


def test_the_scale_of_a_flat_row_has_a_floor_and_that_of_zeros_is_one() -> None:
    values = np.stack([np.full(14 * DAY, 40.0), np.zeros(14 * DAY)])

    scale = norms(grid_of_rows(values), np.array([NOW])).scale[:, NOW]

    assert scale.tolist() == [40.0 * SCALE_FLOOR, 1.0]


def test_norms_are_known_at_their_origins_alone() -> None:
    norm = norms(grid_of_rows(seasonal_rows(2, 14)), np.array([NOW, NOW + 5]))

    assert np.flatnonzero(np.isfinite(norm.middle[0])).tolist() == [NOW, NOW + 5]


def test_targets_are_ordered_by_origin_row_and_lead() -> None:
    targets = Targets.at(np.array([5, 9]), rows=2, steps=3)

    assert targets.origin.tolist() == [5] * 6 + [9] * 6
    assert targets.row.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert targets.lead.tolist() == [1, 2, 3] * 4
