"""How the network is trained: pinball at many levels, averaged weights, stopped when it is time.

On a GPU where there is one, which changes nothing but the time and the last digits.
Imports torch: import this module lazily.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from nodemix.forecasting.anchors import LEVELS
from nodemix.forecasting.net import DemandNet, Seen
from torch import Tensor, nn

LEVEL_WEIGHTS = (
    *(0.1, 0.3, 0.3, 0.5, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0),
    *(1.0, 1.0, 1.0, 1.5, 1.5, 2.0, 2.0, 1.0, 0.3),
)
"""Of the pinball losses at ``LEVELS``: the upper tail is what capacity is bought for."""

WEIGHT_DECAY = 1e-3
EMA = 0.98


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How the network is trained.

    Args:
        steps: most gradient steps of one network.
        batch: sets per step.
        targets: about how many are described to learn from.
        rate: highest learning rate, reached after a tenth of the steps, zero at the end.
        hidden: width of the hidden layers.
        width: of the encoder.
        networks: trained from different seeds; their quantiles are averaged.
        check_every: steps between two looks at what was held out.
        patience: looks without a better one before training stops.
    """

    steps: int = 300
    batch: int = 32
    targets: int = 100_000
    rate: float = 4e-3
    hidden: int = 64
    width: int = 32
    networks: int = 3
    check_every: int = 50
    patience: int = 3


FINE_TUNE = TrainSettings(
    steps=150, targets=40_000, rate=1.5e-3, networks=1, check_every=25, patience=3
)
"""From weights that are good already: seconds, and better than anew on three of four traces."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Sets of the past.

    Args:
        seen: see there.
        actual: normalised demand, shape (sets, asked, leads).
        counts: how much each of it counts, 0 for what was not observed; same shape.
    """

    seen: Seen
    actual: Tensor
    counts: Tensor

    def at(self, index: Tensor) -> "TrainingSet":
        """Some of the sets."""
        return TrainingSet(self.seen.at(index), self.actual[index], self.counts[index])

    def on(self, device: torch.device) -> "TrainingSet":
        """The same where the networks are."""
        seen = self.seen.on(device)
        return TrainingSet(seen, self.actual.to(device), self.counts.to(device))


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training is.

    Args:
        network, networks: which one is being trained, from 1.
        loss: of the held-out part.
    """

    network: int
    networks: int
    step: int
    steps: int
    loss: float


Watch = Callable[[Progress], None]


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside: small matrices, and sums in one fixed order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(
    past: TrainingSet,
    held_out: TrainingSet,
    settings: TrainSettings,
    seed: int,
    watch: Watch,
    start: tuple[DemandNet, ...] = (),
) -> tuple[DemandNet, ...]:
    """Networks fitted to ``past``, each stopped where ``held_out`` was forecast best.

    Args:
        past: what to learn from.
        held_out: what decides when to stop.
        settings: see there.
        seed: of the weights and the batches.
        watch: told about progress; raises to stop.
        start: networks to go on from instead of new ones.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    past, held_out = past.on(device), held_out.on(device)
    found = []
    for number in range(settings.networks):
        if start:
            net = copy.deepcopy(start[number % len(start)]).to(device)
        else:
            net = DemandNet(settings.hidden, settings.width, seed + number).to(device)
            net.standardise(past.seen, past.counts > 0)

        def tell(step: int, loss: float, number: int = number) -> None:
            watch(Progress(number + 1, settings.networks, step, settings.steps, loss))

        found.append(_train_one(net, past, held_out, settings, seed + number, tell))
    return tuple(found)


def _train_one(
    net: DemandNet,
    past: TrainingSet,
    held_out: TrainingSet,
    settings: TrainSettings,
    seed: int,
    tell: Callable[[int, float], None],
) -> DemandNet:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=WEIGHT_DECAY)
    averaged = copy.deepcopy(net)
    best, best_loss, since = copy.deepcopy(net), _held_out_loss(net, held_out), 0
    tell(0, best_loss)
    for step in range(settings.steps):
        index = torch.randint(len(past.actual), (settings.batch,), generator=generator)
        some = past.at(index.to(past.actual.device))
        loss = quantile_loss(net(some.seen), some.actual, some.counts)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        _set_rate(optimizer, _rate(settings, step))
        optimizer.step()
        _average(averaged, net)
        if (step + 1) % settings.check_every == 0 or step + 1 == settings.steps:
            found = _held_out_loss(averaged, held_out)
            tell(step + 1, found)
            since = 0 if found < best_loss else since + 1
            if found < best_loss:
                best, best_loss = copy.deepcopy(averaged), found
            if since >= settings.patience:
                break
    return best.cpu().eval()


def quantile_loss(quantiles: Tensor, actual: Tensor, counts: Tensor) -> Tensor:
    """Weighted pinball loss, mean over what counts; shapes (..., LEVELS), (...), (...)."""
    levels = torch.from_numpy(LEVELS).float().to(actual.device)
    weights = torch.tensor(LEVEL_WEIGHTS, device=actual.device)
    error = actual[..., None] - quantiles
    pinball = torch.maximum(levels * error, (levels - 1.0) * error)
    each = (pinball * weights).sum(dim=-1)
    return (each * counts).sum() / counts.sum().clamp_min(1.0)


def _held_out_loss(net: DemandNet, held_out: TrainingSet) -> float:
    with torch.no_grad():
        return float(quantile_loss(net(held_out.seen), held_out.actual, held_out.counts))


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _rate(settings: TrainSettings, step: int) -> float:
    share = (step + 1) / settings.steps
    return settings.rate * min(share / 0.1, (1.0 - share) / 0.9)


def _average(averaged: DemandNet, net: DemandNet) -> None:
    with torch.no_grad():
        for mean, parameter in zip(averaged.parameters(), net.parameters(), strict=True):
            mean.lerp_(parameter, 1.0 - EMA)
