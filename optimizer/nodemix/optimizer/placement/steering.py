"""What makes a plan come true: node labels, node affinities and the order pods are let in."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.catalog.labels import (
    CAPACITY_TYPE_LABEL,
    INSTANCE_TYPE_LABEL,
    ZONE_LABEL,
    offer_labels,
)
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import WorkloadAffinity
from nodemix.optimizer.placement.unfolded import node_groups, node_limits
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem
from nodemix.optimizer.snapshot import Requirement, Selector, WorkloadKey

COHORT_LABEL = "nodemix.dev/cohort"
PLANNED_NODE_LABEL = "nodemix.dev/planned-node"


@dataclass(frozen=True, slots=True)
class Quota:
    """Pods of one row that belong on the nodes of one cohort.

    Args:
        cohort: value of the label ``nodemix.dev/cohort``.
    """

    row: int
    cohort: str
    pods: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Pods of one row that belong on one planned node.

    Args:
        node: value of the label ``nodemix.dev/planned-node``.
    """

    row: int
    node: str
    pods: int


@dataclass(frozen=True, slots=True)
class Steering:
    """A placement mode of one packing, as data.

    Args:
        node_labels: for each node of the packing, one by one, what it must carry beside the
            labels of its offer.
        affinities: sorted by workload; a workload without one may go anywhere. In mode
            ``cohort`` they are for pods beyond the quotas.
        release: rows in the order their pods are let in; None where they come as they come.
        quotas: every pod of the packing once in mode ``cohort``, else empty; sorted by row.
        pins: every pod of the packing once in mode ``pinned``, else empty.
    """

    mode: PlacementMode
    node_labels: tuple[tuple[tuple[str, str], ...], ...]
    affinities: tuple[WorkloadAffinity, ...] = ()
    release: tuple[int, ...] | None = None
    quotas: tuple[Quota, ...] = ()
    pins: tuple[Pin, ...] = ()


def steer(problem: Problem, packing: Packing, mode: PlacementMode) -> Steering:
    """The labels, affinities and release order of ``mode``."""
    labels = _node_labels(packing)
    match mode:
        case PlacementMode.OBSERVE:
            return Steering(mode, labels)
        case PlacementMode.POOL:
            return Steering(mode, labels, _pool_affinities(problem, packing))
        case PlacementMode.COHORT:
            affinities = _cohort_affinities(problem, packing)
            return Steering(mode, labels, affinities, decreasing_rows(problem), _quotas(packing))
        case PlacementMode.PINNED:
            return Steering(mode, labels, pins=_pins(packing))


def decreasing_rows(problem: Problem) -> tuple[int, ...]:
    """Rows, the largest pods first: by their largest share of the roomiest offer's room."""
    most = problem.room.max(axis=0, initial=1)
    size = (problem.requests / most).max(axis=1)
    return tuple(np.argsort(-size, kind="stable").tolist())


def pod_limits(problem: Problem, packing: Packing, steering: Steering) -> IntArray:
    """Most pods of each row that each node may hold under the steering, shape (rows, nodes).

    The quotas of mode ``cohort`` tell pods of one row apart and are left out: see `deal`.
    """
    if steering.mode is PlacementMode.PINNED:
        return _pinned_limits(problem, steering)
    return np.where(_may_go(problem, packing, steering), node_limits(problem, packing), 0)


def _pinned_limits(problem: Problem, steering: Steering) -> IntArray:
    position = {
        dict(labels)[PLANNED_NODE_LABEL]: i for i, labels in enumerate(steering.node_labels)
    }
    limits = np.zeros((len(problem.rows), len(position)), dtype=np.int64)
    for pin in steering.pins:
        limits[pin.row, position[pin.node]] = pin.pods
    return limits


def _may_go(problem: Problem, packing: Packing, steering: Steering) -> BoolArray:
    """Whether the affinity of each row's workload matches each node, shape (rows, nodes).

    No affinity tells the nodes of a group apart, so that one of them speaks for all.
    """
    groups = node_groups(packing)
    firsts = np.unique(groups, return_index=True)[1].tolist()
    nodes = [
        {**offer_labels(problem.offers[group.offer]), **dict(steering.node_labels[first])}
        for group, first in zip(packing.nodes, firsts, strict=True)
    ]
    matched = {
        affinity.workload: [any(term.matches(node) for term in affinity.terms) for node in nodes]
        for affinity in steering.affinities
    }
    anywhere = [True] * len(nodes)
    table = [matched.get(row.workload, anywhere) for row in problem.rows]
    by_group = np.array(table, dtype=np.bool_).reshape(len(problem.rows), len(nodes))
    may_go: BoolArray = by_group[:, groups]
    return may_go


def _node_labels(packing: Packing) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(
        ((COHORT_LABEL, cohort_name(g)), (PLANNED_NODE_LABEL, f"{cohort_name(g)}-{number}"))
        for g, group in enumerate(packing.nodes)
        for number in range(group.count)
    )


def cohort_name(group: int) -> str:
    """The label value of the nodes of ``packing.nodes[group]``."""
    return f"c{group}"


def _holders(problem: Problem, packing: Packing) -> dict[WorkloadKey, list[int]]:
    """The groups of nodes that hold pods of each workload, ascending."""
    holders: dict[WorkloadKey, set[int]] = {}
    for g, group in enumerate(packing.nodes):
        for row, _ in group.pods:
            holders.setdefault(problem.rows[row].workload, set()).add(g)
    return {workload: sorted(holders[workload]) for workload in sorted(holders)}


def _pool_affinities(problem: Problem, packing: Packing) -> tuple[WorkloadAffinity, ...]:
    affinities = []
    for workload, groups in _holders(problem, packing).items():
        offers = [problem.offers[packing.nodes[g].offer] for g in groups]
        pools = dict.fromkeys(_pool_term(offer) for offer in offers)
        affinities.append(WorkloadAffinity(workload, tuple(pools)))
    return tuple(affinities)


def _pool_term(offer: Offer) -> Selector:
    pool = {
        CAPACITY_TYPE_LABEL: str(offer.capacity_type),
        INSTANCE_TYPE_LABEL: offer.instance.name,
        ZONE_LABEL: offer.zone,
    }
    return Selector(tuple(Requirement(key, "In", (value,)) for key, value in pool.items()))


def _cohort_affinities(problem: Problem, packing: Packing) -> tuple[WorkloadAffinity, ...]:
    affinities = []
    for workload, groups in _holders(problem, packing).items():
        names = tuple(sorted(cohort_name(g) for g in groups))
        term = Selector((Requirement(COHORT_LABEL, "In", names),))
        affinities.append(WorkloadAffinity(workload, (term,)))
    return tuple(affinities)


def _quotas(packing: Packing) -> tuple[Quota, ...]:
    """A row's pods on nodes of equal pattern.

    An affinity to all cohorts of a workload at once left 3 to 15 % of the plan's cost to pay again
    on instances d1 to d5 (emulated); with quotas, pods in decreasing size find every place.
    """
    found = [
        (row, g, pods * group.count)
        for g, group in enumerate(packing.nodes)
        for row, pods in group.pods
    ]
    return tuple(Quota(row, cohort_name(g), pods) for row, g, pods in sorted(found))


def _pins(packing: Packing) -> tuple[Pin, ...]:
    names = [dict(labels)[PLANNED_NODE_LABEL] for labels in _node_labels(packing)]
    groups = node_groups(packing).tolist()
    return tuple(
        Pin(row, name, pods)
        for name, g in zip(names, groups, strict=True)
        for row, pods in packing.nodes[g].pods
    )
