"""Networks so small that training them takes a part of a second."""

from typing import Any

import numpy as np
import torch
from nodemix.forecasting.anchors import ANCHORS, NOISE
from nodemix.forecasting.encoder import TOKEN
from nodemix.forecasting.features import FEATURES, GUESSES, Grid
from nodemix.forecasting.flow import Flow
from nodemix.forecasting.net import DemandNet, Seen
from nodemix.forecasting.train import TrainSettings
from nodemix.forecasting.types import BoolArray, FloatArray

from tests.forecasting.histories import DAY, START_S, STEP_S

TINY = TrainSettings(
    steps=20,
    batch=8,
    targets=4000,
    rate=0.02,
    hidden=8,
    width=4,
    networks=1,
    check_every=10,
    patience=2,
)

LEVEL_NOISE = torch.from_numpy(NOISE).float()


def tiny_flow(**fields: Any) -> Flow:
    """A flow that trains for twenty steps, however busy the machine is."""
    return Flow(**{"train_s": 600.0, "settings": TINY, **fields})


def grid_of_rows(values: FloatArray, observed: BoolArray | None = None, **fields: Any) -> Grid:
    """A grid every 15 minutes, observed everywhere unless told."""
    seen = np.ones(values.shape, dtype=np.bool_) if observed is None else observed
    return Grid.of(values, seen, START_S, STEP_S, DAY, **fields)


def seen_of_normal(sets: int, indicators: int = 1, leads: int = 1, seed: int = 0) -> Seen:
    """Random inputs; every anchor is a normal distribution of its own middle and width."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    targets = (sets, indicators, leads)
    anchors = (
        normal(*targets, ANCHORS, 1) + (0.3 + normal(*targets, ANCHORS, 1).abs()) * LEVEL_NOISE
    )
    return Seen(
        tokens=normal(sets, 2 * indicators, TOKEN),
        present=torch.ones(sets, 2 * indicators, dtype=torch.bool),
        features=normal(*targets, FEATURES),
        guesses=normal(*targets, GUESSES),
        anchors=anchors,
    )


def bent_net(hidden: int = 8, width: int = 4, seed: int = 1) -> DemandNet:
    """A network whose last layer is not zero, so that its gates choose and its splines are bent."""
    net = DemandNet(hidden, width, seed)
    with torch.no_grad():
        net.last.weight.normal_(0.0, 0.5, generator=torch.Generator().manual_seed(seed))
    return net
