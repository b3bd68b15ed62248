import numpy as np
from nodemix.forecasting.combine import busyness, joined, mixed

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


def test_each_series_speaks_with_the_samples_of_its_model() -> None:
    made = {name: make_forecast(samples(50, 3, i)) for i, name in enumerate(("x", "y"))}

    both = mixed(made, ("x", "y", "x"))

    np.testing.assert_array_equal(both.samples[:, 0], made["x"].samples[:, 0])
    np.testing.assert_array_equal(both.samples[:, 2], made["x"].samples[:, 2])
    assert np.sort(both.samples[:, 1], axis=0).tolist() == (
        np.sort(made["y"].samples[:, 1], axis=0).tolist()
    )


def test_busy_futures_of_one_model_meet_busy_futures_of_the_other() -> None:
    made = {name: make_forecast(samples(200, 1, i).repeat(3, 1)) for i, name in enumerate("xy")}

    both = mixed(made, ("x", "x", "y"))

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
