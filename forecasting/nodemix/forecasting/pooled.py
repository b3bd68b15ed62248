"""One set of networks for clusters that nobody has seen yet, learnt from many others.

Imports torch: import this module lazily.
"""

from collections.abc import Sequence

import numpy as np
import torch
from nodemix.forecasting.net import DemandNet, Seen
from nodemix.forecasting.sets import training_sets
from nodemix.forecasting.train import TrainingSet, TrainSettings, Watch, one_thread, train
from nodemix.forecasting.types import DemandHistory, Horizon
from torch import Tensor


def train_pooled(
    histories: Sequence[DemandHistory],
    horizon: Horizon,
    settings: TrainSettings,
    rng: np.random.Generator,
    watch: Watch,
) -> tuple[DemandNet, ...]:
    """Networks trained on all ``histories`` at once; they may differ in indicators and grid.

    Args:
        histories: without holes.
        horizon: longest one that is learnt.
        settings: see there.
        rng: source of randomness.
        watch: told about progress; raises to stop.
    """
    with one_thread():
        each = settings.targets // len(histories)
        pairs = [training_sets(history, horizon.steps, each, rng) for history in histories]
        past, held_out = (joined([pair[i] for pair in pairs]) for i in (0, 1))
        return train(past, held_out, settings, int(rng.integers(2**62)), watch)


def joined(sets: Sequence[TrainingSet]) -> TrainingSet:
    """Training sets of different numbers of indicators as one; what is missing counts nothing."""
    asked = max(of.actual.shape[1] for of in sets)
    leads = min(of.actual.shape[2] for of in sets)
    return TrainingSet(
        Seen(
            torch.cat([_padded_tokens(of.seen.tokens, of.actual.shape[1], asked) for of in sets]),
            torch.cat([_padded_tokens(of.seen.present, of.actual.shape[1], asked) for of in sets]),
            torch.cat([_padded(of.seen.features[:, :, :leads], asked) for of in sets]),
            torch.cat([_padded(of.seen.guesses[:, :, :leads], asked) for of in sets]),
            torch.cat([_padded(of.seen.anchors[:, :, :leads], asked) for of in sets]),
        ),
        torch.cat([_padded(of.actual[:, :, :leads], asked) for of in sets]),
        torch.cat([_padded(of.counts[:, :, :leads], asked) for of in sets]),
    )


def _padded(values: Tensor, asked: int) -> Tensor:
    """Zeros behind the second axis up to ``asked``."""
    missing = values.new_zeros((values.shape[0], asked - values.shape[1], *values.shape[2:]))
    return torch.cat([values, missing], dim=1)


def _padded_tokens(values: Tensor, own: int, asked: int) -> Tensor:
    """A series' own tokens and its cluster's, each padded to ``asked``."""
    return torch.cat([_padded(part, asked) for part in (values[:, :own], values[:, own:])], dim=1)
