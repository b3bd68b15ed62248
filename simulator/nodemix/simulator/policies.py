"""Ways to choose nodes, all asked in the same words: what is seen now -> nodes of each pool.

Every one of them decides through the same ``decide``; they differ in what demand they show it.
Static and reactive see what they would see in life; perfect foresight sees what will come.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from nodemix.forecasting.types import DemandForecast, DemandHistory
from nodemix.optimizer.catalog.types import Catalog, PoolKey
from nodemix.optimizer.deadline import Clock
from nodemix.optimizer.errors import PlanError
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.types import IntArray
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import Node, Snapshot
from nodemix.simulator.cluster import pods_of
from nodemix.simulator.market import Market
from nodemix.simulator.workload import PODS, Workloads

Target = Mapping[PoolKey, int]
"""Nodes of each pool that there shall be."""

Foreteller = Callable[[DemandHistory, float], DemandForecast | None]
"""A forecast of what comes after a history, as of a time; None where nothing can be said."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What is known when a decision is due, and nothing else.

    Args:
        now_s: seconds since the epoch.
        history: demand of the steps that have ended.
        number: of the decision, from 0.
    """

    now_s: float
    snapshot: Snapshot
    history: DemandHistory
    catalog: Catalog
    beliefs: Beliefs
    number: int = 0


class ReplayPolicy(Protocol):
    """Something that is asked for nodes again and again."""

    @property
    def name(self) -> str:
        """Shown to people."""
        ...

    @property
    def has_recourse(self) -> bool:
        """Whether on-demand nodes are bought at once for pods that lack room."""
        ...

    def step(self, seen: Observation) -> Target | None:
        """The nodes that there shall be; None keeps those that are."""
        ...


@dataclass(slots=True, eq=False)
class Deciding:
    """Asks ``decide``, with what it left the last time; the base of all policies.

    Args:
        policy: its lead time must reach until the nodes of the next decision are ready.
        clock: bounds the search.
        failures: why decisions gave no plan; the nodes then stay as they are.
    """

    policy: Policy
    clock: Clock
    seed: int = 0
    failures: list[str] = field(default_factory=list)
    _warm: WarmStart | None = field(default=None, repr=False)

    def decide(
        self, seen: Observation, forecast: DemandForecast | None = None
    ) -> Recommendation | None:
        """The recommendation; None where there is no plan."""
        rng = np.random.default_rng((self.seed, seen.number))
        snapshot, catalog, beliefs = seen.snapshot, seen.catalog, seen.beliefs
        try:
            made = decide(
                snapshot, forecast, self.policy, catalog, rng, self.clock, self._warm, beliefs
            )
        except PlanError as err:
            self.failures.append(str(err))
            return None
        self._warm = made.warm
        return made


def target_of(made: Recommendation | None) -> Target | None:
    """Nodes of each pool in a recommendation."""
    if made is None:
        return None
    counts: Counter[PoolKey] = Counter()
    for nodes in made.nodes:
        counts[nodes.instance_type, nodes.zone, nodes.capacity_type] += nodes.count
    return dict(counts)


@dataclass(slots=True, eq=False)
class Nodemix:
    """Forecasts and decides as the operator does.

    Args:
        foretell: see `Foreteller`; it may remember what it was asked before.
        name: shown to people.
    """

    deciding: Deciding
    foretell: Foreteller
    name: str = "nodemix"
    has_recourse: bool = True

    def step(self, seen: Observation) -> Target | None:
        """By the forecast of what comes after the history."""
        return target_of(self.deciding.decide(seen, self.foretell(seen.history, seen.now_s)))


@dataclass(slots=True, eq=False)
class Reactive:
    """Room for the pods that are there and a share more, whatever comes.

    Args:
        headroom: further pods of each workload, as a share of its pods, rounded up.
    """

    deciding: Deciding
    workloads: Workloads
    headroom: float
    has_recourse: bool = True

    @property
    def name(self) -> str:
        """With its headroom."""
        return f"reactive + {100 * self.headroom:.0f} %"

    def step(self, seen: Observation) -> Target | None:
        """By the pods of now."""
        now = wanted_in(seen.snapshot, self.workloads)
        extra = np.ceil(self.headroom * now - 1e-9).astype(np.int64)
        shown = with_more_pods(seen.snapshot, self.workloads, extra)
        return target_of(self.deciding.decide(replace(seen, snapshot=shown)))


@dataclass(slots=True, eq=False)
class Static:
    """The nodes of one plan for a number of pods, for good; lost ones are bought again.

    Args:
        pods: of each workload, shape (workloads,).
    """

    deciding: Deciding
    workloads: Workloads
    pods: IntArray
    name: str = "static"
    has_recourse: bool = False
    _target: Target | None = None

    def step(self, seen: Observation) -> Target | None:
        """The same as the first time."""
        if self._target is None:
            more = np.maximum(self.pods - wanted_in(seen.snapshot, self.workloads), 0)
            shown = with_more_pods(seen.snapshot, self.workloads, more)
            self._target = target_of(self.deciding.decide(replace(seen, snapshot=shown)))
        return self._target


@dataclass(slots=True, eq=False)
class Foresight:
    """Knows the pods and the reclaims until the nodes of the next decision are ready.

    Args:
        ahead_s: seconds that it sees ahead.
    """

    deciding: Deciding
    workloads: Workloads
    market: Market
    ahead_s: float
    name: str = "perfect foresight"
    has_recourse: bool = True

    def step(self, seen: Observation) -> Target | None:
        """By what will come; pools that will be hit are left, and none is feared."""
        until_s = seen.now_s + self.ahead_s
        hit = {r.pool for r in self.market.reclaims_between(seen.now_s, until_s)}
        nodes = tuple(
            replace(node, is_leaving=node.is_leaving or _pool(node) in hit)
            for node in seen.snapshot.nodes
        )
        shown = replace(
            seen,
            snapshot=replace(seen.snapshot, nodes=nodes),
            catalog=seen.catalog.where(lambda offer: offer.key not in hit),
        )
        peak = self.workloads.peak_between(seen.now_s, until_s)
        return target_of(self.deciding.decide(shown, _certain(self.workloads, peak, seen.now_s)))


def _pool(node: Node) -> PoolKey:
    return (node.instance_type or "", node.zone or "", node.capacity_type)


def fearless(policy: Policy) -> Policy:
    """The policy without what guards against reclaims, for one who knows them."""
    return replace(
        policy,
        service_level=replace(policy.service_level, max_cvar=None, max_pool_loss=1.0),
        spot=replace(policy.spot, over_provision=0.0, interruption_usd=0.0, return_hours=0.0),
        churn=replace(policy.churn, no_return_hours=0.0),
    )


def reaching(policy: Policy, seconds: float, search_s: float | None = None) -> Policy:
    """The policy for decisions whose nodes have to last ``seconds``; commitments are left out.

    Args:
        search_s: time for a search; None keeps the policy's.
    """
    level = replace(policy.service_level, lead_time_s=max(1, round(seconds)))
    return replace(
        policy,
        service_level=level,
        commitments=(),
        search_s=policy.search_s if search_s is None else search_s,
    )


def _certain(workloads: Workloads, pods: IntArray, now_s: float) -> DemandForecast:
    """A forecast that knows: the same number of pods on every path."""
    keys = [str(key) for key in workloads.keys]
    samples = np.tile(pods.astype(np.float32)[None, :, None, None], (2, 1, 1, 1))
    history = workloads.history
    return DemandForecast(tuple(keys), (PODS,), now_s + history.step_s, history.step_s, samples)


def wanted_in(snapshot: Snapshot, workloads: Workloads) -> IntArray:
    """Pods of each workload in a snapshot, shape (workloads,)."""
    counted = Counter(pod.workload for pod in snapshot.pods)
    return np.array([counted[key] for key in workloads.keys], dtype=np.int64)


def with_more_pods(snapshot: Snapshot, workloads: Workloads, more: Sequence[int]) -> Snapshot:
    """The snapshot with so many more waiting pods of each workload."""
    extra = pods_of(workloads, more, None)
    named = (replace(pod, name=f"spare-{pod.name}") for pod in extra)
    return replace(snapshot, pods=(*snapshot.pods, *named))
