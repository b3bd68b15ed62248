"""From an observed cluster and a forecast to a recommendation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from time import process_time
from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing import solve
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import Churn, Policy, ServiceLevel, SpotRules
from nodemix.optimizer.risk.beliefs import Beliefs, Move, pool_of
from nodemix.optimizer.risk.hazard import Shock
from nodemix.optimizer.snapshot import Node, Pod, SpreadConstraint

from tests.builders import (
    SPOT,
    ZONES,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_policy,
    make_selector,
    make_snapshot,
    make_workload_key,
)

WEB = make_workload_key("web")
DEAR = make_offer("m5.xlarge", 0.2, vcpus=4)
CHEAP = make_offer("m5.2xlarge", 0.1, vcpus=8, capacity_type=SPOT)
OVER_ZONES = (SpreadConstraint("topology.kubernetes.io/zone", 1),)


def plan(
    pods: Sequence[Pod],
    nodes: Sequence[Node] = (),
    offers: Sequence[Offer] = (DEAR, CHEAP),
    forecast: DemandForecast | None = None,
    **policy: Any,
) -> Recommendation:
    """A recommendation after a tenth of a second's search."""
    return decide(
        make_snapshot(pods, nodes),
        forecast,
        make_policy(search_s=0.1, **policy),
        make_catalog(*offers),
        np.random.default_rng(0),
        process_time,
    )


def forecast_of(*pods: float) -> DemandForecast:
    """Two equal paths for each number of web pods."""
    samples = np.repeat(np.array(pods, dtype=np.float32), 2)[:, None, None, None]
    return DemandForecast((str(WEB),), ("pods",), 0.0, 300.0, samples)


def test_careless_nodes_are_replaced_by_the_cheapest_that_hold_the_pods() -> None:
    nodes = [make_node(f"n{i}", DEAR) for i in range(3)]
    pods = [pod for node in nodes for pod in make_pods(2, name=node.name, node_name=node.name)]

    result = plan(pods, nodes)

    (group,) = result.nodes
    assert (group.instance_type, group.capacity_type, group.count) == ("m5.2xlarge", SPOT, 1)
    assert group.pods == ((WEB, 6),)
    assert result.is_change
    assert result.current_usd_per_hour == pytest.approx(0.6)
    assert result.plan_usd_per_hour == pytest.approx(0.1)
    assert result.lower_bound_usd_per_hour <= result.plan_usd_per_hour


@pytest.mark.parametrize("mode", PlacementMode)
def test_a_change_says_what_it_costs_once_placed_and_what_leads_its_pods(
    mode: PlacementMode,
) -> None:
    result = plan(make_pods(9), placement=mode)

    assert result.placed is not None
    assert result.steering is not None
    assert result.placed.mode == result.steering.mode == mode
    assert result.placed.chosen.usd_per_hour >= result.plan_usd_per_hour
    assert all(group.cohort for group in result.nodes)
    assert any("placement" in reason for reason in result.reasons)


def test_nodes_that_stay_count_in_the_placed_cost() -> None:
    pods = [*make_pods(2, node_name="n"), *make_pods(4, name="late")]
    bare = make_pod("bare", workload=make_workload_key("bare", "Pod"), node_name="lone")
    lone = make_node("lone", DEAR, is_ready=True)

    result = plan([*pods, bare], [make_node("n", DEAR), lone], placement=PlacementMode.PINNED)

    assert result.placed is not None
    assert result.placed.chosen.usd_per_hour == pytest.approx(result.plan_usd_per_hour)


def test_keeping_todays_nodes_places_nothing() -> None:
    result = plan(
        make_pods(2, node_name="n"), [make_node("n", DEAR)], churn=Churn(min_saving_share=0.6)
    )

    assert (result.placed, result.steering) == (None, None)


def test_a_saving_below_what_is_worth_the_trouble_keeps_todays_nodes() -> None:
    nodes = [make_node("n", DEAR)]

    result = plan(make_pods(2, node_name="n"), nodes, churn=Churn(min_saving_share=0.6))

    assert not result.is_change
    assert result.nodes[0].kept_nodes == ("n",)
    assert result.plan_usd_per_hour == result.current_usd_per_hour == pytest.approx(0.2)


def test_a_saving_that_placing_eats_keeps_todays_nodes_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if kube-scheduler left pods pending whose nodes cost 0.15 $/h; the saving is 0.1."""
    search = solve.solve

    def loses_in_placing(*terms: Any, **more: Any) -> Result:
        result = search(*terms, **more)
        if result.placed is None:  # the short searches look at the cost on paper alone
            return result
        dearer = result.packing.cost_usd_per_hour + 0.15
        return replace(result, placed=replace(result.placed, usd_per_hour=dearer))

    monkeypatch.setattr(solve, "solve", loses_in_placing)
    nodes = [make_node("n", DEAR)]

    result = plan(make_pods(2, node_name="n"), nodes, placement=PlacementMode.OBSERVE)

    assert not result.is_change
    assert result.plan_usd_per_hour == pytest.approx(0.2)
    (note,) = (note for note in result.notes if "expected to add 0.1500 $/h" in note.fact)
    assert "a plan of 0.1000 $/h exists" in note.fact
    assert "spec.placement" in note.remedy


def test_nodes_that_hold_too_little_are_not_kept_whatever_a_change_costs() -> None:
    pods = [*make_pods(4, node_name="n"), *make_pods(5, name="late")]

    result = plan(pods, [make_node("n", DEAR)], offers=[DEAR], churn=Churn(min_saving_share=1.0))

    assert result.is_change
    assert result.saving_usd_per_hour < 0


def test_forecast_pods_are_headroom_beside_todays() -> None:
    result = plan(make_pods(5), forecast=forecast_of(7))

    (group,) = result.nodes
    assert (group.pods, group.headroom) == (((WEB, 5),), ((WEB, 2),))
    (demand,) = result.demand
    assert (demand.pods_now, demand.pods_planned, demand.source) == (5, 7, "forecast")


def test_a_plan_never_relies_on_pods_going_away() -> None:
    (demand,) = plan(make_pods(5), forecast=forecast_of(1)).demand

    assert demand.pods_planned == 5


def test_todays_pods_are_spread_evenly_also_beside_headroom() -> None:
    offers = [make_offer("m5.xlarge", vcpus=4, zone=zone) for zone in ZONES]

    result = plan(make_pods(3, spreads=OVER_ZONES), offers=offers, forecast=forecast_of(6))

    by_zone: Counter[str] = Counter()
    for group in result.nodes:
        by_zone[group.zone] += group.count * dict(group.pods).get(WEB, 0)
    assert by_zone == dict.fromkeys(ZONES, 1)


def test_a_quantile_that_falls_short_too_often_is_raised() -> None:
    careless = ServiceLevel(under_cost_ratio=1.0, shortfall_probability=0.01, max_cvar=None)

    result = plan(make_pods(1), forecast=forecast_of(1, 2, 30, 40), service_level=careless)

    assert result.demand[0].pods_planned == 40
    assert result.risk.shortfall_probability == 0.0


def test_unplaceable_pods_are_counted_once_and_leave_the_others_in_peace() -> None:
    pods = [*make_pods(3), *make_pods(2, name="big", cpu_milli=90_000)]

    result = plan(pods, forecast=forecast_of(9))

    placed = sum(group.count * dict(group.pods).get(WEB, 0) for group in result.nodes)
    assert placed == 3
    assert [entry.pods for entry in result.unplaceable] == [2]


def test_a_cluster_without_history_is_planned_as_it_is_and_says_so() -> None:
    result = plan(make_pods(1))

    assert any("no demand history" in sentence for sentence in result.assumptions)
    assert result.risk.shortfall_probability is None
    assert result.forecast_model == ""


def test_a_budget_that_no_plan_meets_is_an_error_with_a_remedy() -> None:
    with pytest.raises(InfeasiblePlanError):
        plan(make_pods(40), budget_usd_per_hour=0.01)


def test_next_decision_can_start_from_the_last_one_without_any_time() -> None:
    offers = [make_offer(f"m5.{i}", 0.05 * i + 0.01, vcpus=i) for i in range(2, 9)]
    snapshot, catalog = make_snapshot(make_pods(30, cpu_milli=1300)), make_catalog(*offers)
    policy, rng = make_policy(search_s=0.2), np.random.default_rng(0)
    first = decide(snapshot, None, policy, catalog, rng, process_time)

    hurried = replace(policy, search_s=1e-6)
    second = decide(snapshot, None, hurried, catalog, rng, process_time, first.warm)

    assert second.plan_usd_per_hour <= first.plan_usd_per_hour
    assert second.warm is not None


def test_pods_that_are_being_deleted_are_in_no_plan() -> None:
    result = plan([make_pod("a"), make_pod("b", is_terminating=True)])

    assert result.nodes[0].pods == ((WEB, 1),)


SPOT_A = make_offer("m5.xlarge", 0.1, vcpus=4, capacity_type=SPOT)
SPOT_B = make_offer("c5.xlarge", 0.11, vcpus=4, capacity_type=SPOT)


def learned(*, beliefs: Beliefs, nodes: Sequence[Node] = (), **policy: Any) -> Recommendation:
    """Eight pods and two spot pools, one of them a tenth dearer, after what was learned."""
    pods = make_pods(8) if not nodes else make_pods(4, node_name=nodes[0].name)
    return decide(
        make_snapshot(pods, nodes),
        None,
        make_policy(search_s=0.1, **policy),
        make_catalog(SPOT_A, SPOT_B),
        np.random.default_rng(0),
        process_time,
        beliefs=beliefs,
    )


def types_of(result: Recommendation) -> set[str]:
    return {group.instance_type for group in result.nodes}


@pytest.mark.parametrize(("hours_ago", "bought"), [(1.0, "c5.xlarge"), (25.0, "m5.xlarge")])
def test_no_plan_returns_to_a_pool_that_one_went_away_from_within_a_day(
    hours_ago: float, bought: str
) -> None:
    move = Move(-hours_ago, (("m5.xlarge", ZONES[0], "spot"),), (("c5.xlarge", ZONES[0], "spot"),))

    assert types_of(learned(beliefs=Beliefs().moved(move))) == {bought}


def test_nodes_of_a_pool_that_a_plan_went_away_from_may_go_on() -> None:
    move = Move(-1.0, (("m5.xlarge", ZONES[0], "spot"),), (("c5.xlarge", ZONES[0], "spot"),))

    result = learned(beliefs=Beliefs().moved(move), nodes=[make_node("n", SPOT_A)])

    assert types_of(result) == {"m5.xlarge"}


@pytest.mark.parametrize(("saving", "bought"), [(0.0, "m5.xlarge"), (0.2, "c5.xlarge")])
def test_a_pool_that_was_hit_lately_must_save_enough_to_be_bought(
    saving: float, bought: str
) -> None:
    struck = Beliefs().struck([Shock(pool_of(SPOT_A), -1.0, 2, 1)])

    result = learned(beliefs=struck, spot=SpotRules(return_saving=saving, interruption_usd=0.0))

    assert types_of(result) == {bought}


def test_a_policy_without_spot_replaces_the_spot_nodes_of_today() -> None:
    nodes = [make_node("n", CHEAP)]

    result = plan(
        make_pods(4, node_name="n"),
        nodes,
        spot=SpotRules(max_share=0.0),
        churn=Churn(min_saving_share=1.0),
    )

    assert result.is_change
    assert result.risk.spot_share == 0.0
    assert types_of(result) == {"m5.xlarge"}


def test_a_plan_of_accepted_risk_survives_the_loss_of_any_pool() -> None:
    offers = [
        make_offer(f"{family}.xlarge", usd, vcpus=4, zone=zone, capacity_type=SPOT)
        for family, usd in (("m5", 0.06), ("c5", 0.061), ("r5", 0.062))
        for zone in ZONES
    ]

    result = decide(
        make_snapshot(make_pods(80)),
        None,
        Policy(search_s=1.5),
        make_catalog(DEAR, *offers),
        np.random.default_rng(0),
        process_time,
    )

    assert result.risk.worst_pool_loss <= 0.2
    assert result.risk.cvar <= 0.1
    assert result.risk.spot_share > 0.5
    assert not any("accepted" in note.fact for note in result.notes)


def test_a_risk_that_no_plan_keeps_is_said_with_a_remedy() -> None:
    """The pods ask for spot, and there is one pool."""
    only_spot = make_selector(**{"karpenter.sh/capacity-type": "spot"})

    result = plan(make_pods(8, required_terms=(only_spot,)), service_level=ServiceLevel())

    (note,) = (note for note in result.notes if "one spot pool" in note.fact)
    assert note.severity == "warning"
    assert "objective.slo" in note.remedy
