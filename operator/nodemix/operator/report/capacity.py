"""The parts of a plan document about commitments and about what changes of nodes cost."""

from nodemix.operator.report.part import Count, Part, usd, usd_down
from nodemix.optimizer.plan import ChurnCost, CommitmentUse
from nodemix.optimizer.snapshot import CapacityType
from pydantic import Field


class CommitmentEntry(Part):
    """Nodes at a price of their own, and how many of them are used."""

    name: str
    instance_type: str
    zone: str | None = Field(description="Null for any zone.")
    capacity_type: CapacityType
    count: Count
    nodes_now: Count
    nodes_plan: Count
    price_usd_per_hour: float = Field(description="Of one node.")
    paid_anyway: bool = Field(description="Whether the whole count is paid, used or not.")


class ChurnEntry(Part):
    """What the changes of nodes cost at the policy's cost of one, and the proof with it."""

    nodes_in_place: tuple[str, ...] = Field(description="Movable nodes of today that go on.")
    nodes_let_go: tuple[str, ...] = Field(description="Movable nodes of today that do not.")
    nodes_new: Count
    change_usd: float = Field(description="Once, for all new nodes.")
    usd_per_hour: float = Field(description="change_usd over the expected life of a node.")
    objective_usd_per_hour: float = Field(
        description="What was minimised: plan_usd_per_hour, usd_per_hour, and what reclaims of "
        "spot nodes are expected to cost."
    )
    objective_lower_bound_usd_per_hour: float = Field(
        description="No plan has a smaller objective; certified, rounded down."
    )


def commitment_entry(use: CommitmentUse) -> CommitmentEntry:
    """The entry of one commitment."""
    return CommitmentEntry(
        name=use.name,
        instance_type=use.instance_type,
        zone=use.zone,
        capacity_type=use.capacity_type,
        count=use.count,
        nodes_now=use.nodes_now,
        nodes_plan=use.nodes_plan,
        price_usd_per_hour=usd(use.price_usd_per_hour),
        paid_anyway=use.is_paid_anyway,
    )


def churn_entry(churn: ChurnCost | None) -> ChurnEntry | None:
    """The entry, where changes have a cost."""
    if churn is None:
        return None
    return ChurnEntry(
        nodes_in_place=churn.nodes_in_place,
        nodes_let_go=churn.nodes_let_go,
        nodes_new=churn.nodes_new,
        change_usd=usd(churn.change_usd),
        usd_per_hour=usd(churn.usd_per_hour),
        objective_usd_per_hour=usd(churn.objective_usd_per_hour),
        objective_lower_bound_usd_per_hour=usd_down(churn.objective_lower_bound_usd_per_hour),
    )
