import numpy as np
from nodemix.optimizer.genetic.fleet import FleetProblem, share_cap
from nodemix.optimizer.genetic.fleet_scores import make_scorer
from nodemix.optimizer.genetic.fleet_variation import FleetBreeder, make_breeder
from nodemix.optimizer.problem.types import OfferCap

from tests.optimizer.fleets import make_fleet

NONE = np.zeros((1, 2), dtype=np.int64)


def breeder_of(problem: FleetProblem, seed: int = 0) -> FleetBreeder:
    return make_breeder(problem, np.random.default_rng(seed))


def test_repair_leaves_an_allowed_plan_alone() -> None:
    plan = np.array([[3, 4]])

    assert (breeder_of(make_fleet()).repair(plan, NONE) == plan).all()


def test_repair_moves_what_a_share_cap_forbids_to_other_pools() -> None:
    cap = share_cap("spot.maxShare", np.ones(2), np.array([False, True]), 0.5)

    repaired = breeder_of(make_fleet(caps=(cap,))).repair(np.array([[2, 8]]), NONE)

    assert repaired.tolist() == [[5, 5]]


def test_repair_drops_nodes_over_a_limit_and_no_more() -> None:
    cap = OfferCap("maxNodes", np.ones(2), 7.0)

    for seed in range(20):
        repaired = breeder_of(make_fleet(caps=(cap,)), seed).repair(np.array([[6, 4]]), NONE)
        assert repaired.sum() == 7


def test_a_plan_beyond_repair_is_replaced() -> None:
    """Neither pool may hold more than a fifth of the whole: only nothing is allowed."""
    caps = tuple(
        share_cap("maxPoolShare", np.ones(2), np.arange(2) == pool, 0.2) for pool in range(2)
    )

    assert (breeder_of(make_fleet(caps=caps)).repair(np.array([[40, 40]]), NONE) == 0).all()


def test_rounding_keeps_the_mean() -> None:
    rounded = breeder_of(make_fleet()).rounded(np.full((4000, 1), 2.25))

    assert set(rounded.ravel().tolist()) == {2, 3}
    assert abs(rounded.mean() - 2.25) < 0.03  # four standard errors


def test_children_of_a_plan_without_nodes_are_plans() -> None:
    problem = make_fleet(most_nodes=np.array([1, 0]))
    mothers = make_scorer(problem).score(np.zeros((50, 2), dtype=np.int64))

    children = breeder_of(problem).breed(mothers, np.zeros((50, 2)))

    assert {tuple(child) for child in children.tolist()} == {(0, 0), (1, 0)}


def test_worth_per_dollar_attracts_new_nodes() -> None:
    """In the worst scenario only the first pool is left."""
    problem = make_fleet()
    mothers = make_scorer(problem).score(np.full((400, 2), 5))

    children = breeder_of(problem).breed(mothers, np.full((400, 2), 5.0))

    more_of_first, more_of_second = (children > 5).sum(axis=0)
    assert more_of_first > 2 * more_of_second
