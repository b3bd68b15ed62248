"""A conditional rational-quadratic spline in one dimension, and how it is trained.

``x = anchor + shift + scale * spline(noise)`` with standard normal ``noise``: strictly increasing
in ``noise``, so quantiles are the map of normal quantiles and never cross. A small network gives
shift, scale, knots and the weights of the anchors. Imports torch: import this module lazily.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from zuko.transforms import MonotonicRQSTransform

BINS = 8
BOUND = 4.0
LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
LEVEL_WEIGHTS = (0.5, 1.0, 1.0, 1.0, 1.0, 1.5, 2.0, 3.0)
NLL_WEIGHT = 0.1
WEIGHT_DECAY = 1e-3
EMA = 0.98


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How the network is trained.

    Args:
        steps: gradient steps; fixed, so that the result depends on the seed alone. Twice as many
            changed the score by -6 to +2 % on three real traces and took twice as long.
        batch: targets per step.
        rate: highest learning rate, reached after a tenth of the steps, zero at the end.
        hidden: width of the two hidden layers.
    """

    steps: int = 250
    batch: int = 512
    rate: float = 4e-3
    hidden: int = 64


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Targets of the past, float32.

    Args:
        features: shape (targets, features).
        anchors: shape (targets, anchors).
        actual: shape (targets,).
    """

    features: Tensor
    anchors: Tensor
    actual: Tensor


class SplineNet(nn.Module):
    """From features and anchors to a monotone map of standard normal noise."""

    def __init__(self, features: int, anchors: int, hidden: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.centre = nn.Buffer(torch.zeros(features))
        self.spread = nn.Buffer(torch.ones(features))
        outputs = anchors + 2 + 3 * BINS - 1
        self.sizes = (anchors, 1, 1, BINS, BINS, BINS - 1)
        self.layers = nn.Sequential(
            _linear(features, hidden, 1.0, generator),
            nn.SiLU(),
            _linear(hidden, hidden, 1.0, generator),
            nn.SiLU(),
            _linear(hidden, outputs, 0.0, generator),
        )

    def maps(self, features: Tensor, anchors: Tensor) -> "Maps":
        """One monotone map for each row of ``features``."""
        seen = ((features - self.centre) / self.spread).clamp(-5.0, 5.0)
        gate, shift, scale, widths, heights, slopes = self.layers(seen).split(self.sizes, dim=-1)
        anchor = (torch.softmax(gate, dim=-1) * anchors).sum(dim=-1, keepdim=True)
        width = nn.functional.softplus(scale - 1.0) + 1e-4
        knots = MonotonicRQSTransform(
            widths[:, None], heights[:, None], slopes[:, None], bound=BOUND
        )
        return Maps(anchor + shift, width, knots)


@dataclass(frozen=True, slots=True)
class Maps:
    """A batch of monotone maps; ``noise`` and ``x`` have shape (batch, points)."""

    middle: Tensor
    width: Tensor
    knots: MonotonicRQSTransform

    def forward(self, noise: Tensor) -> Tensor:
        """From noise to normalised demand."""
        moved: Tensor = self.middle + self.width * self.knots(noise)
        return moved

    def inverse(self, x: Tensor) -> Tensor:
        """From normalised demand to noise."""
        noise: Tensor = self.knots.inv((x - self.middle) / self.width)
        return noise

    def negative_log_likelihood(self, x: Tensor) -> Tensor:
        """Of normalised demand ``x``, up to a constant, shape of ``x``."""
        noise = self.inverse(x)
        log_slope = self.knots.log_abs_det_jacobian(noise, self.knots(noise))
        loss: Tensor = 0.5 * noise.square() + log_slope + self.width.log()
        return loss


def _linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """A layer whose weights come from ``generator``, not from torch's global one."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(0.0, gain / inputs**0.5, generator=generator)
        layer.bias.zero_()
    return layer


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
    past: TrainingSet, settings: TrainSettings, seed: int, check: Callable[[Tensor], None]
) -> SplineNet:
    """A network fitted to ``past``: pinball over upper-weighted levels plus a little likelihood.

    Args:
        past: what to learn from.
        settings: see there.
        seed: of the weights and the batches.
        check: called with the loss of each step; raises to stop.
    """
    generator = torch.Generator().manual_seed(seed)
    net = SplineNet(past.features.shape[1], past.anchors.shape[1], settings.hidden, seed)
    net.centre.copy_(past.features.mean(dim=0))
    net.spread.copy_(past.features.std(dim=0).clamp_min(1e-3))
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=WEIGHT_DECAY)
    averaged = [p.detach().clone() for p in net.parameters()]
    for step in range(settings.steps):
        index = torch.randint(len(past.actual), (settings.batch,), generator=generator)
        loss = _loss(net, past.features[index], past.anchors[index], past.actual[index])
        check(loss)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        _set_rate(optimizer, _rate(settings, step))
        optimizer.step()
        _average(averaged, net)
    with torch.no_grad():
        for parameter, mean in zip(net.parameters(), averaged, strict=True):
            parameter.copy_(mean)
    return net.eval()


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _rate(settings: TrainSettings, step: int) -> float:
    share = (step + 1) / settings.steps
    return settings.rate * min(share / 0.1, (1.0 - share) / 0.9)


def _average(averaged: list[Tensor], net: SplineNet) -> None:
    with torch.no_grad():
        for mean, parameter in zip(averaged, net.parameters(), strict=True):
            mean.lerp_(parameter, 1.0 - EMA)


def _loss(net: SplineNet, features: Tensor, anchors: Tensor, actual: Tensor) -> Tensor:
    maps = net.maps(features, anchors)
    levels = torch.tensor(LEVELS)
    quantiles = maps.forward(torch.special.ndtri(levels).expand(len(actual), -1))
    error = actual[:, None] - quantiles
    pinball = torch.maximum(levels * error, (levels - 1.0) * error)
    tail = (pinball * torch.tensor(LEVEL_WEIGHTS)).sum(dim=1).mean()
    return tail + NLL_WEIGHT * maps.negative_log_likelihood(actual[:, None]).mean()
