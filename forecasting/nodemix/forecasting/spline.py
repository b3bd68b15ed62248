"""A conditional rational-quadratic spline in one dimension.

``x = middle + width * spline(noise)`` with standard normal ``noise``: strictly increasing in
``noise``, so quantiles are the map of normal quantiles and never cross. Imports torch: import this
module lazily.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from zuko.transforms import MonotonicRQSTransform

BINS = 8
BOUND = 4.0
PARAMETERS = 2 + 3 * BINS - 1
LEAST_WIDTH = 1e-4


@dataclass(frozen=True, slots=True)
class Maps:
    """A batch of monotone maps; ``noise`` and ``x`` have shape (batch, points)."""

    middle: Tensor
    width: Tensor
    knots: MonotonicRQSTransform

    @classmethod
    def of(cls, parameters: Tensor) -> "Maps":
        """From what a network gives, shape (batch, PARAMETERS); zeros give a narrow normal."""
        sizes = [1, 1, BINS, BINS, BINS - 1]
        middle, width, widths, heights, slopes = torch.split(parameters, sizes, dim=-1)
        knots = MonotonicRQSTransform(
            widths[:, None], heights[:, None], slopes[:, None], bound=BOUND
        )
        return cls(middle, torch.nn.functional.softplus(width - 3.0) + LEAST_WIDTH, knots)

    def forward(self, noise: Tensor) -> Tensor:
        """From noise to normalised demand."""
        moved: Tensor = self.middle + self.width * self.knots(noise)
        return moved
