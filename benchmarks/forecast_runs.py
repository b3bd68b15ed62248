"""Figures of forecasts by trace, model and seed."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodemix.forecasting.champion import SIMPLE

from benchmarks.tables import NOTHING

Figures = Mapping[str, Any]
JUDGED, BESIDE, COLD_START = "nodemix", "flow", "cold-start"
"""What the operator would use, the network alone, and the same before any fine-tuning."""
BASELINES = (*SIMPLE, "ets", "lightgbm")
MODELS = (JUDGED, BESIDE, COLD_START, *BASELINES)
TITLES = {
    "bitbrains_rnd_5min": "bitbrains",
    "rise_k8s_5min": "rise",
    "fisher_10min": "fisher",
    "alibaba_dlrm_gpu_15min": "dlrm",
    "nab_aws_5min": "nab",
}
"""What traces are called on the page, in its order; others go by their own names."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How figures are written.

    Args:
        times: what they are multiplied with before.
    """

    digits: int
    times: float = 1.0
    suffix: str = ""

    def bare(self, value: float) -> str:
        """Without the suffix, and no minus before a zero."""
        return f"{round(self.times * value, self.digits) + 0.0:.{self.digits}f}"

    def text(self, value: float) -> str:
        """With the suffix."""
        return f"{self.bare(value)}{self.suffix}"


PLAIN = Unit(3)
PERCENT = Unit(1, 100.0, " %")


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over the seeds, at least one."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def half_range(self) -> float:
        """Half of the way from the lowest seed to the highest."""
        return (max(self.values) - min(self.values)) / 2

    def over(self, reference: float) -> "Spread":
        """The same in shares of ``reference``."""
        return Spread(tuple(value / reference for value in self.values))

    def text(self, unit: Unit) -> str:
        """The mean and, where there are several seeds, half of their range."""
        beside = f" ± {unit.bare(self.half_range)}" if len(self.values) > 1 else ""
        return f"{unit.bare(self.mean)}{beside}{unit.suffix}"


@dataclass(frozen=True, slots=True)
class Runs:
    """Records of `benchmarks.forecasting`; any trace, model, seed or figure may be missing."""

    records: Sequence[Figures]

    @property
    def traces(self) -> tuple[str, ...]:
        """Names of the traces."""
        return in_order((r["trace"] for r in self.records), tuple(TITLES))

    def models(self, trace: str) -> tuple[str, ...]:
        """Names of the models that were tried there, those that failed too."""
        return in_order((r["model"] for r in self.records if r["trace"] == trace), MODELS)

    def of(self, trace: str, model: str) -> tuple[Figures, ...]:
        """The records of one model on one trace, one a seed."""
        return tuple(r for r in self.records if (r["trace"], r["model"]) == (trace, model))

    def seeds(self, trace: str, model: str) -> int:
        """How many seeds were scored."""
        return sum("failed" not in record for record in self.of(trace, model))

    def spread(self, trace: str, model: str, key: str) -> Spread | None:
        """A figure over the seeds that have it; None where none has."""
        return spread_of([r.get(key) for r in self.of(trace, model)])

    def ratio(self, trace: str, model: str, key: str, under: str) -> Spread | None:
        """One figure of a record over another; None where no seed has both."""
        own = [r for r in self.of(trace, model) if r.get(key) is not None and r.get(under)]
        return spread_of([r[key] / r[under] for r in own])

    def best(self, trace: str, models: Iterable[str], key: str) -> float | None:
        """The lowest mean of ``models``; None where none was measured."""
        found = [self.spread(trace, model, key) for model in models]
        return min((spread.mean for spread in found if spread), default=None)

    def over_best(
        self, trace: str, model: str, models: Iterable[str], key: str, their_key: str | None = None
    ) -> Spread | None:
        """A figure in shares of the best of ``models``; None where one of the two is missing.

        Args:
            their_key: which of their figures; None for the same.
        """
        own, best = self.spread(trace, model, key), self.best(trace, models, their_key or key)
        return own.over(best) if own and best else None


def title(trace: str) -> str:
    """What a trace is called on the page."""
    return TITLES.get(trace, trace)


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Of what was measured; None where nothing was."""
    known = tuple(float(value) for value in values if value is not None)
    return Spread(known) if known else None


def in_order(names: Iterable[str], order: Sequence[str]) -> tuple[str, ...]:
    """Each name once, those of ``order`` first, then the others by name."""
    rank = {name: at for at, name in enumerate(order)}
    return tuple(sorted(set(names), key=lambda name: (rank.get(name, len(rank)), name)))


def shown(spread: Spread | None, unit: Unit) -> str:
    """The mean alone; `NOTHING` where nothing was measured."""
    return NOTHING if spread is None else unit.text(spread.mean)
