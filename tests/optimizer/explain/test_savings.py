from collections.abc import Sequence
from dataclasses import replace

import pytest
from nodemix.optimizer.catalog.types import Catalog, Offer
from nodemix.optimizer.explain.savings import saving_sources
from nodemix.optimizer.packed import PackedNodes
from nodemix.optimizer.plan import Prices, Savings
from nodemix.optimizer.problem.built import BuiltProblem, CurrentNode

from tests.builders import (
    SPOT,
    make_catalog,
    make_node,
    make_offer,
    make_pods,
    make_problem,
    make_workload_key,
)
from tests.optimizer.explain.results import make_result

OLD = make_offer("m5.2xlarge", price=0.40, vcpus=8)
OLD_SPOT = make_offer("m5.2xlarge", price=0.10, vcpus=8, capacity_type=SPOT)
NEW = make_offer("m7.2xlarge", price=0.36, vcpus=8)
NEW_SPOT = make_offer("m7.2xlarge", price=0.12, vcpus=8, capacity_type=SPOT)
SMALL = make_offer("m5.xlarge", price=0.20, vcpus=4)
CATALOG = make_catalog(OLD, OLD_SPOT, NEW, NEW_SPOT, SMALL)
CORES = Prices(usd_per_core_hour=0.04)


def build(
    bought: Offer, today: Sequence[Offer], pods: int, now: int | None = None, held: int = 4
) -> BuiltProblem:
    """Pods of one core, of which each node of today has ``held``."""
    now = pods if now is None else now
    problem = make_problem(make_pods(pods), [bought])
    current = tuple(
        CurrentNode(
            make_node(f"node-{i}", offer),
            None,
            ((0, held),),
            ((make_workload_key(), held),),
            offer.price_usd_per_hour,
        )
        for i, offer in enumerate(today)
    )
    cost = sum(offer.price_usd_per_hour for offer in today)
    return BuiltProblem(problem, (now,), (), current, cost, 0.0)


def sources(built: BuiltProblem, count: int, catalog: Catalog = CATALOG) -> Savings:
    nodes = [PackedNodes(0, ((0, 1),), count)]
    return saving_sources(built, make_result([0.04], nodes=nodes), CORES, catalog)


def parts(savings: Savings) -> dict[str, float]:
    """The parts that are not zero."""
    named = {
        "spot": savings.spot_usd_per_hour,
        "shape": savings.shape_usd_per_hour,
        "packing": savings.packing_usd_per_hour,
        "waiting": savings.waiting_usd_per_hour,
        "headroom": savings.headroom_usd_per_hour,
    }
    return {name: usd for name, usd in named.items() if abs(usd) > 1e-9}


def test_the_same_nodes_on_spot_are_a_saving_of_spot_alone() -> None:
    savings = sources(build(OLD_SPOT, [OLD, OLD], pods=8), count=2)

    assert parts(savings) == pytest.approx({"spot": 0.60})


def test_as_many_nodes_of_a_cheaper_type_are_a_saving_of_shape_alone() -> None:
    savings = sources(build(NEW, [OLD, OLD], pods=8), count=2)

    assert parts(savings) == pytest.approx({"shape": 0.08})


def test_fewer_nodes_of_one_type_are_a_saving_of_packing_alone() -> None:
    savings = sources(build(OLD, [OLD, OLD], pods=8), count=1)

    assert parts(savings) == pytest.approx({"packing": 0.40})


def test_smaller_nodes_at_the_same_price_a_core_are_a_saving_of_packing_alone() -> None:
    savings = sources(build(SMALL, [OLD, OLD], pods=8), count=2)

    assert parts(savings) == pytest.approx({"packing": 0.40})


def test_three_sources_at_once_are_told_apart() -> None:
    # 16 cores for 0.80 become 8 for 0.36 on demand and 0.12 on spot: 0.24 by spot; eight cores
    # less at today's 0.05 are 0.40, and eight at 0.045 instead of 0.05 are 0.04.
    savings = sources(build(NEW_SPOT, [OLD, OLD], pods=8), count=1)

    assert parts(savings) == pytest.approx({"spot": 0.24, "packing": 0.40, "shape": 0.04})
    assert savings.total_usd_per_hour == pytest.approx(0.80 - 0.12)


def test_headroom_costs_its_share_of_the_plan_and_the_rest_is_compared_with_today() -> None:
    # Two of ten places are forecast: a fifth of 0.24. The other 0.8 of the plan are 12.8 cores.
    savings = sources(build(NEW_SPOT, [OLD, OLD], pods=10, now=8), count=2)

    assert parts(savings) == pytest.approx(
        {"headroom": -0.048, "spot": 0.384, "packing": 0.16, "shape": 0.064}
    )
    assert savings.total_usd_per_hour == pytest.approx(0.80 - 0.24)


def test_spot_that_today_has_already_is_no_saving() -> None:
    savings = sources(build(OLD_SPOT, [OLD_SPOT, OLD_SPOT], pods=8), count=1)

    # A node less at its on-demand price, less the discount that went with it.
    assert parts(savings) == pytest.approx({"packing": 0.40, "spot": -0.30})


def test_where_nothing_runs_today_all_is_for_pods_that_wait() -> None:
    savings = sources(build(OLD, [], pods=8), count=1)

    assert parts(savings) == pytest.approx({"waiting": -0.40})


def test_pods_whose_node_has_no_known_price_count_as_waiting() -> None:
    built = build(OLD, [OLD, make_offer("x1.huge")], pods=8)
    first, odd = built.current
    built = replace(built, current=(first, replace(odd, price_usd_per_hour=None)))

    savings = sources(built, count=2)

    assert savings.waiting_usd_per_hour == pytest.approx(-0.40)
    assert savings.total_usd_per_hour == pytest.approx(0.40 - 0.80)


def test_a_type_that_is_not_sold_on_demand_has_no_discount() -> None:
    savings = sources(build(NEW_SPOT, [OLD], pods=4), 1, make_catalog(OLD, NEW_SPOT))

    assert parts(savings) == pytest.approx({"shape": 0.28})


def test_nodes_that_hold_nothing_are_a_saving_of_packing() -> None:
    built = replace(build(OLD, [OLD, OLD], pods=8, held=0), problem=make_problem([]), rows_now=())

    savings = saving_sources(built, make_result([]), Prices(), CATALOG)

    assert parts(savings) == pytest.approx({"packing": 0.80})


def test_pods_weigh_by_their_duals() -> None:
    # Of the worth 8 x 0.01 + 2 x 0.16, the two pods to come have four fifths.
    big, small = make_pods(2, workload="big", cpu_milli=2000), make_pods(8)
    problem = make_problem([*small, *big], [OLD])
    built = replace(build(OLD, [OLD, OLD], pods=8), problem=problem, rows_now=(8, 0))
    result = make_result([0.01, 0.16], nodes=[PackedNodes(0, ((0, 8),), 2)])

    savings = saving_sources(built, result, CORES, CATALOG)

    assert savings.headroom_usd_per_hour == pytest.approx(-0.8 * 0.80)
    assert savings.total_usd_per_hour == pytest.approx(0.0)
