"""Whatever the fleet, the search keeps its promises."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.genetic.fleet import COST, CVAR, FleetFront, FleetProblem
from nodemix.optimizer.genetic.fleet_scores import make_scorer
from nodemix.optimizer.genetic.fleet_search import FleetEvolution
from nodemix.optimizer.genetic.fleet_variation import make_breeder
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.risk.front import CutModel, hypervolume, linear_front, search_front

from tests.laws.fleet_strategies import SMALL, fleets, plans
from tests.laws.strategies import ticking

READINGS = 10_000
SINGLE_PRECISION = 1e-4
"""Sums of a few products of seven digits each."""
CAP_ROUNDING = 1e-6


def slow_objectives(problem: FleetProblem, counts: IntArray) -> tuple[float, float, float, float]:
    """The four objectives of one plan in plain loops."""
    shortages = []
    for left, demand in zip(problem.surviving, problem.demand, strict=True):
        worst = 0.0
        for d, wanted in enumerate(demand):
            served = sum(
                n * s * c[d] for n, s, c in zip(counts, left, problem.capacity, strict=True)
            )
            if wanted > 0.0:
                worst = max(worst, (wanted - served) / wanted)
        shortages.append(worst)
    tail = round((1.0 - problem.alpha) * len(shortages), 9)
    ranked = sorted(shortages, reverse=True)[: math.ceil(tail)]
    weights = [min(1.0, tail - i) for i in range(len(ranked))]
    cvar = sum(w * s for w, s in zip(weights, ranked, strict=True)) / tail
    prices = problem.price_usd_per_hour + problem.interruption_usd_per_hour
    cost = sum(n * price for n, price in zip(counts, prices, strict=True))
    churn = sum(abs(n - now) for n, now in zip(counts, problem.nodes_now, strict=True))
    held = [n * c[0] for n, c in zip(counts, problem.capacity, strict=True)]
    return cost, cvar, churn, max(held) / sum(held) if sum(held) else 0.0


def front_of(problem: FleetProblem, seed: int = 0) -> FleetFront:
    return search_front(problem, ticking(READINGS), np.random.default_rng(seed), SMALL)


def evolution_of(problem: FleetProblem, seeds: FloatArray) -> FleetEvolution:
    return FleetEvolution(problem, seeds, np.random.default_rng(0), SMALL)


def assert_allowed(problem: FleetProblem, counts: IntArray) -> None:
    assert (counts >= 0).all()
    assert (counts <= problem.most_nodes).all()
    for cap in problem.caps:
        assert (counts @ cap.coefficients <= cap.limit + CAP_ROUNDING).all(), cap.name


@given(st.data())
def test_scores_equal_those_of_plain_loops(data: st.DataObject) -> None:
    problem = data.draw(fleets())
    counts = data.draw(plans(problem))

    scored = make_scorer(problem).score(counts)

    for plan, objectives in zip(counts, scored.objectives, strict=True):
        assert objectives == pytest.approx(
            slow_objectives(problem, plan), rel=SINGLE_PRECISION, abs=SINGLE_PRECISION
        )


@given(st.data())
def test_a_node_more_never_raises_the_shortage(data: st.DataObject) -> None:
    problem = data.draw(fleets())
    counts = data.draw(plans(problem))
    more = counts.copy()
    more[:, data.draw(st.integers(0, problem.pools - 1))] += 1
    scorer = make_scorer(problem)

    assert (scorer.shortage(more) <= scorer.shortage(counts) + SINGLE_PRECISION).all()
    fall = scorer.score(counts).objectives[:, CVAR] - scorer.score(more).objectives[:, CVAR]
    assert (fall >= -SINGLE_PRECISION).all()


@given(st.data())
def test_repaired_plans_keep_quotas_and_caps(data: st.DataObject) -> None:
    problem = data.draw(fleets())
    counts = data.draw(plans(problem))

    repaired = make_breeder(problem, np.random.default_rng(0)).repair(counts, counts * 0)

    assert_allowed(problem, repaired)


@given(fleets())
def test_plans_of_the_front_keep_quotas_and_caps(problem: FleetProblem) -> None:
    assert_allowed(problem, front_of(problem).counts)


@given(fleets())
def test_no_plan_of_the_front_is_dominated(problem: FleetProblem) -> None:
    objectives = front_of(problem).objectives

    for i, one in enumerate(objectives):
        others = np.delete(objectives, i, axis=0)
        assert not (others <= one).all(axis=1).any()


@given(fleets())
def test_the_front_ascends_in_cost_and_its_figures_are_those_of_its_counts(
    problem: FleetProblem,
) -> None:
    front = front_of(problem)

    assert (np.diff(front.cost_usd_per_hour) >= 0.0).all()
    again = make_scorer(problem).score(front.counts).objectives
    assert again == pytest.approx(front.objectives, abs=SINGLE_PRECISION)


@given(fleets(), st.integers(0, 99))
def test_the_same_seed_gives_the_same_front_in_any_thread(problem: FleetProblem, seed: int) -> None:
    with ThreadPoolExecutor(2) as executor:
        elsewhere = [executor.submit(front_of, problem, seed) for _ in range(2)]
        here = front_of(problem, seed)

        for other in elsewhere:
            assert (other.result().counts == here.counts).all()
            assert (other.result().objectives == here.objectives).all()


@given(fleets())
def test_hypervolume_never_falls_and_seeds_never_leave(problem: FleetProblem) -> None:
    seeds = linear_front(problem, 6, ticking(READINGS), gap=1e-3).counts
    evolution = evolution_of(problem, seeds)
    settled = {row.tobytes() for row in evolution.seeds.counts}
    worst = (float(evolution.archive.objectives[:, COST].max()) + 1.0, 1.0)
    before = 0.0
    for _ in range(4):
        archive = evolution.archive.objectives
        volume = hypervolume(archive[:, COST], archive[:, CVAR], worst)
        assert volume >= before
        assert settled <= {row.tobytes() for row in evolution.population.counts}
        assert len(evolution.population) <= SMALL.population
        before = volume
        evolution.advance()


@given(fleets(), st.floats(0.01, 100.0))
def test_no_plan_of_whole_nodes_beats_the_linear_optimum(
    problem: FleetProblem, weight: float
) -> None:
    front = front_of(problem)
    optimum = CutModel(problem).solve(weight, 1e-7, ticking(READINGS))

    assert optimum is not None
    value = optimum.cost_usd_per_hour + weight * optimum.cvar
    slack = SINGLE_PRECISION * (1.0 + weight)
    assert (front.cost_usd_per_hour + weight * front.cvar >= value - slack).all()
