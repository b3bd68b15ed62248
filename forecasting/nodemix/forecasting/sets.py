"""What the networks are fed: the rows of a tree of series at some origins, as sets.

Imports torch: import this module lazily.
"""

from dataclasses import dataclass

import numpy as np
import torch
from nodemix.forecasting.anchors import ANCHORS, LEVELS, Anchors, anchors
from nodemix.forecasting.encoder import tokens
from nodemix.forecasting.errors import ModelFailedError
from nodemix.forecasting.events import event_kinds
from nodemix.forecasting.features import Described, Grid, Norms, Targets, describe, evenly, norms
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


def training_sets(
    history: DemandHistory, steps: int, targets: int, rng: np.random.Generator
) -> tuple[TrainingSet, TrainingSet]:
    """About ``targets`` to learn from of a history without holes, and what is held out."""
    whole = tree(history)
    grid = grid_of(whole.history, steps)
    return past_and_held_out(whole, grid, training_end(grid, steps), steps, targets, rng)


def past_and_held_out(
    whole: Tree, grid: Grid, end: int, steps: int, targets: int, rng: np.random.Generator
) -> tuple[TrainingSet, TrainingSet]:
    """About ``targets`` to learn from, before ``end``, and fewer from after it."""
    late = round(HELD_OUT_SHARE * targets)
    return (
        _sets(whole, grid, _past_origins(grid, end, steps), steps, targets, rng),
        _sets(whole, grid, _held_out_origins(grid, end, steps), steps, late, rng),
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
    def of(
        cls, whole: Tree, grid: Grid, origins: IndexArray, steps: int, errors: Anchors
    ) -> "Known":
        """Everything about ``origins``, ordered (origin, row, lead)."""
        norm = norms(grid, origins)
        rows = grid.values.shape[0]
        targets = Targets.at(origins, rows, steps)
        return cls(norm, targets, seen_of(whole, grid, norm, targets, errors, origins))


def seen_of(
    whole: Tree,
    grid: Grid,
    norm: Norms,
    targets: Targets,
    errors: Anchors,
    origins: IndexArray,
    series: IndexArray | None = None,
) -> Seen:
    """Targets as sets; ``targets`` are ordered (set, indicator, lead).

    Args:
        series: of each set; None for all series at each of ``origins``.
    """
    indicators = len(whole.history.indicators)
    count = len(whole.history.series)
    all_tokens = tokens(grid, norm, np.repeat(whole.depth, indicators), np.unique(origins))
    if series is None:
        series = np.tile(np.arange(count), origins.size)
        origins = np.repeat(origins, count)
    at = np.searchsorted(np.unique(origins), origins)
    row = np.arange(indicators)
    members = np.stack([series * indicators, np.full(series.size, whole.root * indicators)], 1)
    members = (members[:, :, None] + row).reshape(series.size, -1)
    alive = grid.sums.values[members, origins[:, None] + 1] > 0
    described = describe(grid, norm, targets)
    shape = (series.size, indicators, -1)
    return Seen(
        _tensor(all_tokens[at[:, None], members]),
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
    whole: Tree,
    grid: Grid,
    origins: IndexArray,
    steps: int,
    most: int,
    rng: np.random.Generator,
) -> TrainingSet:
    """Random series at random origins with random leads."""
    indicators, count = len(whole.history.indicators), len(whole.history.series)
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
    errors = anchors(grid, origins, steps)
    at = (targets.row, targets.origin + targets.lead)
    actual = norm.forward(grid.values[at], targets)
    began = grid.first[targets.row] + grid.season <= targets.origin
    counts = (grid.observed[at] & began) * _weight(grid, norm)[targets.row]
    return TrainingSet(
        seen_of(whole, grid, norm, targets, errors, origin, series),
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
