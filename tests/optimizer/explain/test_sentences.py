"""The reasons of a plan, as sentences."""

from nodemix.optimizer.explain.sentences import reasons
from nodemix.optimizer.plan_risk import CapacityChoice, Risk

from tests.fakes.sources import make_recommendation

RISK = Risk(
    shortfall_probability=None,
    spot_share=0.6,
    worst_pool_share=0.2,
    interruptions_per_day=1.25,
    interruptions_per_day_low=0.5,
    interruptions_per_day_high=3.0,
)
CHOICE = CapacityChoice(
    critical_ratio=0.95,
    level=0.95,
    over_provision=0.0,
    lead_time_s=600.0,
    boots_seen=0,
    max_pool_share=0.25,
    max_spot_share=0.6,
    why="",
)


def test_the_share_of_spot_is_given_with_the_limit_that_binds() -> None:
    said = reasons(make_recommendation(risk=RISK, capacity=CHOICE))

    assert any("60% of the vCPUs are on spot of 60% allowed, which binds" in line for line in said)


def test_interruptions_are_given_with_what_is_not_known_of_them() -> None:
    said = reasons(make_recommendation(risk=RISK))

    assert any("1.25 interruptions a day are expected (0.50 to 3.00)" in line for line in said)
    assert not any("on spot" in line for line in said)
