from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from nodemix.forecasting.anchors import LEVELS
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.net import DemandNet, Seen
from nodemix.forecasting.train import (
    LEVEL_WEIGHTS,
    Progress,
    TrainingSet,
    TrainSettings,
    one_thread,
    quantile_loss,
    train,
)

from tests.forecasting.tiny import LEVEL_NOISE, TINY, bent_net, seen_of_normal


def set_of_normal(sets: int = 60, seed: int = 0, middle: float = 0.0) -> TrainingSet:
    """Demand around the first guess."""
    seen = seen_of_normal(sets, seed=seed)
    noise = torch.randn(sets, 1, 1, generator=torch.Generator().manual_seed(seed))
    return TrainingSet(seen, middle + seen.guesses[..., 0] + 0.1 * noise, torch.ones(sets, 1, 1))


def nothing(_: Progress) -> None:
    """Watches without a word."""


def trained(
    settings: TrainSettings = TINY,
    seed: int = 0,
    start: tuple[DemandNet, ...] = (),
    watch: Callable[[Progress], None] = nothing,
    held_out: TrainingSet | None = None,
) -> tuple[DemandNet, ...]:
    late = set_of_normal(seed=1) if held_out is None else held_out
    return train(set_of_normal(), late, settings, seed, watch, start)


def weights(net: DemandNet) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def loss(net: DemandNet, of: TrainingSet) -> float:
    with torch.no_grad():
        return float(quantile_loss(net(of.seen), of.actual, of.counts))


def test_every_level_has_a_weight_and_the_upper_tail_the_heaviest() -> None:
    assert len(LEVEL_WEIGHTS) == LEVELS.size
    assert 0.9 < LEVELS[LEVEL_WEIGHTS.index(max(LEVEL_WEIGHTS))] < 0.999


def test_the_loss_is_the_weighted_pinball_loss() -> None:
    quantiles = torch.zeros(1, LEVELS.size)
    above, below = (
        float(quantile_loss(quantiles, torch.tensor([x]), torch.ones(1))) for x in (2.0, -2.0)
    )

    pairs = list(zip(LEVELS.tolist(), LEVEL_WEIGHTS, strict=True))
    assert above == pytest.approx(2.0 * sum(w * level for level, w in pairs), rel=1e-5)
    assert below == pytest.approx(2.0 * sum(w * (1 - level) for level, w in pairs), rel=1e-5)


def test_the_loss_is_the_mean_of_what_counts() -> None:
    quantiles, actual = torch.zeros(3, LEVELS.size), torch.tensor([1.0, 99.0, 3.0])

    found = quantile_loss(quantiles, actual, torch.tensor([1.0, 0.0, 1.0]))
    expected = quantile_loss(quantiles[:2], torch.tensor([1.0, 3.0]), torch.ones(2))

    torch.testing.assert_close(found, expected)


def test_training_learns_which_guess_to_follow() -> None:
    held_out = set_of_normal(seed=1)
    new = DemandNet(TINY.hidden, TINY.width, seed=0)

    (net,) = trained(replace(TINY, steps=100, check_every=25))

    assert loss(net, held_out) < 0.75 * loss(new, held_out)


def test_training_learns_a_spread_that_depends_on_the_features() -> None:
    sets = 800
    generator = torch.Generator().manual_seed(0)
    plain = seen_of_normal(sets)
    wide = torch.rand(sets, 1, 1, 1, generator=generator)
    features = torch.cat([wide, torch.zeros_like(plain.features[..., 1:])], dim=-1)
    anchors = (0.3 * LEVEL_NOISE).expand_as(plain.anchors)
    seen = Seen(torch.zeros_like(plain.tokens), plain.present, features, 0 * plain.guesses, anchors)
    actual = (0.2 + wide[..., 0]) * torch.randn(sets, 1, 1, generator=generator)
    past = TrainingSet(seen, actual, torch.ones(sets, 1, 1))
    settings = replace(TINY, steps=200, batch=64, hidden=16, check_every=100)

    (net,) = train(past, past, settings, 0, nothing)
    with torch.no_grad():
        upper = net(seen)[:, 0, 0, LEVELS == 0.9].flatten()

    expected = 1.2816 * (0.2 + wide.flatten())
    assert float((upper - expected).abs().mean()) < 0.15


def test_the_best_network_is_kept_not_the_last() -> None:
    told: list[Progress] = []
    settings = replace(TINY, steps=60, rate=0.5, check_every=5, patience=100)

    (net,) = trained(settings, watch=told.append)

    best = min(progress.loss for progress in told)
    assert loss(net, set_of_normal(seed=1)) == pytest.approx(best, rel=1e-6)
    assert best < told[-1].loss


def test_training_stops_when_the_held_out_part_gets_no_better() -> None:
    told: list[Progress] = []
    contrary = replace(set_of_normal(seed=1), actual=-set_of_normal(seed=1).actual)
    start = trained(replace(TINY, steps=0), held_out=contrary)
    settings = replace(TINY, steps=1000, check_every=5, patience=2)

    trained(settings, start=start, watch=told.append, held_out=contrary)

    assert told[-1].step < 200


def test_the_last_step_is_looked_at_even_between_two_looks() -> None:
    told: list[Progress] = []

    (net,) = trained(replace(TINY, steps=25, check_every=10), watch=told.append)

    assert [p.step for p in told] == [0, 10, 20, 25]
    assert loss(net, set_of_normal(seed=1)) == pytest.approx(told[-1].loss, rel=1e-6)
    assert told[-1].loss < told[0].loss


def test_progress_is_told_for_every_network() -> None:
    told: list[Progress] = []

    trained(replace(TINY, networks=2), watch=told.append)

    looks = [(network, step) for network in (1, 2) for step in (0, 10, 20)]
    assert [(p.network, p.step) for p in told] == looks
    assert {(p.networks, p.steps) for p in told} == {(2, 20)}


def test_whoever_watches_can_stop_training() -> None:
    def stop(progress: Progress) -> None:
        if progress.step:
            raise ModelFailedError("flow", "enough")

    with pytest.raises(ModelFailedError, match="enough"):
        trained(watch=stop)


def test_the_same_seed_gives_the_same_weights_and_another_one_another() -> None:
    (one,), (again,), (other,) = (trained(seed=seed) for seed in (1, 1, 2))

    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))


def test_networks_of_one_training_differ() -> None:
    one, other = trained(replace(TINY, networks=2))

    assert not torch.equal(weights(one), weights(other))


def test_fine_tuning_begins_where_the_first_training_left_off() -> None:
    told: list[Progress] = []
    start = (bent_net(hidden=6, width=2),)
    before = weights(start[0])

    (net,) = trained(start=start, watch=told.append)

    assert told[0].loss == pytest.approx(loss(start[0], set_of_normal(seed=1)), rel=1e-6)
    assert net.sizes == (6, 2)
    assert torch.equal(weights(start[0]), before)
    assert torch.equal(net.centre, start[0].centre)


def test_without_a_step_the_start_comes_back() -> None:
    start = (bent_net(),)

    (net,) = trained(replace(TINY, steps=0), start=start)

    assert torch.equal(weights(net), weights(start[0]))


def test_more_networks_than_were_started_from_begin_at_the_same_ones() -> None:
    told: list[Progress] = []

    nets = trained(replace(TINY, networks=3), start=(bent_net(),), watch=told.append)

    assert len(nets) == 3
    assert len({p.loss for p in told if p.step == 0}) == 1


def test_torch_has_one_thread_inside_and_its_own_number_again_after_a_failure() -> None:
    def fail() -> None:
        with one_thread():
            inside.append(torch.get_num_threads())
            raise ModelFailedError("flow", "inside")

    inside: list[int] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ModelFailedError, match="inside"):
            fail()
        assert (inside, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(threads)
