"""Which of its row's planned places each pod gets, as pods come one after the other."""

from collections.abc import Iterator, Sequence

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.placement.steering import (
    COHORT_LABEL,
    PLANNED_NODE_LABEL,
    Pin,
    Quota,
    Steering,
    cohort_name,
)
from nodemix.optimizer.placement.unfolded import node_groups
from nodemix.optimizer.problem.types import IntArray, Problem
from nodemix.optimizer.snapshot import Requirement, Selector

UNPLANNED = -1


def deal(order: IntArray, shares: Sequence[Quota | Pin]) -> IntArray:
    """The position in ``shares`` of each pod, shape (pods,).

    A row's shares are used up one after the other, as a counter would; pods beyond them are
    ``UNPLANNED``.

    Args:
        order: the row of each pod as they arrive, shape (pods,).
    """
    dealt = np.full(len(order), UNPLANNED, dtype=np.int64)
    places: dict[int, list[int]] = {}
    for position, share in enumerate(shares):
        places.setdefault(share.row, []).extend([position] * share.pods)
    for row, positions in places.items():
        pods = np.flatnonzero(order == row)[: len(positions)]
        dealt[pods] = positions[: len(pods)]
    return dealt


def contests(
    packing: Packing, order: IntArray, visited: IntArray, steering: Steering
) -> Iterator[tuple[IntArray, IntArray]]:
    """Positions of pods in ``order`` and the nodes they compete for.

    Where there are quotas, cohorts are apart from each other; pods beyond the quotas are left out,
    as the plan has no place for them. Else all pods compete for all nodes.

    Args:
        visited: the packing's nodes in the order the scheduler walks through them.
    """
    if not steering.quotas:
        yield np.arange(len(order)), visited
        return
    groups = {cohort_name(g): g for g in range(len(packing.nodes))}
    named = np.array([groups[quota.cohort] for quota in steering.quotas])
    dealt = deal(order, steering.quotas)
    pods = np.flatnonzero(dealt != UNPLANNED)
    yield from zip(
        _by_group(pods, named[dealt[pods]], len(groups)),
        _by_group(visited, node_groups(packing)[visited], len(groups)),
        strict=True,
    )


def _by_group(members: IntArray, groups: IntArray, count: int) -> list[IntArray]:
    """The members of each group, in their order."""
    ends = np.cumsum(np.bincount(groups, minlength=count))[:-1]
    return np.split(members[np.argsort(groups, kind="stable")], ends)


def pod_terms(
    problem: Problem, steering: Steering, order: IntArray
) -> tuple[tuple[Selector, ...], ...]:
    """The required node affinity of each pod, one term of which must match, as in a Pod.

    Empty where a pod may go anywhere.
    """
    shares = steering.pins or steering.quotas
    planned = [(_term(share),) for share in shares]
    by_workload = {affinity.workload: affinity.terms for affinity in steering.affinities}
    return tuple(
        by_workload.get(problem.rows[row].workload, ()) if share == UNPLANNED else planned[share]
        for row, share in zip(order.tolist(), deal(order, shares).tolist(), strict=True)
    )


def _term(share: Quota | Pin) -> Selector:
    match share:
        case Quota(cohort=cohort):
            return Selector((Requirement(COHORT_LABEL, "In", (cohort,)),))
        case Pin(node=node):
            return Selector((Requirement(PLANNED_NODE_LABEL, "In", (node,)),))
