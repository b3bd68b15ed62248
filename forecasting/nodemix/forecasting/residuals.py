"""Joint paths of past errors.

A draw takes whole stretches of the past, the same stretch for every row, so that errors that came
together (in neighbouring steps, in related series, in cpu and memory of one series) stay together.
"""

import numpy as np
from nodemix.forecasting.types import FloatArray
from numpy.typing import NDArray

IndexArray = NDArray[np.int64]


def block_length(steps: int, available: int) -> int:
    """Longest stretch up to ``steps`` that still leaves half of ``available`` to start from."""
    return max(1, min(steps, available // 2))


def draw_starts(
    starts: IndexArray, draws: int, blocks: int, rng: np.random.Generator
) -> IndexArray:
    """Which stretch each draw takes for each of its blocks, shape (draws, blocks)."""
    return rng.choice(starts, size=(draws, blocks))


def error_paths(
    errors: FloatArray,
    starts: IndexArray,
    length: int,
    steps: int,
    draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Stretches of ``errors`` laid end to end.

    Args:
        errors: one error per step of the past, shape (rows, steps of the past).
        starts: allowed first steps of a stretch; each plus ``length`` stays inside the past.
        length: of one stretch.
        steps: length of a path.
        draws: number of paths.
        rng: source of randomness.

    Returns:
        Shape (rows, draws, steps).
    """
    blocks = -(-steps // length)
    chosen = draw_starts(starts, draws, blocks, rng)
    index = chosen[:, :, None] + np.arange(length)
    return errors[:, index].reshape(errors.shape[0], draws, -1)[:, :, :steps]


def change_paths(
    values: FloatArray, steps: int, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Past changes of the level, continued as a random walk where the past is shorter.

    Args:
        values: shape (rows, steps of the past).
        steps: length of a path.
        draws: number of paths.
        rng: source of randomness.

    Returns:
        Change since the origin, shape (rows, draws, steps); zero when there is only one step.
    """
    if values.shape[1] < 2:
        return np.zeros((values.shape[0], draws, steps))
    changes = np.diff(values, axis=1)
    length = block_length(steps, changes.shape[1])
    starts = np.arange(changes.shape[1] - length + 1)
    return np.cumsum(error_paths(changes, starts, length, steps, draws, rng), axis=2)
