import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.flow import Fitted, Flow
from nodemix.forecasting.train import Progress, TrainSettings
from nodemix.forecasting.types import DemandHistory, Event, Horizon, Samples

from tests.forecasting.histories import DAY, STEP_S, make_history, seasonal_rows
from tests.forecasting.tiny import TINY, bent_net, tiny_flow

HORIZON = Horizon(steps=4, draws=20)
SECONDS_ON_A_BUSY_CORE = 20.0
"""Training alone takes 4 s on a free core of 2026; others may use it at the same time."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def history(rows: int = 2, days: float = 4) -> DemandHistory:
    return make_history(*seasonal_rows(rows, days))


@cache
def trained() -> Flow:
    """On :func:`history`."""
    return tiny_flow().trained(history(), HORIZON, rng())


def fitted(flow: Flow) -> Fitted:
    assert flow.fitted is not None
    return flow.fitted


def weights(flow: Flow) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for net in fitted(flow).nets for p in net.parameters()])


def samples(flow: Flow, past: DemandHistory, horizon: Horizon = HORIZON) -> Samples:
    return flow.forecast(past, horizon, rng()).samples


def test_a_forecast_begins_after_the_history_and_speaks_of_every_series() -> None:
    forecast = trained().forecast(history(), HORIZON, rng())

    assert forecast.samples.shape == (20, 2, 4, 1)
    assert forecast.series == history().series
    assert forecast.start_s == history().end_s + STEP_S


def test_the_same_seed_gives_the_same_networks_and_another_one_another() -> None:
    one, again, other = (tiny_flow().trained(history(), HORIZON, rng(s)) for s in (1, 1, 2))

    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))


def test_global_randomness_and_threads_are_left_alone() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        tiny_flow().forecast(history(), HORIZON, rng())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_threads_are_restored_after_a_failure() -> None:
    threads = torch.get_num_threads()
    ticks = iter(range(0, 10_000, 100))

    with pytest.raises(ModelFailedError, match="training took longer than 10 s"):
        tiny_flow(train_s=10.0, clock=lambda: float(next(ticks))).trained(history(), HORIZON, rng())
    assert torch.get_num_threads() == threads


def test_training_that_diverges_stops() -> None:
    broken = bent_net()
    with torch.no_grad():
        broken.last.bias.fill_(float("nan"))

    with pytest.raises(ModelFailedError, match="diverged"):
        tiny_flow(start=(broken,)).trained(history(), HORIZON, rng())


def test_progress_is_told_to_whoever_watches() -> None:
    told: list[Progress] = []

    tiny_flow(watch=told.append).trained(history(), HORIZON, rng())

    assert [(p.step, p.steps) for p in told] == [(0, 20), (10, 20), (20, 20)]


def test_training_begins_with_the_networks_that_it_is_given() -> None:
    start = fitted(trained()).nets
    settings = replace(TINY, steps=0)

    again = tiny_flow(settings=settings, start=start).trained(history(), HORIZON, rng())

    assert torch.equal(weights(again), weights(trained()))


def test_training_takes_seconds() -> None:
    week = history(rows=10, days=7)
    started_s = time.process_time()

    Flow(train_s=600.0, settings=TrainSettings(networks=1)).trained(week, Horizon(24), rng())

    assert time.process_time() - started_s < SECONDS_ON_A_BUSY_CORE


def test_less_than_three_days_is_too_little() -> None:
    with pytest.raises(ModelFailedError, match=r"2\.5 days of history, needs 3\.0"):
        tiny_flow().forecast(history(days=2.5), HORIZON, rng())


def test_networks_to_start_from_speak_where_there_is_too_little_to_learn_from() -> None:
    start = (bent_net(),)

    flow = tiny_flow(start=start).trained(history(days=2), HORIZON, rng())

    assert fitted(flow).nets == start
    assert np.isfinite(samples(flow, history(days=2))).all()


def test_other_series_or_steps_are_refused() -> None:
    with pytest.raises(ModelFailedError, match="trained for other series or steps"):
        samples(trained(), history(rows=3))
    with pytest.raises(ModelFailedError, match="trained for other series or steps"):
        samples(trained(), history(), Horizon(5, 20))
    with pytest.raises(ModelFailedError, match="trained for other series or steps"):
        trained().calibrated(history(rows=3), HORIZON)


def test_a_flow_that_was_never_trained_cannot_be_calibrated() -> None:
    with pytest.raises(ModelFailedError, match="never trained"):
        tiny_flow().calibrated(history(), HORIZON)


def test_calibrating_changes_the_margins_and_no_weight() -> None:
    newer = make_history(*seasonal_rows(2, 6, seed=1))

    calibrated = trained().calibrated(newer, HORIZON)

    assert fitted(calibrated).nets is fitted(trained()).nets
    assert fitted(calibrated).until_s == fitted(trained()).until_s
    assert (fitted(calibrated).margins.values != fitted(trained()).margins.values).any()
    assert fitted(calibrated).noise.shape[1:] == fitted(trained()).noise.shape[1:]


def test_calibrating_to_the_same_history_changes_nothing() -> None:
    again = trained().calibrated(history(), HORIZON)

    np.testing.assert_array_equal(fitted(again).noise, fitted(trained()).noise)
    np.testing.assert_array_equal(samples(again, history()), samples(trained(), history()))


@pytest.mark.parametrize("origin", [2 * DAY, 4 * DAY - 1])
def test_a_forecast_from_a_past_step_is_the_one_that_was_made_then(origin: int) -> None:
    then = trained().forecast(history().until(origin + 1), HORIZON, rng())

    (found,) = trained().paths_at(history(), [origin], HORIZON, rng())

    np.testing.assert_array_equal(found.samples, then.samples)
    assert found.start_s == then.start_s


def test_a_forecast_from_a_past_step_does_not_know_who_wakes_later() -> None:
    rows = seasonal_rows(2, 4)
    rows[1, : 3 * DAY] = 0.0
    woken = make_history(*rows)
    origin = 2 * DAY

    (found,) = trained().paths_at(woken, [origin], HORIZON, rng())

    np.testing.assert_array_equal(found.samples, samples(trained(), woken.until(origin + 1)))


def test_several_past_steps_are_forecast_in_their_order() -> None:
    origins = [3 * DAY, 2 * DAY, 2 * DAY + 7]

    found = list(trained().paths_at(history(), origins, HORIZON, rng()))

    assert [f.start_s for f in found] == [history().start_s + (o + 1) * STEP_S for o in origins]


def test_rows_of_zeros_stay_zero() -> None:
    rows = np.stack([*seasonal_rows(2, 4), np.zeros(4 * DAY)])

    found = samples(tiny_flow(), make_history(*rows))

    assert (found[:, 2] == 0.0).all()
    assert (found[:, :2] > 0.0).any()


def test_a_history_of_zeros_alone_is_forecast_as_zeros() -> None:
    assert (samples(tiny_flow(), make_history(np.zeros(4 * DAY))) == 0.0).all()


@pytest.mark.parametrize(("steps", "days"), [(1, 3.02), (DAY + 10, 4.2), (4, 3.05)])
def test_a_horizon_of_a_step_or_of_more_than_a_day_works(steps: int, days: float) -> None:
    found = samples(tiny_flow(), history(days=days), Horizon(steps, 10))

    assert found.shape == (10, 2, steps, 1)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


@pytest.mark.parametrize("draws", [1, 3])
def test_a_few_draws_are_a_forecast(draws: int) -> None:
    found = samples(trained(), history(), Horizon(HORIZON.steps, draws))

    assert found.shape[0] == draws
    assert np.isfinite(found).all()


def test_a_trained_flow_follows_the_daily_wave() -> None:
    """The median misses half a day ahead by less than the last value does."""
    rows = seasonal_rows(2, 8, noise=0.05)
    past, actual = make_history(*rows[:, :-48]), rows[:, -48:]

    median = tiny_flow().forecast(past, Horizon(48, 100), rng()).quantile(0.5)[..., 0]

    assert np.abs(median - actual).mean() < 0.8 * np.abs(rows[:, -49:-48] - actual).mean()


def test_steps_of_one_path_move_together() -> None:
    """Demand that drifts slowly gives paths whose neighbouring steps are correlated."""
    noise = rng(1)
    drift = np.zeros(6 * DAY)
    for step in range(1, drift.size):
        drift[step] = 0.98 * drift[step - 1] + noise.standard_normal()

    found = samples(tiny_flow(), make_history(100 + 5 * drift), Horizon(24, 200))

    assert np.corrcoef(found[:, 0, 18, 0], found[:, 0, 20, 0])[0, 1] > 0.7


def test_series_that_move_together_do_so_in_every_path() -> None:
    """The sum of two such series is wider than if each had its own chance."""
    noise = rng(1)
    shock = 1.0 + 0.1 * np.repeat(noise.standard_normal((1, 3 * DAY)), 2, axis=1)
    rows = np.array([[50.0], [80.0]]) * shock * noise.gamma(1e4, 1e-4, (2, 6 * DAY))

    found = samples(tiny_flow(), make_history(*rows), Horizon(8, 200))[..., 0]

    assert np.corrcoef(found[:, 0, 6], found[:, 1, 6])[0, 1] > 0.4


def with_sales() -> DemandHistory:
    """A history with a sale now and then that triples demand, and one a step ahead of now."""
    rows = 10.0 * rng(3).gamma(400.0, 1 / 400.0, (2, 10 * DAY))
    starts = np.arange(20, 10 * DAY - 20, 61)
    for start in starts:
        rows[0, start : start + 8] += 20.0
    plain = make_history(*rows)
    ahead = [*starts.tolist(), 10 * DAY + 1]
    times = [(plain.start_s + s * STEP_S, plain.start_s + (s + 8) * STEP_S) for s in ahead]
    sales = tuple(Event("sale", start, end, plain.series[:1]) for start, end in times)
    return replace(plain, events=sales)


def test_an_event_that_is_known_ahead_moves_the_forecast_to_what_the_last_one_did() -> None:
    sales, on = with_sales(), slice(1, 9)
    settings = replace(TINY, steps=120, batch=16, targets=10_000, check_every=40)
    flow = tiny_flow(settings=settings).trained(sales, Horizon(10, 60), rng())
    without = replace(sales, events=sales.events[:-1])

    expected, quiet = (flow.forecast(h, Horizon(10, 60), rng()) for h in (sales, without))

    moved = (expected.quantile(0.5) - quiet.quantile(0.5))[:, on, 0].mean(axis=1)
    assert moved[0] > 8.0
    assert abs(moved[1]) < 2.0
