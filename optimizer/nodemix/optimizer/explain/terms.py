"""How commitments are used, what changes of nodes cost, and what is proved about both."""

from collections import Counter
from collections.abc import Iterable, Iterator

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.packed import Result
from nodemix.optimizer.plan import ChurnCost, CommitmentUse, PlannedNodes
from nodemix.optimizer.policy import Churn
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.churn import LEAST_USD_PER_HOUR, InPlace, money_bound
from nodemix.optimizer.problem.types import Problem


def commitment_uses(
    built: BuiltProblem, nodes: Iterable[PlannedNodes]
) -> tuple[CommitmentUse, ...]:
    """Each usable commitment, in the policy's order, with its nodes now and in the plan."""
    now = Counter(offer.terms for _, offer in built.covered)
    plan: Counter[str] = Counter()
    for group in nodes:
        plan[group.terms] += group.count
    return tuple(
        CommitmentUse(
            c.name,
            c.instance_type,
            c.zone,
            c.capacity_type,
            c.count,
            now[c.name],
            plan[c.name],
            c.price_usd_per_hour,
            c.is_paid_anyway,
        )
        for c in built.commitments
    )


def committed_in(built: BuiltProblem) -> tuple[Offer, ...]:
    """The offers of commitments that run today or could in a plan."""
    possible = (offer for offer in built.problem.offers if offer.terms)
    return (*(offer for _, offer in built.covered), *possible)


def money_bound_of(built: BuiltProblem, problem: Problem, result: Result) -> float:
    """No packing adds less than this to the bill, by the bound on its objective.

    Args:
        problem: that of ``built``, or the same one with another cost of a change.
        result: of a search of ``problem``.
    """
    limits = [(commitment.name, commitment.count) for commitment in built.commitments]
    return money_bound(problem, result.lower_bound_usd_per_hour, limits)


def names_in_place(groups: Iterable[InPlace]) -> dict[Offer, Iterator[str]]:
    """For each offer in place the nodes it stands for; offers of one group share them."""
    names: dict[Offer, Iterator[str]] = {}
    for group in groups:
        shared = iter(group.names)
        names.update(dict.fromkeys(group.offers, shared))
    return names


def churn_cost(
    built: BuiltProblem,
    lower_bound_usd_per_hour: float,
    nodes: Iterable[PlannedNodes],
    plan_usd_per_hour: float,
    interruption_usd_per_hour: float,
    churn: Churn,
) -> ChurnCost | None:
    """What getting from today's nodes to ``nodes`` costs; None where the policy gives no cost.

    Args:
        lower_bound_usd_per_hour: on money, changes and interruptions of the packing.
        interruption_usd_per_hour: expected, of all spot nodes.
    """
    if churn.node_change_usd <= 0:
        return None
    groups = tuple(nodes)
    going_on = {name for group in groups for name in (*group.in_place, *group.kept_nodes)}
    movable = sorted(node.name for node in built.movable)
    new = sum(g.count for g in groups if not (g.in_place or g.kept_nodes))
    objective = plan_usd_per_hour + new * churn.usd_per_node_hour + interruption_usd_per_hour
    # What the search counts for nodes that cost nothing is not in the objective shown.
    least = LEAST_USD_PER_HOUR * sum(commitment.count for commitment in built.commitments)
    bound = lower_bound_usd_per_hour - least
    return ChurnCost(
        nodes_in_place=tuple(name for name in movable if name in going_on),
        nodes_let_go=tuple(name for name in movable if name not in going_on),
        nodes_new=new,
        change_usd=new * churn.node_change_usd,
        usd_per_hour=new * churn.usd_per_node_hour,
        objective_usd_per_hour=objective,
        objective_lower_bound_usd_per_hour=min(
            objective, max(0.0, bound) + built.kept_usd_per_hour
        ),
    )
