import re
from dataclasses import replace
from io import StringIO

import pytest
from nodemix.operator.report.actions import actions
from nodemix.operator.report.document import to_document
from nodemix.operator.report.explanation import render_explanation
from nodemix.optimizer.explain.types import Baseline
from nodemix.optimizer.plan import PoolChange, Recommendation
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.snapshot import CapacityType
from rich.console import Console

from tests.operator.report.examples import a_recommendation, a_weighed_recommendation
from tests.operator.report.golden_files import printed

FIGURE = re.compile(r"\d[\d.,]*")


def explained(recommendation: Recommendation | None = None, width: int = 120) -> str:
    return printed(render_explanation, recommendation or a_weighed_recommendation(), width)


def section(label: str, text: str) -> str:
    """The lines under a label, as one."""
    found = re.search(rf"^{label} +(.*(?:\n {{10}}.*)*)", text, flags=re.MULTILINE)
    assert found is not None, label
    return " ".join(found[1].split())


def test_header_names_cluster_policy_and_time() -> None:
    assert explained().splitlines()[0] == (
        "Plan for cluster.yaml by policy frugal, 2026-11-18 11:06 UTC"
    )


def test_each_pool_that_changes_has_a_sign_and_the_others_share_a_line() -> None:
    rows = [line for line in explained().splitlines() if re.match(r"  [-+~=] ", line)]

    assert [row.split()[:2] for row in rows] == [
        ["-", "m5.2xlarge"], ["+", "c7g.xlarge"], ["~", "c7g.xlarge"], ["~", "m5.large"],
        ["=", "1"],
    ]  # fmt: skip
    assert rows[0].split()[-5:] == ["4", "->", "0", "0.3840", "-1.5360"]
    assert rows[-1].strip() == "= 1 pool with 2 nodes stays as it is"


@pytest.mark.parametrize(
    ("now", "plan", "sign"), [(0, 1, "+"), (1, 0, "-"), (1, 2, "~"), (2, 1, "~"), (2, 2, "=")]
)
def test_the_sign_tells_what_happens(now: int, plan: int, sign: str) -> None:
    pool = PoolChange("m5.large", "a", CapacityType.SPOT, now, plan, 0.1, "so")
    document = to_document(replace(a_recommendation(), pools=(pool,)))

    assert [action.symbol for action in actions(document.pools)] == [sign]


def test_total_gives_both_costs_the_saving_and_the_proof() -> None:
    total = section("Total", explained())

    assert "now 2.0976 $/h, plan 0.8796 $/h, saves 1.2180 $/h (58.1%)" in total
    assert "no plan for these pods costs less than 0.8613 $/h" in total
    assert "2.08% at most (gap)" in total


def test_risk_gives_shortfall_tail_worst_pool_and_interruptions_with_their_interval() -> None:
    risk = section("Risk", explained())

    for part in (
        "2.50% that some pod finds no place within the lead time (2 of 80 scenarios)",
        "0.25% by demand alone",
        "3.75 +-0.42 % of demand without a place in the worst 5% of scenarios (CVaR)",
        "worst pool c7g.xlarge us-east-1a: reclaimed whole, it leaves 18.0% of the requests",
        "1.05 interruptions a day expected (0.26 to 3.14)",
        "interruptions 0.0013, nodes bought later 0.0036, shortage until then 0.0677 $/h",
    ):
        assert part in risk, part


def test_risk_that_was_not_tried_on_scenarios_is_one_line() -> None:
    untried = Risk(None, 0.5, 0.25, 0.5)

    risk = section("Risk", explained(replace(a_recommendation(), risk=untried)))

    assert risk.startswith("shortfall unknown without a forecast, 50% of vCPUs on spot")
    assert "CVaR" not in risk


def test_capacity_says_which_quantile_is_covered_for_how_long() -> None:
    capacity = section("Capacity", explained())

    assert "covers 97 % of the joint paths of demand (95 % are worth it)" in capacity
    assert "within 6.9 min (23 boots seen), 5% more places for pods on spot" in capacity
    assert "at most 100% of vCPUs may be on spot, 50% in one spot pool" in capacity


def test_options_stand_in_columns_with_what_they_cost_and_risk() -> None:
    options = section("Options", explained())

    assert "$/h placed expected short CVaR pool churn SLO" in options
    assert "cheaper 0.7720 0.8106 1.3431 5.0% 25.2% 41.0% 13 no" in options
    assert "chosen 0.8796 0.9236 1.0561 2.5% 3.8% 18.0% 15 yes" in options
    assert "safer: more on demand" in options


def test_what_blocks_what_it_costs_and_the_remedy_are_named() -> None:
    assert (
        "shop/PodDisruptionBudget/cart keeps 2 nodes, 0.1920 $/h (PodDisruptionBudget); "
        "allow one disruption" in section("Blocked", explained())
    )


def test_baseline_is_compared_with_the_plan() -> None:
    assert section("Baseline", explained()).startswith(
        "karpenter-like with 18% headroom: 1.1840 $/h on 17 nodes, the plan is 25.7% cheaper"
    )


def test_a_plan_above_the_baseline_is_said_to_be_dearer() -> None:
    lucky = Baseline("karpenter-like", 0.0, 0.75, 9, "")

    line = section("Baseline", explained(replace(a_weighed_recommendation(), baseline=lucky)))

    assert line.endswith("0.7500 $/h on 9 nodes, the plan is 17.3% dearer")


def test_a_baseline_without_a_place_for_some_pod_has_no_cost() -> None:
    stuck = Baseline("karpenter-like", 0.0, None, 9, "no type holds ml/Job/train")

    line = section("Baseline", explained(replace(a_weighed_recommendation(), baseline=stuck)))

    assert line.endswith("no place for some pod; no type holds ml/Job/train")


def test_namespaces_that_get_less_than_they_want_are_named() -> None:
    fairness = section("Fairness", explained())

    assert "Jain's index 0.900 while budget.usdPerHour binds (report)" in fairness
    assert "ml (weight 1) gets 0 of 3 pods" in fairness
    assert "shop" not in fairness


def test_what_was_not_done_comes_last_and_then_that_nothing_was_changed() -> None:
    text = explained()
    lines = section("Not done", text)

    assert lines.startswith("- ml/Job/train: 3 pods, asks for 16 GPUs")
    assert "[warning] node-1: no instance type label; label it" in lines
    assert text.splitlines()[-1] == "dry-run: nothing was changed"


def test_a_plan_that_leaves_nothing_out_says_so() -> None:
    whole = replace(a_weighed_recommendation(), unplaceable=(), notes=())

    assert section("Not done", explained(whole)) == "nothing was left out"


def test_parts_that_were_not_computed_are_not_spoken_of() -> None:
    text = explained(a_recommendation())

    for label in ("Capacity", "Options", "Fairness", "Blocked", "Baseline"):
        assert not re.search(rf"^{label} ", text, flags=re.MULTILINE)


def test_a_plan_that_changes_nothing_has_one_line_of_pools() -> None:
    pools = tuple(
        PoolChange("m5.large", zone, CapacityType.SPOT, 2, 2, 0.1, "kept") for zone in "ab"
    )
    text = explained(replace(a_recommendation(), is_change=False, pools=pools))

    assert "  = 2 pools with 4 nodes stay as they are" in text.splitlines()
    assert "now -> plan" not in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_figure_is_cut_in_two_where_lines_are_short(width: int) -> None:
    def figures(text: str) -> list[str]:
        return sorted(FIGURE.findall(text))

    assert figures(explained(width=width)) == figures(explained(width=200))


def test_colours_are_for_terminals() -> None:
    text = StringIO()
    document = to_document(a_weighed_recommendation())

    render_explanation(document, Console(file=text, force_terminal=True, color_system="standard"))

    assert "\x1b[32m" in text.getvalue()
    assert "\x1b" not in explained()


def test_markup_in_names_stays_text() -> None:
    odd = replace(a_recommendation(), reasons=("[red]so[/red]",))

    assert "[red]so[/red]" in explained(odd)
