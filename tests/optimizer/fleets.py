"""A small fleet for tests: only what a test is about is said."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from nodemix.optimizer.genetic.fleet import FleetProblem


def make_fleet(
    prices: Sequence[float] = (0.2, 0.1),
    surviving: Sequence[Sequence[float]] = ((1.0, 1.0), (1.0, 0.0)),
    demand: Sequence[Sequence[float]] = ((10.0,), (10.0,)),
    **fields: Any,
) -> FleetProblem:
    """Pools of nodes that serve one unit each; the second one is cheap and sometimes gone."""
    pools = len(prices)
    dull: dict[str, Any] = {
        "price_usd_per_hour": np.array(prices),
        "interruption_usd_per_hour": np.zeros(pools),
        "capacity": np.ones((pools, 1)),
        "surviving": np.array(surviving),
        "demand": np.array(demand, dtype=np.float64),
        "nodes_now": np.zeros(pools, dtype=np.int64),
        "most_nodes": np.full(pools, 50, dtype=np.int64),
        "alpha": 0.5,
    }
    return FleetProblem(**(dull | fields))
