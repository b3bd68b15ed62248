from typing import Any

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.genetic.fleet import share_cap
from nodemix.optimizer.problem.types import OfferCap

from tests.optimizer.fleets import make_fleet


def test_a_node_costs_its_price_and_its_expected_reclaims() -> None:
    fleet = make_fleet(interruption_usd_per_hour=np.array([0.0, 0.05]))

    assert fleet.cost_usd_per_hour == pytest.approx([0.2, 0.15])


def test_a_share_cap_is_kept_up_to_the_share() -> None:
    cap = share_cap("maxPoolShare", np.array([4.0, 8.0]), np.array([False, True]), 0.5)

    assert np.array([2, 1]) @ cap.coefficients == pytest.approx(cap.limit)
    assert np.array([2, 2]) @ cap.coefficients > cap.limit
    assert np.array([3, 1]) @ cap.coefficients < cap.limit


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ParameterError, match="maxZoneShare"):
        share_cap("maxZoneShare", np.ones(2), np.array([True, False]), 1.5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alpha": 1.0}, "alpha"),
        ({"price_usd_per_hour": np.array([0.2, 0.0])}, "prices"),
        ({"interruption_usd_per_hour": np.array([0.2, -0.1])}, "prices"),
        ({"surviving": [[1.0, 1.1]] * 2}, "surviving"),
        ({"surviving": np.ones((3, 2)).tolist()}, "surviving"),
        ({"demand": [[-1.0]] * 2}, "demand"),
        ({"demand": np.zeros((0, 1)).tolist()}, "scenario"),
        ({"capacity": np.ones((2, 2))}, "capacity"),
        ({"nodes_now": np.array([1])}, "nodes_now"),
        ({"most_nodes": np.array([1, -1])}, "most_nodes"),
        ({"caps": (OfferCap("minNodes", -np.ones(2), -1.0),)}, "minNodes"),
        ({"caps": (OfferCap("maxNodes", np.ones(3), 1.0),)}, "maxNodes"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        make_fleet(**fields)
