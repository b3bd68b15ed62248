"""Random fleets, small enough to search hundreds of them."""

import numpy as np
from hypothesis import strategies as st
from nodemix.optimizer.genetic.fleet import FleetProblem, share_cap
from nodemix.optimizer.genetic.fleet_search import FleetSearchParams
from nodemix.optimizer.problem.types import IntArray, OfferCap

MOST_NODES = 12
SMALL = FleetSearchParams(population=12, generations=4)


@st.composite
def fleets(draw: st.DrawFn) -> FleetProblem:
    """A few pools, scenarios of any severity, some without demand, some caps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pools, scenarios = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    dimensions = draw(st.integers(1, 3))
    capacity = rng.integers(0, 9, (pools, dimensions)).astype(np.float64)
    capacity[:, 0] += 1.0
    is_hit = rng.random((scenarios, pools)) < draw(st.sampled_from((0.0, 0.2, 1.0)))
    return FleetProblem(
        price_usd_per_hour=rng.uniform(0.1, 1.0, pools),
        interruption_usd_per_hour=rng.uniform(0.0, 0.1, pools),
        capacity=capacity,
        surviving=1.0 - is_hit * rng.random((scenarios, pools)),
        demand=np.floor(rng.uniform(0.0, 40.0, (scenarios, dimensions))),
        nodes_now=rng.integers(0, 4, pools),
        most_nodes=rng.integers(0, MOST_NODES, pools),
        caps=draw(caps(pools, rng)),
        alpha=draw(st.sampled_from((0.5, 0.9, 0.95, 0.97))),
    )


@st.composite
def caps(draw: st.DrawFn, pools: int, rng: np.random.Generator) -> tuple[OfferCap, ...]:
    """Shares of a pool and of the spot market, a budget, a limit of nodes; any of them."""
    vcpus = rng.integers(1, 9, pools).astype(np.float64)
    first, spot = np.arange(pools) == 0, rng.random(pools) < 0.6
    choices = (
        share_cap("maxPoolShare", vcpus, first, draw(st.sampled_from((0.0, 0.25, 0.6)))),
        share_cap("minOnDemandShare", vcpus, spot, draw(st.sampled_from((0.3, 0.9)))),
        OfferCap("budget.usdPerHour", rng.uniform(0.1, 1.0, pools), draw(st.floats(0.0, 9.0))),
        OfferCap("maxNodes", np.ones(pools), float(draw(st.integers(0, 20)))),
    )
    return tuple(cap for cap in choices if draw(st.booleans()))


@st.composite
def plans(draw: st.DrawFn, problem: FleetProblem, most_plans: int = 8) -> IntArray:
    """Nodes of each pool of a few plans, whatever quotas and caps say."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, MOST_NODES, (draw(st.integers(1, most_plans)), problem.pools))
