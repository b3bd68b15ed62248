import numpy as np
import pytest
from nodemix.optimizer.genetic.fleet_scores import make_scorer

from tests.optimizer.fleets import make_fleet


def test_shortage_is_the_share_of_demand_that_no_node_left_serves() -> None:
    scorer = make_scorer(
        make_fleet(surviving=((1.0, 1.0), (1.0, 0.5), (1.0, 0.0)), demand=[[10.0]] * 3)
    )

    assert scorer.shortage(np.array([[4, 6], [0, 0]])) == pytest.approx(
        np.array([[0.0, 0.3, 0.6], [1.0, 1.0, 1.0]])
    )


def test_the_scarcest_dimension_counts() -> None:
    fleet = make_fleet(capacity=np.array([[1.0, 4.0], [1.0, 1.0]]), demand=[[10.0, 20.0]] * 2)

    assert make_scorer(fleet).shortage(np.array([[2, 8]])) == pytest.approx(
        np.array([[0.2, 0.8]])  # memory lacks 4 of 20, then cpu 8 of 10
    )


def test_nothing_demanded_is_no_shortage() -> None:
    scorer = make_scorer(make_fleet(demand=[[0.0]] * 2))

    assert (scorer.shortage(np.array([[0, 0]])) == 0.0).all()


def test_a_fraction_of_a_scenario_counts_in_part() -> None:
    """Shortages 1.0, 0.5, 0.2 and 0; the worst 1.5 of four weigh 1 and 0.5."""
    surviving = ((1.0, 0.0), (1.0, 0.5), (1.0, 0.8), (1.0, 1.0))
    fleet = make_fleet(surviving=surviving, demand=[[10.0]] * 4, alpha=0.625)

    assert make_scorer(fleet).score(np.array([[0, 10]])).objectives[0, 1] == pytest.approx(
        (1.0 + 0.5 * 0.5) / 1.5
    )


def test_objectives_are_cost_tail_shortage_churn_and_concentration() -> None:
    fleet = make_fleet(nodes_now=np.array([1, 8]))

    scored = make_scorer(fleet).score(np.array([[4, 6]]))

    assert scored.objectives[0] == pytest.approx([1.4, 0.6, 5.0, 0.6])


def test_worth_is_what_a_node_more_takes_off_the_tail() -> None:
    scorer = make_scorer(make_fleet())
    few, one_more = scorer.score(np.array([[4, 6]])), scorer.score(np.array([[5, 6]]))

    assert few.worth[0] == pytest.approx([0.1, 0.0])  # the second pool is gone when it matters
    assert one_more.objectives[0, 1] == pytest.approx(few.objectives[0, 1] - 0.1)


def test_many_plans_score_as_one_by_one() -> None:
    scorer = make_scorer(make_fleet())
    counts = np.random.default_rng(0).integers(0, 15, (600, 2))

    together = scorer.score(counts).objectives

    alone = np.concatenate([scorer.score(row[None]).objectives for row in counts])
    assert together == pytest.approx(alone, abs=1e-6)
