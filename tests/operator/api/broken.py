"""Specs that break one rule each, for both halves: pydantic and the API server."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """A spec that breaks a rule.

    Args:
        path: where the API server says it is.
        message: a part of what both must say.
    """

    spec: Json
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message[:40]}"


def _slo(**fields: float) -> Json:
    return {"objective": {"slo": fields}}


def _spot(**fields: float) -> Json:
    return {"objective": {"spot": fields}}


def _churn(**fields: float) -> Json:
    return {"objective": {"churn": fields}}


def _forecast(**fields: Any) -> Json:
    return {"forecast": fields}


_SHORTFALL = "shortfallProbability must lie strictly between 0 and 1; 0.01 is a good start"
_BUDGET = "usdPerHour must be above 0; leave objective.budget out for no limit"
_QUANTILES = "each of quantiles must lie strictly between 0 and 1; write 0.95 for 95 percent"
_SHARE = "must lie in [0, 1]; give a share, e.g. 0.3 for 30 percent"

BROKEN_POLICIES = (
    Broken(
        {"limits": {"quotas": [{"name": "g", "limit": -1}]}},
        "spec.limits.quotas[0].limit",
        "limit must not be negative; 0 buys nothing of it",
    ),
    Broken(
        {
            "commitments": [
                {"name": "ri", "instanceType": "m5.xlarge", "count": 1, "usdPerHour": -0.1}
            ]
        },
        "spec.commitments[0].usdPerHour",
        "usdPerHour must not be negative; write 0 for machines that cost nothing more when used",
    ),
    Broken(
        _churn(nodeChangeUsd=-1),
        "spec.objective.churn.nodeChangeUsd",
        "nodeChangeUsd must not be negative; 0 lets nodes be replaced for any saving",
    ),
    Broken(
        _churn(expectedLifeHours=0),
        "spec.objective.churn.expectedLifeHours",
        "expectedLifeHours must be above 0; 24 spreads the cost of a change over a day",
    ),
    Broken(
        {"limits": {"minNodes": 5, "maxNodes": 4}},
        "spec.limits.minNodes",
        "minNodes is above maxNodes; raise maxNodes or lower minNodes",
    ),
    Broken(
        {"objective": {"budget": {"usdPerHour": -1.0}}}, "spec.objective.budget.usdPerHour", _BUDGET
    ),
    Broken(
        {"objective": {"budget": {"usdPerHour": 0}}}, "spec.objective.budget.usdPerHour", _BUDGET
    ),
    Broken(_slo(shortfallProbability=0), "spec.objective.slo.shortfallProbability", _SHORTFALL),
    Broken(_slo(shortfallProbability=1.0), "spec.objective.slo.shortfallProbability", _SHORTFALL),
    Broken(
        _slo(underCostRatio=0),
        "spec.objective.slo.underCostRatio",
        "underCostRatio must be above 0; 19 asks for the 95 percent quantile of demand",
    ),
    Broken(_spot(maxShare=1.5), "spec.objective.spot.maxShare", f"maxShare {_SHARE}"),
    Broken(_spot(maxShare=-0.1), "spec.objective.spot.maxShare", f"maxShare {_SHARE}"),
    Broken(
        _spot(minOnDemandShare=2),
        "spec.objective.spot.minOnDemandShare",
        f"minOnDemandShare {_SHARE}",
    ),
    Broken(
        _spot(maxPoolShare=0),
        "spec.objective.spot.maxPoolShare",
        "maxPoolShare must lie in (0, 1]; leave it out for no limit",
    ),
    Broken(
        _spot(maxFamilyShare=1.5),
        "spec.objective.spot.maxFamilyShare",
        "maxFamilyShare must lie in (0, 1]; leave it out for no limit",
    ),
    Broken(
        _spot(maxZoneShare=-0.5),
        "spec.objective.spot.maxZoneShare",
        "maxZoneShare must lie in (0, 1]; leave it out for no limit",
    ),
    Broken(
        _spot(overProvision=10),
        "spec.objective.spot.overProvision",
        "overProvision must lie in [0, 1]; 0.1 holds a tenth more places",
    ),
    Broken(
        _spot(interruptionUsd=-0.01),
        "spec.objective.spot.interruptionUsd",
        "interruptionUsd must not be negative; 0 counts nothing but the node that takes its place",
    ),
    Broken(
        _spot(returnHours=-1),
        "spec.objective.spot.returnHours",
        "returnHours must not be negative; 0 buys a pool again as soon as it is cheapest",
    ),
    Broken(_spot(returnSaving=10), "spec.objective.spot.returnSaving", f"returnSaving {_SHARE}"),
    Broken(
        _slo(maxCvar=10),
        "spec.objective.slo.maxCvar",
        "maxCvar must lie in [0, 1]; 1 sets no limit",
    ),
    Broken(
        _slo(maxPoolLoss=-0.1),
        "spec.objective.slo.maxPoolLoss",
        "maxPoolLoss must lie in [0, 1]; 1 sets no limit",
    ),
    Broken(
        _churn(noReturnHours=-24),
        "spec.objective.churn.noReturnHours",
        "noReturnHours must not be negative; 0 lets plans go back at once",
    ),
    Broken(
        {"objective": {"fairness": {"weights": {"shop": 2, "batch": 0}}}},
        "spec.objective.fairness.weights",
        "each of weights must be above 0; leave a namespace out to give it 1",
    ),
    Broken(
        _spot(maxShare=0.7, minOnDemandShare=0.5),
        "spec.objective.spot.maxShare",
        "maxShare and minOnDemandShare contradict each other, their sum is above 1",
    ),
    Broken(
        _churn(minSavingShare=5),
        "spec.objective.churn.minSavingShare",
        f"minSavingShare {_SHARE}",
    ),
    Broken(_forecast(quantiles=[0.5, 1.0]), "spec.forecast.quantiles", _QUANTILES),
    Broken(_forecast(quantiles=[0.0]), "spec.forecast.quantiles", _QUANTILES),
    Broken(_forecast(quantiles=[95]), "spec.forecast.quantiles", _QUANTILES),
    Broken(
        _forecast(stepSeconds=600, horizonSeconds=300),
        "spec.forecast.stepSeconds",
        "stepSeconds is above horizonSeconds; raise horizonSeconds to at least one step",
    ),
    Broken(
        _forecast(horizonSeconds=7200, lookbackSeconds=3600),
        "spec.forecast.lookbackSeconds",
        "lookbackSeconds is below horizonSeconds; a forecast needs at least as much past",
    ),
    Broken(
        _forecast(
            events=[
                {"name": "sale", "start": "2026-07-03T20:00:00Z", "end": "2026-07-03T08:00:00Z"}
            ]
        ),
        "spec.forecast.events[0].end",
        "end is not after start; exchange them, or correct the one that is wrong",
    ),
)

_OFFER: Json = {"instanceType": "m5.large", "zone": "a", "capacityType": "spot", "usdPerHour": 0.1}
_ONE_SOURCE = "give exactly one of configMap, http and bundled; remove the others"
_ONE_OF_TWO = "give exactly one of offers and source; remove the other"

BROKEN_BOOKS = (
    Broken(
        {"offers": [{**_OFFER, "usdPerHour": -0.1}]},
        "spec.offers[0].usdPerHour",
        "usdPerHour must not be negative; correct the price or remove the offer",
    ),
    Broken({}, "spec", _ONE_OF_TWO),
    Broken({"offers": [_OFFER], "source": {"bundled": {}}}, "spec", _ONE_OF_TWO),
    Broken({"source": {}}, "spec.source", _ONE_SOURCE),
    Broken(
        {"source": {"bundled": {}, "http": {"url": "http://prices"}}}, "spec.source", _ONE_SOURCE
    ),
)
