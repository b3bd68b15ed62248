import numpy as np
import pytest
from nodemix.forecasting.evaluate import fair_crps
from nodemix.forecasting.pool import (
    LEAST_SHARE,
    MOST,
    Record,
    distances,
    fitted_shares,
    scores,
)
from nodemix.forecasting.types import FloatArray

ONE_GROUP = np.zeros(1, dtype=np.int64)
CLOSE = 2e-3
"""Of shares: the fit stops a little short of the best."""


def record_of(draws: FloatArray, actual: FloatArray, series: int = 1) -> Record:
    """One origin for each cell of ``draws`` (models, draws, cells), cells dealt out to series."""
    miss, apart = distances(draws, actual)
    models = draws.shape[0]
    names = tuple("abcdef"[:models])
    per_series = actual.size // series
    return Record(
        names,
        miss.reshape(series, per_series, models).sum(axis=1)[:, None],
        apart.reshape(series, per_series, models, models).sum(axis=1)[:, None],
        np.full((series, 1), float(per_series)),
    )


def normal(models: int, cells: int, draws: int = 60, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((models, draws, cells))


def test_the_score_of_a_model_alone_weighs_its_crps_and_the_tail_more() -> None:
    draws, actual = normal(1, 400), np.zeros(400)

    miss, apart = distances(draws, actual)
    ours = float((miss[:, 0] - 0.5 * apart[:, 0, 0]).mean())

    assert ours > float(fair_crps(draws[0], actual).mean()) > 0.0


def test_without_a_tail_the_score_is_the_fair_crps() -> None:
    """Where all draws are equal nothing lies above the quantile but what came."""
    draws = np.zeros((1, 10, 3))

    miss, apart = distances(draws, np.array([-1.0, -2.0, -3.0]))

    np.testing.assert_allclose(miss[:, 0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(apart, 0.0)


def test_too_little_demand_foreseen_costs_more_than_too_much() -> None:
    draws = np.zeros((1, 10, 2))

    miss, _ = distances(draws, np.array([1.0, -1.0]))

    assert miss[0, 0] > miss[1, 0]


def test_the_score_of_a_mixture_is_that_of_its_draws() -> None:
    draws, actual = normal(2, 3000, seed=1), np.random.default_rng(2).standard_normal(3000)
    draws[1] += 1.0
    record = record_of(draws, actual)
    mixed = np.concatenate([draws[0, :30], draws[1, :30]], axis=0)[None]

    pool = scores(record, np.full((1, 1, 2), 0.5))[0, 0]
    drawn = record_of(mixed, actual)

    # the tail begins at a quantile of the draws at hand, so that both agree but for noise
    assert pool == pytest.approx(scores(drawn, np.ones((1, 1, 1)))[0, 0], rel=0.03)


def test_two_opposite_models_share_the_draws() -> None:
    draws = normal(2, 500)
    draws[0] -= 1.0
    draws[1] += 1.0
    came = np.random.default_rng(3).standard_normal(500) + np.repeat([-1.0, 1.0], 250)

    shares = fitted_shares(record_of(draws, came), ONE_GROUP)[0, 0]

    assert shares.min() > 0.3


def test_a_model_that_says_nothing_of_use_is_silent() -> None:
    draws = normal(2, 500)
    draws[1] += 50.0

    shares = fitted_shares(record_of(draws, np.zeros(500)), ONE_GROUP)[0, 0]

    np.testing.assert_allclose(shares, [1.0, 0.0], atol=CLOSE)


def test_shares_are_no_worse_than_any_others() -> None:
    rng = np.random.default_rng(5)
    draws = normal(4, 300) * np.array([0.5, 1.0, 2.0, 1.0])[:, None, None]
    draws += rng.standard_normal((4, 1, 300))
    record = record_of(draws, rng.standard_normal(300))
    best = scores(record, fitted_shares(record, ONE_GROUP))[0, 0]

    others = rng.dirichlet(np.full(4, 0.5), 200)

    tolerance = 1.0 + LEAST_SHARE / 10  # tiny shares are given up
    assert all(best <= tolerance * scores(record, w[None, None])[0, 0] for w in others)


def test_a_row_that_knows_little_leans_on_its_group() -> None:
    """The last series saw one origin, at which the worse model was lucky."""
    draws = normal(2, 404)
    draws[1] += 3.0
    came = np.zeros(404)
    came[-101] = 0.0
    record = record_of(draws, came, series=4)
    few = Record(
        record.models,
        np.concatenate([record.miss[:3], np.array([[[4.0, 1.0]]])]),
        np.concatenate([record.apart[:3], record.apart[3:] / 101]),
        np.concatenate([record.origins[:3], [[1.0]]]),
    )

    shares = fitted_shares(few, np.zeros(4, dtype=np.int64))

    assert shares[3, 0, 0] > 0.9


def test_nothing_known_gives_equal_shares() -> None:
    blank = Record(("a", "b"), np.zeros((1, 1, 2)), np.zeros((1, 1, 2, 2)), np.zeros((1, 1)))

    np.testing.assert_allclose(fitted_shares(blank, ONE_GROUP), 0.5)


def test_a_row_that_woke_up_counts_for_no_more_than_the_limit() -> None:
    record = record_of(normal(2, 10), np.full(10, 1e6))

    mean = record.bounded().alone().mean() / 10

    assert mean == pytest.approx(MOST)


def test_records_add_up_for_the_models_of_both_and_the_older_one_fades() -> None:
    first, second = (record_of(normal(3, 8, seed=seed), np.zeros(8)) for seed in (1, 2))

    both = first.plus(second.among(("c", "a")), keep=0.5)

    assert both.models == ("a", "c")
    np.testing.assert_allclose(
        both.miss, 0.5 * first.miss[:, :, [0, 2]] + second.miss[:, :, [0, 2]]
    )
    assert both.apart[0, 0, 0, 1] == pytest.approx(
        0.5 * first.apart[0, 0, 0, 2] + second.apart[0, 0, 0, 2]
    )
    assert both.origins[0, 0] == 12.0
