"""What a plan costs once kube-scheduler has placed the pods its own way."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packing.greedy import greedy_draft, share_values
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.part import take_part
from nodemix.optimizer.placement.scheduler import PENDING, schedule
from nodemix.optimizer.placement.steering import (
    PlacementMode,
    Steering,
    decreasing_rows,
    pod_limits,
    steer,
)
from nodemix.optimizer.placement.unfolded import node_offers
from nodemix.optimizer.plan import Packing
from nodemix.optimizer.problem.types import IntArray, Problem

SCORED = ("cpu_milli", "memory_mib")
COUNTED_AT_LEAST = (100, 200)
"""What kube-scheduler takes a pod for that asks for no cpu (milli) or no memory (MiB)."""
ALL_NODES_BELOW = 100
"""Up to as many nodes kube-scheduler looks at all of them, and at so many with room in any case."""


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
    """

    strategy: Strategy = Strategy.LEAST_ALLOCATED
    fit_weight: int = 1
    balance_weight: int = 1

    def __post_init__(self) -> None:
        if min(self.fit_weight, self.balance_weight) < 0:
            raise ParameterError(
                "weights of a scheduler profile must be 0 or more, got "
                f"fit {self.fit_weight} and balance {self.balance_weight}"
            )

    @property
    def weights(self) -> IntArray:
        """Of LeastAllocated, MostAllocated and BalancedAllocation, shape (3,)."""
        is_least = self.strategy is Strategy.LEAST_ALLOCATED
        fit = (self.fit_weight, 0) if is_least else (0, self.fit_weight)
        return np.array([*fit, self.balance_weight], dtype=np.int64)


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

    Room is scored without the DaemonSets' share, and spread and pod affinity are not scored:
    the rows' zones and limits stand for them.

    Args:
        order: the row of each pod as they arrive, shape (pods,).
        rng: for the order of the nodes and the choice among equal ones.
        steering: of this packing; pods go anywhere by default.
    """
    steering = steering or steer(problem, packing, PlacementMode.OBSERVE)
    offers = node_offers(packing)
    visited = _visiting_order(problem, offers, rng)
    limits = pod_limits(problem, packing, steering)
    scored = np.array([problem.dimensions.index(name) for name in SCORED], dtype=np.int64)
    asked = problem.requests[:, scored]
    places = schedule(
        np.ascontiguousarray(order, dtype=np.int64),
        np.ascontiguousarray(problem.requests),
        np.where(asked > 0, asked, np.array(COUNTED_AT_LEAST)),
        np.ascontiguousarray(limits[:, visited]),
        np.ascontiguousarray(problem.room[offers[visited]]),
        scored,
        (profile or Profile()).weights,
        nodes_to_find(len(offers)),
        rng.random(len(order)),
    )
    placed = places != PENDING
    held = np.zeros((len(offers), len(problem.rows)), dtype=np.int64)
    np.add.at(held, (visited[places[placed]], order[placed]), 1)
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
    if not pending.any():
        return 0.0
    market = to_market(problem)
    part = take_part(market, pending, np.full(len(market.cap_limits), np.inf))
    draft = greedy_draft(part.market, share_values(part.market))
    assert draft is not None, "without caps every row of a problem has an offer"  # noqa: S101 - impossible
    return draft.cost_usd_per_hour


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
    costs = []
    for _ in range(rounds):
        order = arrival_order(problem, steering, rng)
        placement = place(problem, packing, order, rng, profile, steering)
        costs.append(placed_cost_usd_per_hour(problem, packing, placement))
    return float(np.mean(costs))


def _visiting_order(problem: Problem, offers: IntArray, rng: np.random.Generator) -> IntArray:
    """Nodes as kube-scheduler walks through them: the zones in turn, shape (nodes,)."""
    shuffled = rng.permutation(len(offers))
    turn: dict[str, int] = {}
    turns = []
    for offer in offers[shuffled].tolist():
        zone = problem.offers[offer].zone
        turns.append(turn.get(zone, 0))
        turn[zone] = turns[-1] + 1
    visited: IntArray = shuffled[np.argsort(turns, kind="stable")]
    return visited
