import numpy as np
import pytest
from nodemix.optimizer.explain import plan_risk, pool_changes, resource_prices
from nodemix.optimizer.plan import Packing, PlannedNodes, Result
from nodemix.optimizer.problem.types import OfferCap

from tests.builders import (
    ON_DEMAND,
    SPOT,
    ZONE,
    make_catalog,
    make_node,
    make_offer,
    make_pods,
    make_problem,
    make_workload_key,
)

ON = make_offer(price=0.2)
OFF = make_offer(price=0.06, capacity_type=SPOT, interruptions_per_hour=0.01)
CATALOG = make_catalog(ON, OFF)
PODS = ((make_workload_key(), 4),)


def planned(count: int, offer: object = OFF) -> PlannedNodes:
    market = SPOT if offer is OFF else ON_DEMAND
    return PlannedNodes("m5.xlarge", ZONE, market, count, PODS, 0.06 if offer is OFF else 0.2)


def result(row_duals: list[float], cap_duals: list[float]) -> Result:
    return Result(Packing((), 1.0), 1.0, np.array(row_duals), np.array(cap_duals))


def test_prices_of_resources_are_recovered_from_the_duals_they_made() -> None:
    problem = make_problem(
        [
            *make_pods(5, cpu_milli=1000, memory_mib=1024),
            *make_pods(3, cpu_milli=500, memory_mib=4096),
        ]
    )

    prices = resource_prices(problem, result([0.03 + 0.004, 0.015 + 0.016], []))

    assert prices.usd_per_core_hour == pytest.approx(0.03)
    assert prices.usd_per_gib_hour == pytest.approx(0.004)
    assert prices.usd_per_gpu_hour is None


def test_only_binding_caps_are_named() -> None:
    caps = [OfferCap("limits.maxNodes", np.ones(1), 3.0), OfferCap("budget", np.ones(1), 9.0)]
    problem = make_problem(caps=caps)

    prices = resource_prices(problem, result([0.05], [0.02, 0.0]))

    assert prices.caps == (("limits.maxNodes", 0.02),)


def test_spot_shares_are_shares_of_vcpus() -> None:
    risk = plan_risk([planned(3), planned(1, ON)], CATALOG, 0.01)

    assert risk.spot_share == pytest.approx(0.75)
    assert risk.worst_pool_share == pytest.approx(0.75)
    assert risk.interruptions_per_day == pytest.approx(3 * 0.01 * 24)


def test_a_plan_of_nothing_risks_nothing() -> None:
    risk = plan_risk([], CATALOG, None)

    assert (risk.spot_share, risk.worst_pool_share, risk.interruptions_per_day) == (0, 0, 0)


def test_each_pool_is_compared_with_today_the_dearest_change_first() -> None:
    now = [make_node("a", ON), make_node("b", ON)]

    changes = pool_changes(now, [planned(3)], CATALOG)

    assert [(c.capacity_type, c.nodes_now, c.nodes_plan) for c in changes] == [
        (ON_DEMAND, 2, 0),
        (SPOT, 0, 3),
    ]
    assert changes[0].why == "its pods fit on cheaper nodes"
    assert changes[1].why.startswith("cheapest place for ")


def test_a_pool_names_its_largest_workloads_and_counts_the_others() -> None:
    pods = tuple((make_workload_key(name), n) for name, n in (("a", 1), ("b", 5), ("c", 2)))
    nodes = PlannedNodes("m5.xlarge", ZONE, SPOT, 2, pods, 0.06)

    (change,) = pool_changes([], [nodes], CATALOG)

    assert change.why == "cheapest place for 10 default/b, 4 default/c and 2 more"


def test_a_pool_without_a_price_says_that_it_stays() -> None:
    node = make_node("odd", make_offer("x9.huge"))

    change = pool_changes([node], [], CATALOG)[0]

    assert change.price_usd_per_hour is None
    assert "no price" in change.why
