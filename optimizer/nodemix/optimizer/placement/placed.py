"""What a plan costs once kube-scheduler has placed the pods its own way.

Against the real scheduler of Kubernetes 1.36, for the order the pods came in: within 1.5 points of
the plan's cost with 100 to 3,000 bare pods, and with 100 to 500 pods of Services (`OWNED`).
The soft spread of the latter matters: it leaves 15 instead of 9 % on d2, 19 instead of 8 on d1.
OpportunisticBatching does not: no pod is batched in a profile with default spread constraints, and
without them it takes the node that is next best anyhow.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.placement.dealing import contests
from nodemix.optimizer.placement.hosting import Hosting
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.scheduler import PENDING, Shapes, schedule
from nodemix.optimizer.placement.spread import UNSPREAD, Spread, schedule_spread
from nodemix.optimizer.placement.steering import (
    Steering,
    decreasing_rows,
    pod_limits,
    steer,
)
from nodemix.optimizer.placement.unfolded import node_offers
from nodemix.optimizer.problem.types import IntArray, Problem

SCORED = ("cpu_milli", "memory_mib")
COUNTED_AT_LEAST = (100, 200)
"""What kube-scheduler takes a pod for that asks for no cpu (milli) or no memory (MiB)."""
ALL_NODES_BELOW = 100
"""Up to as many nodes kube-scheduler looks at all of them, and at so many with room in any case."""
UNSPREAD_KINDS = ("Pod", "Job", "CronJob")
"""Of workloads whose pods the default profile does not spread: no Service, no replicas."""


class Strategy(StrEnum):
    """How NodeResourcesFit scores a node."""

    LEAST_ALLOCATED = "LeastAllocated"
    MOST_ALLOCATED = "MostAllocated"


@dataclass(frozen=True, slots=True)
class Profile:
    """The part of a scheduler profile that tells nodes with room apart; the default one's values.

    Args:
        fit_weight: of NodeResourcesFit.
        balance_weight: of NodeResourcesBalancedAllocation.
        spread_weight: of PodTopologySpread, for the soft spread it gives pods that have none of
            their own: 2 in the default profile (see `OWNED`), 0 where all pods are bare.
    """

    strategy: Strategy = Strategy.LEAST_ALLOCATED
    fit_weight: int = 1
    balance_weight: int = 1
    spread_weight: int = 0

    def __post_init__(self) -> None:
        if min(self.fit_weight, self.balance_weight, self.spread_weight) < 0:
            raise ParameterError(
                "weights of a scheduler profile must be 0 or more, got fit "
                f"{self.fit_weight}, balance {self.balance_weight} and spread {self.spread_weight}"
            )

    @property
    def weights(self) -> IntArray:
        """Of LeastAllocated, MostAllocated and BalancedAllocation, shape (3,)."""
        is_least = self.strategy is Strategy.LEAST_ALLOCATED
        fit = (self.fit_weight, 0) if is_least else (0, self.fit_weight)
        return np.array([*fit, self.balance_weight], dtype=np.int64)


OWNED = Profile(spread_weight=2)
"""The default profile where pods belong to Deployments, StatefulSets or Services."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where the pods went.

    Args:
        held: pods of each row on each node of the packing, one by one, shape (nodes, rows).
        pending: pods of each row without a place, shape (rows,).
    """

    held: IntArray
    pending: IntArray

    @property
    def nodes_used(self) -> int:
        """Nodes with at least one pod."""
        return int(np.count_nonzero(self.held.any(axis=1)))


def random_order(problem: Problem, rng: np.random.Generator) -> IntArray:
    """The row of each pod, pods in random order, shape (pods,)."""
    return rng.permutation(np.repeat(np.arange(len(problem.rows)), problem.demand))


def decreasing_order(problem: Problem) -> IntArray:
    """The row of each pod, the largest first, shape (pods,)."""
    rows = np.array(decreasing_rows(problem), dtype=np.int64)
    return np.repeat(rows, problem.demand[rows])


def arrival_order(problem: Problem, steering: Steering, rng: np.random.Generator) -> IntArray:
    """The row of each pod in the order the steering lets them in, shape (pods,)."""
    if steering.release is None:
        return random_order(problem, rng)
    rows = np.array(steering.release, dtype=np.int64)
    return np.repeat(rows, problem.demand[rows])


def place(
    problem: Problem,
    packing: Packing,
    order: IntArray,
    rng: np.random.Generator,
    profile: Profile | None = None,
    steering: Steering | None = None,
) -> Placement:
    """What kube-scheduler makes of the packing's nodes, empty at first.

    Room is scored without the DaemonSets' share. Pods' own spread constraints and pod affinity are
    not scored: the rows' zones and limits stand for them.

    Args:
        order: the row of each pod as they arrive, shape (pods,).
        rng: for the order of the nodes and the choice among equal ones.
        steering: of this packing; pods go anywhere by default.
    """
    steering = steering or steer(problem, packing, PlacementMode.OBSERVE)
    profile = profile or Profile()
    offers = node_offers(packing)
    zones = zones_of(problem)[offers]
    visited = visiting_order(zones, rng)
    limits = pod_limits(problem, packing, steering)
    shapes, draws = to_shapes(problem, profile), rng.random(len(order))
    places = np.full(len(order), PENDING, dtype=np.int64)
    for pods, nodes in contests(packing, order, visited, steering):
        contest = (
            np.ascontiguousarray(order[pods], dtype=np.int64),
            shapes,
            np.ascontiguousarray(limits[:, nodes]),
            np.ascontiguousarray(problem.room[offers[nodes]]),
            nodes_to_find(len(offers)),
            draws[pods],
        )
        if profile.spread_weight and len(nodes):
            spread = Spread(workloads_of(problem), zones[nodes], profile.spread_weight)
            found = schedule_spread(*contest, spread)
        else:
            found = schedule(*contest)
        has_place = found != PENDING
        places[pods[has_place]] = nodes[found[has_place]]
    placed = places != PENDING
    held = np.zeros((len(offers), len(problem.rows)), dtype=np.int64)
    np.add.at(held, (places[placed], order[placed]), 1)
    pending = np.bincount(order[~placed], minlength=len(problem.rows)).astype(np.int64)
    return Placement(held, pending)


def nodes_to_find(nodes: int) -> int:
    """Nodes with room after which kube-scheduler looks no further, unless configured."""
    if nodes < ALL_NODES_BELOW:
        return nodes
    return max(ALL_NODES_BELOW, nodes * max(5, 50 - nodes // 125) // 100)


def hosting_cost_usd_per_hour(problem: Problem, pending: IntArray) -> float:
    """What nodes for ``pending`` pods cost, bought greedily; caps do not stop pods that wait.

    Args:
        pending: pods of each row, shape (rows,).
    """
    return Hosting(problem).cost_usd_per_hour(pending)


def placed_cost_usd_per_hour(problem: Problem, packing: Packing, placement: Placement) -> float:
    """The packing's cost and that of nodes for what stayed pending."""
    return packing.cost_usd_per_hour + hosting_cost_usd_per_hour(problem, placement.pending)


def expected_placed_cost_usd_per_hour(
    problem: Problem,
    packing: Packing,
    steering: Steering,
    rng: np.random.Generator,
    rounds: int = 8,
    profile: Profile | None = None,
) -> float:
    """The mean placed cost over ``rounds`` draws of arrival order, node order and ties."""
    if rounds < 1:
        raise ParameterError(f"rounds must be positive, got {rounds}")
    hosting, costs = Hosting(problem), []
    for _ in range(rounds):
        order = arrival_order(problem, steering, rng)
        placement = place(problem, packing, order, rng, profile, steering)
        costs.append(hosting.cost_usd_per_hour(placement.pending))
    return packing.cost_usd_per_hour + float(np.mean(costs))


def to_shapes(problem: Problem, profile: Profile | None = None) -> Shapes:
    """The problem's rows as the scheduler's kernel reads them."""
    scored = np.array([problem.dimensions.index(name) for name in SCORED], dtype=np.int64)
    asked = problem.requests[:, scored]
    return Shapes(
        requests=np.ascontiguousarray(problem.requests),
        counted=np.where(asked > 0, asked, np.array(COUNTED_AT_LEAST)),
        scored=scored,
        weights=(profile or Profile()).weights,
    )


def zones_of(problem: Problem) -> IntArray:
    """A number for the zone of each offer, shape (offers,)."""
    zones = dict.fromkeys(offer.zone for offer in problem.offers)
    numbers = {zone: i for i, zone in enumerate(zones)}
    return np.array([numbers[offer.zone] for offer in problem.offers], dtype=np.int64)


def workloads_of(problem: Problem) -> IntArray:
    """A number for the workload of each row, or ``UNSPREAD``, shape (rows,)."""
    workloads = dict.fromkeys(row.workload for row in problem.rows)
    spread = (workload for workload in workloads if workload.kind not in UNSPREAD_KINDS)
    numbers = {workload: i for i, workload in enumerate(spread)}
    return np.array([numbers.get(row.workload, UNSPREAD) for row in problem.rows], dtype=np.int64)


def visiting_order(zones: IntArray, rng: np.random.Generator) -> IntArray:
    """Nodes as kube-scheduler walks through them: the zones in turn, shape (nodes,).

    Args:
        zones: a number for the zone of each node, shape (nodes,).
    """
    shuffled = rng.permutation(len(zones))
    turns = np.empty(len(zones), dtype=np.int64)
    for zone in np.unique(zones):
        members = np.flatnonzero(zones[shuffled] == zone)
        turns[members] = np.arange(len(members))
    visited: IntArray = shuffled[np.argsort(turns, kind="stable")]
    return visited
