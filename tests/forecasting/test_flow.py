import time

import numpy as np
import pytest
import torch
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.flow import Flow
from nodemix.forecasting.spline import BOUND, Maps, SplineNet, TrainSettings, one_thread, train
from nodemix.forecasting.spline import TrainingSet as Past
from nodemix.forecasting.types import DemandHistory, Horizon

from tests.forecasting.histories import DAY, make_history, seasonal_rows

FEATURES, ANCHORS, HIDDEN = 6, 7, 16
SECONDS_ON_A_BUSY_CORE = 8.0
"""Training alone takes 1.5 s on a free core of 2026; others may use it at the same time."""


def net_with_shape() -> SplineNet:
    """A net whose last layer is not zero, so that its splines are bent."""
    net = SplineNet(FEATURES, ANCHORS, HIDDEN, seed=1)
    last = net.layers[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight.normal_(0.0, 0.5, generator=torch.Generator().manual_seed(2))
    return net.double()


def maps(rows: int = 5) -> Maps:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(rows, FEATURES, generator=generator, dtype=torch.float64)
    anchors = torch.randn(rows, ANCHORS, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        return net_with_shape().maps(features, anchors)


def line(low: float, high: float, points: int, rows: int = 5) -> torch.Tensor:
    return torch.linspace(low, high, points, dtype=torch.float64).expand(rows, -1)


def history(rows: int = 3, days: float = 6) -> DemandHistory:
    return make_history(*seasonal_rows(rows, days))


def quick() -> Flow:
    return Flow(train_s=60.0, settings=TrainSettings(steps=30))


def test_the_map_can_be_inverted_inside_and_outside_of_its_knots() -> None:
    noise = line(-2 * BOUND, 2 * BOUND, 101)

    torch.testing.assert_close(maps().inverse(maps().forward(noise)), noise, atol=1e-6, rtol=1e-6)


def test_quantiles_never_cross() -> None:
    moved = maps().forward(line(-6.0, 6.0, 500))

    assert (moved.diff(dim=1) > 0).all()


def test_the_density_integrates_to_one() -> None:
    spline = maps()
    x = spline.forward(line(-8.0, 8.0, 4001))
    density = torch.exp(-spline.negative_log_likelihood(x)) / (2 * torch.pi) ** 0.5

    torch.testing.assert_close(
        torch.trapezoid(density, x), torch.ones(5, dtype=torch.float64), atol=1e-3, rtol=0
    )


def test_the_density_is_the_derivative_of_the_inverse() -> None:
    spline = maps()
    x = spline.forward(line(-3.0, 3.0, 21)).requires_grad_()
    (slope,) = torch.autograd.grad(spline.inverse(x).sum(), x)
    expected = 0.5 * spline.inverse(x).square() - slope.log()

    torch.testing.assert_close(spline.negative_log_likelihood(x), expected)


def test_a_new_net_is_the_mean_of_its_anchors_with_one_spread() -> None:
    net = SplineNet(FEATURES, ANCHORS, HIDDEN, seed=1)
    anchors = torch.arange(7.0).expand(2, -1)

    with torch.no_grad():
        new = net.maps(torch.zeros(2, FEATURES), anchors)

    torch.testing.assert_close(new.middle, torch.full((2, 1), 3.0))
    assert new.width[0] == new.width[1] > 0


def test_training_learns_a_spread_that_depends_on_the_features() -> None:
    generator = torch.Generator().manual_seed(0)
    wide = torch.rand(4000, 1, generator=generator)
    actual = (0.2 + wide[:, 0]) * torch.randn(4000, generator=generator)
    past = Past(wide, torch.zeros(4000, 1), actual)

    with one_thread(), torch.no_grad():
        with torch.enable_grad():
            net = train(past, TrainSettings(steps=200, hidden=16), 0, lambda _: None)
        learnt = net.maps(torch.tensor([[0.0], [1.0]]), torch.zeros(2, 1))
        upper = learnt.forward(torch.tensor([[1.645], [1.645]]))[:, 0]

    torch.testing.assert_close(upper, 1.645 * torch.tensor([0.2, 1.2]), atol=0.25, rtol=0)


def test_the_same_seed_gives_the_same_net_and_another_one_another() -> None:
    def weights(seed: int) -> torch.Tensor:
        fitted = quick().trained(history(), Horizon(4), np.random.default_rng(seed)).fitted
        assert fitted is not None
        return torch.cat([p.flatten() for p in fitted.net.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_global_randomness_and_threads_are_left_alone() -> None:
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        quick().forecast(history(), Horizon(4, 10), np.random.default_rng(0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_threads_are_restored_after_a_failure() -> None:
    threads = torch.get_num_threads()
    ticks = iter(range(0, 10_000, 100))

    with pytest.raises(ModelFailedError, match="training took longer than 10 s"):
        Flow(clock=lambda: float(next(ticks))).trained(
            history(), Horizon(4), np.random.default_rng(0)
        )
    assert torch.get_num_threads() == threads


def test_a_loss_that_is_not_finite_stops_training() -> None:
    check = Flow()._watch()

    with pytest.raises(ModelFailedError, match="diverged"):
        check(torch.tensor(float("nan")))


def test_training_takes_seconds() -> None:
    two_weeks = history(rows=25, days=14)
    started_s = time.process_time()

    Flow().trained(two_weeks, Horizon(24), np.random.default_rng(0))

    assert time.process_time() - started_s < SECONDS_ON_A_BUSY_CORE


def test_less_than_three_days_is_too_little() -> None:
    with pytest.raises(ModelFailedError, match=r"2\.5 days of history, needs 3\.0"):
        Flow().forecast(history(days=2.5), Horizon(4), np.random.default_rng(0))


def test_a_net_for_other_series_is_refused() -> None:
    trained = quick().trained(history(rows=3), Horizon(4), np.random.default_rng(0))

    with pytest.raises(ModelFailedError, match="trained for other series"):
        trained.forecast(history(rows=2), Horizon(4), np.random.default_rng(0))


def test_a_trained_flow_follows_the_daily_wave() -> None:
    """The median misses half a day ahead by less than the last value does."""
    rows = seasonal_rows(3, 10, noise=0.05)
    past, actual = make_history(*rows[:, :-48]), rows[:, -48:]

    flow = Flow(train_s=60.0, settings=TrainSettings(steps=120))
    median = flow.forecast(past, Horizon(48, 100), np.random.default_rng(0)).quantile(0.5)[..., 0]

    missed = np.abs(median - actual).mean()
    assert missed < 0.3 * np.abs(rows[:, -49:-48] - actual).mean()


def test_steps_of_one_path_move_together() -> None:
    """Demand that drifts slowly gives paths whose neighbouring steps are correlated."""
    rng = np.random.default_rng(1)
    drift = np.zeros(8 * DAY)
    for step in range(1, drift.size):
        drift[step] = 0.98 * drift[step - 1] + rng.standard_normal()
    past = make_history(100 + 5 * drift)

    samples = quick().forecast(past, Horizon(24, 200), np.random.default_rng(0)).samples

    assert np.corrcoef(samples[:, 0, 18, 0], samples[:, 0, 20, 0])[0, 1] > 0.7
