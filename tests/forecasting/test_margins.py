import numpy as np
from nodemix.forecasting.anchors import LEVELS, NOISE
from nodemix.forecasting.margins import FURTHEST, OWN_WEIGHT_ORIGINS, Margins, margins
from nodemix.forecasting.types import FloatArray

DRAWS = 4000
TOLERANCE = 0.05
"""Quantiles of 60,000 standard normal numbers between the levels .05 and .95, five errors."""


def noise(origins: int = 1000, rows: int = 3, steps: int = 20) -> FloatArray:
    return np.random.default_rng(0).standard_normal((origins, rows, steps))


def test_without_a_past_noise_is_standard_normal() -> None:
    np.testing.assert_array_equal(margins(noise(origins=0)).values, np.tile(NOISE, (3, 1)))


def test_past_noise_as_it_should_be_moves_nothing() -> None:
    inner = slice(4, -4)

    np.testing.assert_allclose(
        margins(noise()).values[:, inner], np.tile(NOISE[inner], (3, 1)), atol=TOLERANCE
    )


def test_a_row_that_was_wider_than_forecast_becomes_wider() -> None:
    past = noise()
    past[:, 1] *= 1.2

    found = margins(past).values
    top = np.flatnonzero(LEVELS == 0.95)[0]

    assert found[1, top] > found[0, top] + 0.2
    assert found[1, -1 - top] < found[0, -1 - top] - 0.2


def test_no_quantile_is_moved_further_than_the_limit() -> None:
    found = margins(5.0 + 3.0 * noise()).values

    assert (np.abs(found - NOISE) <= FURTHEST + 1e-12).all()


def test_with_few_origins_a_row_listens_to_all_rows() -> None:
    past = np.zeros((int(OWN_WEIGHT_ORIGINS), 2, 5))
    past[:, 1] = 0.2

    found = margins(past).values[:, LEVELS == 0.5]

    np.testing.assert_allclose(found[:, 0], [0.05, 0.15])


def test_quantiles_never_cross() -> None:
    past = np.random.default_rng(1).standard_t(2, (12, 4, 6))

    assert (np.diff(margins(past).values, axis=1) >= 0).all()


def test_noise_is_spread_evenly_over_the_margin_and_ascends() -> None:
    values = np.stack([NOISE, 0.5 + NOISE])

    found = Margins(values).spread(DRAWS, np.random.default_rng(0))

    assert found.shape == (2, DRAWS)
    assert (np.diff(found, axis=1) >= 0).all()
    inner = slice(3, -3)
    seen = np.quantile(found, LEVELS[inner], axis=1).T
    np.testing.assert_allclose(seen, values[:, inner], atol=0.01)


def test_one_draw_is_a_draw() -> None:
    found = Margins(NOISE[None]).spread(1, np.random.default_rng(0))

    assert found.shape == (1, 1)
    assert np.isfinite(found).all()
