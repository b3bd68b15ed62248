import numpy as np
import pytest
from nodemix.optimizer.genetic.fleet import FleetProblem, share_cap
from nodemix.optimizer.genetic.fleet_search import FleetSearchParams
from nodemix.optimizer.problem.types import OfferCap
from nodemix.optimizer.risk.front import CutModel, hypervolume, linear_front, search_front
from scipy.optimize import linprog

from tests.laws.strategies import ticking
from tests.optimizer.fleets import make_fleet

READINGS = 10_000
EXACT = 1e-8
WORST = (2.0, 1.0)


def random_fleet(seed: int) -> FleetProblem:
    """Six pools, two dimensions, 60 scenarios, three caps of which some bind."""
    rng = np.random.default_rng(seed)
    pools, scenarios = 6, 60
    vcpus = rng.integers(1, 9, pools).astype(np.float64)
    is_hit = rng.random((scenarios, pools)) < 0.2
    return FleetProblem(
        price_usd_per_hour=0.05 * vcpus * rng.uniform(0.8, 1.2, pools),
        interruption_usd_per_hour=rng.uniform(0.0, 0.01, pools),
        capacity=np.column_stack([vcpus, 4.0 * vcpus * rng.uniform(0.5, 1.5, pools)]),
        surviving=1.0 - is_hit * rng.beta(2.1, 0.9, (scenarios, pools)),
        demand=rng.uniform(0.8, 1.2, (scenarios, 1)) * [100.0, 400.0],
        nodes_now=np.zeros(pools, dtype=np.int64),
        most_nodes=np.full(pools, 40, dtype=np.int64),
        caps=(
            share_cap("maxPoolShare", vcpus, np.arange(pools) == 0, 0.3),
            share_cap("minOnDemandShare", vcpus, np.arange(pools) < 4, 0.8),
            OfferCap("budget.usdPerHour", 0.05 * vcpus, 9.0),
        ),
        alpha=0.93,  # of 60 scenarios the worst 4.2
    )


def rockafellar_uryasev(problem: FleetProblem, weight: float) -> float:
    """The optimum of the whole linear program: counts, threshold, shortage and excess."""
    scenarios = len(problem.surviving)
    share = 1.0 / ((1.0 - problem.alpha) * scenarios)
    cost = np.concatenate([problem.cost_usd_per_hour, [weight], np.full(scenarios, weight * share)])
    rows, limits = [], []
    for d in range(problem.demand.shape[1]):
        served = problem.surviving * problem.capacity[:, d] / problem.demand[:, d, None]
        rows.append(np.hstack([-served, -np.ones((scenarios, 1)), -np.eye(scenarios)]))
        limits.append(-np.ones(scenarios))
    for cap in problem.caps:
        rows.append(np.concatenate([cap.coefficients, np.zeros(1 + scenarios)])[None])
        limits.append(np.array([cap.limit]))
    bounds = [(0, most) for most in problem.most_nodes] + [(0, None)] * (1 + scenarios)
    solved = linprog(cost, np.vstack(rows), np.concatenate(limits), bounds=bounds)
    assert solved.fun is not None, solved.message
    return float(solved.fun)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weight", [2.0, 10.0, 40.0, 300.0])
def test_cuts_reach_the_optimum_of_the_whole_program(seed: int, weight: float) -> None:
    problem = random_fleet(seed)

    point = CutModel(problem).solve(weight, EXACT, ticking(READINGS))

    assert point is not None
    value = point.cost_usd_per_hour + weight * point.cvar
    assert value == pytest.approx(rockafellar_uryasev(problem, weight), rel=1e-5)
    for cap in problem.caps:
        assert point.counts @ cap.coefficients <= cap.limit + 1e-5


def test_linear_front_bends_one_way_from_nothing_to_safe() -> None:
    front = linear_front(random_fleet(3), 12, ticking(READINGS), gap=1e-6)

    assert front.counts[0].sum() == 0.0
    assert len(front.cvar) > 4
    slopes = np.diff(front.cvar) / np.diff(front.cost_usd_per_hour)
    assert (slopes < 0.0).all()
    assert (np.diff(slopes) > -1e-6).all()


def test_without_time_the_linear_front_is_to_buy_nothing() -> None:
    front = linear_front(random_fleet(0), 12, ticking(0), gap=1e-6)

    assert front.cost_usd_per_hour.tolist() == [0.0]
    assert front.cvar.tolist() == [1.0]


def test_a_dimension_that_no_pool_serves_leaves_only_nothing_to_buy() -> None:
    fleet = make_fleet(capacity=np.array([[1.0, 0.0]] * 2), demand=[[10.0, 10.0]] * 2)

    front = search_front(
        fleet, ticking(200), np.random.default_rng(0), FleetSearchParams(population=8)
    )

    assert front.counts.tolist() == [[0, 0]]


def test_search_is_at_least_as_good_as_the_rounded_linear_front() -> None:
    problem = random_fleet(1)
    linear = linear_front(problem, 40, ticking(READINGS), gap=1e-6)
    params = FleetSearchParams(population=40, generations=15)

    front = search_front(problem, ticking(READINGS), np.random.default_rng(0), params)

    model = CutModel(problem)
    rounded = [model.point(np.ceil(counts - 1e-9)) for counts in linear.counts]
    cost = np.array([point.cost_usd_per_hour for point in rounded])
    cvar = np.array([point.cvar for point in rounded])
    worst = (float(cost.max()) + 1.0, 0.5)
    ours = hypervolume(front.cost_usd_per_hour, front.cvar, worst)
    assert ours >= hypervolume(cost, cvar, worst)


def test_hypervolume_is_the_area_under_stairs() -> None:
    cost, cvar = np.array([1.0, 0.5, 1.5]), np.array([0.2, 0.6, 0.3])

    assert hypervolume(cost, cvar, WORST) == pytest.approx(1.5 * 0.4 + 1.0 * 0.4)


def test_plans_outside_the_box_add_no_hypervolume() -> None:
    assert hypervolume(np.array([2.5, 0.1]), np.array([0.1, 1.2]), WORST) == 0.0
