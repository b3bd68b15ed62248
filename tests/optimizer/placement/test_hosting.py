import numpy as np
import pytest
from nodemix.optimizer.placement.hosting import Hosting
from nodemix.optimizer.placement.placed import hosting_cost_usd_per_hour
from nodemix.optimizer.problem.types import OfferCap

from tests.builders import make_pods, make_problem


def test_pending_pods_get_the_nodes_they_need() -> None:
    hosting = Hosting(make_problem(make_pods(8, cpu_milli=1000)))

    one, many = hosting.cost_usd_per_hour(np.array([1])), hosting.cost_usd_per_hour(np.array([8]))

    assert 0.0 < one < many


def test_an_answer_does_not_change_when_it_is_asked_again() -> None:
    problem = make_problem([*make_pods(4), *make_pods(3, workload="other", cpu_milli=700)])
    hosting = Hosting(problem)
    for pending in ([4, 3], [1, 0], [4, 3], [0, 2], [1, 0]):
        expected = hosting_cost_usd_per_hour(problem, np.array(pending))

        assert hosting.cost_usd_per_hour(np.array(pending)) == expected


def test_caps_do_not_stop_pods_that_wait() -> None:
    capped = make_problem(make_pods(4), caps=[OfferCap("maxNodes", np.ones(1), 0.0)])

    assert Hosting(capped).cost_usd_per_hour(np.array([4])) == pytest.approx(0.2)
