import numpy as np
import pytest
from nodemix.forecasting.synthetic import INDICATORS, Made, made_history
from nodemix.forecasting.types import DemandHistory

SMALL = Made(series=12, days=7.0)
PODS = INDICATORS.index("pods")


def made(seed: int = 0, size: Made = SMALL) -> DemandHistory:
    return made_history(size, np.random.default_rng(seed))


def test_the_same_seed_makes_the_same_cluster_and_another_one_another() -> None:
    np.testing.assert_array_equal(made(1).values, made(1).values)
    assert (made(1).values != made(2).values).any()


@pytest.mark.parametrize("seed", range(5))
def test_made_up_demand_is_finite_not_negative_and_moves(seed: int) -> None:
    values = made(seed).values

    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (values.std(axis=2) > 0).mean() > 0.9


def test_a_made_up_cluster_has_the_size_that_was_asked_for() -> None:
    history = made(size=Made(series=3, days=2.0, step_s=600.0))

    assert history.values.shape == (3, len(INDICATORS), 2 * 144)
    assert history.step_s == 600.0
    assert len(history.parents) == len(history.series) == 3


def test_pods_move_in_steps() -> None:
    """Whole pods; those that are set by hand are all of one size."""
    for pods in made(size=Made(series=30, days=7.0)).values[:, PODS]:
        sizes = np.diff(np.unique(pods))
        smallest = sizes.min(initial=np.inf)

        np.testing.assert_allclose(sizes / smallest, np.round(sizes / smallest), rtol=1e-9)


def test_indicators_of_a_series_follow_one_load() -> None:
    values = made(size=Made(series=30, days=7.0)).values
    cpu, requests = (values[:, INDICATORS.index(name)] for name in ("cpu", "requests"))

    moving = (cpu.std(axis=1) > 0) & (requests.std(axis=1) > 0)
    together = [
        np.corrcoef(*pair)[0, 1] for pair in zip(cpu[moving], requests[moving], strict=True)
    ]

    assert np.median(together) > 0.5


def test_the_global_random_state_is_left_alone() -> None:
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002  it is what must not move

    made()

    assert repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002
