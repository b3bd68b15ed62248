"""A steering of rows and nodes, told in workloads and cohorts."""

from collections import Counter

from nodemix.optimizer.packed import Packing
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortPins, CohortQuota, PlannedSteering
from nodemix.optimizer.placement.steering import Steering, cohort_name, steer
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.snapshot import WorkloadKey


def planned_steering(problem: Problem, packing: Packing, mode: PlacementMode) -> PlannedSteering:
    """What ``mode`` asks of pods and nodes, once for each workload and cohort."""
    steering = steer(problem, packing, mode)
    return PlannedSteering(
        mode=mode,
        affinities=steering.affinities,
        release=_release(problem, steering),
        quotas=_quotas(problem, steering),
        pins=_pins(problem, packing) if steering.pins else (),
    )


def _release(problem: Problem, steering: Steering) -> tuple[tuple[WorkloadKey, int], ...]:
    """Rows of one workload that follow one another are one entry."""
    released: list[tuple[WorkloadKey, int]] = []
    for row in steering.release or ():
        workload, pods = problem.rows[row].workload, problem.rows[row].pods
        if released and released[-1][0] == workload:
            pods += released.pop()[1]
        released.append((workload, pods))
    return tuple(released)


def _quotas(problem: Problem, steering: Steering) -> tuple[CohortQuota, ...]:
    """Sorted by workload, cohorts in their order."""
    pods: Counter[tuple[WorkloadKey, str]] = Counter()
    for quota in steering.quotas:
        pods[problem.rows[quota.row].workload, quota.cohort] += quota.pods
    by_workload = sorted(pods.items(), key=lambda item: item[0][0])
    return tuple(CohortQuota(*key, count) for key, count in by_workload)


def _pins(problem: Problem, packing: Packing) -> tuple[CohortPins, ...]:
    pins = []
    for g, group in enumerate(packing.nodes):
        pods: Counter[WorkloadKey] = Counter()
        for row, count in group.pods:
            pods[problem.rows[row].workload] += count
        pins.append(CohortPins(cohort_name(g), group.count, tuple(sorted(pods.items()))))
    return tuple(pins)
