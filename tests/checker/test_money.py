"""A price, a sum or a proof that is wrong is found."""

import pytest

from tests.checker.faults import Corrupt, set_entry, set_field, set_runner_up
from tests.checker.scene import FREE_CHANGES, WEB, make_document, make_objects
from tests.plan_checker import Market, check_plan

FAULTS: dict[str, tuple[Corrupt, str]] = {
    "a price is wrong": (set_entry(0, price_usd_per_hour=0.01), "costs 0.03 USD/h, shown as 0.01"),
    "a price is withheld": (set_entry(0, price_usd_per_hour=None), "shown as None"),
    "the plan's cost is wrong": (set_field("plan_usd_per_hour", 0.45), "plan_usd_per_hour is 0.45"),
    "today's cost is wrong": (set_field("current_usd_per_hour", 0.9), "current_usd_per_hour is"),
    "the saving is wrong": (set_field("saving_usd_per_hour", 0.4), "saving_usd_per_hour is 0.4"),
    "the sources do not sum to the saving": (
        lambda d: d["savings"].update(spot_usd_per_hour=0.43),
        "savings sum to 0.330000, the saving is 0.34",
    ),
    "a source of the saving is no number": (
        lambda d: d["savings"].update(spot_usd_per_hour=float("nan")),
        "savings sum to nan",
    ),
    "headroom is charged that nobody has": (
        lambda d: d["savings"].update(headroom_usd_per_hour=-0.1, packing_usd_per_hour=0.0),
        "savings of headroom are -0.1",
    ),
    "pods that wait are a saving": (
        lambda d: d["savings"].update(waiting_usd_per_hour=0.1, packing_usd_per_hour=-0.2),
        "savings of waiting are 0.1",
    ),
    "a saving of no change has sources": (set_field("is_change", False), "nothing changes"),
    "a pool that ends has margins": (
        lambda d: d["pools"][-1].update(node_less_usd_per_hour=0.1),
        "has margins, and no node of it is bought",
    ),
    "a runner-up has another price": (set_runner_up(price_usd_per_hour=0.2), "costs 0.1, as a"),
    "a runner-up is not on sale": (set_runner_up(zone="us-west-2a"), "costs None, as a"),
    "a runner-up is the same offer": (
        set_runner_up(capacity_type="spot", price_usd_per_hour=0.03),
        "is its own runner-up",
    ),
    "a runner-up cannot hold the pods": (
        set_runner_up(instance_type="m7g.large", capacity_type="spot", price_usd_per_hour=0.03),
        "as a runner-up, default/Deployment/api on m7g.large/us-east-1a/spot",
    ),
    "the bound is above the cost": (set_field("lower_bound_usd_per_hour", 0.47), "not between 0"),
    "the bound is negative": (set_field("lower_bound_usd_per_hour", -0.1), "not between 0"),
    "the bound is no number": (set_field("lower_bound_usd_per_hour", float("nan")), "not between"),
    "the gap is wrong": (set_field("gap", 0.1), "gap is 0.1, not 0.13"),
    "a pool is miscounted": (
        lambda d: d["pools"][0].update(nodes_plan=2),
        "(0, 1) nodes, shown (0, 2)",
    ),
    "a pool is left out": (lambda d: d["pools"].pop(), "shown None"),
    "today's demand is wrong": (
        lambda d: d["demand"][0].update(pods_now=4),
        f"{WEB}: 3 pods, demand says 4",
    ),
    "planned demand has no places": (
        lambda d: d["demand"][0].update(pods_planned=5),
        f"{WEB}: places for 3 pods, demand says 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_is_found(market: Market, fault: str) -> None:
    document = make_document()
    corrupt, words = FAULTS[fault]

    corrupt(document)

    complaints = check_plan(document, make_objects(), market, spec=FREE_CHANGES)
    assert any(words in complaint for complaint in complaints), complaints
