"""Made-up clusters to learn from before any history exists.

Each series mixes what cluster demand is made of: a daily wave of its own shape, quiet weekends,
noise with memory, level shifts that stay, bursts that pass, nightly batches, slow growth, scale
steps of a controller. Its indicators follow one load: requests closely, cpu with noise, memory
with long memory, pods in whole numbers. A rush of the whole cluster moves many at once. Some
series are what somebody has set by hand: nothing moves for days, then all indicators step together.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.forecasting.types import DemandHistory, FloatArray

INDICATORS = ("cpu", "memory", "pods", "requests")
DAY_S = 86_400.0
SET_BY_HAND = 0.2


@dataclass(frozen=True, slots=True)
class Made:
    """How a made-up cluster looks.

    Args:
        series: how many.
        days: of history.
        step_s: seconds between steps.
    """

    series: int = 24
    days: float = 24.0
    step_s: float = 900.0


def made_history(made: Made, rng: np.random.Generator) -> DemandHistory:
    """A cluster of ``made.series`` series with four indicators each."""
    steps = round(made.days * DAY_S / made.step_s)
    day = round(DAY_S / made.step_s)
    rush = _bursts(steps, 0.3 / day, day / 12, rng)
    values = np.stack([_series(steps, day, rush, rng) for _ in range(made.series)])
    return DemandHistory(
        series=tuple(f"made/Deployment/{i}" for i in range(made.series)),
        indicators=INDICATORS,
        start_s=0.0,
        step_s=made.step_s,
        values=values,
        parents=tuple(f"pool-{i % 3}" for i in range(made.series)),
    )


def _series(steps: int, day: int, rush: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One series, shape (4, steps)."""
    if rng.random() < SET_BY_HAND:
        return _allocated(steps, day, rng)
    return _indicators(_load(steps, day, rush, rng), day, rng)


def _allocated(steps: int, day: int, rng: np.random.Generator) -> FloatArray:
    """Whole pods of one size that are set by hand, shape (4, steps): cpu, memory, pods, pods."""
    pods = np.full(steps, float(rng.integers(0, 40)))
    for start in np.flatnonzero(rng.random(steps) < rng.gamma(0.7, 1.0) / day):
        jump = round(rng.normal(0.0, 0.3) * max(pods[start], 8.0))
        passes = rng.random() < 0.4
        stop = start + max(1, int(rng.exponential(day / 6))) if passes else steps
        pods[start:stop] = np.maximum(pods[start:stop] + jump, 0.0)
    if rng.random() < 0.15:
        pods[rng.integers(steps) :] = 0.0
    return pods * np.exp(rng.normal(1.0, 1.0, (4, 1)))


def _load(steps: int, day: int, rush: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Load of one series around 1, >= 0, shape (steps,)."""
    parts = {
        "wave": _wave(steps, day, rng) * rng.gamma(1.0, 0.35),
        "week": -_weekend(steps, day, rng) * rng.beta(1.0, 3.0),
        "memory": _remembering(steps, rng.uniform(0.8, 0.995), rng) * rng.gamma(1.0, 0.12),
        "noise": rng.standard_t(4, steps) * rng.gamma(0.7, 0.06),
        "shifts": _shifts(steps, rng.gamma(0.7, 4.0) / steps, rng) * rng.gamma(1.0, 0.4),
        "bursts": _bursts(steps, rng.gamma(0.6, 1.0) / day, rng.uniform(1, day / 6), rng),
        "batch": _batch(steps, day, rng) * rng.gamma(1.0, 0.6),
        "growth": np.linspace(0.0, rng.normal(0.0, 0.3), steps),
    }
    chances = {"wave": 0.7, "week": 0.3, "memory": 0.8, "noise": 0.7, "shifts": 0.5}
    chances |= {"bursts": 0.4, "batch": 0.25, "growth": 0.3}
    load = 1.0 + rush * rng.choice([0.0, 0.3, 1.0])
    for name, part in parts.items():
        if rng.random() < chances[name]:
            load = load + part
    if rng.random() < 0.25:
        load = _sticky(load, rng.uniform(0.1, 0.6))
    found: FloatArray = np.maximum(load, 0.0)
    return found


def _indicators(load: FloatArray, day: int, rng: np.random.Generator) -> FloatArray:
    """cpu, memory, pods and requests under ``load``, shape (4, steps)."""
    steps = load.size
    requests = load * np.exp(0.05 * rng.standard_normal(steps))
    cpu = load ** rng.uniform(0.7, 1.2) * np.exp(rng.gamma(1.0, 0.08) * rng.standard_normal(steps))
    leak = np.modf(np.arange(steps) / rng.uniform(2 * day, 14 * day))[0] * rng.gamma(0.5, 0.2)
    memory = 1.0 + 0.3 * _smooth(load, int(rng.integers(2, day))) + leak
    pods = np.ceil(_sticky(_smooth(load, 4), 0.15) * rng.uniform(1.0, 30.0))
    unit = np.exp(rng.normal(0.0, 2.0, (4, 1)))
    unit[2] = 1.0
    made = np.stack([cpu, memory, pods, requests]) * unit
    if rng.random() < 0.2:
        made[0] = np.ceil(made[2]) * unit[0]
    return made


def _wave(steps: int, day: int, rng: np.random.Generator) -> FloatArray:
    turns = 2 * np.pi * np.arange(steps) / day + rng.uniform(0, 2 * np.pi)
    wave = np.sin(turns) + rng.normal(0, 0.4) * np.sin(2 * turns + rng.uniform(0, 6))
    return np.tanh(rng.uniform(0.5, 2.5) * wave)


def _weekend(steps: int, day: int, rng: np.random.Generator) -> FloatArray:
    days = np.arange(steps) // day + rng.integers(7)
    return np.asarray(days % 7 >= 5, dtype=np.float64)


def _remembering(steps: int, memory: float, rng: np.random.Generator) -> FloatArray:
    """Autoregressive noise of variance 1."""
    shocks = rng.standard_normal(steps) * np.sqrt(1.0 - memory**2)
    found = np.empty(steps)
    level = rng.standard_normal()
    for step in range(steps):
        level = memory * level + shocks[step]
        found[step] = level
    return found


def _shifts(steps: int, rate: float, rng: np.random.Generator) -> FloatArray:
    jumps = np.where(rng.random(steps) < rate, rng.standard_normal(steps), 0.0)
    return np.cumsum(jumps)


def _bursts(steps: int, rate: float, length: float, rng: np.random.Generator) -> FloatArray:
    """Bursts of random height that fade."""
    found = np.zeros(steps)
    for start in np.flatnonzero(rng.random(steps) < rate):
        lasts = max(1, int(rng.exponential(length)))
        shape = np.exp(-np.arange(steps - start) / lasts) if rng.random() < 0.5 else None
        height = rng.gamma(1.5, 0.6)
        if shape is None:
            found[start : start + lasts] += height
        else:
            found[start:] += height * shape
    return found


def _batch(steps: int, day: int, rng: np.random.Generator) -> FloatArray:
    """A job at the same time every day, sometimes missed."""
    start, length = rng.integers(day), max(1, round(day * rng.uniform(0.01, 0.2)))
    at = np.arange(steps)
    runs = rng.random(steps // day + 2) < 0.93
    on = ((at - start) % day < length) & runs[(at - start) // day + 1]
    return np.asarray(on, dtype=np.float64)


def _sticky(load: FloatArray, band: float) -> FloatArray:
    """What a controller makes of it: the level changes only once it is off by ``band``."""
    found = np.empty_like(load)
    level = load[0]
    for step, wanted in enumerate(load):
        if abs(wanted - level) > band * max(level, 0.1):
            level = wanted
        found[step] = level
    return found


def _smooth(load: FloatArray, steps: int) -> FloatArray:
    """Mean of the last ``steps``."""
    total = np.cumsum(np.concatenate([np.full(steps, load[0]), load]))
    mean: FloatArray = (total[steps:] - total[:-steps]) / steps
    return mean
