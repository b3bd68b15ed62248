from datetime import UTC, datetime, timedelta, timezone

import pytest
from nodemix.operator.api.conditions import (
    Condition,
    Conditions,
    ConditionStatus,
    ConditionType,
    find_condition,
    parse_conditions,
    set_condition,
)
from pydantic import ValidationError

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
READY = ConditionType.READY


def with_ready(
    conditions: Conditions = (),
    status: ConditionStatus = TRUE,
    now: datetime = NOON,
    message: str = "all is well",
) -> Conditions:
    return set_condition(
        conditions, READY, status, reason="Decided", message=message, now=now, observed_generation=2
    )


def test_first_word_is_added() -> None:
    (condition,) = with_ready()

    assert condition.to_object() == {
        "type": "Ready",
        "status": "True",
        "reason": "Decided",
        "message": "all is well",
        "lastTransitionTime": "2026-07-01T12:00:00Z",
        "observedGeneration": 2,
    }


def test_same_status_with_a_new_message_keeps_its_transition_time() -> None:
    (condition,) = with_ready(with_ready(), now=LATER, message="still well")

    assert condition.last_transition_time == NOON
    assert condition.message == "still well"


@pytest.mark.parametrize("status", [FALSE, UNKNOWN])
def test_new_status_moves_the_transition_time(status: ConditionStatus) -> None:
    (condition,) = with_ready(with_ready(), status, now=LATER)

    assert condition.last_transition_time == LATER
    assert not condition.is_true


def test_message_longer_than_the_server_takes_is_cut() -> None:
    (condition,) = with_ready(message="x" * 40_000)

    assert len(condition.message) == 32_768


def test_other_conditions_keep_their_place() -> None:
    paused = set_condition(
        with_ready(), ConditionType.PAUSED, FALSE, reason="Running", message="", now=NOON
    )

    changed = with_ready(paused, FALSE, now=LATER)

    assert [condition.type for condition in changed] == ["Ready", "Paused"]
    assert changed[1] is paused[1]


def test_condition_is_found_by_its_type_or_not_at_all() -> None:
    conditions = with_ready()

    assert find_condition(conditions, READY) is conditions[0]
    assert find_condition(conditions, ConditionType.APPLIED) is None


def test_conditions_read_back_are_those_written() -> None:
    conditions = with_ready()

    assert parse_conditions(c.to_object() for c in conditions) == conditions


def test_time_is_written_in_utc_and_whole_seconds() -> None:
    vienna = timezone(timedelta(hours=2))
    moment = datetime(2026, 7, 1, 14, 0, 0, 999_999, tzinfo=vienna)

    (condition,) = with_ready(now=moment)

    assert condition.to_object()["lastTransitionTime"] == "2026-07-01T12:00:00Z"


@pytest.mark.parametrize("reason", ["", "two words", "1st", "Über"])
def test_reason_is_one_word_for_programs(reason: str) -> None:
    with pytest.raises(ValidationError):
        Condition(type="Ready", status=TRUE, reason=reason, last_transition_time=NOON)
