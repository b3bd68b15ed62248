"""A recommendation in the words of the custom resources."""

from dataclasses import replace

from nodemix.operator.api.plan import MAX_STEERED
from nodemix.operator.report.events import plan_made
from nodemix.operator.report.status import decision_hash, to_plan_spec, to_status
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortPins, CohortQuota, PlannedSteering
from nodemix.optimizer.plan import Recommendation

from tests.builders import make_catalog
from tests.operator.report.examples import CART, a_recommendation


def spec_of(recommendation: Recommendation) -> dict[str, object]:
    return to_plan_spec(recommendation, make_catalog(), generation=1).to_object()


def steered(steering: PlannedSteering | None) -> Recommendation:
    return replace(a_recommendation(), steering=steering)


def test_a_plan_holds_the_placed_cost_of_each_mode() -> None:
    placed = spec_of(a_recommendation())["placed"]

    assert placed == {
        "mode": "Cohort",
        "usdPerHour": 0.1236,
        "savingKeptPercent": 99.44,
        "modes": [
            {"mode": "Observe", "usdPerHour": 0.18, "draws": 8},
            {"mode": "Pool", "usdPerHour": 0.1512, "draws": 7},
            {"mode": "Cohort", "usdPerHour": 0.1236, "draws": 8},
            {"mode": "Pinned", "usdPerHour": 0.12, "draws": 0},
        ],
    }


def test_a_plan_holds_its_steering() -> None:
    cart = "shop/Deployment/cart"

    assert spec_of(a_recommendation())["steering"] == {
        "mode": "Cohort",
        "entries": 3,
        "affinities": [{"workload": cart, "terms": [{"nodemix.dev/cohort": ["c0"]}]}],
        "release": [{"workload": cart, "pods": 12}],
        "quotas": [{"workload": cart, "cohort": "c0", "pods": 12}],
    }


def test_pins_are_held_by_cohort() -> None:
    pins = (CohortPins("c0", 2, ((CART, 6),)),)

    steering = spec_of(steered(PlannedSteering(PlacementMode.PINNED, pins=pins)))["steering"]

    held = [{"cohort": "c0", "nodes": 2, "pods": {"shop/Deployment/cart": 6}}]
    assert steering == {"mode": "Pinned", "entries": 1, "pins": held}


def test_of_a_steering_too_large_for_an_object_only_the_number_of_entries_is_held() -> None:
    quotas = tuple(CohortQuota(CART, f"c{i}", 1) for i in range(MAX_STEERED + 1))

    steering = spec_of(steered(PlannedSteering(PlacementMode.COHORT, quotas=quotas)))["steering"]

    assert steering == {"mode": "Cohort", "entries": MAX_STEERED + 1}


def test_a_plan_that_keeps_todays_nodes_holds_neither() -> None:
    kept = replace(a_recommendation(), placed=None, steering=None)

    assert {"placed", "steering"}.isdisjoint(spec_of(kept))
    assert to_status(kept, None).usd_per_hour_placed is None


def test_status_and_event_name_the_placed_cost() -> None:
    assert to_status(a_recommendation(), "plan").usd_per_hour_placed == 0.1236
    message = plan_made(a_recommendation(), "plan").message
    assert "expected 0.1236 $/h once placed (cohort)" in message


def test_another_placement_is_another_decision() -> None:
    pool = steered(PlannedSteering(PlacementMode.POOL))

    assert decision_hash(pool) != decision_hash(a_recommendation())
