from nodemix.optimizer.explain.pools import pool_changes, with_margins
from nodemix.optimizer.plan import PlannedNodes, PoolMargins

from tests.builders import (
    ON_DEMAND,
    SPOT,
    ZONE,
    make_catalog,
    make_node,
    make_offer,
    make_workload_key,
)

ON = make_offer(price=0.2)
CATALOG = make_catalog(ON, make_offer(price=0.06, capacity_type=SPOT))
PODS = ((make_workload_key(), 4),)
THREE_SPOT = PlannedNodes("m5.xlarge", ZONE, SPOT, 3, PODS, 0.06)


def test_each_pool_is_compared_with_today_the_dearest_change_first() -> None:
    now = [make_node("a", ON), make_node("b", ON)]

    changes = pool_changes(now, [THREE_SPOT], CATALOG)

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


def test_only_pools_that_are_bought_get_margins() -> None:
    margins = PoolMargins(0.01, -0.02)
    changes = pool_changes([make_node("a", ON)], [THREE_SPOT], CATALOG)

    ends, grows = with_margins(changes, {("m5.xlarge", ZONE, SPOT): margins})

    assert (ends.capacity_type, ends.margins) == (ON_DEMAND, None)
    assert (grows.capacity_type, grows.margins) == (SPOT, margins)
