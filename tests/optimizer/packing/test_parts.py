"""The engine's parts, one by one, on markets small enough to check by hand."""

import numpy as np
import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packing.alternatives import distinct_drafts
from nodemix.optimizer.packing.bound import Duals, fractional_bound
from nodemix.optimizer.packing.branch import Knapsack, best_pattern, patterns_above
from nodemix.optimizer.packing.columns import ColumnPool
from nodemix.optimizer.packing.dive import DiveParams, dive, round_greedily
from nodemix.optimizer.packing.draft import to_packing, trim
from nodemix.optimizer.packing.enumeration import EnumerationParams, enumerate_patterns
from nodemix.optimizer.packing.generation import Generation, GenerationParams
from nodemix.optimizer.packing.greedy import capped_draft, greedy_draft, share_values
from nodemix.optimizer.packing.incumbent import Incumbent
from nodemix.optimizer.packing.local_search import LocalSearch, LocalSearchParams, make_scene
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.master import Relaxation
from nodemix.optimizer.packing.part import rest_of, take_part
from nodemix.optimizer.packing.repair import meet_caps
from nodemix.optimizer.packing.restricted import MipParams, restricted_draft

from tests.laws.strategies import ticking
from tests.optimizer.packing.markets import draft_of, make_market


def generated(market: Market) -> tuple[Generation, Relaxation]:
    """Column generation run to its end."""
    pool = ColumnPool(market)
    greedy = greedy_draft(market, share_values(market))
    if greedy is not None:
        pool.add_draft(greedy)
    generation = Generation(market, pool, GenerationParams())
    generation.run(ticking(10_000))
    assert generation.relaxation is not None
    return generation, generation.relaxation


def searching(market: Market) -> LocalSearch:
    """A local search at the duals of the relaxation."""
    _, relaxation = generated(market)
    params = LocalSearchParams(patience=640)
    scene = make_scene(market, relaxation.duals)
    return LocalSearch(market, scene, np.random.default_rng(0), params)


def thirds() -> Market:
    """Pods of a third and of a half of a node: the relaxation is a fraction."""
    return make_market(workloads=[(4, 1300), (3, 2000)], offers=[(4, 0.2), (2, 0.15)])


class TestMarket:
    def test_an_offer_that_costs_more_for_less_is_left_out(self) -> None:
        market = make_market(offers=[(2, 0.3), (4, 0.2)])

        assert market.offers.tolist() == [1]

    def test_an_offer_that_weighs_less_on_a_cap_stays(self) -> None:
        market = make_market(offers=[(2, 0.3), (4, 0.2)], caps=[([0.0, 1.0], 5.0)])

        assert market.offers.tolist() == [0, 1]


class TestPart:
    def test_rows_that_are_covered_and_offers_for_them_drop_out(self) -> None:
        market = make_market(workloads=[(4, 1000), (2, 7000)], offers=[(4, 0.2), (8, 0.5)])
        part = rest_of(market, draft_of(market, (1, [0, 1], 2)))

        assert part.rows.tolist() == [0]
        assert part.market.demand.tolist() == [4]
        assert part.offers.tolist() == [0, 1]

    def test_a_draft_of_the_part_comes_back_in_terms_of_the_whole(self) -> None:
        market = make_market(workloads=[(4, 1000), (2, 7000)], offers=[(4, 0.2), (8, 0.5)])
        part = take_part(market, np.array([0, 2]), market.cap_limits)
        lifted = part.lift(draft_of(part.market, (0, [1], 2)))

        assert lifted.offers.tolist() == [1]
        assert lifted.pods.tolist() == [[0, 1]]
        assert lifted.cost_usd_per_hour == pytest.approx(1.0)

    def test_patterns_are_cut_to_what_the_part_needs(self) -> None:
        market = make_market(workloads=[(4, 1000), (2, 500)], offers=[(4, 0.2)])
        part = take_part(market, np.array([1, 0]), market.cap_limits)
        pool = ColumnPool(part.market)
        part.add_patterns(pool, np.array([0, 0]), np.array([[3, 2], [0, 2]]))

        assert pool.pods.tolist() == [[1]]

    def test_what_a_draft_uses_of_the_caps_is_taken_off(self) -> None:
        market = make_market(workloads=[(8, 1000)], caps=[([1.0], 5.0)])
        part = rest_of(market, draft_of(market, (0, [4], 1)))

        assert part.market.cap_limits.tolist() == [4.0]


class TestBranch:
    knapsack = Knapsack(
        values=np.array([3.0, 2.0]),
        requests=np.array([[3], [2]]),
        limits=np.array([9, 9]),
        room=np.array([7]),
        compatible=np.ones(2, dtype=np.bool_),
        multipliers=np.array([1.0]),
    )

    def test_the_best_pattern_uses_all_the_room(self) -> None:
        pods = np.zeros(2, dtype=np.int64)
        worth, is_best = best_pattern(self.knapsack, 0.0, 1000, pods)

        assert (worth, is_best) == (7.0, True)
        assert pods.tolist() == [1, 2]

    def test_all_full_patterns_above_the_target_are_listed(self) -> None:
        pods = np.zeros((10, 2), dtype=np.int64)
        n, is_complete = patterns_above(self.knapsack, 5.5, 1000, pods)

        assert is_complete
        assert sorted(pods[:n].tolist()) == [[0, 3], [1, 2], [2, 0]]

    def test_a_list_that_is_too_short_is_said_to_be_incomplete(self) -> None:
        pods = np.zeros((1, 2), dtype=np.int64)

        assert patterns_above(self.knapsack, 5.5, 1000, pods) == (1, False)

    def test_a_target_above_the_bound_needs_no_search(self) -> None:
        pods = np.zeros(2, dtype=np.int64)

        assert best_pattern(self.knapsack, 7.5, 0, pods) == (7.5, True)


class TestGeneration:
    def test_bound_meets_the_relaxation_when_nothing_pays_any_more(self) -> None:
        generation, relaxation = generated(thirds())

        assert generation.is_converged
        bound = generation.lower_bound_usd_per_hour
        assert bound == pytest.approx(relaxation.cost_usd_per_hour, rel=1e-6)
        assert bound <= relaxation.cost_usd_per_hour

    def test_bound_is_at_least_the_fractional_one(self) -> None:
        market = thirds()
        generation, _ = generated(market)

        assert generation.lower_bound_usd_per_hour >= fractional_bound(market) * (1 - 1e-9)

    def test_a_cap_that_binds_has_a_price(self) -> None:
        market = make_market(offers=[(4, 0.2), (4, 0.1)], caps=[([0.0, 1.0], 1.0)])
        _, relaxation = generated(market)

        assert relaxation.duals.caps[0] == pytest.approx(0.1)

    def test_settings_out_of_range_are_refused(self) -> None:
        with pytest.raises(ParameterError, match="max_rounds"):
            GenerationParams(max_rounds=0)


class TestWholeNumbers:
    def test_rounding_covers_everything(self) -> None:
        market = thirds()
        generation, relaxation = generated(market)
        draft = round_greedily(market, generation.pool, relaxation)

        assert draft is not None
        assert (draft.held >= market.demand).all()

    def test_dive_covers_everything_near_the_relaxation(self) -> None:
        market = make_market(
            workloads=[(400, 1300), (300, 2100), (250, 700)],
            offers=[(4, 0.2), (8, 0.39), (16, 0.7)],
        )
        generation, relaxation = generated(market)
        draft = dive(market, generation.pool, relaxation, ticking(10_000), DiveParams())

        assert draft is not None
        assert (draft.held >= market.demand).all()
        assert draft.cost_usd_per_hour <= 1.01 * relaxation.cost_usd_per_hour

    def test_dive_without_time_finishes_greedily(self) -> None:
        market = thirds()
        generation, relaxation = generated(market)
        draft = dive(market, generation.pool, relaxation, ticking(0), DiveParams())

        assert draft is not None
        assert (draft.held >= market.demand).all()

    def test_restricted_program_finds_the_best_mix_of_the_patterns(self) -> None:
        market = make_market(workloads=[(5, 1000)], offers=[(4, 0.2), (2, 0.12), (1, 0.07)])
        pool = ColumnPool(market)
        pool.add_draft(draft_of(market, (0, [4], 1), (1, [2], 1), (2, [1], 1)))
        _, relaxation = generated(market)
        draft = restricted_draft(market, pool, relaxation, ticking(100), MipParams())

        assert draft is not None
        assert draft.cost_usd_per_hour == pytest.approx(0.27)

    def test_restricted_program_keeps_the_caps(self) -> None:
        market = make_market(
            workloads=[(6, 1000)], offers=[(4, 0.2), (2, 0.05)], caps=[([0.0, 1.0], 1.0)]
        )
        pool = ColumnPool(market)
        pool.add_draft(draft_of(market, (0, [4], 1), (1, [2], 1)))
        _, relaxation = generated(market)
        draft = restricted_draft(market, pool, relaxation, ticking(100), MipParams())

        assert draft is not None
        assert draft.cost_usd_per_hour == pytest.approx(0.25)

    def test_enumeration_lists_the_pattern_the_optimum_needs(self) -> None:
        market = thirds()
        generation, relaxation = generated(market)
        listed = enumerate_patterns(
            market, generation.knapsacks, relaxation, 0.3, ticking(10_000), EnumerationParams()
        )
        draft = restricted_draft(market, listed.pool, relaxation, ticking(100), MipParams())

        assert listed.is_complete

        assert draft is not None
        assert draft.cost_usd_per_hour == pytest.approx(0.6)


class TestLocalSearch:
    def test_wasteful_nodes_are_replaced(self) -> None:
        market = make_market(workloads=[(10, 1000)])
        search = searching(market)
        better = search.improve(draft_of(market, (0, [1], 10)), ticking(10_000))

        assert better.cost_usd_per_hour == pytest.approx(0.6)
        assert better.held.tolist() == [10]

    def test_a_plan_is_never_made_worse(self) -> None:
        market = thirds()
        _, relaxation = generated(market)
        start = greedy_draft(market, share_values(market))
        assert start is not None
        scene = make_scene(market, relaxation.duals)
        search = LocalSearch(
            market, scene, np.random.default_rng(0), LocalSearchParams(patience=320)
        )

        assert search.improve(start, ticking(1000)).cost_usd_per_hour <= start.cost_usd_per_hour

    def test_caps_hold_at_every_step(self) -> None:
        market = make_market(
            workloads=[(20, 1000)], offers=[(4, 0.2), (8, 0.3)], caps=[([0.0, 1.0], 1.0)]
        )
        search = searching(market)
        better = search.improve(draft_of(market, (0, [1], 20)), ticking(1000))

        assert better.is_allowed(market)
        assert better.cost_usd_per_hour == pytest.approx(3 * 0.2 + 0.3)

    def test_settings_out_of_range_are_refused(self) -> None:
        with pytest.raises(ParameterError, match="most_nodes"):
            LocalSearchParams(most_nodes=1)


class TestGreedy:
    def test_a_tight_node_limit_asks_for_larger_nodes(self) -> None:
        """Small nodes are the best value; four large ones are all the limit allows."""
        market = make_market(
            workloads=[(32, 1000)], offers=[(2, 0.1), (8, 0.5)], caps=[([1.0, 1.0], 4.0)]
        )

        assert greedy_draft(market, share_values(market)) is None
        draft = capped_draft(market)
        assert draft is not None
        assert draft.is_allowed(market)
        assert draft.held.tolist() == [32]

    def test_a_limit_that_no_plan_keeps_gives_none(self) -> None:
        market = make_market(workloads=[(32, 1000)], offers=[(8, 0.5)], caps=[([1.0], 3.0)])

        assert capped_draft(market) is None


class TestRepair:
    def test_empty_nodes_of_the_cheapest_offer_meet_a_least_number(self) -> None:
        market = make_market(offers=[(4, 0.2), (2, 0.15)], caps=[([-1.0, -1.0], -5.0)])
        draft = meet_caps(market, draft_of(market, (0, [4], 3)))

        assert draft.is_allowed(market)
        assert draft.cost_usd_per_hour == pytest.approx(3 * 0.2 + 2 * 0.15)

    def test_a_cap_that_more_nodes_cannot_meet_stays_broken(self) -> None:
        market = make_market(caps=[([1.0], 1.0)])

        assert not meet_caps(market, draft_of(market, (0, [4], 3))).is_allowed(market)


class TestIncumbent:
    def test_drafts_that_lack_pods_or_break_caps_are_refused(self) -> None:
        market = make_market(workloads=[(8, 1000)], caps=[([1.0], 2.0)])
        incumbent = Incumbent(market, ticking(10).clock)

        assert not incumbent.offer(None, "none")
        assert not incumbent.offer(draft_of(market, (0, [4], 1)), "lacks pods")
        assert not incumbent.offer(draft_of(market, (0, [4], 3)), "too many nodes")
        assert incumbent.best is None

    def test_pods_beyond_the_demand_are_taken_out(self) -> None:
        market = make_market(workloads=[(5, 1000)])
        incumbent = Incumbent(market, ticking(10).clock)

        assert incumbent.offer(draft_of(market, (0, [4], 2)), "first")
        assert incumbent.best is not None
        assert incumbent.best.held.tolist() == [5]

    def test_only_cheaper_drafts_are_milestones(self) -> None:
        market = make_market(workloads=[(4, 1000)])
        incumbent = Incumbent(market, ticking(10).clock)

        assert incumbent.offer(draft_of(market, (0, [2], 2)), "first")
        assert incumbent.offer(draft_of(market, (0, [4], 1)), "better")
        assert not incumbent.offer(draft_of(market, (0, [1], 4)), "worse")
        assert [one.stage for one in incumbent.milestones] == ["first", "better"]


def test_trim_drops_nodes_that_become_empty() -> None:
    market = make_market(workloads=[(4, 1000)])

    trimmed = trim(market, draft_of(market, (0, [4], 2)))

    assert trimmed.counts.tolist() == [1]


def test_equal_nodes_are_merged_in_the_packing() -> None:
    market = make_market(workloads=[(8, 1000)])
    packing = to_packing(market, draft_of(market, (0, [4], 1), (0, [4], 1)))

    assert [(group.count, group.pods) for group in packing.nodes] == [(2, ((0, 4),))]


def test_alternatives_spend_their_money_elsewhere() -> None:
    market = make_market(
        workloads=[(8, 1000)], offers=[(4, 0.2), (4, 0.205)], caps=[([1.0, 0.0], 9.0)]
    )
    best = draft_of(market, (0, [4], 2))
    twin = draft_of(market, (0, [4], 1), (0, [2], 1), (0, [2], 0))
    other = draft_of(market, (1, [4], 2))
    dear = draft_of(market, (1, [1], 8))

    assert distinct_drafts(market, best, [dear, twin, other, best]) == [other]


def test_duals_move_by_a_share_of_the_way() -> None:
    here, there = Duals(np.array([1.0]), np.array([0.0])), Duals(np.array([3.0]), np.array([2.0]))
    half = here.towards(there, 0.5)

    assert (half.rows.tolist(), half.caps.tolist()) == ([2.0], [1.0])
