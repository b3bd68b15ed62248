from itertools import product

import numpy as np
import pytest
from nodemix.optimizer.genetic.fleet import FleetProblem, share_cap
from nodemix.optimizer.genetic.fleet_polish import make_polisher
from nodemix.optimizer.genetic.fleet_scores import Brood, cost_cvar_front, make_scorer
from nodemix.optimizer.problem.types import IntArray
from nodemix.optimizer.risk.front import hypervolume

from tests.laws.strategies import ticking
from tests.optimizer.fleets import make_fleet

READINGS = 10_000
VCPUS = np.array([1.0, 3.0, 2.0])
WORST = (2.6, 1.0)
ONE_POOL = np.outer(np.arange(15), np.array([1, 0, 0]))


def capped_fleet() -> FleetProblem:
    """Three pools; of the two that are sometimes lost, each holds at most half of the vCPUs."""
    surviving = ((1.0, 1.0, 1.0), (1.0, 0.2, 1.0), (1.0, 0.9, 0.4), (1.0, 1.0, 0.1))
    return make_fleet(
        prices=(0.2, 0.3, 0.21),
        surviving=surviving,
        demand=[[12.0]] * 4,
        capacity=VCPUS[:, None],
        nodes_now=np.zeros(3, dtype=np.int64),
        most_nodes=np.array([14, 7, 9]),
        caps=tuple(share_cap("maxPoolShare", VCPUS, np.arange(3) == pool, 0.5) for pool in (1, 2)),
    )


def polished(problem: FleetProblem, counts: IntArray, readings: int = READINGS) -> Brood:
    scorer = make_scorer(problem)
    polisher = make_polisher(problem, scorer, np.inf, np.random.default_rng(0))
    return polisher.polish(cost_cvar_front(scorer.score(counts)), 1000, ticking(readings))


def within_caps(problem: FleetProblem, counts: IntArray) -> IntArray:
    coefficients, limits = problem.scaled_caps()
    kept: IntArray = counts[(counts @ coefficients.T <= limits + 1e-9).all(axis=1)]
    return kept


def area(front: Brood) -> float:
    return hypervolume(front.objectives[:, 0], front.objectives[:, 1], WORST)


def test_from_dull_plans_nearly_the_front_of_all_plans_is_found() -> None:
    problem = capped_fleet()
    every = np.array(list(product(*(range(most + 1) for most in problem.most_nodes))))
    best = cost_cvar_front(make_scorer(problem).score(within_caps(problem, every)))
    dull = make_scorer(problem).score(ONE_POOL)

    front = polished(problem, ONE_POOL)

    assert area(dull) < 0.95 * area(best)
    assert area(front) >= 0.99 * area(best)


def test_plans_stay_within_caps_and_quotas() -> None:
    problem = capped_fleet()

    front = polished(problem, ONE_POOL)

    assert len(within_caps(problem, front.counts)) == len(front)
    assert (front.counts >= 0).all()
    assert (front.counts <= problem.most_nodes).all()


def test_scores_are_those_of_the_scorer() -> None:
    problem = capped_fleet()

    front = polished(problem, ONE_POOL)

    again = make_scorer(problem).score(front.counts)
    assert front.objectives == pytest.approx(again.objectives)
    assert (np.diff(front.objectives[:, 0]) > 0.0).all()
    assert (np.diff(front.objectives[:, 1]) < 0.0).all()


@pytest.mark.parametrize("readings", [0, 3])
def test_without_time_the_front_is_as_good_at_least(readings: int) -> None:
    problem = capped_fleet()
    start = np.array([[0, 0, 0], [14, 0, 0], [4, 2, 2]])
    before = cost_cvar_front(make_scorer(problem).score(start))

    after = polished(problem, start, readings)

    assert area(after) >= area(before)


def test_nothing_to_buy_is_left_alone() -> None:
    assert polished(capped_fleet(), np.array([[0, 0, 0]])).counts.tolist() == [[0, 0, 0]]
