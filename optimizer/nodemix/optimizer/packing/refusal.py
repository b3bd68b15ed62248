"""Why there is no plan: caps that none can keep, with the proof, or just none found in the time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.packing.bound import Duals, fractional_bound
from nodemix.optimizer.packing.greedy import greedy_draft
from nodemix.optimizer.packing.market import CAP_TOLERANCE, Market
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray

NAMED_AT_MOST = 3
_REMEDY = "raise it, or allow more or cheaper offers"


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a search without a plan knows.

    Args:
        duals: of the relaxation, in which lacking pods have a price; crude ones where it never ran.
        lower_bound_usd_per_hour: on any plan within the caps.
    """

    market: Market
    duals: Duals
    lower_bound_usd_per_hour: float

    @property
    def proves_infeasible(self) -> bool:
        """Whether every plan would cost more than a plan within the caps can."""
        most = most_usd_per_hour(self.market)
        return self.lower_bound_usd_per_hour > most * (1.0 + CAP_TOLERANCE)


def most_usd_per_hour(market: Market) -> float:
    """What the cheapest plan within the caps costs at most, if there is one; may be infinite.

    A plan needs no more nodes than pods, unless a cap asks for nodes; and a cap that every node
    uses limits what can be spent.
    """
    asks_for_nodes = bool((market.cap_coefficients < 0.0).any())
    pods = np.inf if asks_for_nodes else float(market.demand.sum())
    most = pods * float(market.price.max())
    for cap in np.flatnonzero(_used_by_all(market)).tolist():
        value = float((market.price / market.cap_coefficients[cap]).max())
        most = min(most, max(float(market.cap_limits[cap]), 0.0) * value)
    return most


def _used_by_all(market: Market) -> BoolArray:
    """Caps on which every node weighs, e.g. node limits and budgets, shape (caps,)."""
    used: BoolArray = np.all(market.cap_coefficients > 0.0, axis=1)
    return used


def refusal(evidence: Evidence, names: Sequence[str]) -> InfeasiblePlanError:
    """The error that names the caps in the way, and says whether no plan exists or none was found.

    Args:
        names: of the caps.
    """
    market = evidence.market
    for cap in np.flatnonzero(_used_by_all(market)).tolist():
        least, limit = _least_use(market, cap), float(market.cap_limits[cap])
        if least > limit + CAP_TOLERANCE * (1.0 + abs(limit)):
            fact = f"its limit of {limit:g} allows no plan: any needs at least {least:.4g} of it"
            return InfeasiblePlanError(names[cap], fact, _REMEDY, is_proven=True)
    involved = _involved(evidence)
    subject = ", ".join(names[cap] for cap in involved[:NAMED_AT_MOST])
    more = len(involved) - NAMED_AT_MOST
    subject += f" and {more} more" if more > 0 else ""
    limits = ", ".join(f"{market.cap_limits[cap]:g}" for cap in involved[:NAMED_AT_MOST])
    if evidence.proves_infeasible:
        fact = f"no plan can keep the limit of {limits}"
        return InfeasiblePlanError(subject, fact, _REMEDY, is_proven=True)
    fact = f"no plan within the limit of {limits} was found in the time, though there may be one"
    remedy = f"search longer (spec.searchSeconds), or {_REMEDY}"
    return InfeasiblePlanError(subject, fact, remedy, is_proven=False)


def _least_use(market: Market, cap: int) -> float:
    """What any plan uses of a cap at least, nodes and pods cut at will."""
    return fractional_bound(replace(market, price=market.cap_coefficients[cap]))


def _involved(evidence: Evidence) -> IntArray:
    """The caps that the relaxation would pay to have raised, dearest first."""
    weights = np.abs(evidence.market.cap_coefficients).max(axis=1, initial=0.0)
    charges: FloatArray = evidence.duals.caps * weights
    dearest = np.argsort(-charges, kind="stable")
    involved = dearest[charges[dearest] > 1e-9 * charges.max(initial=1e-300)]
    return involved if charges.any() else np.array([_most_broken(evidence)])


def _most_broken(evidence: Evidence) -> int:
    """The cap that a plan without caps breaks most, against its limit."""
    market = evidence.market
    unlimited = np.full(len(market.cap_limits), np.inf)
    free = greedy_draft(market, evidence.duals.rows, cap_left=unlimited) if market.rows else None
    counts = np.zeros(len(market.price)) if free is None else free.offer_counts(market)
    over = (market.cap_use(counts) - market.cap_limits) / np.maximum(
        np.abs(market.cap_limits), 1e-9
    )
    return int(over.argmax())
