"""The network: encoder, gate over guesses and anchors, spline; and what it is fed.

Imports torch: import this module lazily.
"""

from dataclasses import dataclass

import torch
from nodemix.forecasting.anchors import ANCHORS, LEVELS, NOISE
from nodemix.forecasting.encoder import Encoder, linear
from nodemix.forecasting.features import FEATURES, GUESSES
from nodemix.forecasting.spline import PARAMETERS, Maps
from torch import Tensor, nn

INPUTS = FEATURES + 3 * ANCHORS
LEAST_SHARE = 0.02
LEAST_UNREST = 1e-4
ANCHORS_FIRST = 2.0
"""How much an untrained gate favours the anchors, which are forecasts of their own."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network sees of sets (a series at an origin), float32.

    Args:
        tokens: shape (sets, tokens, TOKEN); the first ones are those that are asked.
        present: tokens that exist, shape (sets, tokens).
        features: shape (sets, asked, leads, FEATURES).
        guesses: shape (sets, asked, leads, GUESSES).
        anchors: shape (sets, asked, leads, ANCHORS, LEVELS).
    """

    tokens: Tensor
    present: Tensor
    features: Tensor
    guesses: Tensor
    anchors: Tensor

    def at(self, index: Tensor) -> "Seen":
        """Some of the sets."""
        return Seen(
            self.tokens[index],
            self.present[index],
            self.features[index],
            self.guesses[index],
            self.anchors[index],
        )

    def on(self, device: torch.device) -> "Seen":
        """The same on another device."""
        return Seen(
            self.tokens.to(device),
            self.present.to(device),
            self.features.to(device),
            self.guesses.to(device),
            self.anchors.to(device),
        )


class DemandNet(nn.Module):
    """From what is seen to quantiles of normalised demand at ``LEVELS``."""

    def __init__(self, hidden: int, width: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.sizes = (hidden, width)
        self.centre = nn.Buffer(torch.zeros(INPUTS))
        self.spread = nn.Buffer(torch.ones(INPUTS))
        self.encoder = Encoder(width, generator)
        self.from_context = linear(width, hidden, 1.0, generator)
        self.from_target = linear(INPUTS, hidden, 1.0, generator)
        self.hidden = linear(hidden, hidden, 1.0, generator)
        self.last = linear(hidden, GUESSES + ANCHORS + PARAMETERS, 0.0, generator)

    def standardise(self, seen: Seen, counts: Tensor) -> None:
        """Learn centre and spread of the inputs where ``counts`` (sets, asked, leads) is set."""
        if int(counts.sum()) < 2:
            return
        inputs = _inputs(seen)[counts]
        self.centre.copy_(inputs.mean(dim=0))
        self.spread.copy_(inputs.std(dim=0).clamp_min(1e-3))

    def forward(self, seen: Seen) -> Tensor:
        """Increasing along the last axis; shape (sets, asked, leads, LEVELS)."""
        context = self.encoder(seen.tokens, seen.present, seen.features.shape[1])
        inputs = ((_inputs(seen) - self.centre) / self.spread).clamp(-5.0, 5.0)
        first = self.from_target(inputs) + self.from_context(context)[:, :, None]
        x = nn.functional.silu(self.hidden(nn.functional.silu(first)))
        gate, spline = torch.split(self.last(x), [GUESSES + ANCHORS, PARAMETERS], dim=-1)
        shape = (*gate.shape[:3], LEVELS.size)
        noise = torch.from_numpy(NOISE).float().to(gate.device)
        moved = Maps.of(spline.flatten(0, 2)).forward(noise.expand(gate[..., 0].numel(), -1))
        return _gated(gate, seen) + _unrest(seen) * moved.view(shape)


def _inputs(seen: Seen) -> Tensor:
    """Features, and how wide each anchor is: in the middle and at both ends."""
    at = {level: i for i, level in enumerate(LEVELS.tolist())}
    low, mid, high, top = (seen.anchors[..., at[level]] for level in (0.1, 0.5, 0.9, 0.99))
    wide = (high - low, top - mid, mid - seen.guesses[..., :1])
    return torch.cat([seen.features, *wide], dim=-1)


def _unrest(seen: Seen) -> Tensor:
    """How far the row moves in so many steps: what never moved is not moved by the spline."""
    at = {level: i for i, level in enumerate(LEVELS.tolist())}
    change = seen.anchors[..., :1, :]
    usual = change[..., at[0.975]] - change[..., at[0.025]]
    largest = change[..., at[0.999]] - change[..., at[0.001]]
    return 0.25 * usual + 0.05 * largest + LEAST_UNREST


def _gated(gate: Tensor, seen: Seen) -> Tensor:
    """The mix of guesses and anchors; shares below a limit are none at all."""
    favour = torch.zeros(GUESSES + ANCHORS, device=gate.device)
    favour[GUESSES:] = ANCHORS_FIRST
    shares = nn.functional.relu(torch.softmax(gate + favour, dim=-1) - LEAST_SHARE)
    shares = shares / shares.sum(dim=-1, keepdim=True)
    plain = (shares[..., :GUESSES] * seen.guesses).sum(dim=-1, keepdim=True)
    whole = torch.einsum("...a,...al->...l", shares[..., GUESSES:], seen.anchors)
    return plain + whole
