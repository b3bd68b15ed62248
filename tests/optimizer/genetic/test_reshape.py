import numpy as np
from nodemix.optimizer.genetic.reshape import Reshaper
from nodemix.optimizer.genetic.slack import squeeze_in
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.greedy import share_values
from nodemix.optimizer.packing.local_search import make_scene
from nodemix.optimizer.packing.market import Market

from tests.optimizer.packing.markets import draft_of, make_market


def duals_of(market: Market) -> Duals:
    return Duals(share_values(market), np.zeros(len(market.cap_limits)))


def reshaper_of(market: Market, seed: int) -> Reshaper:
    return Reshaper(market, duals_of(market), np.random.default_rng(seed), most_freed=0.5)


def two_rows() -> tuple[Market, Draft]:
    market = make_market(workloads=[(8, 1000), (8, 2000)], offers=[(4, 0.2), (8, 0.37)])
    return market, draft_of(market, (0, [3, 0], 2), (1, [1, 3], 2), (0, [0, 1], 2))


def assert_holds_all_once(market: Market, draft: Draft | None) -> None:
    assert draft is not None
    assert (draft.held == market.demand).all()
    assert (draft.pods @ market.requests <= market.room[draft.offers]).all()


def test_a_reshaped_plan_holds_every_pod_once() -> None:
    market, draft = two_rows()
    children = [reshaper_of(market, seed).reshape(draft) for seed in range(40)]
    found = [child for child in children if child is not None]

    assert len(found) > 20
    for child in found:
        assert_holds_all_once(market, child)


def test_pods_left_pending_get_a_place() -> None:
    market, _ = two_rows()
    offers, pods = np.array([1, 1]), np.array([[4, 2], [1, 3]])
    for seed in range(20):
        left = market.demand - pods.sum(axis=0)
        child = reshaper_of(market, seed).rebuild(offers, pods.copy(), left)

        if child is not None:
            assert_holds_all_once(market, child)


def test_a_drawn_plan_holds_every_pod_once_and_not_always_on_the_same_offers() -> None:
    market = make_market(workloads=[(30, 1000)], offers=[(4, 0.2), (8, 0.41), (16, 0.83)],
                         caps=[([1.0, 0.0, 0.0], 99.0), ([0.0, 1.0, 0.0], 99.0)])  # fmt: skip
    drafts = [reshaper_of(market, seed).draw_plan() for seed in range(20)]
    for draft in drafts:
        assert draft is not None
        assert (draft.held >= market.demand).all()

    assert len({tuple(sorted(set(draft.offers.tolist()))) for draft in drafts if draft}) > 1


def test_squeezing_fills_nodes_up_and_no_further() -> None:
    market = make_market(workloads=[(8, 1000)], offers=[(4, 0.2)])
    demand, pods = np.array([5]), np.array([[1], [3]])

    squeeze_in(make_scene(market, duals_of(market)), demand, np.array([0]), np.array([0, 0]), pods)

    assert pods[:, 0].tolist() == [4, 4]
    assert demand.tolist() == [1]
