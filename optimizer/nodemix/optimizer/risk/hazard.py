"""How often a spot pool is hit, and how much of it then goes: what is believed, and why.

A shock is an event in which a pool loses nodes. Shocks of a pool come at a rate that is itself
uncertain, a gamma law; counts and hours observed make it sharper, and what was seen long ago
counts less. A pool about which little is known leans on its family in its zone, and that on
everything seen. Times are hours on any one clock, e.g. Unix time / 3600.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.problem.types import FloatArray, IntArray
from scipy.special import betainc, gammaincinv, gammaln

SCHEMA = 1
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
class HazardPrior:
    """What is believed before anything is seen, and how fast what was seen loses weight.

    Args:
        shape: of every gamma prior, in shocks; 0.5 is weak.
        advisor_understates: mean of the ratio of the true rate of shocks to the rate that the
            advisor's band gives; 1,000 in published traces, and soon replaced by the data.
        half_life_h: after which an observation counts half.
        steadiness: gamma shape of a horizon's own rate around the pool's; shocks come in bursts,
            and the lower, the more so. Chosen for six hours on the first half of the traces by
            ``benchmarks/hazard.py --tune``.
        severity: beta law of the share of a pool's nodes that a shock takes.
    """

    shape: float = 0.5
    advisor_understates: float = 1_000.0
    half_life_h: float = 72.0
    steadiness: float = 1.0
    severity: tuple[float, float] = (2.1, 0.9)

    def __post_init__(self) -> None:
        rates = (self.shape, self.advisor_understates, self.half_life_h, self.steadiness)
        positive = (*rates, *self.severity)
        if not all(0.0 < value < math.inf for value in positive):
            raise ParameterError(f"all of the hazard prior must be positive, got {self}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a pool; sums are discounted to the time of the book.

    Args:
        advised_per_hour: interruptions by the advisor's band.
        shares: shocks to two nodes or more; with one node the share lost says nothing.
        share_lost: sum over those shocks.
    """

    advised_per_hour: float
    shocks: float = 0.0
    hours: float = 0.0
    shares: float = 0.0
    share_lost: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.advised_per_hour < math.inf:
            raise ParameterError(
                f"advised_per_hour must be positive, got {self.advised_per_hour}; "
                "leave on-demand pools out"
            )

    def faded(self, weight: float) -> Self:
        """With all that was seen counting ``weight`` times as much."""
        return replace(
            self,
            shocks=self.shocks * weight,
            hours=self.hours * weight,
            shares=self.shares * weight,
            share_lost=self.share_lost * weight,
        )


@dataclass(frozen=True, slots=True)
class Hazard:
    """What is believed of one pool: a gamma law of its rate, a beta law of the share lost.

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

    def probability_of_at_least(self, shocks: int, horizon_h: float) -> float:
        """That the pool is hit so often while it is held; negative binomial."""
        if not 0.0 <= horizon_h < math.inf:
            raise ParameterError(f"horizon_h must not be negative, got {horizon_h}")
        if shocks <= 0:
            return 1.0
        shape, hours = self.within_a_horizon()
        return float(betainc(shocks, shape, horizon_h / (hours + horizon_h)))

    def draw_shocks(self, horizon_h: float, draws: int, rng: np.random.Generator) -> IntArray:
        """Numbers of shocks while the pool is held, shape (draws,)."""
        shape, hours = self.within_a_horizon()
        return rng.poisson(rng.gamma(shape, horizon_h / hours, draws)).astype(np.int64)

    def within_a_horizon(self) -> tuple[float, float]:
        """Gamma shape and hours of the rate that one horizon has: the same mean, but bursts.

        The product of two gamma laws, by the gamma law with its mean and variance.
        """
        shape = self.shape * self.steadiness / (self.shape + self.steadiness + 1.0)
        return shape, self.hours * shape / self.shape


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
        self, now_h: float, exposures: Iterable[Exposure], shocks: Iterable[Shock]
    ) -> "HazardBook":
        """The book at ``now_h``, with what was seen since it was last written.

        Raises:
            ParameterError: something lies after ``now_h``, or in a pool that is not in the book.
        """
        if not self.at_h <= now_h < math.inf:
            raise ParameterError(f"now_h must not go back from {self.at_h}, got {now_h}")
        fading = self._weight(now_h - self.at_h)
        pools = {pool: evidence.faded(fading) for pool, evidence in self.pools.items()}
        for exposure in exposures:
            seen = _known(pools, exposure.pool)
            hours = self._discounted_h(exposure, now_h)
            pools[exposure.pool] = replace(seen, hours=seen.hours + hours)
        for shock in shocks:
            weight = self._weight(now_h - shock.at_h)
            pools[shock.pool] = _hit(_known(pools, shock.pool), shock, weight)
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
            pool: Hazard(
                float(shape + count), float(length), self._severity(seen), self.prior.steadiness
            )
            for pool, seen, count, length in zip(
                self.pools, evidence, shocks, own_hours, strict=True
            )
        }

    def to_numbers(self) -> dict[str, Any]:
        """The whole book as numbers and strings that JSON can hold."""
        prior = self.prior
        rows = [
            [*_names(pool), e.advised_per_hour, e.shocks, e.hours, e.shares, e.share_lost]
            for pool, e in self.pools.items()
        ]
        return {
            "schema": SCHEMA,
            "at_h": self.at_h,
            "prior": {
                "shape": prior.shape,
                "advisor_understates": prior.advisor_understates,
                "half_life_h": prior.half_life_h,
                "steadiness": prior.steadiness,
                "severity": list(prior.severity),
            },
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

    def _severity(self, seen: Evidence) -> tuple[float, float]:
        """The mean follows the shares seen; the spread between shocks stays the prior's."""
        lost, kept = self.prior.severity
        strength = lost + kept
        mean = (lost + seen.share_lost) / (strength + seen.shares)
        return strength * mean, strength * (1.0 - mean)

    def _weight(self, age_h: float) -> float:
        if age_h < 0.0:
            raise ParameterError(f"an observation lies {-age_h} h after the book's time")
        return float(0.5 ** (age_h / self.prior.half_life_h))

    def _discounted_h(self, exposure: Exposure, now_h: float) -> float:
        """Each moment counts by its own age, so that it does not matter how hours are cut."""
        rate = math.log(2.0) / self.prior.half_life_h
        length_h = exposure.end_h - exposure.start_h
        return self._weight(now_h - exposure.end_h) * -math.expm1(-rate * length_h) / rate


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


def _names(pool: PoolKey) -> tuple[str, str, str]:
    return pool.family, pool.zone, pool.instance_type


def _known(pools: Mapping[PoolKey, Evidence], pool: PoolKey) -> Evidence:
    if pool not in pools:
        raise ParameterError(f"{pool} is not in the hazard book; open the book with its rate")
    return pools[pool]


def _hit(seen: Evidence, shock: Shock, weight: float) -> Evidence:
    telling = weight if shock.nodes_before > 1 else 0.0
    share = shock.nodes_lost / shock.nodes_before
    return replace(
        seen,
        shocks=seen.shocks + weight,
        shares=seen.shares + telling,
        share_lost=seen.share_lost + telling * share,
    )
