import numpy as np
from nodemix.forecasting.anchors import LEVELS, NOISE
from nodemix.forecasting.tables import SAME, Tables
from nodemix.forecasting.types import FloatArray

TARGETS = 40


def rising(seed: int = 0) -> FloatArray:
    """Quantiles that rise from level to level, shape (TARGETS, LEVELS)."""
    steps = np.random.default_rng(seed).gamma(2.0, 0.2, (TARGETS, LEVELS.size))
    values: FloatArray = np.cumsum(steps, axis=1) - 3.0
    return values


def ahead(noise: FloatArray, values: FloatArray) -> FloatArray:
    """Demand at ``noise`` (points) of every target, shape (targets, points)."""
    groups = np.tile(noise, (values.shape[0], 1))
    return Tables(values).forward(groups)[:, 0]


def test_at_the_levels_demand_is_what_the_table_says() -> None:
    np.testing.assert_allclose(ahead(NOISE, rising()), rising())


def test_between_two_levels_demand_lies_on_the_line() -> None:
    middle = (NOISE[:-1] + NOISE[1:]) / 2

    expected = (rising()[:, :-1] + rising()[:, 1:]) / 2

    np.testing.assert_allclose(ahead(middle, rising()), expected)


def test_beyond_the_outermost_levels_demand_stays_what_it_is_there() -> None:
    beyond = ahead(np.array([-9.0, 9.0]), rising())

    np.testing.assert_allclose(beyond, rising()[:, [0, -1]])


def test_more_noise_is_never_less_demand() -> None:
    values = rising()
    values[:, 5:9] = values[:, 5:6]

    found = ahead(np.linspace(-5.0, 5.0, 500), values)

    assert (np.diff(found, axis=1) >= -1e-12).all()


def test_each_group_of_targets_has_noise_of_its_own() -> None:
    noise = np.array([[-1.0, 0.5], [0.0, 2.0]])

    found = Tables(rising()).forward(noise)

    assert found.shape == (2, TARGETS // 2, 2)
    np.testing.assert_allclose(found[0], ahead(noise[0], rising())[: TARGETS // 2])
    np.testing.assert_allclose(found[1], ahead(noise[1], rising())[TARGETS // 2 :])


def test_demand_of_some_noise_leads_back_to_it() -> None:
    """As exactly as demand that is the same within ``SAME`` allows."""
    noise = np.linspace(-2.9, 2.9, TARGETS)
    values = 10.0 * rising()
    demand = np.diagonal(ahead(noise, values))

    found = Tables(values).inverse(demand, np.full(TARGETS, 0.5))

    steepest = (np.diff(values, axis=1) / np.diff(NOISE)).min()
    np.testing.assert_allclose(found, noise, atol=2 * SAME / steepest)


def test_ties_choose_a_place_among_the_levels_of_the_same_demand() -> None:
    values = np.tile(np.where(LEVELS <= 0.9, 2.0, 5.0), (3, 1))
    demand = np.full(3, 2.0)

    found = Tables(values).inverse(demand, np.array([0.0, 0.5, 1.0]))

    at = [float(NOISE[0]), float(np.interp(0.45, LEVELS, NOISE)), float(NOISE[LEVELS == 0.9][0])]
    np.testing.assert_allclose(found, at, atol=0.02)


def test_demand_beyond_everything_thought_possible_has_the_outermost_noise() -> None:
    far = np.where(np.arange(TARGETS) % 2 == 0, -1e9, 1e9)

    found = Tables(rising()).inverse(far, np.full(TARGETS, 0.5))

    np.testing.assert_allclose(found, np.where(far < 0, NOISE[0], NOISE[-1]))
