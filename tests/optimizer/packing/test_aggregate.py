from time import monotonic

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packing.aggregate import aggregate_duals
from nodemix.optimizer.packing.market import Market, to_market
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import make_offer, make_pods, make_problem

SMALL = make_offer("m5.large", 0.1, vcpus=2, memory_gib=8)
LARGE = make_offer("c5.xlarge", 0.15, vcpus=4, memory_gib=8)


def soon() -> Deadline:
    return Deadline.after(monotonic, 10.0)


def bound_of(problem: Problem) -> float:
    market = to_market(problem)
    duals = aggregate_duals(market, soon())
    assert duals is not None
    return duals.bound_usd_per_hour(market)


def test_cores_alone_cost_what_the_cheapest_core_costs() -> None:
    pods = make_pods(8, cpu_milli=1000, memory_mib=1)

    assert bound_of(make_problem(pods, [SMALL, LARGE])) == pytest.approx(8 * 0.15 / 4)


def test_a_cap_on_the_cheapest_offer_is_in_the_bound() -> None:
    pods = make_pods(8, cpu_milli=1000, memory_mib=1)
    one_large = OfferCap("one", np.array([0.0, 1.0]), 1.0)

    bound = bound_of(make_problem(pods, [SMALL, LARGE], [one_large]))

    assert bound == pytest.approx(0.15 + 2 * 0.1)


def test_pods_that_only_one_offer_holds_are_paid_for_there() -> None:
    fits_large_only = make_pods(1, name="big", workload="big", cpu_milli=4000, memory_mib=1)
    small = make_pods(1, cpu_milli=1, memory_mib=1)

    bound = bound_of(make_problem([*fits_large_only, *small], [SMALL, LARGE]))

    assert bound >= 0.15 - 1e-6


SIZES = st.lists(
    st.tuples(st.integers(1, 6), st.integers(100, 3_500), st.integers(100, 7_000)),
    min_size=1,
    max_size=5,
)


def worth_of_patterns(
    market: Market, rows: np.ndarray, offer: int, rng: np.random.Generator
) -> float:
    """The worth of pods thrown into one node until nothing fits."""
    left, worth = market.room[offer].copy(), 0.0
    limits = market.limits.copy()
    for row in rng.permutation(np.repeat(np.arange(market.rows), 12)).tolist():
        fits = (market.requests[row] <= left).all() and market.compatible[offer, row]
        if fits and limits[row] > 0:
            left -= market.requests[row]
            limits[row] -= 1
            worth += float(rows[row])
    return worth


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes=SIZES, most_large=st.integers(0, 3), seed=st.integers(0, 99))
def test_the_duals_are_feasible_and_below_any_plan(
    sizes: list[tuple[int, int, int]], most_large: int, seed: int
) -> None:
    pods = [
        pod
        for i, (count, cpu, memory) in enumerate(sizes)
        for pod in make_pods(
            count, name=f"p{i}", workload=f"w{i}", cpu_milli=cpu, memory_mib=memory
        )
    ]
    cap = OfferCap("most", np.array([0.0, 1.0, 0.0]), float(most_large))
    huge = make_offer("r5.4xlarge", 1.0, vcpus=16, memory_gib=128)
    problem = make_problem(pods, [SMALL, LARGE, huge], [cap])
    market = to_market(problem)
    duals = aggregate_duals(market, soon())
    assert duals is not None

    charged = duals.charged(market)
    rng = np.random.default_rng(seed)
    for offer in range(len(market.price)):
        assert worth_of_patterns(market, duals.rows, offer, rng) <= charged[offer] * (1 + 1e-9)
    plan = solve(problem, Deadline.after(monotonic, 0.05), np.random.default_rng(0))
    assert duals.bound_usd_per_hour(market) <= plan.packing.cost_usd_per_hour * (1 + 1e-9)
