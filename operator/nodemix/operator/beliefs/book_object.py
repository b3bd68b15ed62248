"""A ledger as the SpotRiskBook that people read and the operator finds again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nodemix.operator.api.conditions import (
    Conditions,
    ConditionStatus,
    ConditionType,
    parse_conditions,
    set_condition,
)
from nodemix.operator.api.riskbook import (
    POOLS_SHOWN,
    RISK_BOOK_NAME,
    PoolEvidence,
    SpotRiskBookStatus,
)
from nodemix.operator.api.values import API_VERSION
from nodemix.operator.beliefs.ledger import Ledger
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.risk.hazard import Evidence, Hazard, PoolKey
from pydantic import ValidationError

HOURS_OF_A_DAY = 24.0


@dataclass(frozen=True, slots=True)
class FoundBook:
    """A SpotRiskBook as the API server holds it.

    Args:
        data: empty where nothing was written yet.
    """

    data: str
    conditions: Conditions

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "FoundBook":
        """What is needed of the object; conditions that cannot be read are made anew."""
        status = body.get("status") or {}
        try:
            conditions = parse_conditions(status.get("conditions") or ())
        except ValidationError:
            conditions = ()
        return cls(str(status.get("data") or ""), conditions)


def empty_book() -> dict[str, Any]:
    """The object before anything was learned."""
    return {
        "apiVersion": API_VERSION,
        "kind": "SpotRiskBook",
        "metadata": {"name": RISK_BOOK_NAME},
        "spec": {},
    }


def to_status(
    ledger: Ledger, pools_watched: int, conditions: Conditions, now_s: float
) -> SpotRiskBookStatus:
    """The status that holds all of the ledger."""
    report = ledger.report(pools_watched, now_s / 3600.0)
    return SpotRiskBookStatus(
        conditions=ready(conditions, now_s),
        pools_watched=report.pools_watched,
        hours_watched=round(report.hours_watched, 2),
        shocks=report.shocks,
        nodes_reclaimed=report.interruptions,
        stock_outs=report.stock_outs,
        stock_outs_unattributed=report.unattributed,
        boots=report.boots,
        boot_median_seconds=report.boot_median_s,
        pools=_worst(ledger.believed()),
        updated_at=datetime.fromtimestamp(int(now_s), UTC),
        data=ledger.to_json(),
    )


def ready(former: Conditions, now_s: float) -> Conditions:
    """The evidence is kept."""
    message = "what is learned is kept here; delete this object to start afresh"
    return _ready(former, ConditionStatus.TRUE, "Kept", message, now_s)


def unreadable(former: Conditions, why: str, now_s: float) -> Conditions:
    """What stands in the object is not overwritten."""
    message = f"{why}. Until then what is learned is kept in memory only"
    return _ready(former, ConditionStatus.FALSE, "Unreadable", message, now_s)


def _ready(
    former: Conditions, status: ConditionStatus, reason: str, message: str, now_s: float
) -> Conditions:
    now = datetime.fromtimestamp(now_s, UTC)
    return set_condition(
        former, ConditionType.READY, status, reason=reason, message=message, now=now
    )


def _worst(beliefs: Beliefs) -> tuple[PoolEvidence, ...]:
    """The pools that lose most of their nodes, by what is believed of them."""
    book = beliefs.hazards
    if book is None:
        return ()
    hazards = book.hazards()
    ranked = sorted(hazards, key=lambda p: (-hazards[p].shocks_per_hour * hazards[p].share_lost, p))
    return tuple(_evidence(p, book.pools[p], hazards[p]) for p in ranked[:POOLS_SHOWN])


def _evidence(pool: PoolKey, seen: Evidence, hazard: Hazard) -> PoolEvidence:
    return PoolEvidence(
        instance_type=pool.instance_type,
        zone=pool.zone,
        hours=round(seen.hours, 2),
        shocks=round(seen.shocks, 3),
        shocks_per_day=round(HOURS_OF_A_DAY * hazard.shocks_per_hour, 4),
        share_lost_percent=100.0 * hazard.share_lost,
        scarcity=round(seen.scarcity, 3),
    )
