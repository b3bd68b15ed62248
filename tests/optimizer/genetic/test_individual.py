import numpy as np
import pytest
from nodemix.optimizer.genetic.individual import Individual, is_same, score, to_individual
from nodemix.optimizer.packing.columns import ColumnPool

from tests.optimizer.packing.markets import draft_of, make_market


def test_scores_are_cost_largest_share_and_kinds() -> None:
    market = make_market(
        workloads=[(8, 1000), (8, 2000)],
        offers=[(4, 0.2), (8, 0.3)],
        caps=[([1.0, 0.0], 9.0), ([0.0, 1.0], 9.0)],
    )
    pool = ColumnPool(market)
    one = to_individual(pool, draft_of(market, (0, [4, 0], 2), (1, [0, 4], 2)))
    other = to_individual(pool, draft_of(market, (0, [4, 0], 2), (0, [0, 2], 4)))

    score(market, pool, [one, other])

    assert one.fitness.values == pytest.approx((1.0, 0.6, 2))
    assert other.fitness.values == pytest.approx((1.2, 1.0, 2))
    assert one.fitness.dominates(other.fitness)


def test_an_individual_and_its_draft_are_the_same_plan() -> None:
    market = make_market(workloads=[(10, 1000)])
    pool = ColumnPool(market)
    draft = draft_of(market, (0, [4], 2), (0, [2], 1))

    back = to_individual(pool, draft).to_draft(market, pool)

    assert back.cost_usd_per_hour == draft.cost_usd_per_hour
    assert (back.held == draft.held).all()


def test_patterns_found_later_do_not_make_two_plans_differ() -> None:
    early, late = Individual(np.array([1, 2])), Individual(np.array([1, 2, 0]))

    assert is_same(early, late)
    assert not is_same(early, Individual(np.array([1, 2, 3])))


def test_scoring_nobody_is_fine() -> None:
    market = make_market()

    score(market, ColumnPool(market), [])
