"""What limits a plan beside its price: quotas, and nodes that the owner has or is committed to."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from nodemix.operator.api.rules import ApiModel, Rule, field_rule
from nodemix.operator.api.values import Word
from nodemix.optimizer.policy import QuotaUnit
from nodemix.optimizer.snapshot import CapacityType
from pydantic import Field

MAX_ENTRIES = 500

BY_NAME: dict[str, Any] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
"""Makes the API server refuse a list that gives a name twice."""


class Named(Protocol):
    """An entry of a list of which each has a name of its own."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


def require_own_names(field: str, entries: Iterable[Named]) -> None:
    """What the API server knows by the keys of the list.

    Raises:
        ValueError: a name is given twice.
    """
    for name, number in Counter(entry.name for entry in entries).items():
        if number > 1:
            raise ValueError(f"{field} lists {name} {number} times; rename one of them")


def not_negative(field: str, remedy: str) -> Rule:
    """The number is 0 or more."""
    name = "".join(part.capitalize() if i else part for i, part in enumerate(field.split("_")))
    message = f"{name} must not be negative; {remedy}"
    return field_rule(field, "{} >= 0.0", lambda value: value >= 0, message)


class QuotaSpec(ApiModel):
    """At most so much of some offers, as clouds limit it; what is empty or absent selects all."""

    rules: ClassVar[tuple[Rule, ...]] = (not_negative("limit", "0 buys nothing of it"),)

    name: Word
    """Name of the quota, for messages, e.g. spot-g."""
    limit: float
    """Most of it, nodes that stay included; nodes of other policies are not counted."""
    unit: QuotaUnit = QuotaUnit.VCPUS
    """What is counted: vcpus, nodes or gpus."""
    categories: tuple[Word, ...] = Field(default=(), max_length=100)
    """Instance categories that it limits, e.g. g."""
    families: tuple[Word, ...] = Field(default=(), max_length=500)
    """Instance families that it limits, e.g. g5."""
    instance_types: tuple[Word, ...] = Field(default=(), max_length=500)
    """Instance types that it limits, e.g. g5.xlarge."""
    zones: tuple[Word, ...] = Field(default=(), max_length=100)
    """Zones that it limits."""
    capacity_type: CapacityType | None = None
    """The market that it limits; absent means both."""


class CommitmentSpec(ApiModel):
    """Nodes that the owner has, or has committed to, at a price of their own."""

    rules: ClassVar[tuple[Rule, ...]] = (
        not_negative("usd_per_hour", "write 0 for machines that cost nothing more when used"),
    )

    name: Word
    """Name of the commitment, for messages and plans, e.g. ri-2027."""
    instance_type: Word
    """Instance type, e.g. m7g.xlarge; the catalog must know it."""
    zone: Word | None = None
    """Zone of the nodes; absent means any zone."""
    capacity_type: CapacityType = CapacityType.ON_DEMAND
    """Market whose nodes it pays for."""
    count: int = Field(ge=1, le=100_000)
    """Most nodes of it."""
    usd_per_hour: float
    """Price of one node; for machines of one's own, 0 or what running one costs."""
    paid_anyway: bool = False
    """True if the whole count is paid whether it is used or not, as for reserved instances."""
