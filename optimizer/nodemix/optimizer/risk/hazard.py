"""How often a spot pool is hit, and how much of it then goes: what is believed, and why.

A shock is an event in which a pool loses nodes. Shocks of a pool come at a rate that is itself
uncertain, a gamma law; counts and hours observed make it sharper, and what was seen long ago
counts less. A pool about which little is known leans on its family in its zone, and that on
everything seen. Shocks come in bursts: the last hours of a pool, stock-outs among them, lean on its
last days, and what they say of the next hours calms down as it would be forgotten. Times are hours
on any one clock, e.g. Unix time / 3600.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any, Self

import numpy as np
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.risk.unrest import CALM, Unrest
from scipy.special import gammaincinv, gammaln

SCHEMA = 2
LN2 = math.log(2.0)
STEADIEST_SEVERITY = 8.0
"""Sum of the beta law's parameters: few nodes, of which at least one goes, look steadier still."""
LEANING_DOUBLINGS = 8
"""Shapes tried for how alike pools are: the prior's own, and up to 128 times it."""


@dataclass(frozen=True, slots=True, order=True)
class PoolKey:
    """A spot pool: what a cloud takes back together. On-demand pools have no hazard."""

    family: str
    zone: str
    instance_type: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """A time in which a pool had at least one node and was watched.

    Args:
        end_h: no later than the time of the observation.
    """

    pool: PoolKey
    start_h: float
    end_h: float

    def __post_init__(self) -> None:
        if not -math.inf < self.start_h <= self.end_h < math.inf:
            raise ParameterError(f"exposure must not end before it starts, got {self}")


@dataclass(frozen=True, slots=True)
class Shock:
    """An event in which a pool lost nodes.

    Args:
        nodes_before: of the pool, just before.
    """

    pool: PoolKey
    at_h: float
    nodes_before: int
    nodes_lost: int

    def __post_init__(self) -> None:
        if not 1 <= self.nodes_lost <= self.nodes_before:
            raise ParameterError(f"a shock takes 1 to nodes_before nodes, got {self}")
        if not math.isfinite(self.at_h):
            raise ParameterError(f"a shock needs a finite time, got {self}")


@dataclass(frozen=True, slots=True)
class StockOut:
    """A moment at which a node of a pool was asked for, and the cloud had none to sell.

    It takes no node, so that it counts for the next hours only, like one shock; asking again adds
    nothing but that it is still so.
    """

    pool: PoolKey
    at_h: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.at_h):
            raise ParameterError(f"a stock-out needs a finite time, got {self}")


@dataclass(frozen=True, slots=True)
class HazardPrior:
    """What is believed before anything is seen, and how fast what was seen loses weight.

    Args:
        shape: of every gamma prior, in shocks; 0.5 is weak.
        advisor_understates: mean of the ratio of the true rate of shocks to the rate that the
            advisor's band gives; 1,000 in published traces, and soon replaced by the data.
        half_life_h: after which an observation counts half.
        recent_half_life_h: likewise, of what says how restless a pool is now.
        steadiness: gamma shape of the rate that a pool has at a moment around its rate of days;
            shocks come in bursts, and the lower, the more so. It and ``recent_half_life_h`` were
            chosen on the first half of real traces by ``benchmarks/hazard.py --tune``.
        severity: beta law of the share of a pool's nodes that a shock takes.
    """

    shape: float = 0.5
    advisor_understates: float = 1_000.0
    half_life_h: float = 72.0
    recent_half_life_h: float = 2.0
    steadiness: float = 0.5
    severity: tuple[float, float] = (2.1, 0.9)

    def __post_init__(self) -> None:
        weights = (self.shape, self.advisor_understates, self.steadiness)
        positive = (*weights, self.half_life_h, self.recent_half_life_h, *self.severity)
        if not all(0.0 < value < math.inf for value in positive):
            raise ParameterError(f"all of the hazard prior must be positive, got {self}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a pool; sums are discounted to the time of the book.

    Args:
        advised_per_hour: interruptions by the advisor's band.
        shares: shocks to two nodes or more; with one node the share lost says nothing.
        share_lost: sum over those shocks.
        pairs_lost: likewise of the share of the pairs of nodes of which both were lost.
        recent_shocks, recent_hours: discounted by the short half-life.
        scarcity: what is left of the last stock-out, in [0, 1], by the short half-life.
    """

    advised_per_hour: float
    shocks: float = 0.0
    hours: float = 0.0
    shares: float = 0.0
    share_lost: float = 0.0
    pairs_lost: float = 0.0
    recent_shocks: float = 0.0
    recent_hours: float = 0.0
    scarcity: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.advised_per_hour < math.inf:
            raise ParameterError(
                f"advised_per_hour must be positive, got {self.advised_per_hour}; "
                "leave on-demand pools out"
            )

    def faded(self, weight: float, recent_weight: float) -> Self:
        """With all that was seen counting ``weight`` times as much, or ``recent_weight``."""
        return replace(
            self,
            shocks=self.shocks * weight,
            hours=self.hours * weight,
            shares=self.shares * weight,
            share_lost=self.share_lost * weight,
            pairs_lost=self.pairs_lost * weight,
            recent_shocks=self.recent_shocks * recent_weight,
            recent_hours=self.recent_hours * recent_weight,
            scarcity=self.scarcity * recent_weight,
        )


@dataclass(frozen=True, slots=True)
class Hazard:
    """What is believed of one pool: a gamma law of its rate, a beta law of the share lost.

    The rate is that of days; ``unrest`` says how the next hours differ.

    Args:
        shape: of the gamma law.
        hours: inverse scale of the gamma law.
        severity: parameters of the beta law.
        steadiness: see `HazardPrior`.
    """

    shape: float
    hours: float
    severity: tuple[float, float]
    steadiness: float
    unrest: Unrest = CALM

    @property
    def shocks_per_hour(self) -> float:
        """Posterior mean."""
        return self.shape / self.hours

    @property
    def share_lost(self) -> float:
        """Expected share of the pool's nodes that a shock takes."""
        return self.severity[0] / sum(self.severity)

    def interval_per_hour(self, level: float = 0.95) -> tuple[float, float]:
        """Credible interval of shocks per hour, as much left out below as above."""
        if not 0.0 < level < 1.0:
            raise ParameterError(f"level must be in (0, 1), got {level}")
        tail = (1.0 - level) / 2.0
        low, high = (float(gammaincinv(self.shape, p)) for p in (tail, 1.0 - tail))
        return low / self.hours, high / self.hours

    def draw_shocks(self, horizon_h: float, draws: int, rng: np.random.Generator) -> IntArray:
        """Numbers of shocks while the pool is held, shape (draws,)."""
        shape, mean = self.within(horizon_h)
        return rng.poisson(rng.gamma(shape, mean / shape, draws)).astype(np.int64)

    def within(self, horizon_h: float) -> tuple[float, float]:
        """Gamma shape and mean of the shocks to expect in a horizon, which has a rate of its own.

        The product of the rate of days and of the horizon's departure from it, by the gamma law
        with its mean and variance.
        """
        mean = self.unrest.mean(horizon_h)
        varying = self.unrest.variance(horizon_h, 1.0 / self.steadiness) / mean**2
        spread = (1.0 + 1.0 / self.shape) * (1.0 + varying) - 1.0
        return 1.0 / spread, self.shocks_per_hour * horizon_h * mean


@dataclass(frozen=True, slots=True)
class HazardBook:
    """All that is known of the pools' hazards at one time; never changed, only followed.

    Args:
        at_h: to which the evidence is discounted.
    """

    at_h: float
    pools: Mapping[PoolKey, Evidence]
    prior: HazardPrior = field(default_factory=HazardPrior)

    @classmethod
    def opened(
        cls,
        at_h: float,
        advised_per_hour: Mapping[PoolKey, float],
        prior: HazardPrior | None = None,
    ) -> Self:
        """A book that has seen nothing."""
        pools = {pool: Evidence(advised_per_hour[pool]) for pool in sorted(advised_per_hour)}
        return cls(at_h, pools, prior or HazardPrior())

    def with_pools(self, advised_per_hour: Mapping[PoolKey, float]) -> "HazardBook":
        """The same book, in which further pools stand that nothing was seen of."""
        new = {p: Evidence(advised_per_hour[p]) for p in advised_per_hour if p not in self.pools}
        return replace(self, pools=dict(sorted({**self.pools, **new}.items()))) if new else self

    def observed(
        self,
        now_h: float,
        exposures: Iterable[Exposure],
        shocks: Iterable[Shock],
        stock_outs: Iterable[StockOut] = (),
    ) -> "HazardBook":
        """The book at ``now_h``, with what was seen since it was last written.

        Raises:
            ParameterError: something lies after ``now_h``, or in a pool that is not in the book.
        """
        if not self.at_h <= now_h < math.inf:
            raise ParameterError(f"now_h must not go back from {self.at_h}, got {now_h}")
        age_h = now_h - self.at_h
        faded = (self._weight(age_h), self._recent_weight(age_h))
        pools = {pool: evidence.faded(*faded) for pool, evidence in self.pools.items()}
        for exposure in exposures:
            pools[exposure.pool] = self._held(_known(pools, exposure.pool), exposure, now_h)
        for shock in shocks:
            pools[shock.pool] = self._hit(_known(pools, shock.pool), shock, now_h)
        for stock_out in stock_outs:
            seen = _known(pools, stock_out.pool)
            scarcity = max(seen.scarcity, self._recent_weight(now_h - stock_out.at_h))
            pools[stock_out.pool] = replace(seen, scarcity=scarcity)
        return replace(self, at_h=now_h, pools=pools)

    def hazards(self) -> dict[PoolKey, Hazard]:
        """What is believed of each pool.

        Source: Robbins' empirical Bayes, for gamma-Poisson counts as in DuMouchel, Bayesian data
            mining in large frequency tables, The American Statistician 53 (1999).
        """
        if not self.pools:
            return {}
        evidence = list(self.pools.values())
        shocks = np.array([seen.shocks for seen in evidence])
        advised = np.array([seen.advised_per_hour for seen in evidence])
        hours = np.array([seen.hours for seen in evidence])
        shape, ratio = self._parents(shocks, advised * hours)
        own_hours = shape / (ratio * advised) + hours
        return {
            pool: self._hazard(seen, shape, float((shape + count) / length))
            for pool, seen, count, length in zip(
                self.pools, evidence, shocks, own_hours, strict=True
            )
        }

    def to_numbers(self) -> dict[str, Any]:
        """The whole book as numbers and strings that JSON can hold."""
        rows = [[*astuple(pool), *astuple(evidence)] for pool, evidence in self.pools.items()]
        return {
            "schema": SCHEMA,
            "at_h": self.at_h,
            "prior": asdict(self.prior) | {"severity": list(self.prior.severity)},
            "pools": rows,
        }

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, Any]) -> Self:
        """The book that ``to_numbers`` wrote.

        Raises:
            ParameterError: another version wrote it.
        """
        if numbers.get("schema") != SCHEMA:
            raise ParameterError(
                f"hazard book has schema {numbers.get('schema')}, this version reads {SCHEMA}; "
                "delete it to start afresh"
            )
        fields = dict(numbers["prior"])
        first, second = fields.pop("severity")
        prior = HazardPrior(**fields, severity=(first, second))
        pools = {PoolKey(*row[:3]): Evidence(*row[3:]) for row in numbers["pools"]}
        return cls(numbers["at_h"], pools, prior)

    def _parents(self, shocks: FloatArray, expected: FloatArray) -> tuple[float, FloatArray]:
        """How alike the pools of a group are, and each pool's prior ratio to the advisor's rate.

        A pool's prior comes from the others in its group, and a group's from the other groups, so
        that nothing seen counts twice.

        Args:
            expected: shocks by the advisor's rate, shape (pools,).
        """
        shape, mean = self.prior.shape, self.prior.advisor_understates
        groups = [(pool.family, pool.zone) for pool in self.pools]
        numbers = {group: number for number, group in enumerate(sorted(set(groups)))}
        of_pool = np.array([numbers[group] for group in groups])
        counts: FloatArray = np.bincount(of_pool, weights=shocks).astype(np.float64)
        means: FloatArray = np.bincount(of_pool, weights=expected).astype(np.float64)
        others = (shape + counts.sum() - counts) / (shape / mean + means.sum() - means)
        likeness = leaning(counts, others * means, shape)
        around = likeness / others[of_pool] + means[of_pool] - expected
        ratio: FloatArray = (likeness + counts[of_pool] - shocks) / around
        return leaning(shocks, ratio * expected, shape), ratio

    def _hazard(self, seen: Evidence, leaning: float, shocks_per_hour: float) -> Hazard:
        """The rate of days, as sure as shocks in bursts make it: fewer that came alone say more.

        Args:
            leaning: gamma shape of the prior.
        """
        calming_h = self.prior.recent_half_life_h / LN2
        in_a_burst = 1.0 + 2.0 * calming_h * shocks_per_hour / self.prior.steadiness
        shape = leaning + seen.shocks / in_a_burst
        severity, unrest = self._severity(seen), self._unrest(seen, shocks_per_hour, calming_h)
        return Hazard(shape, shape / shocks_per_hour, severity, self.prior.steadiness, unrest)

    def _unrest(self, seen: Evidence, shocks_per_hour: float, calming_h: float) -> Unrest:
        """The last hours against what the rate of days made likely in them."""
        shape = self.prior.steadiness + seen.recent_shocks + seen.scarcity
        expected = self.prior.steadiness + shocks_per_hour * seen.recent_hours
        return Unrest(shape / expected, shape, calming_h)

    def _severity(self, seen: Evidence) -> tuple[float, float]:
        """The beta law with the mean, and the mean square, of the shares seen.

        The prior counts for as many shocks as its parameters sum to. Two nodes of a pool go
        together with the mean square, however many nodes there are.
        """
        lost, kept = self.prior.severity
        weight = lost + kept
        square = lost * (lost + 1.0) / (weight + 1.0)
        mean = (lost + seen.share_lost) / (weight + seen.shares)
        together = (square + seen.pairs_lost) / (weight + seen.shares)
        steadiest = (1.0 + STEADIEST_SEVERITY * mean) / (1.0 + STEADIEST_SEVERITY) * mean
        together = max(together, steadiest)
        strength = (mean - together) / (together - mean**2)
        return strength * mean, strength * (1.0 - mean)

    def _weight(self, age_h: float) -> float:
        return _halved(age_h, self.prior.half_life_h)

    def _recent_weight(self, age_h: float) -> float:
        return _halved(age_h, self.prior.recent_half_life_h)

    def _held(self, seen: Evidence, exposure: Exposure, now_h: float) -> Evidence:
        prior = self.prior
        return replace(
            seen,
            hours=seen.hours + _halved_hours(exposure, now_h, prior.half_life_h),
            recent_hours=seen.recent_hours
            + _halved_hours(exposure, now_h, prior.recent_half_life_h),
        )

    def _hit(self, seen: Evidence, shock: Shock, now_h: float) -> Evidence:
        weight = self._weight(now_h - shock.at_h)
        telling = weight if shock.nodes_before > 1 else 0.0
        share = shock.nodes_lost / shock.nodes_before
        pairs = share * (shock.nodes_lost - 1) / max(1, shock.nodes_before - 1)
        return replace(
            seen,
            shocks=seen.shocks + weight,
            shares=seen.shares + telling,
            share_lost=seen.share_lost + telling * share,
            pairs_lost=seen.pairs_lost + telling * pairs,
            recent_shocks=seen.recent_shocks + self._recent_weight(now_h - shock.at_h),
        )


def leaning(counts: FloatArray, expected: FloatArray, weakest: float) -> float:
    """The most credible gamma shape, by how counts scatter around what was expected.

    Large where all agree with what they lean on, ``weakest`` where they differ or say little: a
    shape twice as large is half as credible beforehand.

    Args:
        counts: not necessarily whole, shape (groups,).
        expected: shape (groups,).
    """
    shapes = weakest * 2.0 ** np.arange(LEANING_DOUBLINGS)
    total = shapes[:, None] + expected
    share = np.log(np.where(expected > 0.0, expected, 1.0)) - np.log(total)
    score = gammaln(shapes[:, None] + counts) - gammaln(shapes)[:, None] + counts * share
    score += shapes[:, None] * (np.log(shapes)[:, None] - np.log(total))
    credible = np.where(expected > 0.0, score, 0.0).sum(axis=1) - np.log(shapes)
    return float(shapes[np.argmax(credible)])


def _known(pools: Mapping[PoolKey, Evidence], pool: PoolKey) -> Evidence:
    if pool not in pools:
        raise ParameterError(f"{pool} is not in the hazard book; open the book with its rate")
    return pools[pool]


def _halved(age_h: float, half_life_h: float) -> float:
    if age_h < 0.0:
        raise ParameterError(f"an observation lies {-age_h} h after the book's time")
    return float(0.5 ** (age_h / half_life_h))


def _halved_hours(exposure: Exposure, now_h: float, half_life_h: float) -> float:
    """Each moment counts by its own age, so that it does not matter how hours are cut."""
    rate = LN2 / half_life_h
    length_h = exposure.end_h - exposure.start_h
    return _halved(now_h - exposure.end_h, half_life_h) * -math.expm1(-rate * length_h) / rate
