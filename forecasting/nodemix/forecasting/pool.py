"""Which share of the draws each model has earned.

The CRPS of a mixture of models is a quadratic function of their shares, so what past origins have
to say fits into two small tables: how far the draws of each model were from what came (``miss``),
and how far the draws of two models lie apart (``apart``). The best shares of any set of models
follow from them in milliseconds, without asking a model again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray

TAIL_QUANTILE = 0.85
TAIL_WEIGHT = 6.0
"""Above that quantile of all draws together a distance counts seven times, for capacity is bought
there; with three times the .99 quantile is 4 % worse on dlrm and fisher, the median no better.

Source of the weighting: Gneiting and Ranjan, Comparing density forecasts using threshold- and
quantile-weighted scoring rules, JBES 29 (2011).
"""

PRIOR_ORIGINS = 24.0
"""Origins that the wider group counts for: a row speaks for itself once it has about as many."""

MOST = 10.0
"""Changes from day to day that the mean score of a row may count for."""

FIRST = "flow"
FIRST_MARGIN = 0.15
"""That model speaks alone unless a mixture would have scored better by this share.

Mixtures are wider than their parts: on fisher and rise their 80 % intervals covered 87 to 90 %,
while the flow, which mixes the same rules with its own gate, kept its word and scored as well. So
other models are heard only where the flow has clearly lost its way.
"""

LEAST_SHARE = 0.05
"""A model that has earned less is not asked."""

ROUNDS = 200
"""Steps of the projected gradient; shares then move by less than a thousandth."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What past origins said of some models, row by row; a row is a series and an indicator.

    Args:
        models: their names.
        miss: sum over origins of the mean distance of a model's draws from what came, shape
            (series, indicators, models), in mean changes of the row from day to day.
        apart: likewise of a draw of one model from an independent one of another, shape (series,
            indicators, models, models).
        origins: how many were summed, shape (series, indicators); 0 for a row that never moves.
    """

    models: tuple[str, ...]
    miss: FloatArray
    apart: FloatArray
    origins: FloatArray

    def plus(self, newer: "Record", keep: float = 1.0) -> "Record":
        """Both together, for the models of both; what was known before counts ``keep`` times."""
        models = tuple(model for model in self.models if model in newer.models)
        old, new = self.among(models), newer.among(models)
        return Record(
            models,
            keep * old.miss + new.miss,
            keep * old.apart + new.apart,
            keep * old.origins + new.origins,
        )

    def among(self, models: Sequence[str]) -> "Record":
        """The same of these models alone, in this order."""
        index = [self.models.index(model) for model in models]
        apart = self.apart[:, :, index][:, :, :, index]
        return replace(self, models=tuple(models), miss=self.miss[:, :, index], apart=apart)

    def alone(self) -> FloatArray:
        """Score of each model by itself, summed, shape (series, indicators, models)."""
        own: FloatArray = self.miss - 0.5 * np.einsum("skmm->skm", self.apart)
        return own

    def bounded(self) -> "Record":
        """Without rows that would drown the others: a mean score counts for ``MOST`` at most.

        Demand that never changed from day to day and then wakes up is worth thousands of its unit.
        """
        mean = self.alone().mean(axis=2) / np.maximum(self.origins, 1e-9)
        part = MOST / np.maximum(mean, MOST)
        return replace(
            self, miss=self.miss * part[..., None], apart=self.apart * part[..., None, None]
        )


def scores(record: Record, shares: FloatArray) -> FloatArray:
    """What mixtures of the models would have scored, summed over origins; lower is better.

    Args:
        record: of the same models as ``shares``.
        shares: shape (series, indicators, models), each row adding up to 1.

    Returns:
        Shape (series, indicators).
    """
    far = np.einsum("skm,skm->sk", record.miss, shares)
    near = np.einsum("skm,skmn,skn->sk", shares, record.apart, shares)
    score: FloatArray = far - 0.5 * near
    return score


def fitted_shares(record: Record, groups: IndexArray) -> FloatArray:
    """The shares to use: the flow's alone, or those that would have scored best.

    Shape (series, indicators, models).

    What little one row knows leans on its group (the series of one parent, one indicator), the
    group on its indicator, and that on everything: each counts for ``PRIOR_ORIGINS`` origins.

    Args:
        record: of at least one model.
        groups: number of each series' group, shape (series,).
    """
    series, indicators, models = record.miss.shape
    if models == 1:
        return np.ones((series, indicators, 1))
    known = record.bounded()
    tables = np.concatenate([known.miss, known.apart.reshape(series, indicators, -1)], axis=2)
    means = _leaning(tables, known.origins, groups).reshape(series * indicators, -1)
    miss, apart = means[:, :models], means[:, models:].reshape(-1, models, models)
    shares = _best(miss, apart)
    if FIRST in record.models:
        shares = _first_unless_lost(shares, miss, apart, record.models.index(FIRST))
    return shares.reshape(series, indicators, models)


def _first_unless_lost(
    shares: FloatArray, miss: FloatArray, apart: FloatArray, first: int
) -> FloatArray:
    """The shares where they score better by the margin than the first model alone, else it alone.

    Args:
        shares, miss: shape (rows, models).
        apart: shape (rows, models, models).
        first: its place among the models.
    """
    together = _score(miss, apart, shares)
    only = np.zeros_like(shares)
    only[:, first] = 1.0
    is_lost = together < (1.0 - FIRST_MARGIN) * _score(miss, apart, only)
    return np.where(is_lost[:, None], shares, only)


def _score(miss: FloatArray, apart: FloatArray, shares: FloatArray) -> FloatArray:
    near = np.einsum("rm,rmn,rn->r", shares, apart, shares)
    score: FloatArray = (miss * shares).sum(axis=1) - 0.5 * near
    return score


def _leaning(tables: FloatArray, origins: FloatArray, groups: IndexArray) -> FloatArray:
    """Means per origin of each row, each leaning on the next wider level; shape of ``tables``."""
    everything = tables.sum(axis=(0, 1)) / max(float(origins.sum()), 1.0)
    indicator = _leant(tables.sum(axis=0), origins.sum(axis=0), everything)
    leant = np.empty_like(tables)
    for group in np.unique(groups):
        members = groups == group
        mean = _leant(tables[members].sum(axis=0), origins[members].sum(axis=0), indicator)
        leant[members] = _leant(tables[members], origins[members], mean)
    return leant


def _leant(total: FloatArray, origins: FloatArray, wider: FloatArray) -> FloatArray:
    mean: FloatArray = (total + PRIOR_ORIGINS * wider) / (origins + PRIOR_ORIGINS)[..., None]
    return mean


def _best(miss: FloatArray, apart: FloatArray) -> FloatArray:
    """Shares of the lowest ``miss . w - w . apart . w / 2`` for each row, shape (rows, models).

    Projected gradient; the problem is convex, for distances are of negative type.
    """
    models = miss.shape[1]
    shares = np.full(miss.shape, 1.0 / models)
    centre = np.eye(models) - 1.0 / models
    bend = np.abs(np.linalg.eigvalsh(centre @ apart @ centre)).max(axis=1)
    stride = 1.0 / np.maximum(bend, 1e-12)[:, None]
    for _ in range(ROUNDS):
        slope = miss - np.einsum("rmn,rn->rm", apart, shares)
        shares = _on_simplex(shares - stride * slope)
    shares = np.where(shares < LEAST_SHARE, 0.0, shares)
    kept: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    return kept


def _on_simplex(points: FloatArray) -> FloatArray:
    """The nearest shares to each row.

    Source: Duchi et al., Efficient projections onto the l1-ball, ICML 2008.
    """
    falling = -np.sort(-points, axis=1)
    surplus = np.cumsum(falling, axis=1) - 1.0
    count = np.arange(1, points.shape[1] + 1)
    last = (falling * count > surplus).sum(axis=1) - 1
    cut = np.take_along_axis(surplus / count, last[:, None], axis=1)
    nearest: FloatArray = np.maximum(points - cut, 0.0)
    return nearest


def distances(draws: FloatArray, actual: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean distances of the draws from what came and from each other, the tail counting more.

    Args:
        draws: shape (models, draws, cells).
        actual: shape (cells,).

    Returns:
        ``miss``, shape (cells, models), and ``apart``, shape (cells, models, models), whose
        diagonal is of two different draws, as in the fair CRPS.
    """
    models, count, cells = draws.shape
    values = np.concatenate([draws.reshape(models * count, cells), actual[None]]).T
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    width = np.diff(ordered, axis=1)
    tail = ordered[:, round(TAIL_QUANTILE * models * count), None]
    width *= 1.0 + TAIL_WEIGHT * (ordered[:, :-1] >= tail)
    below = _shares_below(order, models, count)
    weighted = below * width[:, None, :]
    both = weighted @ below.transpose(0, 2, 1)
    one = weighted.sum(axis=2)
    apart = one[:, :, None] + one[:, None, :] - 2.0 * both
    between = apart[:, :models, :models].copy()
    diagonal = np.arange(models)
    between[:, diagonal, diagonal] *= count / (count - 1)
    return apart[:, :models, models], between


def _shares_below(order: IndexArray, models: int, count: int) -> FloatArray:
    """Distribution functions between neighbouring values, shape (cells, models + 1, gaps)."""
    owner = np.append(np.repeat(np.arange(models), count), models)[order[:, :-1]]
    size = np.append(np.full(models, count), 1)
    is_of = owner[:, None, :] == np.arange(models + 1)[None, :, None]
    shares: FloatArray = np.cumsum(is_of, axis=2) / size[None, :, None]
    return shares
