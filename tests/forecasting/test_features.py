import numpy as np
from nodemix.forecasting.features import ANCHORS, SCALE_FLOOR, Grid, Targets, describe, norms
from nodemix.forecasting.types import FloatArray

from tests.forecasting.histories import DAY, START_S, STEP_S, seasonal_rows

NOW = 10 * DAY
LEADS = 2 * DAY


def grid(values: FloatArray) -> Grid:
    return Grid(values, START_S, STEP_S, DAY)


def described(values: FloatArray, now: int = NOW) -> tuple[FloatArray, FloatArray]:
    origins = np.array([now])
    targets = Targets.at(origins, values.shape[0], LEADS)
    return describe(grid(values), norms(grid(values), origins), targets)


def test_features_do_not_look_into_the_future() -> None:
    values = seasonal_rows(2, 14)
    corrupted = values.copy()
    corrupted[:, NOW + 1 :] = 1e6

    for seen, expected in zip(described(corrupted), described(values), strict=True):
        np.testing.assert_array_equal(seen, expected)


def test_features_do_look_at_the_newest_step() -> None:
    values = seasonal_rows(2, 14)
    changed = values.copy()
    changed[:, NOW] *= 2

    assert (described(changed)[0] != described(values)[0]).any()


def test_features_do_not_depend_on_the_unit() -> None:
    values = seasonal_rows(2, 14)

    np.testing.assert_allclose(described(1024 * values)[0], described(values)[0], atol=1e-9)


def test_features_are_finite_a_day_after_the_beginning() -> None:
    features, anchors = described(seasonal_rows(2, 14), now=DAY)

    assert np.isfinite(features).all()
    assert np.isfinite(anchors).all()
    assert anchors.shape == (2 * LEADS, ANCHORS)


def test_two_days_ahead_yesterday_is_still_a_day_that_is_known() -> None:
    values = np.arange(14.0 * DAY)[None]
    origins = np.array([NOW])
    norm = norms(grid(values), origins)
    targets = Targets.at(origins, 1, LEADS)

    _, anchors = describe(grid(values), norm, targets)
    yesterday = norm.backward(anchors[:, 2], targets)

    np.testing.assert_allclose(yesterday[:DAY], np.arange(NOW + 1, NOW + 1 + DAY) - DAY)
    np.testing.assert_allclose(yesterday[DAY:], yesterday[:DAY])


def test_normalised_demand_returns_to_what_it_was() -> None:
    values = seasonal_rows(2, 14)
    origins = np.array([NOW])
    norm, targets = norms(grid(values), origins), Targets.at(origins, 2, 5)
    demand = np.linspace(0.0, 300.0, targets.row.size)

    there_and_back = norm.backward(norm.forward(demand, targets), targets)

    np.testing.assert_allclose(there_and_back, demand, atol=1e-9)


def test_the_scale_of_a_flat_row_has_a_floor_and_that_of_zeros_is_one() -> None:
    values = np.stack([np.full(14 * DAY, 40.0), np.zeros(14 * DAY)])

    scale = norms(grid(values), np.array([NOW])).scale[:, NOW]

    assert scale.tolist() == [40.0 * SCALE_FLOOR, 1.0]


def test_targets_are_ordered_by_origin_row_and_lead() -> None:
    targets = Targets.at(np.array([5, 9]), rows=2, steps=3)

    assert targets.origin.tolist() == [5] * 6 + [9] * 6
    assert targets.row.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert targets.lead.tolist() == [1, 2, 3] * 4
