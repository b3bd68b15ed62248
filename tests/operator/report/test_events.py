"""Events with numbers."""

from dataclasses import replace

from nodemix.operator.report.events import plan_made

from tests.operator.report.examples import a_recommendation, a_weighed_recommendation


def test_a_new_plan_is_told_with_its_money_and_its_risk() -> None:
    """14 nodes for 0.8796 $/h: 5 x 0.058 + 4 x 0.06 + 2 x 0.0308 + 3 x 0.096."""
    happening = plan_made(replace(a_weighed_recommendation(), placed=None), "frugal-1")

    assert (happening.kind, happening.reason) == ("Normal", "PlanProposed")
    assert happening.message == (
        "frugal-1: 2.0976 -> 0.8796 $/h (58.1% less) on 14 nodes, "
        "lower bound 0.8613 $/h, gap 2.08%, "
        "CVaR 3.75% of demand, worst pool c7g.xlarge/us-east-1a 18.0% of requests; "
        "nothing was changed"
    )


def test_a_plan_that_costs_more_says_so() -> None:
    dearer = replace(a_recommendation(), current_usd_per_hour=0.1)

    assert "0.1000 -> 0.1200 $/h (20.0% more) on" in plan_made(dearer, "p").message


def test_an_empty_cluster_has_no_share_to_save() -> None:
    empty = replace(a_recommendation(), current_usd_per_hour=0.0, plan_usd_per_hour=0.0)

    assert "(0.0% less)" in plan_made(empty, "p").message


def test_risk_that_was_not_tried_is_not_told() -> None:
    message = plan_made(a_recommendation(), "p").message

    assert "CVaR" not in message
    assert "worst pool" not in message
