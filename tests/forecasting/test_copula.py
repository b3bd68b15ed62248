import numpy as np
from nodemix.forecasting.copula import SHARED, joint_noise, normal_scores, recalibrated

DRAWS = 20_000
TOLERANCE = 0.05
"""Five standard errors of a correlation of 20,000 draws, and what ranks of 60 origins blur."""


def past(rows: int = 2, steps: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Rows that move together, steps that move together."""
    rng = np.random.default_rng(2)
    common = rng.standard_normal((60, 1, 1))
    return common + 0.5 * rng.standard_normal((60, rows, steps))


def test_scores_have_mean_zero_and_variance_one() -> None:
    scores = normal_scores(past())

    np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(scores.std(axis=0), 1.0, atol=1e-9)


def test_noise_is_standard_normal_at_every_step() -> None:
    noise = joint_noise(past(), DRAWS, np.random.default_rng(0))

    np.testing.assert_allclose(noise.mean(axis=1), 0.0, atol=TOLERANCE)
    np.testing.assert_allclose(noise.std(axis=1), 1.0, atol=TOLERANCE)


def test_steps_keep_their_correlation_and_rows_a_share_of_theirs() -> None:
    seen = past()
    scores = normal_scores(seen)
    noise = joint_noise(seen, DRAWS, np.random.default_rng(0))

    steps = np.corrcoef(noise[0, :, 0], noise[0, :, 1])[0, 1]
    rows = np.corrcoef(noise[0, :, 0], noise[1, :, 0])[0, 1]

    assert abs(steps - np.corrcoef(scores[:, 0, 0], scores[:, 0, 1])[0, 1]) < TOLERANCE
    assert abs(rows - SHARED * np.corrcoef(scores[:, 0, 0], scores[:, 1, 0])[0, 1]) < TOLERANCE


def test_recalibrated_noise_has_the_margins_of_the_past() -> None:
    seen = past() * np.array([1.0, 3.0])[:, None]
    noise = recalibrated(joint_noise(seen, DRAWS, np.random.default_rng(0)), seen)

    for row in range(2):
        levels = (0.05, 0.5, 0.95)
        expected = np.quantile(seen[:, row], levels)
        np.testing.assert_allclose(np.quantile(noise[row], levels), expected, atol=0.3)


def test_past_noise_that_never_varied_gives_noise_that_does_not_vary() -> None:
    seen = np.zeros((30, 1, 4))

    noise = recalibrated(joint_noise(seen, 50, np.random.default_rng(0)), seen)

    assert (noise == 0.0).all()
