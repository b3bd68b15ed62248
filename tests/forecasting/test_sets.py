from dataclasses import replace

import numpy as np
import pytest
import torch
from nodemix.forecasting.anchors import anchors
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.features import Targets, evenly, norms
from nodemix.forecasting.hierarchy import tree
from nodemix.forecasting.net import Seen
from nodemix.forecasting.sets import (
    MAX_DAYS,
    MIN_SEASONS,
    Known,
    Material,
    grid_of,
    seen_of,
    training_end,
    training_sets,
)
from nodemix.forecasting.train import TrainingSet
from nodemix.forecasting.types import DemandHistory, Event, FloatArray

from tests.forecasting.histories import DAY, START_S, STEP_S, make_history, seasonal_rows

STEPS = 6
TARGETS = 2000


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def shop(days: float = 4.0, rows: int = 2) -> DemandHistory:
    return make_history(*seasonal_rows(rows, days))


def parts(history: DemandHistory) -> tuple[TrainingSet, TrainingSet]:
    return training_sets(history, STEPS, TARGETS, rng())


def known_at(values: FloatArray, now: int) -> Seen:
    material, at = Material.of(make_history(*values), STEPS), np.array([now])
    return Known.of(material, at, material.errors(at)).seen


def assert_same(seen: Seen, expected: Seen) -> None:
    assert torch.equal(seen.tokens, expected.tokens)
    assert torch.equal(seen.present, expected.present)
    assert torch.equal(seen.features, expected.features)
    assert torch.equal(seen.guesses, expected.guesses)
    assert torch.equal(seen.anchors, expected.anchors)


def test_the_grid_has_the_newest_weeks_and_ends_where_the_history_ends() -> None:
    history = shop(days=MAX_DAYS + 2.0)

    grid = grid_of(history, STEPS)

    assert grid.values.shape == (2, MAX_DAYS * DAY)
    np.testing.assert_array_equal(grid.values, history.values[:, 0, -MAX_DAYS * DAY :])
    assert grid.start_s + (grid.values.shape[1] - 1) * STEP_S == history.end_s


def test_the_grid_knows_events_of_the_future() -> None:
    history = shop()
    soon = Event("sale", history.end_s + STEP_S, history.end_s + 3 * STEP_S)

    grid = grid_of(replace(history, events=(soon,)), STEPS)

    assert grid.events is not None
    assert np.flatnonzero(grid.events[0]).tolist() == [4 * DAY, 4 * DAY + 1]


@pytest.mark.parametrize("now", [DAY, 3 * DAY])
def test_what_is_known_at_an_origin_comes_from_before_it(now: int) -> None:
    values = seasonal_rows(2, 4)
    corrupted = values.copy()
    corrupted[:, now + 1 :] = 1e6

    assert_same(known_at(corrupted, now), known_at(values, now))


def test_a_row_that_wakes_later_is_not_yet_there() -> None:
    values = seasonal_rows(3, 4)
    values[1] = 0.0
    woken = values.copy()
    woken[1, 3 * DAY :] = 9.0

    assert_same(known_at(woken, 2 * DAY), known_at(values, 2 * DAY))
    assert not known_at(woken, 2 * DAY).present[1, 0]
    assert known_at(woken, 3 * DAY).present[1, 0]


def test_a_set_has_the_tokens_of_its_series_and_of_the_cluster() -> None:
    seen = known_at(seasonal_rows(3, 4), 2 * DAY)

    assert seen.tokens.shape[:2] == (4, 2)
    for i in range(4):
        assert torch.equal(seen.tokens[i, 1], seen.tokens[3, 0])


def test_nothing_is_learnt_from_what_is_held_out() -> None:
    history = shop()
    whole = tree(history)
    end = training_end(grid_of(whole.history, STEPS), STEPS)
    corrupted = replace(history, values=history.values.copy())
    corrupted.values[:, :, end:] = 1e3

    (past, held_out), (same, other) = parts(history), parts(corrupted)

    assert_same(past.seen, same.seen)
    assert torch.equal(past.actual, same.actual)
    assert not torch.equal(held_out.actual, other.actual)


def test_the_same_seed_gives_the_same_sets() -> None:
    (one, _), (again, _) = parts(shop()), parts(shop())

    assert_same(one.seen, again.seen)
    assert torch.equal(one.counts, again.counts)


def test_what_was_not_observed_counts_nothing() -> None:
    history = shop(rows=1)
    observed = np.ones(history.values.shape, dtype=np.bool_)
    observed[0, 0, DAY + 10 : 3 * DAY] = False

    (past, _), (whole, _) = parts(replace(history, observed=observed)), parts(history)

    assert (whole.counts > 0).all()
    assert 0.3 < float((past.counts == 0).float().mean()) < 0.95


def test_a_row_counts_only_a_day_after_it_began() -> None:
    history = shop(rows=1)
    observed = np.ones(history.values.shape, dtype=np.bool_)
    observed[0, 0, : 2 * DAY] = False

    past, held_out = parts(replace(history, observed=observed))

    assert 0 < float((past.counts > 0).float().mean()) < 0.5
    assert (held_out.counts > 0).all()


def test_rows_of_zeros_count_nothing_and_calm_rows_as_much_as_restless_ones() -> None:
    calm, wild = (seasonal_rows(1, 4, noise=noise)[0] for noise in (0.01, 0.6))

    past, _ = parts(make_history(np.zeros(4 * DAY), calm, wild))

    assert float(past.counts.min()) == 0.0
    assert float(past.counts.max()) > 2.0 * float(past.counts[past.counts > 0].min())


def test_too_short_a_history_says_how_much_is_needed() -> None:
    days = MIN_SEASONS + STEPS / DAY
    enough = grid_of(shop(days), STEPS)

    assert training_end(enough, STEPS) < enough.values.shape[1] - STEPS
    with pytest.raises(ModelFailedError, match=r"2\.5 days of history, needs 3\.1"):
        training_end(grid_of(shop(2.5), STEPS), STEPS)


@pytest.mark.parametrize("steps", [1, DAY + 20])
def test_any_horizon_gives_sets(steps: int) -> None:
    past, held_out = training_sets(shop(days=MIN_SEASONS + steps / DAY), steps, TARGETS, rng())

    assert torch.isfinite(past.actual).all()
    assert len(held_out.actual) > 0


@pytest.mark.parametrize(("first", "last", "found"), [(3, 3, [3]), (3, 1, [3]), (0, 8, [0, 4, 8])])
def test_origins_are_spread_evenly(first: int, last: int, found: list[int]) -> None:
    assert evenly(first, last, 3).tolist() == found


def test_where_there_are_few_steps_each_is_an_origin_once() -> None:
    assert evenly(3, 6, 99).tolist() == [3, 4, 5, 6]


def test_sets_of_several_indicators_have_all_of_them() -> None:
    values = np.stack([seasonal_rows(3, 4, seed=s) for s in (0, 1)])
    two = DemandHistory(("a", "b"), ("pods", "cpu", "memory"), START_S, STEP_S, values)

    past, _ = parts(two)

    assert past.actual.shape[1:] == (3, STEPS)
    assert past.seen.tokens.shape[1] == 6


def test_there_is_about_as_much_to_learn_from_as_was_asked_for() -> None:
    past, held_out = parts(shop())

    assert 0.9 * TARGETS < past.actual.numel() <= TARGETS
    assert 0 < held_out.actual.numel() < 0.3 * past.actual.numel()


def test_errors_of_the_rules_are_made_once_for_each_span_of_origins() -> None:
    material = Material.of(shop(), STEPS)
    some, more, later = np.array([150, 200]), np.arange(150, 201), np.array([150, 210])

    first = material.errors(some)

    assert material.errors(more) is first
    assert material.errors(later) is not first
    anew = anchors(material.grid, more, STEPS)
    for one, other in ((first.weeks, anew.weeks), (first.days, anew.days)):
        np.testing.assert_array_equal(one.marks, other.marks)
        np.testing.assert_array_equal(one.change, other.change)
        np.testing.assert_array_equal(one.fixed, other.fixed)


def test_sets_to_learn_from_see_what_a_forecast_from_their_origin_sees() -> None:
    material = Material.of(shop(rows=3), STEPS)
    grid, series, origins = material.grid, np.array([2, 0, 2]), np.array([150, 200, 200])
    lead = np.tile(np.arange(1, STEPS + 1), 3)
    targets = Targets(np.repeat(series, STEPS), np.repeat(origins, STEPS), lead)
    errors = material.errors(origins)

    found = seen_of(material, norms(grid, origins), targets, errors, series, origins)

    for i, (who, origin) in enumerate(zip(series.tolist(), origins.tolist(), strict=True)):
        expected = Known.of(material, np.array([origin]), errors).seen
        assert_same(found.at(torch.tensor([i])), expected.at(torch.tensor([who])))
