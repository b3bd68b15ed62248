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
