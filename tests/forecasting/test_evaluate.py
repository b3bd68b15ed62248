import numpy as np
import pytest
from nodemix.forecasting.errors import ShapeError
from nodemix.forecasting.evaluate import (
    coverage,
    fair_crps,
    maximum_crps,
    naive_scale,
    pinball,
    scaled_crps,
    tail_pinball,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_fair_crps_is_the_sum_over_all_pairs() -> None:
    samples, actual = rng().normal(size=(7, 3, 4)), rng().normal(size=(3, 4))

    pairs = np.abs(samples[:, None] - samples[None]).sum(axis=(0, 1)) / (7 * 6)
    expected = np.abs(samples - actual).mean(axis=0) - 0.5 * pairs

    np.testing.assert_allclose(fair_crps(samples, actual), expected)


def test_fair_crps_does_not_depend_on_the_number_of_draws() -> None:
    """Of standard normals it is 1/sqrt(pi); 20,000 trials put the mean within 4 sigma = 0.012."""
    for draws in (2, 5, 50):
        samples, actual = rng().normal(size=(draws, 20_000)), rng().normal(size=20_000)
        assert fair_crps(samples, actual[::-1]).mean() == pytest.approx(np.pi**-0.5, abs=0.02)


def test_fair_crps_of_a_perfect_forecast_is_zero() -> None:
    assert (fair_crps(np.full((5, 2), 3.0), np.full(2, 3.0)) == 0.0).all()


def test_scores_refuse_one_draw_and_other_shapes() -> None:
    with pytest.raises(ShapeError):
        fair_crps(np.ones((1, 3)), np.ones(3))
    with pytest.raises(ShapeError):
        coverage(np.ones((5, 3)), np.ones(4), 0.5)


def test_pinball_loss_weighs_what_was_missed_above() -> None:
    loss = pinball(np.array([10.0, 10.0]), 0.9, np.array([11.0, 9.0]))

    np.testing.assert_allclose(loss, [0.9, 0.1])


def test_tail_pinball_is_lowest_for_the_true_spread() -> None:
    actual = rng().normal(size=4000)
    noise = rng().normal(size=(200, 1)).repeat(4000, axis=1)
    loss = {wide: tail_pinball(noise * wide, actual).mean() for wide in (0.5, 1.0, 2.0)}

    assert min(loss, key=lambda wide: loss[wide]) == 1.0


def test_coverage_is_the_share_at_or_below_the_quantile() -> None:
    samples = np.arange(101.0)[:, None].repeat(4, axis=1)

    assert coverage(samples, np.array([10.0, 50.0, 90.0, 95.0]), 0.9) == 0.75


def test_the_highest_demand_is_scored_over_the_whole_horizon() -> None:
    samples, actual = rng().normal(size=(9, 2, 6, 1)), rng().normal(size=(2, 6, 1))

    expected = fair_crps(samples.max(axis=2), actual.max(axis=1))

    np.testing.assert_array_equal(maximum_crps(samples, actual), expected)


def test_naive_scale_is_the_mean_change_and_never_zero() -> None:
    values = np.array([[[1.0, 3.0, 5.0, 7.0]], [[4.0] * 4], [[0.0] * 4]])

    scale = naive_scale(values, lag=2)[:, 0]

    assert scale[0] == 4.0
    assert scale[1] == pytest.approx(0.004)
    assert scale[2] > 0


def test_scaled_crps_divides_each_row_by_its_scale() -> None:
    samples, actual = rng().normal(size=(9, 2, 3, 1)), rng().normal(size=(2, 3, 1))
    scale = np.array([[1.0], [10.0]])

    bigger = scaled_crps(samples * scale[:, None], actual * scale[:, None], scale)

    assert bigger == pytest.approx(fair_crps(samples, actual).mean())
