from itertools import count

import numpy as np
import pytest
from nodemix.forecasting.baselines.ets import NO_TREND, SPREAD_CAP, Ets, Smoothing
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.types import Horizon

from tests.forecasting.histories import DAY, make_history, seasonal_rows


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def smoothing(rows: int, level: float, trend: float, damping: float) -> Smoothing:
    return Smoothing(*(np.full(rows, value) for value in (level, trend, damping)))


def test_a_constant_stays_constant() -> None:
    forecast = Ets().forecast(make_history(np.full(5 * DAY, 9.0)), Horizon(12, 20), rng())

    np.testing.assert_allclose(forecast.samples, 9.0)


def test_a_perfect_day_is_repeated() -> None:
    day = 10 + 5 * np.sin(2 * np.pi * np.arange(DAY) / DAY)

    forecast = Ets().forecast(make_history(np.tile(day, 5)), Horizon(DAY, 20), rng())

    np.testing.assert_allclose(forecast.samples[:, 0, :, 0], np.tile(day, (20, 1)), rtol=1e-4)


def test_the_level_is_followed() -> None:
    row = np.concatenate([np.full(4 * DAY, 10.0), np.full(DAY, 30.0)])
    row += np.random.default_rng(0).normal(0, 0.1, row.size)

    median = Ets().forecast(make_history(row), Horizon(4, 200), rng()).quantile(0.5)

    assert median[0, :, 0].mean() == pytest.approx(30.0, rel=0.1)


def test_an_explosive_recursion_is_capped_at_the_spread_of_the_past() -> None:
    rows = 100 + seasonal_rows(1, 6)
    model = Ets(fitted=smoothing(1, 1.0, 1.0, 0.999))

    samples = model.forecast(make_history(*rows), Horizon(200, 200), rng()).samples

    assert samples[:, 0, :, 0].std(axis=0).max() <= SPREAD_CAP * rows.std()


def test_paths_that_run_away_are_struck_off() -> None:
    """Doubling every two hours, and a trend that hardly fades."""
    row = 2.0 ** (np.arange(60) / 8)
    model = Ets(fitted=smoothing(1, 1.0, 1.0, 0.999))

    with pytest.raises(ModelFailedError, match="exceed 3 times"):
        model.forecast(make_history(row), Horizon(96, 50), rng())


def test_a_fit_that_takes_too_long_gives_up() -> None:
    ticks = count(step=3)

    with pytest.raises(ModelFailedError, match="fit took longer than 5 s"):
        Ets(clock=lambda: float(next(ticks))).trained(
            make_history(*seasonal_rows(3, 4)), Horizon(4), rng()
        )


def test_a_short_history_is_refused() -> None:
    with pytest.raises(ModelFailedError, match="23 steps of history, needs 24"):
        Ets().forecast(make_history(np.arange(23.0)), Horizon(4), rng())


def test_parameters_of_other_series_are_refused() -> None:
    model = Ets(fitted=smoothing(2, *NO_TREND))

    with pytest.raises(ModelFailedError, match="fitted to other series"):
        model.forecast(make_history(np.arange(50.0)), Horizon(4), rng())


def test_parameters_are_the_most_likely_ones() -> None:
    """A random walk is followed at once, noise around a level hardly at all."""
    noise = np.random.default_rng(0).normal(size=(2, DAY))

    fitted = Ets().trained(make_history(500 + noise[0].cumsum(), 50 + noise[1]), Horizon(4), rng())

    assert fitted.fitted is not None
    assert fitted.fitted.level[0] >= 0.9
    assert fitted.fitted.level[1] <= 0.1
