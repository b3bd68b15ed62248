"""The plan and what could be had instead, each with its own figures."""

from collections import Counter
from itertools import count
from typing import Any

import numpy as np
import pytest
from nodemix.optimizer.explain.placed import Placer
from nodemix.optimizer.packed import Packing, PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.plan_risk import PlanOption
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import Churn, ServiceLevel
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.safety import complaints
from nodemix.optimizer.snapshot import Node, Pod

from tests.builders import (
    SPOT,
    ZONE,
    ZONES,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_policy,
    make_snapshot,
)

DEFAULT = ServiceLevel()
SPOTS = [
    make_offer(f"{family}.xlarge", usd, zone=zone, capacity_type=SPOT, interruptions_per_hour=1e-4)
    for family, usd in (("m5", 0.06), ("c5", 0.061), ("r5", 0.062))
    for zone in ZONES
]
SAFE = make_offer("m5.xlarge", 0.2)
FORBIDDEN = make_offer("m3.xlarge", 0.25, vcpus=4)
NAMES = ("chosen", "cheaper", "safer", "steadier")
READINGS_PER_S = 500


def planned(
    pods: list[Pod], nodes: tuple[Node, ...] = (), search_s: float = 2.0, **policy: Any
) -> Recommendation:
    ticks = count()
    policy.setdefault("service_level", DEFAULT)
    return decide(
        make_snapshot(pods, nodes),
        None,
        make_policy(search_s=search_s, **policy),
        make_catalog(*SPOTS, SAFE, FORBIDDEN),
        np.random.default_rng(0),
        lambda: next(ticks) / READINGS_PER_S,
    )


def on_demand_nodes(number: int, **fields: Any) -> tuple[list[Pod], tuple[Node, ...]]:
    """Nodes on demand with four pods each, which are dear and hold everything."""
    nodes = tuple(make_node(f"n{i}", SAFE, **fields) for i in range(number))
    pods = [p for n in nodes for p in make_pods(4, name=n.name, node_name=n.name)]
    return pods, nodes


@pytest.fixture(scope="module")
def change() -> Recommendation:
    pods, nodes = on_demand_nodes(20)
    return planned(pods, nodes, churn=Churn(node_change_usd=0.02))


@pytest.fixture(scope="module")
def kept() -> Recommendation:
    pods, nodes = on_demand_nodes(10)
    return planned(pods, nodes, churn=Churn(min_saving_share=1.0))


@pytest.fixture(scope="module")
def crowded() -> Recommendation:
    """Small pods that fill nodes up between large ones, which then find no place."""
    pods = [
        *make_pods(12, workload="large", cpu_milli=2000, memory_mib=1024),
        *make_pods(60, workload="small", cpu_milli=500, memory_mib=1024),
        *make_pods(9, workload="middle", cpu_milli=1500, memory_mib=1024),
    ]
    return planned(pods, churn=Churn(node_change_usd=0.02), placement=PlacementMode.OBSERVE)


def named(result: Recommendation, name: str) -> PlanOption:
    return next(option for option in result.options if option.name == name)


@pytest.mark.parametrize("which", ["change", "kept"])
def test_options_have_their_names_once_and_are_sorted_by_cost(
    which: str, request: pytest.FixtureRequest
) -> None:
    result: Recommendation = request.getfixturevalue(which)

    names = [option.name for option in result.options]
    costs = [option.usd_per_hour for option in result.options]
    assert "chosen" in names
    assert set(names) <= set(NAMES)
    assert len({*names}) == len(names)
    assert costs == sorted(costs)


@pytest.mark.parametrize("which", ["change", "kept"])
def test_the_chosen_option_is_the_plan(which: str, request: pytest.FixtureRequest) -> None:
    result: Recommendation = request.getfixturevalue(which)

    option = named(result, "chosen")
    nodes: Counter[tuple[str, str, str]] = Counter()
    for group in result.nodes:
        nodes[group.instance_type, group.zone, group.capacity_type] += group.count
    assert option.usd_per_hour == pytest.approx(result.plan_usd_per_hour)
    assert dict(option.pools) == dict(nodes)
    assert option.risk == result.risk


@pytest.mark.parametrize("which", ["change", "kept"])
def test_an_option_meets_the_slo_exactly_where_its_risk_is_accepted(
    which: str, request: pytest.FixtureRequest
) -> None:
    result: Recommendation = request.getfixturevalue(which)

    for option in result.options:
        assert option.meets_slo == (complaints(option.risk, DEFAULT) == ())


def test_each_option_is_better_in_what_its_name_says(change: Recommendation) -> None:
    chosen = named(change, "chosen")
    for option in change.options:
        is_safer = (
            option.risk.cvar < chosen.risk.cvar
            or option.risk.worst_pool_loss < chosen.risk.worst_pool_loss
        )
        better = {
            "chosen": True,
            "cheaper": option.usd_per_hour < chosen.usd_per_hour,
            "safer": is_safer,
            "steadier": option.nodes_changed < chosen.nodes_changed,
        }
        assert better[option.name], option.name


def test_todays_nodes_are_the_steadiest_where_they_hold_everything(change: Recommendation) -> None:
    today = named(change, "steadier")

    assert today.pools == ((SAFE.key, 20),)
    assert today.usd_per_hour == pytest.approx(change.current_usd_per_hour)
    assert (today.nodes_changed, today.changes_usd_per_hour) == (0, 0.0)
    assert today.risk.worst_pool_loss == 0.0


def test_the_plan_counts_its_changes_at_the_policys_cost(change: Recommendation) -> None:
    chosen = named(change, "chosen")
    new = sum(n for pool, n in chosen.pools if pool != SAFE.key)

    assert chosen.changes_usd_per_hour == pytest.approx(new * 0.02 / 24.0)
    assert chosen.nodes_changed == new + 20 - dict(chosen.pools).get(SAFE.key, 0)


def test_where_today_stays_the_plan_that_was_found_is_the_cheaper_one(
    kept: Recommendation,
) -> None:
    assert not kept.is_change
    assert named(kept, "chosen").nodes_changed == 0
    assert named(kept, "cheaper").usd_per_hour < kept.plan_usd_per_hour
    assert "steadier" not in [option.name for option in kept.options]


@pytest.mark.parametrize("which", ["change", "kept", "crowded"])
def test_every_option_says_what_it_costs_once_placed(
    which: str, request: pytest.FixtureRequest
) -> None:
    result: Recommendation = request.getfixturevalue(which)

    for option in result.options:
        assert option.placed.mode is PlacementMode.OBSERVE
        assert option.hosting_usd_per_hour >= 0.0
        assert (option.placed.draws > 0) == (option.nodes_changed > 0)


@pytest.mark.parametrize("which", ["change", "crowded"])
def test_the_chosen_option_is_placed_as_the_plan(
    which: str, request: pytest.FixtureRequest
) -> None:
    result: Recommendation = request.getfixturevalue(which)
    assert result.placed is not None

    assert named(result, "chosen").placed == result.placed.chosen


def test_pods_on_todays_nodes_are_not_placed_anew(
    change: Recommendation, kept: Recommendation
) -> None:
    for today in (named(change, "steadier"), named(kept, "chosen")):
        assert today.placed == PlacedCost(PlacementMode.OBSERVE, today.usd_per_hour, 0.0, draws=0)


def test_alternatives_pay_for_pods_without_a_place_as_the_plan_does(
    crowded: Recommendation,
) -> None:
    assert {"chosen", "safer"} <= {option.name for option in crowded.options}
    for option in crowded.options:
        assert option.hosting_usd_per_hour > 0.01, option.name


@pytest.mark.parametrize("which", ["change", "kept", "crowded"])
def test_expected_cost_is_the_sum_of_what_is_shown(
    which: str, request: pytest.FixtureRequest
) -> None:
    result: Recommendation = request.getfixturevalue(which)

    for option in result.options:
        risk = option.risk
        assert option.expected_usd_per_hour == pytest.approx(
            option.placed.usd_per_hour
            + option.changes_usd_per_hour
            + risk.interruption_usd_per_hour
            + risk.recourse_usd_per_hour
            + risk.shortage_usd_per_hour
        )


@pytest.mark.parametrize(("hosting_usd", "is_told"), [(0.0, False), (2.0, True)])
def test_a_cheaper_plan_whose_placing_is_dear_says_so(
    hosting_usd: float, monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    def cost(
        placer: Placer, _problem: Problem, _packing: Packing, usd_per_hour: float
    ) -> PlacedCost:
        return PlacedCost(placer.mode, usd_per_hour + hosting_usd, 0.0, draws=1)

    monkeypatch.setattr(Placer, "cost", cost)
    pods, nodes = on_demand_nodes(10)

    result = planned(pods, nodes, search_s=0.5, churn=Churn(min_saving_share=1.0))

    why = named(result, "cheaper").why
    assert why.endswith("; no cheaper once its pods are placed") == is_told


def test_nodes_that_no_plan_may_buy_stay_uncounted_while_they_stay() -> None:
    """A node of a type that the filter leaves out is no change where nothing changes."""
    nodes = (make_node("old", FORBIDDEN),)

    result = planned(
        make_pods(3, node_name="old"), nodes, search_s=0.2, churn=Churn(min_saving_share=1.0)
    )

    option = named(result, "chosen")
    assert not result.is_change
    assert option.pools == ((FORBIDDEN.key, 1),)
    assert option.nodes_changed == 0
    assert (option.risk.cvar, option.risk.worst_pool_loss) == (0.0, 0.0)


def test_kept_and_leaving_nodes_are_in_the_plan_that_changes_nothing() -> None:
    nodes = (
        make_node("stays", SAFE),
        make_node("leaves", SAFE, is_leaving=True),
        make_node("bare", SAFE),
    )
    bare = make_pod("bare", "one", node_name="bare", unsupported=("required pod affinity",))

    result = planned(
        [*make_pods(2, node_name="stays"), bare],
        nodes,
        search_s=0.2,
        churn=Churn(min_saving_share=1.0),
    )

    option = named(result, "chosen")
    assert not result.is_change
    assert option.pools == ((("m5.xlarge", ZONE, SAFE.capacity_type), 3),)
    assert option.usd_per_hour == pytest.approx(0.6)
    assert option.nodes_changed == 0
