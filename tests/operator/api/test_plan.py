from datetime import UTC, datetime

import pytest
from nodemix.operator.api.plan import NodeMixPlanSpec, PlanSource, PolicyRef
from nodemix.operator.api.plan_risk import RiskSpec
from nodemix.operator.api.policy import NodeMixPolicyStatus
from pydantic import ValidationError


def make_plan(usd_per_hour_plan: float = 1.0, saving_percent: float = 0.0) -> NodeMixPlanSpec:
    moment = datetime(2026, 7, 1, tzinfo=UTC)
    return NodeMixPlanSpec(
        policy_ref=PolicyRef(name="shop"),
        created_from=PlanSource(snapshot_taken_at=moment, catalog="bundled"),
        expires_at=moment,
        pools=(),
        nodes_now=0,
        nodes_plan=0,
        usd_per_hour_now=2.0,
        usd_per_hour_plan=usd_per_hour_plan,
        usd_per_hour_lower_bound=0.5,
        saving_percent=saving_percent,
        gap_percent=0.0,
        risk=RiskSpec(spot_percent=0, worst_pool_percent=0, interruptions_per_day=0.123456789),
    )


def test_figures_are_rounded_so_that_objects_do_not_flicker() -> None:
    plan = make_plan(usd_per_hour_plan=1.23456789, saving_percent=38.271604).to_object()

    assert (plan["usdPerHourPlan"], plan["savingPercent"]) == (1.2346, 38.27)
    assert plan["risk"]["interruptionsPerDay"] == 0.12346


def test_what_is_no_number_is_refused_rather_than_rounded() -> None:
    with pytest.raises(ValidationError):
        make_plan(usd_per_hour_plan=float("nan"))


def test_plan_without_a_forecast_has_no_probability_and_is_not_approved() -> None:
    plan = make_plan().to_object()

    assert "shortfallProbability" not in plan["risk"]
    assert plan["approved"] is False


def test_status_patch_takes_away_what_an_earlier_decision_knew() -> None:
    patch = NodeMixPolicyStatus(nodes_now=3).to_patch()

    assert (patch["nodesNow"], patch["shortfallProbability"]) == (3, None)
