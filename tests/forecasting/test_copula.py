import numpy as np
import pytest
from nodemix.forecasting.copula import SHARED, joint_ranks, normal_scores, ranks
from nodemix.forecasting.types import FloatArray
from scipy.special import ndtri

DRAWS = 20_000
TOLERANCE = 0.05
"""Five standard errors of a correlation of 20,000 draws, and what ranks of 60 origins blur."""


def past(rows: int = 2, steps: int = 3) -> FloatArray:
    """Rows that move together, steps that move together; shape (origins, rows, steps)."""
    rng = np.random.default_rng(2)
    common = rng.standard_normal((60, 1, 1))
    return common + 0.5 * rng.standard_normal((60, rows, steps))


def joint_noise(past: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Standard normal noise in the order of the ranks, shape (rows, draws, steps)."""
    places = joint_ranks(past, draws, rng).transpose(0, 2, 1)
    noise: FloatArray = ndtri((places + rng.random(places.shape)) / draws)
    return noise


def correlation(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_ranks_count_from_zero_and_ties_keep_their_order() -> None:
    found = ranks(np.array([[3.0, 1.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]))

    assert found.tolist() == [[3, 0, 2, 1], [0, 1, 2, 3]]


def test_scores_have_mean_zero_and_variance_one() -> None:
    scores = normal_scores(past().transpose(1, 2, 0))

    np.testing.assert_allclose(scores.mean(axis=-1), 0.0, atol=1e-9)
    np.testing.assert_allclose(scores.std(axis=-1), 1.0, atol=1e-9)


def test_each_step_deals_every_rank_to_one_draw() -> None:
    found = joint_ranks(past(), 50, np.random.default_rng(0))

    assert found.shape == (2, 3, 50)
    np.testing.assert_array_equal(np.sort(found, axis=-1), np.broadcast_to(range(50), found.shape))


def test_noise_is_standard_normal_at_every_step() -> None:
    noise = joint_noise(past(), DRAWS, np.random.default_rng(0))

    np.testing.assert_allclose(noise.mean(axis=1), 0.0, atol=TOLERANCE)
    np.testing.assert_allclose(noise.std(axis=1), 1.0, atol=TOLERANCE)


def test_steps_keep_their_correlation_and_rows_a_share_of_theirs() -> None:
    scores = normal_scores(past().transpose(1, 2, 0))
    noise = joint_noise(past(), DRAWS, np.random.default_rng(0))

    steps = correlation(noise[0, :, 0], noise[0, :, 1])
    rows = correlation(noise[0, :, 0], noise[1, :, 0])

    assert abs(steps - correlation(scores[0, 0], scores[0, 1])) < TOLERANCE
    both = SHARED**2  # a row that strays takes the noise of any row at any origin
    assert abs(rows - both * correlation(scores[0, 0], scores[1, 0])) < TOLERANCE


def test_steps_that_had_nothing_in_common_stay_apart() -> None:
    alone = np.random.default_rng(4).standard_normal((400, 1, 2))

    noise = joint_noise(alone, DRAWS, np.random.default_rng(0))

    seen = correlation(alone[:, 0, 0], alone[:, 0, 1])
    assert abs(correlation(noise[0, :, 0], noise[0, :, 1]) - seen) < TOLERANCE


@pytest.mark.parametrize("draws", [1, 2, 7])
def test_a_few_draws_of_two_origins_are_enough(draws: int) -> None:
    noise = joint_noise(past()[:2], draws, np.random.default_rng(0))

    assert noise.shape == (2, draws, 3)
    assert np.isfinite(noise).all()


def test_past_noise_that_never_varied_still_gives_ranks() -> None:
    found = joint_ranks(np.zeros((30, 1, 4)), 50, np.random.default_rng(0))

    assert (np.sort(found, axis=-1) == np.arange(50)).all()
