"""Conditions in the shape of ``metav1.Condition``."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from nodemix.operator.api.rules import StatusModel
from pydantic import Field, PlainSerializer

MESSAGE_LIMIT = 32_768
"""What the API server takes of a message."""


class ConditionType(StrEnum):
    """What nodemix says about its objects."""

    READY = "Ready"
    DATA_FRESH = "DataFresh"
    FORECAST_HEALTHY = "ForecastHealthy"
    PLAN_FEASIBLE = "PlanFeasible"
    RISK_ACCEPTED = "RiskAccepted"
    APPLIED = "Applied"
    FALLBACK = "Fallback"
    PAUSED = "Paused"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


def _to_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[datetime, PlainSerializer(_to_seconds, when_used="json")]
"""A time as Kubernetes writes it: UTC, whole seconds."""


class Condition(StatusModel):
    """One observation, with the reason and what to do about it."""

    type: str = Field(max_length=316)
    """What is spoken of, e.g. Ready."""
    status: ConditionStatus
    """Whether the condition holds."""
    reason: str = Field(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    """One CamelCase word for programs."""
    message: str = Field(default="", max_length=MESSAGE_LIMIT)
    """What was found and what to do, for people."""
    last_transition_time: Moment
    """When the status last changed."""
    observed_generation: int | None = Field(default=None, ge=0)
    """Generation of the spec that this speaks about."""

    @property
    def is_true(self) -> bool:
        """Whether the condition holds; Unknown is not True."""
        return self.status is ConditionStatus.TRUE


Conditions = tuple[Condition, ...]


def find_condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of that type; None where it was never set."""
    return next((condition for condition in conditions if condition.type == kind), None)


def set_condition(
    conditions: Conditions,
    kind: ConditionType,
    status: ConditionStatus,
    *,
    reason: str,
    message: str,
    now: datetime,
    observed_generation: int | None = None,
) -> Conditions:
    """The conditions with one of them set; its transition time moves only with its status.

    Args:
        now: aware; truncated to seconds when written.
    """
    former = find_condition(conditions, kind)
    since = former.last_transition_time if former and former.status is status else now
    fresh = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message[:MESSAGE_LIMIT],
        last_transition_time=since,
        observed_generation=observed_generation,
    )
    if former is None:
        return (*conditions, fresh)
    return tuple(fresh if condition is former else condition for condition in conditions)


def parse_conditions(raw: Iterable[object]) -> Conditions:
    """The conditions of a ``status`` as the API server returns it."""
    return tuple(Condition.model_validate(entry) for entry in raw)
