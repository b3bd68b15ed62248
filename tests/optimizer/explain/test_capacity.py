"""The sentences on how much room, how much spot and which pools."""

from typing import Any

from nodemix.optimizer.explain.capacity import (
    capacity_sentence,
    pool_sentence,
    pool_sentences,
    share_sentence,
)
from nodemix.optimizer.plan import PoolChange, PoolMargins, RunnerUp
from nodemix.optimizer.plan_risk import CapacityChoice, Risk

from tests.builders import SPOT, ZONE


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


def pool(nodes: int, name: str = "m5.large", runner_up: RunnerUp | None = None) -> PoolChange:
    margins = PoolMargins(0.1, -0.1, runner_up)
    return PoolChange(name, ZONE, SPOT, 0, nodes, 0.05, "why", margins)


OTHER = RunnerUp("m6i.large", ZONE, SPOT, 0.06, 0.0487)


def test_the_quantile_and_its_price_are_named() -> None:
    assert capacity_sentence(choice()) == (
        "covers the 95 % quantile of the highest demand within 10 minutes (as the policy says): "
        "lacking a place costs 19 times as much as having one too many"
    )


def test_a_level_above_the_ratio_says_that_the_ratio_was_not_enough() -> None:
    sentence = capacity_sentence(choice(level=0.975, lead_time_s=90.0, boots_seen=12))

    assert "covers the 97.5 % quantile of the highest demand within 1.5 minutes" in sentence
    assert "learned from 12 boots of nodes" in sentence
    assert "the 95 % quantile would be worth its cost, but fell short too often" in sentence


def test_the_highest_level_is_the_highest_path() -> None:
    assert "covers the highest path of" in capacity_sentence(choice(level=1.0))


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


def test_why_this_pool_and_not_the_next_best() -> None:
    assert pool_sentence(pool(3, runner_up=OTHER)) == (
        f"m5.large spot in {ZONE} at 0.0500 $/h rather than m6i.large spot in {ZONE} at "
        "0.0600 $/h, which would win below 0.0487 $/h"
    )
    assert pool_sentence(pool(3)) is None


def test_the_largest_pools_speak() -> None:
    pools = [pool(n, f"t{n}.large", OTHER) for n in (1, 9, 4)]

    sentences = pool_sentences([pool(20), *pools], most=2)

    assert [sentence.split()[0] for sentence in sentences] == ["t9.large", "t4.large"]
