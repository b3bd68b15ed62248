"""A placement mode of a plan in the words of workloads and cohorts, as small as it can be told."""

from dataclasses import dataclass

from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.snapshot import Selector, WorkloadKey


@dataclass(frozen=True, slots=True)
class WorkloadAffinity:
    """A required node affinity of every pod of a workload; one term must match, as in a Pod."""

    workload: WorkloadKey
    terms: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class CohortQuota:
    """Pods of a workload that belong on the nodes of one cohort, whichever of them."""

    workload: WorkloadKey
    cohort: str
    pods: int


@dataclass(frozen=True, slots=True)
class CohortPins:
    """What belongs on each node of a cohort.

    Args:
        nodes: of the cohort; the planned-node labels are ``<cohort>-0``, ``<cohort>-1`` and so on.
        pods: (workload, pods of it on each node), sorted, no zeros.
    """

    cohort: str
    nodes: int
    pods: tuple[tuple[WorkloadKey, int], ...]


@dataclass(frozen=True, slots=True)
class PlannedSteering:
    """What leads the pods of a plan to their places; pods on kept nodes are in none of it.

    Args:
        affinities: sorted by workload, in modes ``pool`` and ``cohort``; in the latter for pods
            beyond the quotas.
        release: (workload, pods) in the order they are let in, a workload once for each size of
            its pods; empty where they come as they come.
        quotas: every pod once in mode ``cohort``, sorted by workload.
        pins: every pod once in mode ``pinned``, by cohort.
    """

    mode: PlacementMode
    affinities: tuple[WorkloadAffinity, ...] = ()
    release: tuple[tuple[WorkloadKey, int], ...] = ()
    quotas: tuple[CohortQuota, ...] = ()
    pins: tuple[CohortPins, ...] = ()
