"""The sentences on how much room and how much spot."""

from typing import Any

from nodemix.optimizer.explain.capacity import (
    capacity_sentence,
    share_sentence,
)
from nodemix.optimizer.plan_risk import CapacityChoice, Risk


def choice(**fields: Any) -> CapacityChoice:
    defaults: dict[str, Any] = {
        "critical_ratio": 0.95,
        "level": 0.95,
        "over_provision": 0.0,
        "lead_time_s": 600.0,
        "boots_seen": 0,
        "max_pool_share": None,
        "max_spot_share": 1.0,
        "why": "",
    }
    return CapacityChoice(**{**defaults, **fields})


def risk(**fields: Any) -> Risk:
    defaults: dict[str, Any] = {
        "shortfall_probability": 0.01,
        "spot_share": 0.6,
        "worst_pool_share": 0.2,
        "interruptions_per_day": 1.0,
        "cvar": 0.034,
        "worst_pool_loss": 0.15,
    }
    return Risk(**{**defaults, **fields})


def test_the_paths_covered_and_their_price_are_named() -> None:
    assert capacity_sentence(choice()) == (
        "covers 95 % of the joint paths of the highest demand within 10 minutes (as the policy "
        "says): lacking a place costs 19 times as much as having one too many"
    )


def test_a_level_above_the_ratio_says_what_asks_for_it() -> None:
    sentence = capacity_sentence(choice(level=0.99, lead_time_s=90.0, boots_seen=12))

    assert "covers 99 % of the joint paths of the highest demand within 1.5 minutes" in sentence
    assert "learned from 12 boots of nodes" in sentence
    assert "95 % would be worth their cost, but the accepted shortfall asks for more" in sentence


def test_the_highest_level_is_all_paths() -> None:
    assert "covers all joint paths of" in capacity_sentence(choice(level=1.0))


def test_further_places_for_spot_are_named() -> None:
    assert "; 20% more places for pods that may run on spot" in capacity_sentence(
        choice(over_provision=0.2)
    )


def test_without_a_forecast_it_speaks_of_todays_pods() -> None:
    assert capacity_sentence(choice(), has_forecast=False).startswith("covers today's pods alone")


def test_the_share_of_spot_and_what_would_be_lost() -> None:
    assert share_sentence(choice(), risk()) == (
        "60% of the vCPUs are on spot, at most 20% in one pool; without the worst pool 15% of the "
        "requests would have no place, and in the worst 5% of scenarios 3.4% of the demand"
    )


def test_limits_on_spot_are_named_and_whether_they_bind() -> None:
    loose = share_sentence(choice(max_spot_share=0.8, max_pool_share=0.25), risk())
    tight = share_sentence(choice(max_spot_share=0.6), risk())

    assert "60% of the vCPUs are on spot of 80% allowed, at most" in loose
    assert "20% in one pool of 25% allowed" in loose
    assert "60% of the vCPUs are on spot of 60% allowed, which binds, at most" in tight


def test_no_spot_is_said_in_one_word() -> None:
    assert share_sentence(choice(), risk(spot_share=0.0)) == "nothing is on spot"
    assert "limit" in share_sentence(choice(max_spot_share=0.0), risk(spot_share=0.0))
