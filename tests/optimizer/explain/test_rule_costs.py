"""What rules cost that a plan keeps; nodes of the usual offer hold four of the usual pods."""

from collections.abc import Iterable
from itertools import count

import numpy as np
import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.decision import pods_by_workload
from nodemix.optimizer.explain.rule_costs import MOST_ROWS, rule_costs
from nodemix.optimizer.explain.types import RuleCost
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.problem.build import problem_of, survey
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.snapshot import Node, Pod, SpreadConstraint

from tests.builders import (
    SPOT,
    make_catalog,
    make_node,
    make_offer,
    make_pods,
    make_policy,
    make_selector,
    make_snapshot,
)

ON_DEMAND = make_offer(price=0.2)
ON_SPOT = make_offer(price=0.08, capacity_type=SPOT)
ZONE_B = make_offer(price=0.6, zone="us-east-1b")
ZONE_LABEL, MARKET_LABEL = "topology.kubernetes.io/zone", "karpenter.sh/capacity-type"
DENIED = "annotation nodemix.dev/spot: deny"
SEARCH_READINGS, READINGS = 1_500, 200_000
"""Of a clock that ticks at each of them: enough for the search, and for all linear programs."""


def priced(
    pods: Iterable[Pod], *offers: Offer, nodes: Iterable[Node] = (), readings: int = READINGS
) -> tuple[RuleCost, ...]:
    cluster = make_snapshot(pods, nodes)
    surveyed = survey(cluster, make_catalog(*offers), make_policy())
    built = problem_of(surveyed, pods_by_workload(cluster))
    ticks = count()

    def until(seconds: int) -> Deadline:
        return Deadline.after(lambda: float(next(ticks)), seconds)

    result = solve(built.problem, until(SEARCH_READINGS), np.random.default_rng(0))
    return rule_costs(surveyed, Safety(), built, result, until(readings))


def test_pods_that_may_not_run_on_spot_cost_what_their_nodes_would_be_cheaper() -> None:
    (cost,) = priced(make_pods(8, spot_denied=DENIED), ON_DEMAND, ON_SPOT)

    assert (cost.kind, cost.subject, cost.pods) == ("on-demand-only", "default/Deployment/web", 8)
    assert cost.usd_per_hour == pytest.approx(2 * 0.12)
    assert cost.remedy == f"let it run on spot: take {DENIED} off"


def test_a_selector_that_names_on_demand_is_such_a_rule() -> None:
    pods = make_pods(8, required_labels=make_selector(**{MARKET_LABEL: "on-demand"}))

    (cost,) = priced(pods, ON_DEMAND, ON_SPOT)

    assert cost.kind == "on-demand-only"
    assert cost.usd_per_hour == pytest.approx(2 * 0.12)
    assert MARKET_LABEL in cost.remedy


def test_a_selector_that_names_spot_costs_nothing() -> None:
    pods = make_pods(8, required_labels=make_selector(**{MARKET_LABEL: "spot"}))

    assert priced(pods, ON_DEMAND, ON_SPOT) == ()


def test_workloads_with_a_rule_of_one_kind_are_priced_together_too() -> None:
    """Multiples of four share no node, so that here the costs add up."""
    pods = [
        *make_pods(8, workload="a", spot_denied=DENIED),
        *make_pods(12, workload="b", spot_denied=DENIED),
    ]

    both, b, a = priced(pods, ON_DEMAND, ON_SPOT)

    assert both.workloads == ("default/Deployment/a", "default/Deployment/b")
    assert (both.subject, both.pods, both.remedy) == ("2 workloads", 20, "let them run on spot")
    assert [c.usd_per_hour for c in (both, b, a)] == pytest.approx([0.6, 0.36, 0.24])


def test_a_spread_over_zones_costs_what_the_dearer_zone_does() -> None:
    """Four pods each: a node at 0.2 and one at 0.6; without the spread both are at 0.2."""
    pods = make_pods(8, spreads=(SpreadConstraint(ZONE_LABEL, 1),))

    (cost,) = priced(pods, ON_DEMAND, ZONE_B)

    assert (cost.kind, cost.pods) == ("zone-spread", 8)
    assert cost.usd_per_hour == pytest.approx(0.4)


def test_a_spread_over_zones_of_one_price_costs_nothing() -> None:
    pods = make_pods(8, spreads=(SpreadConstraint(ZONE_LABEL, 1),))

    assert priced(pods, ON_DEMAND, make_offer(price=0.2, zone="us-east-1b")) == ()


def test_a_spread_that_is_given_up_leaves_the_limit_on_a_host() -> None:
    """Two on a host: two nodes of 0.2 and two of 0.6; without zones four of 0.2."""
    pods = make_pods(8, spreads=(SpreadConstraint(ZONE_LABEL, 1),), max_per_node=2)

    costs = {cost.kind: cost.usd_per_hour for cost in priced(pods, ON_DEMAND, ZONE_B)}

    assert costs == pytest.approx({"zone-spread": 0.8, "pods-per-host": 0.8})


def test_one_pod_a_host_costs_the_nodes_that_could_be_shared() -> None:
    (cost,) = priced(make_pods(4, max_per_node=1), ON_DEMAND)

    assert cost.kind == "pods-per-host"
    assert cost.usd_per_hour == pytest.approx(3 * 0.2)


def test_a_zone_that_is_asked_for_costs_what_others_are_cheaper() -> None:
    pods = make_pods(8, required_labels=make_selector(**{ZONE_LABEL: "us-east-1b"}))

    (cost,) = priced(pods, ON_DEMAND, ZONE_B)

    assert cost.kind == "zone"
    assert cost.usd_per_hour == pytest.approx(2 * 0.4)
    assert cost.remedy == "let it run in other zones"


def test_a_node_selector_costs_what_other_nodes_are_cheaper() -> None:
    label = "node.kubernetes.io/instance-type"
    pods = make_pods(8, required_labels=make_selector(**{label: "m6.xlarge"}))

    (cost,) = priced(pods, ON_DEMAND, make_offer("m6.xlarge", 0.3))

    assert cost.kind == "node-selector"
    assert cost.usd_per_hour == pytest.approx(2 * 0.1)
    assert cost.remedy == f"let it run on nodes with another {label} than m6.xlarge"


ARM = make_offer("m7.xlarge", 0.1, architecture="arm64")


def test_processors_that_are_asked_for_are_a_rule() -> None:
    pods = make_pods(8, required_labels=make_selector(**{"kubernetes.io/arch": "amd64"}))

    (cost,) = priced(pods, ON_DEMAND, ARM)

    assert cost.usd_per_hour == pytest.approx(2 * 0.1)
    assert cost.remedy == "build its images for more than amd64"


def test_processors_that_are_only_assumed_are_none() -> None:
    assert priced(make_pods(8), ON_DEMAND, ARM, nodes=[make_node()]) == ()


def test_nothing_is_said_once_time_is_up() -> None:
    pods = make_pods(8, spot_denied=DENIED)

    assert priced(pods, ON_DEMAND, ON_SPOT, readings=0) == ()


def test_a_cluster_without_pods_has_no_rules() -> None:
    assert priced([], ON_DEMAND) == ()


def test_of_a_large_cluster_a_part_stands_for_all() -> None:
    """Pods that are all alike fill nodes alike, whatever part is looked at."""
    workloads = MOST_ROWS + 10
    pods = [
        pod
        for i in range(workloads)
        for pod in make_pods(4, workload=f"w{i:03}", spot_denied=DENIED)
    ]

    costs = priced(pods, ON_DEMAND, ON_SPOT)

    assert len(costs[0].workloads) == workloads
    assert costs[0].usd_per_hour == pytest.approx(workloads * 0.12)
