import numpy as np
import pytest
from nodemix.optimizer.explain.prices import resource_prices
from nodemix.optimizer.problem.types import OfferCap

from tests.builders import make_pods, make_problem
from tests.optimizer.explain.results import make_result


def test_prices_of_resources_are_recovered_from_the_duals_they_made() -> None:
    problem = make_problem(
        [
            *make_pods(5, cpu_milli=1000, memory_mib=1024),
            *make_pods(3, cpu_milli=500, memory_mib=4096),
        ]
    )

    prices = resource_prices(problem, make_result([0.03 + 0.004, 0.015 + 0.016], []))

    assert prices.usd_per_core_hour == pytest.approx(0.03)
    assert prices.usd_per_gib_hour == pytest.approx(0.004)
    assert prices.usd_per_gpu_hour is None


def test_only_binding_caps_are_named() -> None:
    caps = [OfferCap("limits.maxNodes", np.ones(1), 3.0), OfferCap("budget", np.ones(1), 9.0)]
    problem = make_problem(caps=caps)

    prices = resource_prices(problem, make_result([0.05], [0.02, 0.0]))

    assert prices.caps == (("limits.maxNodes", 0.02),)
