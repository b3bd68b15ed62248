"""Nodes chosen Karpenter's way: first fit, consolidation, and headroom tuned to a plan's safety."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.explain import baseline
from nodemix.optimizer.explain.baseline import Kept, karpenter_like
from nodemix.optimizer.explain.karpenter_nodes import Market, SetUp, consolidate, provision
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.bound import fractional_bound
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.problem.benchmark import read_instance
from nodemix.optimizer.problem.types import OfferCap, Problem
from nodemix.optimizer.snapshot import Pod

from benchmarks.baselines.karpenter import tuned
from tests.builders import SPOT, make_offer, make_pods, make_problem
from tests.laws.strategies import problems

FOUR = make_offer("m5.xlarge", 0.2, vcpus=4)
TWO = make_offer("m5.large", 0.1, vcpus=2, memory_gib=8)
ON_SPOT = make_offer("m5.xlarge", 0.06, vcpus=4, capacity_type=SPOT)


def in_time(readings: float = 1e9) -> Deadline:
    ticks = count()
    return Deadline.after(lambda: float(next(ticks)), readings)


def cost(
    pods: Sequence[Pod], offers: Sequence[Offer], caps: Sequence[OfferCap] = ()
) -> tuple[float | None, int]:
    """Price and number of nodes, without headroom."""
    problem = make_problem(pods, offers, caps)
    found = karpenter_like(problem, problem.demand, in_time())
    assert found is not None
    return found.usd_per_hour, found.nodes


def held(packing: Packing) -> int:
    return sum(group.count * pods for group in packing.nodes for _, pods in group.pods)


def test_nodes_are_filled_one_after_the_other_and_bought_as_cheaply_as_what_is_on_them() -> None:
    """Ten cores: two full nodes of four, and what is left fits on one of two."""
    assert cost(make_pods(10), [FOUR, TWO]) == pytest.approx((0.5, 3))


def test_pods_that_may_run_on_spot_do_and_the_others_do_not() -> None:
    bold = make_pods(4, workload="bold")
    shy = make_pods(4, workload="shy", spot_denied="says so")

    assert cost([*bold, *shy], [FOUR, ON_SPOT]) == pytest.approx((0.26, 2))


def test_a_limit_on_a_node_is_kept() -> None:
    assert cost(make_pods(3, max_per_node=1), [TWO, FOUR]) == pytest.approx((0.3, 3))


def test_consolidation_puts_two_half_empty_nodes_on_one() -> None:
    """First fit by size opens a second node for the last small pod; one larger node holds all."""
    large = make_offer("m5.2xlarge", 0.21, vcpus=8, memory_gib=32)
    pods = [*make_pods(1, workload="a", cpu_milli=3000), *make_pods(2, workload="b")]

    assert cost(pods, [FOUR, TWO, large]) == pytest.approx((0.21, 1))


def test_committed_nodes_are_filled_first_as_many_as_there_are() -> None:
    committed = replace(FOUR, price_usd_per_hour=0.01, terms="reserved")
    limit = OfferCap("commitments (reserved)", np.array([0.0, 1.0]), 1.0)

    assert cost(make_pods(6), [FOUR, committed], [limit]) == pytest.approx((0.21, 2))


def test_pods_that_committed_nodes_alone_could_hold_may_find_no_place() -> None:
    committed = replace(make_offer("m5.4xlarge", 0.1, vcpus=16), terms="reserved")
    limit = OfferCap("commitments (reserved)", np.array([0.0, 1.0]), 1.0)
    problem = make_problem(make_pods(3, cpu_milli=8000), [FOUR, committed], [limit])

    found = karpenter_like(problem, problem.demand, in_time())

    assert found is not None
    assert (found.usd_per_hour, found.nodes) == (None, 0)
    assert "limited number" in found.why


def test_nodes_that_run_already_are_not_bought() -> None:
    running = replace(FOUR, price_usd_per_hour=0.2, is_in_place=True)

    assert cost(make_pods(4), [TWO, running]) == pytest.approx((0.2, 2))


def test_nodes_that_stay_are_paid_too() -> None:
    problem = make_problem(make_pods(4), [FOUR])

    found = karpenter_like(problem, problem.demand, in_time(), kept=Kept(2, 0.5))

    assert found is not None
    assert (found.usd_per_hour, found.nodes, found.headroom) == pytest.approx((0.7, 3, 0.0))


def test_where_no_pod_needs_a_place_only_the_kept_nodes_cost() -> None:
    problem = make_problem(make_pods(4), [FOUR])

    found = karpenter_like(problem, np.zeros(1, dtype=np.int64), in_time(), kept=Kept(1, 0.3))

    assert found is not None
    assert (found.usd_per_hour, found.nodes) == (0.3, 1)


def test_pods_that_are_only_forecast_get_nodes_where_the_plan_has_some() -> None:
    problem = make_problem(make_pods(4), [FOUR])
    none_yet = np.zeros(1, dtype=np.int64)

    found = karpenter_like(problem, none_yet, in_time(), lambda p: float(held(p) < 1))

    assert found is not None
    assert (found.usd_per_hour, found.nodes) == pytest.approx((0.2, 1))


def test_headroom_is_as_small_as_makes_it_as_safe_as_the_plan() -> None:
    """Thirteen places are needed for ten pods: 0.2 gives twelve, 0.2125 is the next one tried."""
    problem = make_problem(make_pods(10), [FOUR])

    def shortfall(packing: Packing) -> float:
        return 0.01 if held(packing) >= 13 else 0.2

    found = karpenter_like(problem, problem.demand, in_time(), shortfall, accepted=0.01)

    assert found is not None
    assert found.headroom == pytest.approx(0.2125)
    assert (found.usd_per_hour, found.nodes) == pytest.approx((0.8, 4))
    assert "falls short on 0.010 of the same paths" in found.why


def test_no_headroom_where_the_pods_of_today_are_as_safe_as_the_plan() -> None:
    problem = make_problem(make_pods(10), [FOUR])

    found = karpenter_like(problem, problem.demand, in_time(), lambda _: 0.3, accepted=0.3)

    assert found is not None
    assert found.headroom == 0.0


def test_where_no_headroom_is_enough_it_says_so() -> None:
    problem = make_problem(make_pods(2), [FOUR])

    found = karpenter_like(problem, problem.demand, in_time(), lambda _: 1.0, accepted=0.0)

    assert found is not None
    assert found.usd_per_hour is None
    assert "even 640% of spare pods" in found.why


def test_without_time_there_is_no_comparison() -> None:
    problem = make_problem(make_pods(2), [FOUR])

    assert karpenter_like(problem, problem.demand, in_time(0)) is None
    assert karpenter_like(problem, problem.demand, in_time(8), lambda _: 1.0) is None


@given(problems())
def test_every_pod_gets_a_place_that_is_allowed(problem: Problem) -> None:
    market = Market.of(problem)

    chosen = baseline._cheapest_set_up(market, problem.demand, in_time())

    assert chosen is not None
    fleet = chosen[1]
    assert fleet is not None
    assert (fleet.pods.sum(axis=0) == problem.demand).all()
    assert (fleet.pods @ problem.requests <= problem.room[fleet.offers]).all()
    assert (fleet.pods <= problem.max_per_node).all()
    assert problem.compatible[:, fleet.offers].T[fleet.pods > 0].all()
    assert market.cost_usd_per_hour(fleet) >= fractional_bound(to_market(problem)) - 1e-9


@given(problems(most_rows=3))
def test_consolidation_never_costs_more(problem: Problem) -> None:
    market, set_up = Market.of(problem), SetUp(np.inf, np.inf, is_split=False)
    fleet = provision(market, set_up, problem.demand)
    assert fleet is not None

    smaller = consolidate(market, set_up, fleet)

    assert market.cost_usd_per_hour(smaller) <= market.cost_usd_per_hour(fleet) + 1e-9
    assert (smaller.pods.sum(axis=0) == problem.demand).all()


@pytest.mark.parametrize("name", ["d1_micro100", "d3_gpu300", "d5_awkward1k"])
def test_it_is_no_straw_man(name: str, nodemix_data: Path) -> None:
    """Within 2 % of the full version with all its settings chosen in hindsight."""
    data = nodemix_data / "optimizer"
    files = data / "instances" / f"{name}.json", data / "catalog_aws.csv"
    problem = read_instance(*files, data / "offers_us_east_1.csv")

    found = karpenter_like(problem, problem.demand, in_time())

    assert found is not None
    assert found.usd_per_hour is not None
    assert found.usd_per_hour <= 1.02 * tuned(problem).cost_usd_per_hour
