import random
from itertools import product

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.fleet import FleetFront, FleetProblem
from nodemix.optimizer.genetic.fleet_scores import make_scorer
from nodemix.optimizer.genetic.fleet_search import (
    FleetEvolution,
    FleetSearchParams,
    evolve_fleet,
    make_guide,
    undominated,
)
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.risk.front import hypervolume

from tests.laws.strategies import ticking
from tests.optimizer.fleets import make_fleet

SMALL = FleetSearchParams(population=24, generations=25)
NO_SEEDS = np.zeros((0, 2))


def evolved(
    problem: FleetProblem, seeds: FloatArray = NO_SEEDS, seed: int = 0, readings: int = 1000
) -> FleetFront:
    rng = np.random.default_rng(seed)
    return evolve_fleet(problem, seeds, ticking(readings), rng, SMALL)


def test_search_finds_the_front_of_all_plans() -> None:
    surviving = ((1.0, 1.0), (1.0, 0.3), (0.8, 0.9))
    problem = make_fleet(surviving=surviving, demand=[[10.0]] * 3, alpha=0.6)
    every = np.array(list(product(range(15), range(15))))
    best = make_scorer(problem).score(every).objectives
    worst = (3.0, 1.0)

    front = evolved(problem)

    found = hypervolume(front.cost_usd_per_hour, front.cvar, worst)
    assert found >= 0.99 * hypervolume(best[:, 0], best[:, 1], worst)


def test_seeds_are_bettered_or_kept() -> None:
    problem = make_fleet()
    seeds = np.array([[7.0, 3.0], [10.0, 0.0], [0.0, 12.0]])
    settled = make_scorer(problem).score(seeds.astype(np.int64)).objectives

    front = evolved(problem, seeds)

    for one in settled:
        assert (front.objectives <= one + 1e-6).all(axis=1).any()


def test_todays_fleet_is_on_the_front_as_the_plan_without_churn() -> None:
    problem = make_fleet(nodes_now=np.array([3, 9]))

    front = evolved(problem)

    assert front.objectives[(front.counts == [3, 9]).all(axis=1), 2].tolist() == [0.0]


def test_without_time_the_front_is_made_of_the_first_plans() -> None:
    front = evolved(make_fleet(), np.array([[10.0, 0.0]]), readings=0)

    assert [10, 0] in front.counts.tolist()


def test_global_generators_have_no_say() -> None:
    random.seed(1)
    first = evolved(make_fleet(), seed=3)
    random.seed(2)
    second = evolved(make_fleet(), seed=3)

    assert (first.counts == second.counts).all()


def test_more_seeds_than_places_leave_room_for_others() -> None:
    seeds = np.column_stack([np.arange(40.0), np.zeros(40)])
    evolution = FleetEvolution(make_fleet(), seeds, np.random.default_rng(0), SMALL)

    assert len(evolution.seeds) == SMALL.population // 2
    assert len(evolution.population) == SMALL.population


def test_guide_mixes_the_seeds_around_a_cost() -> None:
    guide = make_guide(make_fleet(), np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 0.0]]))

    assert guide.at_cost(np.array([-1.0, 0.5, 1.5, 9.0]))[:, 0].tolist() == [0.0, 2.5, 7.5, 10.0]


def test_of_equal_rows_the_first_is_undominated() -> None:
    objectives = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 2.0], [3.0, 1.0]])

    assert undominated(objectives).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("population", 3), ("generations", -1), ("reach", 0), ("guided", 1.5), ("from_archive", -1.0)],
)
def test_settings_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ParameterError, match=field):
        FleetSearchParams(**{field: value})  # type: ignore[arg-type] # one field at a time
