"""What a small change of a pool would do: one node more, one less, another offer.

These are marginal values of the relaxation, in which nodes can be bought in parts: near enough for
one node, and no promise about many. A column (an offer and the pods on it) has the reduced cost
``price + what the caps charge - worth of its pods``, pods at their rows' duals and caps at theirs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.packed import Packing, Result
from nodemix.optimizer.plan import PoolMargins, RunnerUp
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, OfferCap, Problem

CAP_TOLERANCE = 1e-9
AT_ONCE = 32
"""Offers whose weight on the caps is looked at together; mostly the first will do."""

Pattern = tuple[tuple[int, int], ...]
"""(row, pods of it on a node)."""


def pool_margins(problem: Problem, result: Result) -> dict[PoolKey, PoolMargins]:
    """Margins of each pool that the packing buys from.

    One node more costs the reduced cost of the best filled node of the pool: its price and what
    the caps charge, less the worth of pods that other nodes would not have to hold. One node less
    saves that of the worst filled: its pods go elsewhere at their worth.
    """
    scene = _Scene(problem, result, *_cap_charges(problem, result.cap_duals))
    exchange = _Exchange(problem, result.packing)
    pools: defaultdict[PoolKey, dict[int, list[Pattern]]] = defaultdict(dict)
    for offer, patterns in _patterns(result.packing).items():
        pools[problem.offers[offer].key][offer] = patterns
    return {key: _margins(scene, exchange, bought) for key, bought in pools.items()}


def _margins(
    scene: "_Scene", exchange: "_Exchange", bought: Mapping[int, list[Pattern]]
) -> PoolMargins:
    """Of one pool; its nodes may be bought on several terms, or run already.

    Args:
        bought: what the nodes of each of its offers hold.
    """
    reduced = np.concatenate([scene.reduced_usd_per_hour(o, held) for o, held in bought.items()])
    everything = [pattern for held in bought.values() for pattern in held]
    return PoolMargins(
        node_more_usd_per_hour=float(reduced.min()),
        node_less_usd_per_hour=-float(reduced.max()),
        runner_up=_runner_up(scene, exchange, next(iter(bought)), everything),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """A solved problem.

    Args:
        charges: what the caps charge for a node beside its price, shape (offers,).
        price_rate: what each USD of a price costs, those limits included that count prices.
    """

    problem: Problem
    result: Result
    charges: FloatArray
    price_rate: float

    @property
    def charged(self) -> FloatArray:
        """Price and charges of each offer, shape (offers,)."""
        charged: FloatArray = self.price_rate * self.problem.money_usd_per_hour + self.charges
        return charged

    def reduced_usd_per_hour(self, offer: int, patterns: Sequence[Pattern]) -> FloatArray:
        """Reduced cost of each pattern, shape (patterns,)."""
        duals = self.result.row_duals
        worth = [sum(pods * float(duals[row]) for row, pods in pattern) for pattern in patterns]
        reduced: FloatArray = self.charged[offer] - np.array(worth)
        return reduced


def _cap_charges(problem: Problem, cap_duals: FloatArray) -> tuple[FloatArray, float]:
    """What caps and changes charge for a node of each offer, and for each USD of a price.

    They are kept apart, because a limit on money charges less for a node that becomes cheaper.
    """
    charges = problem.price_usd_per_hour - problem.money_usd_per_hour
    price_rate = 1.0
    for cap, dual in zip(problem.caps, cap_duals.tolist(), strict=True):
        if dual <= 0.0:
            continue
        if _counts_money(problem, cap):
            price_rate += dual
        else:
            charges += dual * cap.coefficients
    return charges, price_rate


def _counts_money(problem: Problem, cap: OfferCap) -> bool:
    return np.array_equal(cap.coefficients, problem.money_usd_per_hour)


def _patterns(packing: Packing) -> dict[int, list[Pattern]]:
    """What the nodes of each offer hold."""
    patterns: defaultdict[int, list[Pattern]] = defaultdict(list)
    for nodes in packing.nodes:
        patterns[nodes.offer].append(nodes.pods)
    return dict(patterns)


class _Exchange:
    """Which offers may take the place of one node of another.

    Limits on money do not count here: the question is at which price an offer would do.
    """

    def __init__(self, problem: Problem, packing: Packing) -> None:
        caps = [cap for cap in problem.caps if not _counts_money(problem, cap)]
        weights = np.array([cap.coefficients for cap in caps], dtype=np.float64)
        weights = weights.reshape(len(caps), len(problem.offers))
        self._weights = np.ascontiguousarray(weights.T)  # (offers, caps)
        limits = np.array([cap.limit for cap in caps], dtype=np.float64)
        counts = np.zeros(len(problem.offers))
        for nodes in packing.nodes:
            counts[nodes.offer] += nodes.count
        self._left = limits - counts @ self._weights
        self._left += CAP_TOLERANCE * (1.0 + np.abs(limits))
        self._on_sale = np.array([not (o.terms or o.is_in_place) for o in problem.offers], np.bool_)
        kinds = {(o.instance.name, o.capacity_type): i for i, o in enumerate(problem.offers)}
        self._kind = np.array([kinds[o.instance.name, o.capacity_type] for o in problem.offers])

    def is_other_kind(self, offer: int) -> BoolArray:
        """Offers of another type or market that anybody may buy, shape (offers,)."""
        other: BoolArray = (self._kind != self._kind[offer]) & self._on_sale
        return other

    def within_caps(self, offer: int, candidates: IntArray) -> Iterator[int]:
        """Those of ``candidates`` that leave every cap kept in the place of ``offer``."""
        left = self._left + self._weights[offer]
        for start in range(0, len(candidates), AT_ONCE):
            some = candidates[start : start + AT_ONCE]
            kept = (self._weights[some] <= left).all(axis=1)
            yield from some[kept].tolist()


def _runner_up(
    scene: _Scene, exchange: _Exchange, offer: int, patterns: Sequence[Pattern]
) -> RunnerUp | None:
    """Of another type or market: the same one in another zone would be no news."""
    able = np.flatnonzero(_able(scene.problem, patterns) & exchange.is_other_kind(offer))
    ordered = able[np.argsort(scene.charged[able], kind="stable")]
    best = next(exchange.within_caps(offer, ordered), None)
    if best is None:
        return None
    gained = float(scene.charges[offer] - scene.charges[best]) / scene.price_rate
    own_usd_per_hour = scene.problem.offers[offer].price_usd_per_hour
    return RunnerUp(
        *scene.problem.offers[best].key,
        price_usd_per_hour=scene.problem.offers[best].price_usd_per_hour,
        break_even_usd_per_hour=max(0.0, own_usd_per_hour + gained),
    )


def _able(problem: Problem, patterns: Sequence[Pattern]) -> BoolArray:
    """Offers that can hold each of the patterns, shape (offers,)."""
    rows = sorted({row for pattern in patterns for row, _ in pattern})
    used = np.zeros((len(patterns), len(problem.dimensions)), dtype=np.int64)
    for i, pattern in enumerate(patterns):
        for row, pods in pattern:
            used[i] += pods * problem.requests[row]
    fits = (problem.room >= used.max(axis=0)).all(axis=1)
    able: BoolArray = np.logical_and(problem.compatible[rows].all(axis=0), fits)
    return able
