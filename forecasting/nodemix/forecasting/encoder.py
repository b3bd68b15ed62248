"""What a series is doing as a whole: each of its indicators beside those of the whole cluster.

A token is one row's recent past; one layer of attention lets cpu look at memory, requests look at
pods, and a workload at the cluster it is part of. It does not matter how many indicators there are.
Imports torch: import this module lazily.
"""

import numpy as np
import torch
from nodemix.forecasting.features import Grid, Norms, Targets
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray
from torch import Tensor, nn

CONTEXT_STEPS = 192
PATCH = 16
FINE = 16
LEVELS_OF_TREE = 3
TOKEN = FINE + 2 * (CONTEXT_STEPS // PATCH) + LEVELS_OF_TREE
HEADS = 2


def tokens(
    grid: Grid, norm: Norms, depth: IndexArray, row: IndexArray, origin: IndexArray
) -> FloatArray:
    """The recent past of rows, each at an origin of its own, shape (pairs, TOKEN).

    Args:
        grid: see there.
        norm: of the origins.
        depth: level of each row in the tree: 0 cluster, 1 pool, 2 workload; shape (rows,).
        row, origin: shape (pairs,).
    """
    steps = origin[:, None] + np.arange(1 - CONTEXT_STEPS, 1)
    first = grid.first[row][:, None]
    at = np.maximum(steps, np.minimum(first, origin[:, None]))
    z = norm.forward(grid.values[row[:, None], at], Targets(row, origin, np.ones_like(row)))
    seen = grid.observed[row[:, None], at] & (steps >= first)
    patches = (row.size, CONTEXT_STEPS // PATCH, PATCH)
    means = [part.reshape(patches).mean(axis=2) for part in (z, seen)]
    return np.concatenate([z[:, -FINE:], *means, np.eye(LEVELS_OF_TREE)[depth[row]]], axis=1)


class Encoder(nn.Module):
    """One embedding and one layer of attention over the tokens of a series and of its parents."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.embed = nn.Sequential(linear(TOKEN, width, 1.0, generator), nn.SiLU())
        self.query = linear(width, width, 1.0, generator)
        self.key = linear(width, width, 1.0, generator)
        self.value = linear(width, width, 1.0, generator)
        self.out = linear(width, width, 0.5, generator)

    def forward(self, seen: Tensor, present: Tensor, asked: int) -> Tensor:
        """Context of the first ``asked`` tokens of each set, shape (sets, asked, width).

        Args:
            seen: shape (sets, tokens, TOKEN).
            present: tokens that exist, shape (sets, tokens).
            asked: how many tokens want to know.
        """
        embedded = self.embed(seen.clamp(-5.0, 5.0))
        query = self._heads(self.query(embedded[:, :asked]))
        key, value = self._heads(self.key(embedded)), self._heads(self.value(embedded))
        mask = (present | ~present.any(dim=1, keepdim=True))[:, None, None, :]
        told = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined = told.transpose(1, 2).flatten(2)
        context: Tensor = embedded[:, :asked] + self.out(joined)
        return context

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], HEADS, -1).transpose(1, 2)


def linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """A layer whose weights come from ``generator``, not from torch's global one."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(0.0, gain / inputs**0.5, generator=generator)
        layer.bias.zero_()
    return layer
