import numpy as np
from nodemix.optimizer.genetic.variation import Breeder
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.greedy import share_values
from nodemix.optimizer.packing.market import Market

from tests.optimizer.packing.markets import draft_of, make_market


def breeder_of(market: Market, seed: int = 0) -> Breeder:
    duals = Duals(share_values(market), np.zeros(len(market.cap_limits)))
    return Breeder(market, duals, np.random.default_rng(seed), noise=0.2, most_ruined=0.5)


def two_rows() -> Market:
    return make_market(workloads=[(8, 1000), (8, 2000)], offers=[(4, 0.2), (8, 0.3)])


def test_a_child_of_two_holds_every_pod_once() -> None:
    market = two_rows()
    mother = draft_of(market, (0, [4, 0], 2), (0, [0, 4], 2))
    father = draft_of(market, (0, [2, 3], 2), (0, [2, 1], 2))
    for seed in range(20):
        child = breeder_of(market, seed).cross(mother, father)

        assert child is not None
        assert (child.held == market.demand).all()


def test_a_mutant_holds_every_pod_once() -> None:
    market = two_rows()
    parent = draft_of(market, (0, [4, 0], 2), (0, [0, 4], 2))
    for seed in range(20):
        child = breeder_of(market, seed).mutate(parent)

        assert child is not None
        assert (child.held == market.demand).all()


def test_a_mutation_that_the_caps_refuse_gives_no_child() -> None:
    """Three full nodes are allowed and needed; one pod a node cannot be bought back."""
    market = make_market(workloads=[(12, 1000)], offers=[(4, 0.2)], caps=[([1.0], 0.0)])
    parent = draft_of(market, (0, [4], 3))

    assert breeder_of(market).mutate(parent) is None
