import numpy as np
import pytest
from nodemix.forecasting.errors import ShapeError
from nodemix.forecasting.evaluate import fair_crps, pinball


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
        fair_crps(np.ones((5, 3)), np.ones(4))


def test_pinball_loss_weighs_what_was_missed_above() -> None:
    loss = pinball(np.array([10.0, 10.0]), 0.9, np.array([11.0, 9.0]))

    np.testing.assert_allclose(loss, [0.9, 0.1])
