"""The packing problem: rows of identical pods, offers to buy, and caps on the mix."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.snapshot import Note, WorkloadKey
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row:
    """Identical pods of one workload (and one zone, where a spread cuts it).

    Args:
        row_id: stable between snapshots, so that columns can be reused.
        zone: the zone these pods are pinned to by a spread; None where they may go anywhere.
    """

    row_id: str
    workload: WorkloadKey
    pods: int
    zone: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OfferCap:
    """A linear limit on the counts of offers: ``sum(coefficients * count) <= limit``.

    Budgets, node limits, quotas and shares of the mix all have this form.

    Args:
        name: as the policy spells it, e.g. ``budget.usdPerHour``.
        coefficients: per node of each offer, shape (offers,), unit of ``limit``.
        is_rule: whether a policy asks for it; False for the number of nodes that run already.
    """

    name: str
    coefficients: FloatArray
    limit: float
    is_rule: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Place every pod of every row on bought nodes at the least price.

    Args:
        dimensions: names of the resource dimensions, e.g. ``cpu_milli``, ``nvidia.com/gpu``.
        rows: what to place; ``rows[i].pods >= 1``.
        requests: per pod, shape (rows, dimensions).
        max_per_node: pods of a row allowed on one node, shape (rows,); the row's pods if unlimited.
        offers: what can be bought, each at least able to hold one pod of one row.
        room: for pods on a fresh node, DaemonSets already taken off, shape (offers, dimensions).
        price_usd_per_hour: what the search counts for a node of each offer, shape (offers,),
            positive: its money, and what a change costs where the policy says so (see
            `nodemix.optimizer.problem.churn`).
        compatible: whether a pod of a row may run on a node of an offer (labels, taints, market,
            architecture, and it fits alone), shape (rows, offers).
        caps: limits on the mix.
        unplaceable: rows that no offer can hold, with the reason; not part of ``rows``.
    """

    dimensions: tuple[str, ...]
    rows: tuple[Row, ...]
    requests: IntArray
    max_per_node: IntArray
    offers: tuple[Offer, ...]
    room: IntArray
    price_usd_per_hour: FloatArray
    compatible: BoolArray
    caps: tuple[OfferCap, ...] = ()
    unplaceable: tuple[tuple[Row, str], ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def demand(self) -> IntArray:
        """Pods to place, shape (rows,)."""
        return np.array([row.pods for row in self.rows], dtype=np.int64)

    @property
    def money_usd_per_hour(self) -> FloatArray:
        """What a node of each offer adds to the bill, shape (offers,)."""
        return np.array([offer.price_usd_per_hour for offer in self.offers], dtype=np.float64)
