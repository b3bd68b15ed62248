import numpy as np
import pytest
from nodemix.optimizer.packing.solve import solve, warm_up

from benchmarks.baselines.equal_pods import row_by_row
from benchmarks.equal_pods import SAME, equal_pods_problem
from tests.builders import make_offer
from tests.laws.strategies import ticking
from tests.packing_checker import complaints

OFFERS = [
    make_offer(f"m5.{vcpus}x", price=0.05 * vcpus**0.9, vcpus=vcpus, memory_gib=4 * vcpus)
    for vcpus in (1, 2, 4, 8, 16, 32, 48)
]
READINGS = 300


def test_types_are_spread_evenly_over_the_prices() -> None:
    problem = equal_pods_problem(OFFERS, types=3, pods=10)

    assert [offer.instance.vcpus for offer in problem.offers] == [1, 8, 48]


@pytest.mark.parametrize("pods", [10, 50, 200])
def test_our_solver_reaches_the_optimum_of_equal_pods(pods: int) -> None:
    warm_up()
    problem = equal_pods_problem(OFFERS, types=7, pods=pods)
    optimum = row_by_row(problem)

    ours = solve(problem, ticking(READINGS), np.random.default_rng(0)).packing

    assert complaints(problem, optimum) == []
    assert ours.cost_usd_per_hour == pytest.approx(optimum.cost_usd_per_hour, rel=SAME)
