from dataclasses import replace

import numpy as np
import pytest
import torch
from nodemix.forecasting.pooled import joined, train_pooled
from nodemix.forecasting.sets import training_sets
from nodemix.forecasting.synthetic import Made, made_history
from nodemix.forecasting.train import TrainingSet, quantile_loss
from nodemix.forecasting.types import DemandHistory, Horizon

from tests.forecasting.histories import make_history, seasonal_rows
from tests.forecasting.tiny import TINY, bent_net

LEADS, TARGETS = 4, 2000
ROUNDING = 1e-5
"""Attention over absent tokens sums in another order."""


@pytest.fixture(scope="module")
def one() -> TrainingSet:
    """Of one indicator."""
    history = make_history(*seasonal_rows(2, 4))
    return training_sets(history, LEADS, TARGETS, np.random.default_rng(0))[1]


@pytest.fixture(scope="module")
def four() -> TrainingSet:
    """Of four indicators and more leads."""
    history = made_history(Made(series=2, days=4.0), np.random.default_rng(0))
    return training_sets(history, 2 * LEADS, TARGETS, np.random.default_rng(0))[1]


def test_joined_sets_have_all_sets_the_most_indicators_and_the_fewest_leads(
    one: TrainingSet, four: TrainingSet
) -> None:
    both = joined([one, four])

    assert both.actual.shape == (len(one.actual) + len(four.actual), 4, LEADS)
    assert both.seen.tokens.shape[1] == both.seen.present.shape[1] == 8


def test_padding_counts_nothing_and_does_not_exist(one: TrainingSet, four: TrainingSet) -> None:
    both, count = joined([one, four]), len(one.actual)

    assert (both.counts[:count, 1:] == 0).all()
    assert torch.equal(both.counts[:count, :1], one.counts)
    assert not both.seen.present[:count, [1, 2, 3, 5, 6, 7]].any()


def test_a_network_says_the_same_of_a_set_whatever_it_is_joined_with(
    one: TrainingSet, four: TrainingSet
) -> None:
    both, net, count = joined([one, four]), bent_net(), len(one.actual)

    with torch.no_grad():
        found, alone, rest = net(both.seen), net(one.seen), net(four.seen)

    torch.testing.assert_close(found[:count, :1], alone, atol=ROUNDING, rtol=ROUNDING)
    torch.testing.assert_close(found[count:], rest[:, :, :LEADS], atol=ROUNDING, rtol=ROUNDING)


def test_the_loss_of_joined_sets_is_the_mean_of_theirs(one: TrainingSet, four: TrainingSet) -> None:
    net, fewer = bent_net(), joined([four, one])
    four_alone = fewer.at(torch.arange(len(four.actual)))

    def total(of: TrainingSet) -> float:
        with torch.no_grad():
            mean = quantile_loss(net(of.seen), of.actual, of.counts)
        return float(mean * of.counts.sum())

    assert total(fewer) == pytest.approx(total(one) + total(four_alone), rel=1e-4)


def histories() -> list[DemandHistory]:
    """Of different numbers of indicators, on different grids."""
    hourly = made_history(Made(series=2, days=5.0, step_s=1800.0), np.random.default_rng(0))
    return [hourly, make_history(*seasonal_rows(2, 4))]


def pooled(seed: int) -> torch.Tensor:
    told: list[int] = []
    settings = replace(TINY, networks=2)
    nets = train_pooled(
        histories(),
        Horizon(LEADS),
        settings,
        np.random.default_rng(seed),
        lambda progress: told.append(progress.network),
    )
    assert set(told) == {1, 2}
    return torch.cat([p.detach().flatten() for net in nets for p in net.parameters()])


def test_pooled_training_is_the_same_for_the_same_seed_and_leaves_torch_alone() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()

    one, again, other = (pooled(seed) for seed in (1, 1, 2))

    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.isfinite(one).all()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
