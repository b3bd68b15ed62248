"""A backtest as JSON for programs."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from nodemix.operator.backtest.asking import Told
from nodemix.simulator.backtest import Rival
from nodemix.simulator.score import LEVEL, Score

SCHEMA = "nodemix.dev/backtest/v1alpha1"


def to_json(told: Told) -> str:
    """Every figure; amounts with an interval have ``value``, ``low`` and ``high``."""
    return json.dumps(document_of(told), indent=1)


def document_of(told: Told) -> dict[str, Any]:
    """What is written, as plain data."""
    found = told.found
    return {
        "schema": SCHEMA,
        "policy": told.policy,
        "replayed": {"from": utc(told.span.start_s), "to": utc(told.span.end_s)},
        "compared": {"from": utc(found.compared.start_s), "to": utc(found.compared.end_s)},
        "every_seconds": told.span.every_s,
        "boot_seconds": told.boot_s,
        "seed": told.seed,
        "interval_level": LEVEL,
        "forecast_models": list(told.models),
        "nodemix": _score(found.nodemix),
        "rivals": [_rival(rival) for rival in found.rivals],
        "assumptions": list(told.assumptions),
        "warnings": list(told.warnings),
    }


def _score(score: Score) -> dict[str, Any]:
    return asdict(score)


def _rival(rival: Rival) -> dict[str, Any]:
    return {
        **_score(rival.score),
        "nodemix_saves_share": asdict(rival.saving),
        "misses_no_more_than_nodemix": rival.misses_less,
        "note": rival.note,
    }


def utc(at_s: float) -> str:
    """ISO 8601."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
