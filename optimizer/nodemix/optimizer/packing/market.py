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
    """The arrays of ``problem`` without dominated offers; see `dominators`."""
    coefficients = np.array([cap.coefficients for cap in problem.caps], dtype=np.float64)
    coefficients = coefficients.reshape(len(problem.caps), len(problem.offers))
    price = np.ascontiguousarray(problem.price_usd_per_hour, dtype=np.float64)
    room = np.ascontiguousarray(problem.room, dtype=np.int64)
    compatible = problem.compatible.T
    kept = np.unique(dominators(price, room, compatible, coefficients))
    return Market(
        demand=problem.demand,
        requests=np.ascontiguousarray(problem.requests, dtype=np.int64),
        limits=np.minimum(problem.max_per_node, problem.demand).astype(np.int64),
        offers=kept,
        room=np.ascontiguousarray(room[kept]),
        price=np.ascontiguousarray(price[kept]),
        compatible=np.ascontiguousarray(compatible[kept]),
        cap_coefficients=np.ascontiguousarray(coefficients[:, kept]),
        cap_limits=np.array([cap.limit for cap in problem.caps], dtype=np.float64),
    )


def dominators(
    price: FloatArray, room: IntArray, compatible: BoolArray, cap_coefficients: FloatArray
) -> IntArray:
    """The offer that stands in for each one; itself where none dominates it, shape (offers,).

    An offer is dominated when another one costs no more, has at least its room, takes at least
    its rows and weighs no more on any cap: exchanging it never hurts, so bounds stay valid.

    Args:
        compatible: offer-major, shape (offers, rows).
    """
    order = np.lexsort((-room.sum(axis=1), price))
    stand_ins = np.empty(len(price), dtype=np.int64)
    stand_ins[order] = order[
        _stand_ins(
            np.ascontiguousarray(room[order]),
            _packed(compatible[order]),
            np.ascontiguousarray(cap_coefficients[:, order].T),
        )
    ]
    return stand_ins


def _packed(compatible: BoolArray) -> Bits:
    """Rows of booleans as 64-bit words, shape (offers, words)."""
    octets = np.packbits(compatible, axis=1)
    width = -(-octets.shape[1] // 8) * 8
    padded = np.zeros((octets.shape[0], width), dtype=np.uint8)
    padded[:, : octets.shape[1]] = octets
    return padded.view(np.uint64)


@compiled
def _stand_ins(room: IntArray, bits: Bits, weights: FloatArray) -> IntArray:
    """Position of the first undominated offer that dominates each one; cheapest offers first."""
    stand_ins = np.empty(len(room), dtype=np.int64)
    kept = np.empty(len(room), dtype=np.int64)
    n = 0
    for o in range(len(room)):
        stand_ins[o] = o
        for k in range(n):
            if _dominates(kept[k], o, room, bits, weights):
                stand_ins[o] = kept[k]
                break
        if stand_ins[o] == o:
            kept[n] = o
            n += 1
    return stand_ins


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
