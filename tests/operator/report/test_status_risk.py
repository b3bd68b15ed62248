"""Risk, options and what explains a plan, in the words of the custom resources."""

from dataclasses import replace
from typing import Any

from nodemix.operator.api.plan import MAX_BESIDE
from nodemix.operator.api.plan_risk import MAX_OPTION_POOLS, MAX_RISKY_POOLS
from nodemix.operator.report.status import to_plan_spec, to_status
from nodemix.optimizer.explain.types import Blocker, RuleCost
from nodemix.optimizer.fairness.types import Fairness, NamespaceShare
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.snapshot import CapacityType

from tests.builders import make_catalog
from tests.operator.report.examples import a_recommendation, a_weighed_recommendation


def spec_of(recommendation: Recommendation) -> dict[str, Any]:
    return to_plan_spec(recommendation, make_catalog(), generation=1).to_object()


def test_a_plan_holds_its_risk_in_percent_and_a_day() -> None:
    """c7g in a: 5 x .004 x .6; in b: 4 x .011 x .7; m6g: 2 x .0008 x .55; each loss 3 cents."""
    risk = spec_of(a_weighed_recommendation())["risk"]

    pools = risk.pop("pools")
    assert risk == {
        "shortfallProbability": 0.0025,
        "jointShortfallProbability": 0.025,
        "cvarPercent": 3.75,
        "cvarStandardErrorPercent": 0.42,
        "tailPercent": 5.0,
        "meanLossPercent": 0.19,
        "spotPercent": 72.0,
        "worstPoolPercent": 36.0,
        "worstPoolLossPercent": 18.0,
        "interruptionsPerDay": 1.04832,
        "interruptionsPerDayLow": 0.26208,
        "interruptionsPerDayHigh": 3.14496,
        "interruptionUsdPerHour": 0.0013,
        "recourseUsdPerHour": 0.0036,
        "shortageUsdPerHour": 0.0677,
        "scenarios": 80,
        "poolsInAll": 3,
    }
    assert [pool["lossPercent"] for pool in pools] == [18.0, 11.0, 2.0]
    assert pools[0] == {
        "instanceType": "c7g.xlarge",
        "zone": "us-east-1a",
        "nodes": 5,
        "shocksPerDay": 0.096,
        "shocksPerDayLow": 0.024,
        "shocksPerDayHigh": 0.288,
        "nodesLostPercent": 60.0,
        "lossPercent": 18.0,
        "interruptionUsdPerHour": 0.0004,
    }


def test_what_no_scenario_told_is_absent() -> None:
    plan = a_recommendation()
    known = {"shortfallProbability", "spotPercent", "worstPoolPercent", "interruptionsPerDay"}

    spec, status = spec_of(plan), to_status(plan, None).to_object()

    assert set(spec["risk"]) == {*known, "scenarios", "pools", "poolsInAll"}
    assert spec["risk"]["scenarios"] == 0
    assert {"capacity", "fairness", "baseline"}.isdisjoint(spec)
    assert (spec["options"], spec["blockers"]) == ([], [])
    assert {"cvarPercent", "worstPoolLossPercent", "usdPerHourExpected"}.isdisjoint(status)
    assert "usdPerHourBaseline" not in status


def test_a_plan_says_why_it_has_so_much_room() -> None:
    capacity = spec_of(a_weighed_recommendation())["capacity"]

    assert capacity.pop("why").startswith("lacking room costs 19 times")
    assert capacity == {
        "criticalRatio": 0.95,
        "level": 0.97,
        "overProvisionPercent": 5.0,
        "leadTimeSeconds": 412,
        "bootsSeen": 23,
        "maxPoolPercent": 50.0,
        "maxSpotPercent": 100.0,
    }


def test_a_plan_holds_what_could_be_had_instead_in_the_same_order() -> None:
    options = spec_of(a_weighed_recommendation())["options"]

    assert [o["name"] for o in options] == ["cheaper", "chosen", "steadier", "safer"]
    assert [o["usdPerHour"] for o in options] == [0.772, 0.8796, 0.9276, 1.122]
    assert [o["meetsSlo"] for o in options] == [False, True, True, True]
    assert [o["cvarPercent"] for o in options] == [25.25, 3.75, 3.75, 0.5]
    assert [o["nodesChanged"] for o in options] == [13, 15, 9, 16]


def test_an_option_is_compared_by_all_that_it_costs() -> None:
    """Nodes 1.05 x .8796, changes 15 x .004, interruptions .00131, later nodes, shortage .07125."""
    chosen = spec_of(a_weighed_recommendation())["options"][1]

    assert (chosen["usdPerHourPlaced"], chosen["usdPerHourPlacedError"]) == (0.9236, 0.011)
    assert chosen["usdPerHourExpected"] == 1.0561
    assert chosen["shortfallProbability"] == 0.025
    assert chosen["poolsInAll"] == 4
    assert chosen["pools"] == {
        "c7g.xlarge/us-east-1a/spot": 5,
        "c7g.xlarge/us-east-1b/spot": 4,
        "m5.large/us-east-1a/on-demand": 3,
        "m6g.large/us-east-1a/spot": 2,
    }


def test_a_plan_says_who_gets_how_much_those_that_lack_most_first() -> None:
    sharing = spec_of(a_weighed_recommendation())["fairness"]

    assert sharing["mode"] == "Report"
    assert (sharing["binding"], sharing["jain"]) == (["budget.usdPerHour"], 0.9)
    assert [share["namespace"] for share in sharing["namespaces"]] == ["ml", "shop"]
    assert sharing["namespaces"][0] == {
        "namespace": "ml",
        "weight": 1.0,
        "podsWanted": 3,
        "podsGiven": 0,
        "dominantResource": "gpu",
        "dominantPercent": 0.0,
        "wantedPercent": 100.0,
    }


def test_a_plan_says_what_the_same_pods_would_cost_otherwise_and_what_blocks_a_saving() -> None:
    spec = spec_of(a_weighed_recommendation())

    assert spec["baseline"] == {
        "name": "karpenter-like",
        "usdPerHour": 1.184,
        "nodes": 17,
        "headroomPercent": 18.0,
        "why": "tuned on the same paths as the plan",
    }
    assert spec["blockers"][0] == {
        "kind": "PodDisruptionBudget",
        "subject": "shop/PodDisruptionBudget/cart",
        "nodes": ["node-1", "node-7"],
        "nodesInAll": 2,
        "usdPerHour": 0.192,
        "remedy": "allow one disruption",
    }


def test_a_plan_says_what_its_rules_cost() -> None:
    together, alone = spec_of(a_weighed_recommendation())["ruleCosts"]

    assert together == {
        "kind": "on-demand-only",
        "subject": "2 workloads",
        "workloads": 2,
        "pods": 15,
        "usdPerHour": 0.1834,
        "remedy": "let them run on spot",
    }
    assert (alone["subject"], alone["workloads"]) == ("shop/Deployment/cart", 1)


def test_a_baseline_that_finds_no_place_has_no_cost() -> None:
    plan = a_weighed_recommendation()
    assert plan.baseline is not None
    stuck = replace(plan, baseline=replace(plan.baseline, usd_per_hour=None))

    assert "usdPerHour" not in spec_of(stuck)["baseline"]
    assert to_status(stuck, None).usd_per_hour_baseline is None


def test_the_status_sums_the_risk_up() -> None:
    status = to_status(a_weighed_recommendation(), "plan")

    assert (status.cvar_percent, status.worst_pool_loss_percent) == (3.75, 18.0)
    assert (status.usd_per_hour_expected, status.usd_per_hour_baseline) == (1.0561, 1.184)


def a_large_recommendation() -> Recommendation:
    """More of everything than an object lists."""
    plan = a_weighed_recommendation()
    pool, option = plan.risk.pools[0], plan.options[1]
    pools = tuple(((f"t{i}", "a", CapacityType.SPOT), i + 1) for i in range(99))
    names = tuple(f"node-{i}" for i in range(99))
    wanting = tuple(NamespaceShare(f"n{i}", 1.0, 100, i, "cpu", 0.0, 0.1) for i in range(99))
    return replace(
        plan,
        risk=replace(plan.risk, pools=(pool,) * 99),
        options=(replace(option, pools=pools),) * 9,
        fairness=Fairness("enforce", ("budget.usdPerHour",), 0.5, 0.1, wanting),
        blockers=(Blocker("spread", "s" * 2000, names, 1.0, "r" * 2000),) * 99,
        rule_costs=(RuleCost("zone-spread", ("s" * 2000,), 9, 1.0, "r" * 2000),) * 99,
    )


def test_lists_that_only_explain_are_cut_and_their_length_is_said() -> None:
    spec = spec_of(a_large_recommendation())

    risk, option = spec["risk"], spec["options"][0]
    assert (len(risk["pools"]), risk["poolsInAll"]) == (MAX_RISKY_POOLS, 99)
    assert (len(spec["options"]), len(spec["blockers"])) == (4, MAX_BESIDE)
    assert (len(option["pools"]), option["poolsInAll"]) == (MAX_OPTION_POOLS, 99)
    assert option["pools"]["t98/a/spot"] == 99
    assert "t48/a/spot" not in option["pools"]
    assert len(spec["ruleCosts"]) == MAX_BESIDE
    assert (len(spec["ruleCosts"][0]["subject"]), len(spec["ruleCosts"][0]["remedy"])) == (
        1024,
        1024,
    )
    blocker, sharing = spec["blockers"][0], spec["fairness"]
    assert (len(blocker["nodes"]), blocker["nodesInAll"]) == (MAX_BESIDE, 99)
    assert (len(sharing["namespaces"]), sharing["namespacesInAll"]) == (MAX_BESIDE, 99)
    assert sharing["namespaces"][0]["namespace"] == "n0"
