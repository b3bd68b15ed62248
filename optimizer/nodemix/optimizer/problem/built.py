"""What problem building hands to the planner."""

from dataclasses import dataclass

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.plan import PlannedNodes, Unplaceable
from nodemix.optimizer.policy import Commitment
from nodemix.optimizer.problem.churn import InPlace
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.snapshot import Node, Note, WorkloadKey


@dataclass(frozen=True, slots=True)
class CurrentNode:
    """A node of today whose pods the plan places anew.

    Args:
        offer: index into the problem's offers; None where no allowed offer is like this node.
        pods: (row index, pods of that row on the node), ascending, no zeros. Pods of a row that
            the plan no longer holds (scaled down to nothing, a zone left) are not in it.
        workloads: (workload, pods of it on the node), sorted; complete.
        price_usd_per_hour: None where the catalog does not know it.
    """

    node: Node
    offer: int | None
    pods: tuple[tuple[int, int], ...]
    workloads: tuple[tuple[WorkloadKey, int], ...]
    price_usd_per_hour: float | None


@dataclass(frozen=True, slots=True, eq=False)
class BuiltProblem:
    """A packing problem, and the part of the cluster that stays out of it.

    Args:
        rows_now: pods of today in each of the problem's rows; the rest of a row is forecast.
        kept: nodes that stay untouched with the pods on them; equal ones are counted together.
        current: the movable nodes as they are packed today, in order of their names.
        current_usd_per_hour: of today's movable and kept nodes whose price is known.
        kept_usd_per_hour: of the kept nodes whose price is known, and what is paid for commitments
            in any case; ``current_usd_per_hour`` has the latter too.
        unpriced_nodes: names of the nodes whose price the catalog does not know.
        unplaceable: pods without a place in any plan, by workload; their rows are also in
            ``problem.unplaceable`` where it was the offers that lacked.
        pods_now: pods of each selected workload that hold or wait for a place, sorted.
        pods_planned: pods of each selected workload the plan accounts for, kept and unplaceable
            ones included, sorted.
        commitments: those of the policy that can be used.
        covered: (node of today, its offer) of the nodes that run under a commitment.
        in_place: nodes of today that a plan may go on with, see `nodemix.optimizer.problem.churn`.
    """

    problem: Problem
    rows_now: tuple[int, ...]
    kept: tuple[PlannedNodes, ...]
    current: tuple[CurrentNode, ...]
    current_usd_per_hour: float
    kept_usd_per_hour: float
    unpriced_nodes: tuple[str, ...] = ()
    unplaceable: tuple[Unplaceable, ...] = ()
    pods_now: tuple[tuple[WorkloadKey, int], ...] = ()
    pods_planned: tuple[tuple[WorkloadKey, int], ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    covered: tuple[tuple[str, Offer], ...] = ()
    in_place: tuple[InPlace, ...] = ()

    @property
    def movable(self) -> tuple[Node, ...]:
        """Nodes of today that the plan may let go, those that leave anyway included."""
        return tuple(current.node for current in self.current)
