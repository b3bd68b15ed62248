"""What placing its pods adds to a plan, in sentences."""

from dataclasses import replace

import pytest
from nodemix.optimizer.explain.placing import better_mode, placing_note, placing_sentence
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.plan import PlacedCosts, Recommendation
from nodemix.optimizer.plan_risk import Risk

OBSERVE, POOL, COHORT, PINNED = PlacementMode
TODAY, PLAN = 2.0, 1.0


def placed(chosen: PlacementMode = OBSERVE, **usd_per_hour: float) -> PlacedCosts:
    costs = {"pinned": PLAN, **usd_per_hour}
    return PlacedCosts(
        chosen, tuple(PlacedCost(m, costs[m], 0.0, 1) for m in PlacementMode if m in costs)
    )


def plan_of(costs: PlacedCosts | None) -> Recommendation:
    risk = Risk(None, 0.0, 0.0, 0.0)
    return Recommendation("shop", 0.0, True, (), (), TODAY, PLAN, PLAN, risk, placed=costs)


def sentence(costs: PlacedCosts) -> str:
    return placing_sentence(plan_of(costs), costs)


def test_a_loss_is_named_with_its_cause_and_the_mode_that_would_keep_it() -> None:
    text = sentence(placed(observe=1.2, pool=1.15, cohort=1.01))

    assert "once placed (placement observe) it is expected to cost 1.2000 $/h" in text
    assert "pods that find no place need further nodes" in text
    assert text.endswith("cohort placement would keep 0.1900 $/h more")


def test_the_gentlest_mode_that_keeps_most_is_named() -> None:
    better = better_mode(placed(observe=1.2, pool=1.15, cohort=1.01))

    assert better is not None
    assert better.mode is COHORT


def test_a_mode_that_was_not_drawn_is_not_named() -> None:
    assert sentence(placed(observe=1.2)).endswith("pinned placement would keep 0.2000 $/h more")


@pytest.mark.parametrize("mode", [OBSERVE, POOL, COHORT])
def test_without_a_loss_the_plan_costs_what_it_says(mode: PlacementMode) -> None:
    costs = placed(mode, **{mode: PLAN})

    assert "every pod its place" in sentence(costs)
    assert better_mode(costs) is None


def test_pinned_pods_cost_what_the_plan_says() -> None:
    assert "every pod bound to its node" in sentence(placed(PINNED, observe=1.2))


def test_more_than_a_twentieth_lost_is_a_warning_with_a_remedy() -> None:
    (note,) = placing_note(plan_of(placed(observe=1.2, cohort=1.01)))

    assert (note.subject, note.severity) == ("NodeMixPolicy/shop", "warning")
    assert note.fact == "placement observe is expected to add 20.0% to the plan's cost"
    assert note.remedy == "set spec.placement to Cohort"


def test_a_saving_that_placing_eats_up_is_said() -> None:
    (note,) = placing_note(plan_of(placed(observe=2.1)))

    assert note.fact.endswith("nothing of the saving is left")


def test_a_small_loss_or_none_is_no_warning() -> None:
    assert placing_note(plan_of(placed(observe=1.04))) == ()
    assert placing_note(plan_of(None)) == ()


@pytest.mark.parametrize(("usd_per_hour", "kept"), [(1.0, 1.0), (1.25, 0.75), (2.5, -0.5)])
def test_what_is_left_of_the_saving_is_a_share_of_it(usd_per_hour: float, kept: float) -> None:
    assert plan_of(placed(observe=usd_per_hour)).saving_kept_share == pytest.approx(kept)


def test_where_nothing_is_saved_nothing_of_it_is_left_to_tell() -> None:
    dear = replace(plan_of(placed(observe=1.2)), current_usd_per_hour=0.5)

    assert dear.saving_kept_share is None
