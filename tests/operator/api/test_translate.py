from typing import Any

import pytest
from nodemix.operator.api.policy import FairnessMode as ApiFairnessMode
from nodemix.operator.api.policy import NodeMixPolicySpec, Placement
from nodemix.operator.api.translate import to_policy
from nodemix.optimizer.policy import (
    Churn,
    Commitment,
    FairnessMode,
    FairnessRules,
    OfferFilter,
    Policy,
    Quota,
    QuotaUnit,
    ServiceLevel,
    SpotRules,
)
from nodemix.optimizer.snapshot import CapacityType


def translated(**spec: Any) -> Policy:
    return to_policy("shop", NodeMixPolicySpec.model_validate(spec))


def test_empty_spec_limits_nothing() -> None:
    policy = translated()

    assert policy.name == "shop"
    assert policy.offers == OfferFilter()
    assert (policy.selector.namespaces, policy.selector.match_labels) == ((), ())
    assert (policy.budget_usd_per_hour, policy.min_nodes, policy.max_nodes) == (None, None, None)


def test_defaults_of_the_resource_are_those_of_the_optimizer() -> None:
    mine, theirs = translated(), Policy(name="shop")

    assert mine.service_level == theirs.service_level
    assert mine.spot == theirs.spot
    assert mine.churn == theirs.churn
    assert mine.fairness == theirs.fairness
    assert mine.placement == theirs.placement == "observe"


@pytest.mark.parametrize("mode", Placement)
def test_every_placement_is_one_of_the_optimizers(mode: Placement) -> None:
    assert translated(placement=mode).placement == mode.lower()


def test_every_term_arrives() -> None:
    policy = translated(
        selector={"namespaces": ["a"], "matchLabels": {"z": "1", "b": "2"}},
        objective={
            "slo": {
                "shortfallProbability": 0.02,
                "underCostRatio": 9,
                "leadTimeSeconds": 60,
                "maxCvar": 0.05,
                "maxPoolLoss": 0.15,
            },
            "budget": {"usdPerHour": 12.5},
            "churn": {
                "minSavingShare": 0.1,
                "nodeChangeUsd": 0.6,
                "expectedLifeHours": 12,
                "noReturnHours": 48,
            },
        },
        limits={"minNodes": 2, "maxNodes": 9},
        searchSeconds=7,
    )

    assert policy.selector.namespaces == ("a",)
    assert policy.selector.match_labels == (("b", "2"), ("z", "1"))
    assert policy.service_level == ServiceLevel(0.02, 9, 60, max_cvar=0.05, max_pool_loss=0.15)
    assert policy.budget_usd_per_hour == 12.5
    assert policy.churn == Churn(
        0.1, node_change_usd=0.6, expected_life_hours=12, no_return_hours=48
    )
    assert policy.churn.usd_per_node_hour == pytest.approx(0.05)
    assert (policy.min_nodes, policy.max_nodes, policy.search_s) == (2, 9, 7.0)


@pytest.mark.parametrize(
    ("spot", "max_share"),
    [
        ({}, 1.0),
        ({"maxShare": 0.3}, 0.3),
        ({"maxShare": 0}, 0.0),
        ({"minOnDemandShare": 0.25}, 0.75),
        ({"maxShare": 0.5, "minOnDemandShare": 0.25}, 0.5),
    ],
)
def test_spot_takes_what_on_demand_leaves(spot: dict[str, float], max_share: float) -> None:
    rules = translated(objective={"spot": spot}).spot

    assert rules.max_share == max_share
    assert rules.min_on_demand_share == spot.get("minOnDemandShare", 0.0)


def test_every_spot_rule_arrives() -> None:
    spot = {
        "maxShare": 0.7,
        "minOnDemandShare": 0.2,
        "maxPoolShare": 0.3,
        "maxFamilyShare": 0.5,
        "maxZoneShare": 0.4,
        "overProvision": 0.1,
        "interruptionUsd": 0.05,
        "returnHours": 12,
        "returnSaving": 0.25,
    }

    assert translated(objective={"spot": spot}).spot == SpotRules(
        max_share=0.7,
        min_on_demand_share=0.2,
        max_pool_share=0.3,
        max_family_share=0.5,
        max_zone_share=0.4,
        over_provision=0.1,
        interruption_usd=0.05,
        return_hours=12,
        return_saving=0.25,
    )


def test_a_cvar_of_everything_is_no_limit() -> None:
    assert translated(objective={"slo": {"maxCvar": 1}}).service_level.max_cvar is None
    assert translated(objective={"slo": {"maxCvar": 0}}).service_level.max_cvar == 0


def test_fairness_arrives_with_its_weights_in_order() -> None:
    asked = {"mode": "Enforce", "weights": {"shop": 3, "batch": 0.5}}

    assert translated(objective={"fairness": asked}).fairness == FairnessRules(
        FairnessMode.ENFORCE, (("batch", 0.5), ("shop", 3))
    )


@pytest.mark.parametrize("mode", ApiFairnessMode)
def test_every_fairness_mode_is_one_of_the_optimizers(mode: ApiFairnessMode) -> None:
    assert translated(objective={"fairness": {"mode": mode}}).fairness.mode == mode.lower()


def test_every_offer_filter_arrives() -> None:
    offers = {
        "zones": ["a"],
        "categories": ["m"],
        "families": ["m7g"],
        "architectures": ["arm64"],
        "minGeneration": 6,
        "maxVcpus": 32,
        "allowMetal": True,
    }

    assert translated(offers=offers).offers == OfferFilter(
        zones=("a",),
        categories=("m",),
        families=("m7g",),
        architectures=("arm64",),
        min_generation=6,
        max_vcpus=32,
        allow_metal=True,
    )


def test_every_quota_arrives() -> None:
    quotas = [
        {"name": "all", "limit": 512},
        {
            "name": "spot-g",
            "limit": 8,
            "unit": "gpus",
            "categories": ["g"],
            "families": ["g5"],
            "instanceTypes": ["g5.xlarge"],
            "zones": ["us-east-1a"],
            "capacityType": "spot",
        },
    ]

    assert translated(limits={"quotas": quotas}).quotas == (
        Quota("all", 512, QuotaUnit.VCPUS),
        Quota(
            "spot-g",
            8,
            QuotaUnit.GPUS,
            ("g",),
            ("g5",),
            ("g5.xlarge",),
            ("us-east-1a",),
            CapacityType.SPOT,
        ),
    )


def test_every_commitment_arrives() -> None:
    short = {"name": "own", "instanceType": "m5.xlarge", "count": 2, "usdPerHour": 0}
    full = {
        "name": "ri",
        "instanceType": "c7g.xlarge",
        "zone": "us-east-1b",
        "capacityType": "spot",
        "count": 3,
        "usdPerHour": 0.08,
        "paidAnyway": True,
    }

    assert translated(commitments=[short, full]).commitments == (
        Commitment("own", "m5.xlarge", 2, 0.0),
        Commitment("ri", "c7g.xlarge", 3, 0.08, "us-east-1b", CapacityType.SPOT, True),
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"limits": {"quotas": [{"name": "a", "limit": 1}, {"name": "a", "limit": 2}]}},
            "quotas lists a 2 times; rename one of them",
        ),
        (
            {
                "commitments": [
                    {"name": "ri", "instanceType": kind, "count": 1, "usdPerHour": 0}
                    for kind in ("m5.large", "m5.xlarge")
                ]
            },
            "commitments lists ri 2 times; rename one of them",
        ),
    ],
)
def test_a_name_that_is_given_twice_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        translated(**spec)
