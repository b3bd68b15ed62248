"""All that the plans of one decision have in common: the cluster, the market, what may happen."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.covering import further_pods, lacking_pods, with_more
from nodemix.optimizer.decision import (
    PodPaths,
    over_provisioned,
    pod_paths,
    pods_by_workload,
)
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.build import Survey, survey
from nodemix.optimizer.problem.interruptions import (
    Interruptions,
    count_interruptions,
    interruptions_of,
)
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.problem.types import FloatArray, IntArray, Problem
from nodemix.optimizer.risk.beliefs import SECONDS_PER_HOUR, Beliefs
from nodemix.optimizer.risk.fleet_nodes import SLOTS, FleetNodes, fleet_nodes
from nodemix.optimizer.risk.hazard import PoolKey
from nodemix.optimizer.risk.outlook import Outlook
from nodemix.optimizer.risk.score import plan_risk
from nodemix.optimizer.safety import starting_safety
from nodemix.optimizer.snapshot import CapacityType, Snapshot, WorkloadKey

LAUNCH_S = 40.0
"""From the request for a machine until its node object appears; boots are seen from then on."""

A_LITTLE = 0.1
"""Of the room beyond today's pods: paths that were not seen ask for more than those that were."""


@dataclass(frozen=True, eq=False)
class Setting:
    """All that the plans of one decision have in common.

    Args:
        catalog: with what reclaims are counted with.
        paths: of pods, that capacity is chosen on.
        outlook: that plans are scored on while one is chosen.
        interruptions: what reclaims cost.
        granted: most pods of each workload, where limits leave no plan for all that is wanted.
    """

    snapshot: Snapshot
    policy: Policy
    catalog: Catalog
    paths: PodPaths
    outlook: Outlook
    interruptions: Interruptions
    granted: Mapping[WorkloadKey, int] | None = None

    @cached_property
    def survey(self) -> Survey:
        """The cluster as all problems of the decision see it."""
        return survey(self.snapshot, self.catalog, self.policy)

    @cached_property
    def pods_now(self) -> dict[WorkloadKey, int]:
        """Pods of each workload that need a place."""
        return pods_by_workload(self.snapshot)

    @cached_property
    def may_use_spot(self) -> frozenset[WorkloadKey]:
        """Workloads with a pod that nothing keeps from spot."""
        pods = self.snapshot.pods
        return frozenset(pod.workload for pod in pods if pod.template.spot_denied is None)

    def pods(self, safety: Safety) -> dict[WorkloadKey, int]:
        """Pods to hold of each workload, never fewer than there are: none is ours to end."""
        wanted = with_more(self.pods_now, self.further_pods)
        wanted = with_more(wanted, safety.extra_pods)
        wanted = over_provisioned(wanted, safety.over_provision, self.may_use_spot)
        granted = self.granted
        return (
            wanted if granted is None else {k: min(n, granted.get(k, n)) for k, n in wanted.items()}
        )

    @cached_property
    def further_pods(self) -> dict[WorkloadKey, int]:
        """Pods beyond today's: room, in sum, for as many paths as the policy has covered."""
        amounts = tuple(d for d in self.survey.places.dimensions if d != SLOTS)
        share = self.policy.service_level.covered_share
        return further_pods(self.paths, self.pods_now, self.requests(amounts), share)

    def lacking(
        self,
        problem: Problem,
        packing: Packing,
        kept: tuple[PlannedNodes, ...],
        share: float,
    ) -> dict[WorkloadKey, int]:
        """What a packing lacks for room on so many of the paths that capacity is chosen on."""
        nodes = self._fleet(problem, packing, kept)
        needed = replace(self.outlook, paths=self.paths).needed(problem, nodes.kept_pods)
        lacking = lacking_pods(nodes.homeless(needed), problem.requests, share)
        pods: Counter[WorkloadKey] = Counter()
        for row, count in zip(problem.rows, lacking.tolist(), strict=True):
            pods[row.workload] += count
        return {key: count for key, count in pods.items() if count}

    def a_little_more(self, safety: Safety) -> dict[WorkloadKey, int]:
        """A share of what there is room for beyond today's pods, of each workload."""
        beyond = Counter(self.further_pods)
        beyond.update(dict(safety.extra_pods))
        return {key: math.ceil(A_LITTLE * pods) for key, pods in beyond.items()}

    def requests(self, dimensions: tuple[str, ...]) -> dict[WorkloadKey, IntArray]:
        """Of a pod of each workload, in these dimensions; of several templates any one."""
        templates = {pod.workload: pod.template for pod in self.snapshot.pods}
        return {
            key: np.array([template.requests.amount(d) for d in dimensions], dtype=np.int64)
            for key, template in templates.items()
        }

    def risk(
        self,
        problem: Problem,
        packing: Packing,
        kept: tuple[PlannedNodes, ...],
        outlook: Outlook,
        scenarios: int | None = None,
    ) -> Risk:
        """What can go wrong with a packing and the nodes that are kept beside it.

        Args:
            scenarios: how many to try; None for as many as half a second allows.
        """
        nodes = self._fleet(problem, packing, kept)
        ratio = self.policy.service_level.under_cost_ratio
        offers = self.catalog.by_key()
        shown = (*_as_nodes(problem, packing), *kept)
        return plan_risk(
            nodes, shown, problem, outlook, self.interruptions, offers, ratio, scenarios
        )

    def _fleet(
        self, problem: Problem, packing: Packing, kept: tuple[PlannedNodes, ...]
    ) -> FleetNodes:
        requests = self.requests(problem.dimensions) if kept else {}
        return fleet_nodes(problem, packing, kept, requests)


def _as_nodes(problem: Problem, packing: Packing) -> tuple[PlannedNodes, ...]:
    offers = [problem.offers[group.offer] for group in packing.nodes]
    return tuple(
        PlannedNodes(*offer.key, group.count, (), offer.price_usd_per_hour)
        for offer, group in zip(offers, packing.nodes, strict=True)
    )


def setting_of(
    snapshot: Snapshot,
    forecast: DemandForecast | None,
    policy: Policy,
    catalog: Catalog,
    beliefs: Beliefs,
    rng: np.random.Generator,
) -> Setting:
    """All that the plans of a decision have in common; for the arguments see `planner.decide`."""
    now_h = snapshot.taken_at_s / SECONDS_PER_HOUR
    lead_time_s = _lead_time_s(beliefs, policy.service_level.lead_time_s)
    hazards = beliefs.hazards_of(catalog, now_h)
    hit = beliefs.hit_within(policy.spot.return_hours, now_h) - _running_pools(snapshot)
    interruptions = interruptions_of(catalog, hazards, policy.spot, lead_time_s, hit)
    decided, fresh = _paths(snapshot, forecast, lead_time_s).halves()
    return Setting(
        snapshot=snapshot,
        policy=policy,
        catalog=count_interruptions(catalog, interruptions.counted_usd_per_node_hour),
        paths=decided,
        outlook=Outlook(
            fresh, hazards, lead_time_s, int(rng.integers(2**62)), pods_by_workload(snapshot)
        ),
        interruptions=interruptions,
    )


def _lead_time_s(beliefs: Beliefs, policy_s: float) -> float:
    """Learned from boots, with the launch before them that no node object shows."""
    launch_s = min(LAUNCH_S, policy_s)
    return launch_s + beliefs.boots.lead_time_s(policy_s - launch_s)


def _running_pools(snapshot: Snapshot) -> set[PoolKey]:
    """Spot pools with a node: to go on there is no return."""
    return {
        PoolKey(
            (node.instance_type or "").partition(".")[0], node.zone or "", node.instance_type or ""
        )
        for node in snapshot.nodes
        if node.capacity_type is CapacityType.SPOT
    }


def first_safety(setting: Setting, beliefs: Beliefs) -> Safety:
    """What the policy asks for, without a return to pools that a plan went away from lately."""
    policy, snapshot = setting.policy, setting.snapshot
    now_h = snapshot.taken_at_s / SECONDS_PER_HOUR
    running = Counter(
        (node.instance_type, node.zone, node.capacity_type)
        for node in snapshot.nodes
        if not node.is_leaving
    )
    left = sorted(beliefs.left_within(policy.churn.no_return_hours, now_h))
    pools = [(name, zone, CapacityType(market)) for name, zone, market in left]
    resting = tuple((pool, running[pool]) for pool in pools)
    return replace(starting_safety(policy), resting=resting)


def _paths(snapshot: Snapshot, forecast: DemandForecast | None, lead_time_s: float) -> PodPaths:
    """Highest pods within the lead time, for the forecast workloads that are in the cluster."""
    if forecast is None:
        return PodPaths((), np.zeros((0, 0), dtype=np.int64))
    present = {str(key): key for key in pods_by_workload(snapshot)}
    columns = [i for i, series in enumerate(forecast.series) if series in present]
    keys = tuple(present[forecast.series[i]] for i in columns)
    highest = forecast.maximum_within(lead_time_s)[:, columns]
    return pod_paths(keys, highest, _per_pod(snapshot, keys, forecast.indicators))


def _per_pod(
    snapshot: Snapshot, keys: tuple[WorkloadKey, ...], indicators: tuple[str, ...]
) -> FloatArray:
    """What one pod of each workload serves of each indicator, shape (workloads, indicators).

    A forecast of pods counts them and then speaks alone; else cores and memory are covered by what
    the pods request. Usage beside a count would ask for pods that nobody starts.
    """
    requests = {pod.workload: pod.template.requests for pod in snapshot.pods}
    served = np.full((len(keys), len(indicators)), np.inf)
    spoken = ("pods",) if "pods" in indicators else indicators
    for column, indicator in enumerate(indicators):
        if indicator not in spoken:
            continue
        for row, key in enumerate(keys):
            amount = 1 if indicator == "pods" else requests[key].amount(indicator)
            served[row, column] = amount or np.inf
    return served
