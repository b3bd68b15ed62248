"""What the networks are fed: the rows of a tree of series at some origins, as sets.

Imports torch: import this module lazily.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from nodemix.forecasting.anchors import ANCHORS, LEVELS, Anchors, anchors
from nodemix.forecasting.encoder import tokens
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.events import event_kinds
from nodemix.forecasting.features import (
    Described,
    Grid,
    Norms,
    Targets,
    describe,
    evenly,
    norms,
    pairs,
)
from nodemix.forecasting.hierarchy import Tree, tree
from nodemix.forecasting.net import Seen
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.rows import to_rows
from nodemix.forecasting.season import steps_per_day
from nodemix.forecasting.train import TrainingSet
from nodemix.forecasting.types import DemandHistory, FloatArray
from torch import Tensor

NAME = "flow"
MAX_DAYS = 28
MIN_SEASONS = 3.0
HELD_OUT = 0.14
"""Share at the history's end that no weight is fitted to: it stops training and calibrates."""

MAX_ORIGINS = 400
LEADS = 8
HELD_OUT_SHARE = 0.15
WEIGHED_CHANGE = (0.1, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What sets are made of: rows on their grid, and the errors of simple rules in their past.

    Args:
        whole: the series and their sums.
        grid: of all of them.
        steps: longest lead.
        known: errors by the span of the origins that they were made for.
    """

    whole: Tree
    grid: Grid
    steps: int
    known: dict[tuple[int, int], Anchors] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, history: DemandHistory, steps: int) -> "Material":
        """Of a history without holes."""
        whole = tree(history)
        return cls(whole, grid_of(whole.history, steps), steps)

    def errors(self, origins: IndexArray) -> Anchors:
        """Errors of the rules, made once for all origins with the same first and last one."""
        span = (int(origins.min()), int(origins.max()))
        if span not in self.known:
            self.known[span] = anchors(self.grid, origins, self.steps)
        return self.known[span]


def training_sets(
    history: DemandHistory, steps: int, targets: int, rng: np.random.Generator
) -> tuple[TrainingSet, TrainingSet]:
    """About ``targets`` to learn from of a history without holes, and what is held out."""
    material = Material.of(history, steps)
    return past_and_held_out(material, training_end(material.grid, steps), targets, rng)


def past_and_held_out(
    material: Material, end: int, targets: int, rng: np.random.Generator
) -> tuple[TrainingSet, TrainingSet]:
    """About ``targets`` to learn from, before ``end``, and fewer from after it."""
    grid, steps = material.grid, material.steps
    late = round(HELD_OUT_SHARE * targets)
    return (
        _sets(material, _past_origins(grid, end, steps), targets, rng),
        _sets(material, _held_out_origins(grid, end, steps), late, rng),
    )


def grid_of(history: DemandHistory, steps: int) -> Grid:
    """The newest weeks; events reach ``steps`` into the future."""
    season = steps_per_day(history.step_s)
    values = to_rows(history)[:, -MAX_DAYS * season :]
    start_s = history.end_s - (values.shape[1] - 1) * history.step_s
    observed = np.ones(values.shape, dtype=np.bool_)
    if history.observed is not None:
        observed = history.observed.reshape(-1, history.steps)[:, -MAX_DAYS * season :]
    known = event_kinds(history, start_s, values.shape[1] + steps)
    return Grid.of(values, observed, start_s, history.step_s, season, known)


def is_enough(grid: Grid, steps: int) -> bool:
    """Whether there is enough to learn from: three days and a horizon."""
    return bool(grid.values.shape[1] >= MIN_SEASONS * grid.season + steps)


def training_end(grid: Grid, steps: int) -> int:
    """First step of the held-out end.

    Raises:
        ModelFailedError: there is not enough to learn from.
    """
    have = grid.values.shape[1]
    if not is_enough(grid, steps):
        need = MIN_SEASONS + steps / grid.season
        raise ModelFailedError(NAME, f"{have / grid.season:.1f} days of history, needs {need:.1f}")
    end: int = have - max(round(HELD_OUT * have), steps + grid.season // 4)
    return end


def _past_origins(grid: Grid, end: int, steps: int) -> IndexArray:
    """Evenly spread, with a day before and ``steps`` after each, before ``end``."""
    return evenly(grid.season, end - 1 - steps, MAX_ORIGINS)


def _held_out_origins(grid: Grid, end: int, steps: int) -> IndexArray:
    return evenly(end - 1, grid.values.shape[1] - 1 - steps, MAX_ORIGINS // 4)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of every row of the tree at some origins, for every lead."""

    norm: Norms
    targets: Targets
    seen: Seen

    @classmethod
    def of(cls, material: Material, origins: IndexArray, errors: Anchors) -> "Known":
        """Everything about ``origins``, ordered (origin, row, lead)."""
        grid = material.grid
        norm = norms(grid, origins)
        targets = Targets.at(origins, grid.values.shape[0], material.steps)
        count = len(material.whole.history.series)
        series, origin = np.tile(np.arange(count), origins.size), np.repeat(origins, count)
        return cls(norm, targets, seen_of(material, norm, targets, errors, series, origin))


def seen_of(
    material: Material,
    norm: Norms,
    targets: Targets,
    errors: Anchors,
    series: IndexArray,
    origins: IndexArray,
) -> Seen:
    """Targets as sets.

    Args:
        material: see there.
        norm: of the origins.
        targets: ordered (set, indicator, lead).
        errors: known at the origins.
        series, origins: of each set, shape (sets,).
    """
    whole, grid = material.whole, material.grid
    indicators = len(whole.history.indicators)
    members = np.stack([series * indicators, np.full(series.size, whole.root * indicators)], 1)
    members = (members[:, :, None] + np.arange(indicators)).reshape(series.size, -1)
    row, origin, which = pairs(members, np.broadcast_to(origins[:, None], members.shape))
    alive = grid.sums.values[members, origins[:, None] + 1] > 0
    described = describe(grid, norm, targets)
    shape = (series.size, indicators, -1)
    return Seen(
        _tensor(tokens(grid, norm, np.repeat(whole.depth, indicators), row, origin)[which]),
        torch.from_numpy(alive),
        _tensor(described.features).view(*shape, described.features.shape[1]),
        _tensor(described.guesses).view(*shape, described.guesses.shape[1]),
        _anchored(errors, described, norm, targets).view(*shape, ANCHORS, LEVELS.size),
    )


def _anchored(errors: Anchors, described: Described, norm: Norms, targets: Targets) -> Tensor:
    centres = described.centres
    around = errors.around(
        (centres["last"], centres["yesterday"], centres["same_time"]), norm, targets
    )
    return _tensor(around)


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _sets(
    material: Material, origins: IndexArray, most: int, rng: np.random.Generator
) -> TrainingSet:
    """Random series at random origins with random leads."""
    grid, of, steps = material.grid, material.whole.history, material.steps
    indicators, count = len(of.indicators), len(of.series)
    leads = min(LEADS, steps)
    size = min(max(1, most // (indicators * leads)), 4 * origins.size * count)
    series = rng.integers(count, size=size)
    origin = rng.choice(origins, size=size)
    lead = rng.integers(1, steps + 1, size=(size, 1, leads))
    shape = (size, indicators, leads)
    row = series[:, None, None] * indicators + np.arange(indicators)[None, :, None]
    targets = Targets(
        np.broadcast_to(row, shape).ravel(),
        np.broadcast_to(origin[:, None, None], shape).ravel(),
        np.broadcast_to(lead, shape).ravel(),
    )
    norm = norms(grid, np.unique(origin))
    at = (targets.row, targets.origin + targets.lead)
    actual = norm.forward(grid.values[at], targets)
    began = grid.first[targets.row] + grid.season <= targets.origin
    counts = (grid.observed[at] & began) * _weight(grid, norm)[targets.row]
    return TrainingSet(
        seen_of(material, norm, targets, material.errors(origins), series, origin),
        _tensor(actual).view(shape),
        _tensor(counts).view(shape),
    )


def _weight(grid: Grid, norm: Norms) -> FloatArray:
    """How much each row counts, shape (rows,): calm rows as much as restless ones, zeros nothing.

    The inverse of the mean change from day to day, in normalised demand and within limits.
    """
    days = np.abs(grid.values[:, grid.season :] - grid.values[:, : -grid.season]).mean(axis=1)
    change = days / np.nanmedian(norm.scale, axis=1)
    weight = 1.0 / np.clip(change, *WEIGHED_CHANGE)
    return np.where(grid.values.max(axis=1) > 0, weight, 0.0)
