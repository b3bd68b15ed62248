import numpy as np
import pytest
from nodemix.forecasting.combine import busyness, joined, pooled

from tests.forecasting.histories import make_forecast


def samples(
    draws: int, series: int, seed: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(seed).uniform(0, 10, (draws, series, 3, 1))


def test_parts_are_joined_in_the_order_asked_for() -> None:
    first = make_forecast(samples(4, 2, 0), series=("c", "a"), warnings=("one",))
    second = make_forecast(samples(4, 1, 1), series=("b",), warnings=("two",))

    whole = joined([first, second], ("a", "b", "c"))

    assert whole.series == ("a", "b", "c")
    assert whole.warnings == ("one", "two")
    np.testing.assert_array_equal(whole.samples[:, 0], first.samples[:, 1])
    np.testing.assert_array_equal(whole.samples[:, 1], second.samples[:, 0])
    np.testing.assert_array_equal(whole.samples[:, 2], first.samples[:, 0])


def shares(*rows: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Of one model, one row for each series."""
    return np.array(rows)[:, None]


def test_each_model_gives_its_share_of_the_draws_of_each_series() -> None:
    made = {name: make_forecast(np.full((100, 3, 4, 1), i)) for i, name in enumerate(("x", "y"))}

    both = pooled(made, {"x": shares(1.0, 0.7, 0.0), "y": shares(0.0, 0.3, 1.0)})

    assert both.samples[:, 0].max() == 0.0
    assert both.samples[:, 1, 0, 0].sum() == pytest.approx(30, abs=1)
    assert both.samples[:, 2].min() == 1.0


def test_a_draw_of_a_series_comes_whole_from_one_model_and_series_share_it() -> None:
    made = {name: make_forecast(samples(60, 2, i) + 100 * i) for i, name in enumerate("xy")}

    both = pooled(made, {"x": shares(0.6, 0.6), "y": shares(0.4, 0.4)})

    of_y = both.samples >= 100
    assert (of_y == of_y[:, :1, :1]).all()
    paths = {tuple(path.ravel()) for path in np.concatenate([f.samples for f in made.values()])}
    assert {tuple(path.ravel()) for path in both.samples} <= paths


def test_a_model_gives_quiet_and_busy_futures_alike() -> None:
    made = {name: make_forecast(samples(200, 1, i)) for i, name in enumerate("xy")}

    both = pooled(made, {"x": shares(0.5), "y": shares(0.5)})

    own = np.isin(both.samples[:, 0, 0, 0], made["y"].samples[:, 0, 0, 0])
    order = np.argsort(busyness(made["x"].samples))
    assert own[order[:100]].sum() == pytest.approx(50, abs=2)


def test_a_model_that_speaks_alone_is_left_as_it_is() -> None:
    only = make_forecast(samples(10, 1, 0))

    assert pooled({"x": only}, {"x": shares(1.0)}) is only


def test_busy_futures_of_one_model_meet_busy_futures_of_the_other() -> None:
    made = {name: make_forecast(samples(200, 1, i).repeat(3, 1)) for i, name in enumerate("xy")}

    both = pooled(made, {"x": shares(1.0, 1.0, 0.0), "y": shares(0.0, 0.0, 1.0)})

    ours, theirs = both.samples[:, 0].max(axis=(1, 2)), both.samples[:, 2].max(axis=(1, 2))
    first, second = (np.argsort(np.argsort(highest)) for highest in (ours, theirs))
    assert np.corrcoef(first, second)[0, 1] > 0.99


def test_busyness_does_not_depend_on_the_unit_of_a_series() -> None:
    """Also where most futures of a series are zero."""
    few = samples(20, 2, 0)
    few[:15, 1] = 0.0
    scaled = few * np.array([1.0, 2.0**30])[:, None, None]

    np.testing.assert_allclose(
        busyness(few.astype(np.float32)), busyness(scaled.astype(np.float32))
    )
