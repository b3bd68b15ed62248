"""What makes a plan come true: node labels, node affinities and the order pods are let in."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from nodemix.optimizer.catalog.labels import (
    CAPACITY_TYPE_LABEL,
    INSTANCE_TYPE_LABEL,
    ZONE_LABEL,
    offer_labels,
)
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.placement.unfolded import node_groups, node_limits
from nodemix.optimizer.plan import Packing
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem
from nodemix.optimizer.snapshot import Requirement, Selector, WorkloadKey

COHORT_LABEL = "nodemix.dev/cohort"
PLANNED_NODE_LABEL = "nodemix.dev/planned-node"


class PlacementMode(StrEnum):
    """How firmly pods are led to the places the plan has for them.

    ``OBSERVE`` leaves them to the scheduler; ``POOL`` binds a workload to the (type, zone, market)
    pools that hold it; ``COHORT`` to the nodes of equal pattern that hold it; ``PINNED`` each pod
    to its node.
    """

    OBSERVE = "observe"
    POOL = "pool"
    COHORT = "cohort"
    PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class WorkloadAffinity:
    """A required node affinity of every pod of a workload; one term must match, as in a Pod."""

    workload: WorkloadKey
    terms: tuple[Selector, ...]


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
        affinities: sorted by workload; a workload without one may go anywhere.
        release: rows in the order their pods are let in; None where they come as they come.
        pins: every pod of the packing once in mode ``pinned``, else empty.
    """

    mode: PlacementMode
    node_labels: tuple[tuple[tuple[str, str], ...], ...]
    affinities: tuple[WorkloadAffinity, ...] = ()
    release: tuple[int, ...] | None = None
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
            return Steering(mode, labels, affinities, decreasing_rows(problem))
        case PlacementMode.PINNED:
            return Steering(mode, labels, pins=_pins(packing))


def decreasing_rows(problem: Problem) -> tuple[int, ...]:
    """Rows, the largest pods first: by their largest share of the roomiest offer's room."""
    most = np.maximum(problem.room.max(axis=0), 1)
    size = (problem.requests / most).max(axis=1)
    return tuple(np.argsort(-size, kind="stable").tolist())


def pod_limits(problem: Problem, packing: Packing, steering: Steering) -> IntArray:
    """Most pods of each row that each node may hold under the steering, shape (rows, nodes)."""
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
    """Whether the affinity of each row's workload matches each node, shape (rows, nodes)."""
    offers = [problem.offers[packing.nodes[g].offer] for g in node_groups(packing).tolist()]
    nodes = [
        {**offer_labels(offer), **dict(more)}
        for offer, more in zip(offers, steering.node_labels, strict=True)
    ]
    matched = {
        affinity.workload: [any(term.matches(node) for term in affinity.terms) for node in nodes]
        for affinity in steering.affinities
    }
    anywhere = [True] * len(nodes)
    table = [matched.get(row.workload, anywhere) for row in problem.rows]
    return np.array(table, dtype=np.bool_).reshape(len(problem.rows), len(nodes))


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


def _pins(packing: Packing) -> tuple[Pin, ...]:
    names = [dict(labels)[PLANNED_NODE_LABEL] for labels in _node_labels(packing)]
    groups = node_groups(packing).tolist()
    return tuple(
        Pin(row, name, pods)
        for name, g in zip(names, groups, strict=True)
        for row, pods in packing.nodes[g].pods
    )
