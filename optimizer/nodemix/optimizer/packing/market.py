"""A problem as the kernels read it: contiguous arrays, without offers that never pay."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
CAP_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Rows to cover and the offers worth buying for them.

    Args:
        offers: index of each kept offer in the problem, shape (offers,).
        limits: most pods of a row on one node, shape (rows,).
        compatible: offer-major, shape (offers, rows).
        cap_coefficients: shape (caps, offers).
    """

    demand: IntArray
    requests: IntArray
    limits: IntArray
    offers: IntArray
    room: IntArray
    price: FloatArray
    compatible: BoolArray
    cap_coefficients: FloatArray
    cap_limits: FloatArray

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.demand)

    def cap_use(self, counts: FloatArray) -> FloatArray:
        """What ``counts`` nodes of each kept offer use of each cap, shape (caps,)."""
        use: FloatArray = self.cap_coefficients @ counts
        return use

    def breaks(self, counts: FloatArray) -> BoolArray:
        """Which caps ``counts`` nodes of each kept offer break, shape (caps,)."""
        slack = CAP_TOLERANCE * (1.0 + np.abs(self.cap_limits))
        broken: BoolArray = self.cap_use(counts) > self.cap_limits + slack
        return broken


def to_market(problem: Problem) -> Market:
    """The arrays of ``problem`` without dominated offers.

    An offer is dominated when another one costs no more, has at least its room, takes at least
    its rows and weighs no more on any cap: exchanging it never hurts, so bounds stay valid.
    """
    coefficients = np.array([cap.coefficients for cap in problem.caps], dtype=np.float64)
    coefficients = coefficients.reshape(len(problem.caps), len(problem.offers))
    price = np.ascontiguousarray(problem.price_usd_per_hour, dtype=np.float64)
    room = np.ascontiguousarray(problem.room, dtype=np.int64)
    order = np.lexsort((-room.sum(axis=1), price))
    kept = np.sort(order[_undominated(*_sorted_facts(problem, coefficients, order))])
    return Market(
        demand=problem.demand,
        requests=np.ascontiguousarray(problem.requests, dtype=np.int64),
        limits=np.minimum(problem.max_per_node, problem.demand).astype(np.int64),
        offers=kept,
        room=np.ascontiguousarray(room[kept]),
        price=np.ascontiguousarray(price[kept]),
        compatible=np.ascontiguousarray(problem.compatible[:, kept].T),
        cap_coefficients=np.ascontiguousarray(coefficients[:, kept]),
        cap_limits=np.array([cap.limit for cap in problem.caps], dtype=np.float64),
    )


def _sorted_facts(
    problem: Problem, coefficients: FloatArray, order: IntArray
) -> tuple[FloatArray, IntArray, Bits, FloatArray]:
    """Price, room, compatibility bits and cap weights of each offer, cheapest first."""
    return (
        np.ascontiguousarray(problem.price_usd_per_hour[order], dtype=np.float64),
        np.ascontiguousarray(problem.room[order], dtype=np.int64),
        _packed(problem.compatible[:, order].T),
        np.ascontiguousarray(coefficients[:, order].T),
    )


def _packed(compatible: BoolArray) -> Bits:
    """Rows of booleans as 64-bit words, shape (offers, words)."""
    octets = np.packbits(compatible, axis=1)
    width = -(-octets.shape[1] // 8) * 8
    padded = np.zeros((octets.shape[0], width), dtype=np.uint8)
    padded[:, : octets.shape[1]] = octets
    return padded.view(np.uint64)


@compiled
def _undominated(price: FloatArray, room: IntArray, bits: Bits, weights: FloatArray) -> IntArray:
    """Positions of the offers that no cheaper or equal one before them dominates."""
    kept = np.empty(len(price), dtype=np.int64)
    n = 0
    for o in range(len(price)):
        dominated = False
        for k in range(n):
            if _dominates(kept[k], o, room, bits, weights):
                dominated = True
                break
        if not dominated:
            kept[n] = o
            n += 1
    return kept[:n]


@compiled
def _dominates(p: int, o: int, room: IntArray, bits: Bits, weights: FloatArray) -> bool:
    """Whether offer ``p``, which costs no more than ``o``, can stand in for it everywhere."""
    for d in range(room.shape[1]):
        if room[p, d] < room[o, d]:
            return False
    for c in range(weights.shape[1]):
        if weights[p, c] > weights[o, c]:
            return False
    for w in range(bits.shape[1]):  # noqa: SIM110 - all() over a generator does not compile
        if bits[o, w] & ~bits[p, w]:
            return False
    return True
